"""A spout that emits what its configuration lists, and writes down what becomes of it."""

import json
import os

from streamparse import ReliableSpout, Spout

PARK = "org.apache.storm.policy.WaitStrategyPark"
CALM = {
    "conformance.folder": os.environ.get("CONFORMANCE_FOLDER", ""),
    "topology.spout.wait.strategy": PARK,
    "topology.spout.wait.park.microsec": 50_000,
    "topology.sleep.spout.wait.strategy.time.ms": 50,  # the same to the runner
    "topology.bolt.wait.strategy": PARK,
    "topology.bolt.wait.park.microsec": 5_000,
}
"""Over a hundred threads and processes share two cores."""


def script(rows, stream="default", ids=str, **config):
    """A spout's configuration. `n` counts from 1, rows are [a, b], `ids` makes an id of n."""
    lines = [[stream, [n, *row], ids(n), None] for n, row in enumerate(rows, 1)]
    return {"script": json.dumps(lines), **config}  # Flux passes on texts and numbers


def numbers(count, **more):
    """As `script`, of so many equal rows."""
    return script([["a", "b"]] * count, **more)


class Diary:
    """One file a task; also the barrier: nobody emits before every bolt stands."""

    def open(self, conf, context):
        self.folder = conf["conformance.folder"]
        self.tasks = conf["conformance.bolts"]
        path = os.path.join(self.folder, f"{self.component_name}.{self.task_id}.jsonl")
        self.file = open(path, "a", encoding="utf-8")
        streams = sorted(context["streams"])
        self.note(
            "context", self.task_id, json.dumps({**context, "streams": streams}, sort_keys=True)
        )
        self.note("configuration", sorted(conf))
        self.note("ticks", conf["topology.tick.tuple.freq.secs"])

    def note(self, *what):
        self.file.write(json.dumps(what) + "\n")
        self.file.flush()

    def all_stand(self):
        names = os.listdir(self.folder)
        return sum(name.startswith("ready.") for name in names) >= self.tasks

    def ready(self):
        open(os.path.join(self.folder, f"ready.{self.task_id}"), "w").close()


class Script(Diary, Spout):
    """`script`: [stream, values, id, direct] each; what fails is emitted again.

    `burst`: so many at once.
    """

    outputs = ["n", "a", "b"]

    def initialize(self, conf, context):
        self.open(conf, context)
        self.rows = json.loads(conf["script"])
        self.burst = conf.get("burst", 1)
        self.note("word", conf.get("conformance.word"))
        self.left = len([row for row in self.rows if row[2] is not None])
        self.by_id = {}
        self.started = False

    def next_tuple(self):
        self.started = self.started or self.all_stand()
        if self.started:
            for _ in range(min(self.burst, len(self.rows))):
                self.send()

    def send(self):
        row = self.rows.pop(0)
        stream, values, tup_id, direct = row
        if tup_id is not None:
            self.by_id[tup_id] = row
        told = {"direct_task": direct}  # lint refuses it by name
        ids = self.emit(values, tup_id=tup_id, stream=stream, need_task_ids=not direct, **told)
        self.note("sent", stream, values, ids if len(ids) != 1 else "one")
        self.note("pending", len(self.by_id))

    def ack(self, tup_id):
        self.note("acked", tup_id)
        self.by_id.pop(tup_id, None)
        self.left -= 1
        if not self.left:
            open(os.path.join(self.folder, f"done.{self.task_id}"), "w").close()

    def fail(self, tup_id):
        self.note("failed", tup_id)
        self.rows.append(self.by_id.pop(tup_id))


class Relay(Script):
    """Emits the next one while it is told of the last one's end."""

    def next_tuple(self):
        if not self.started and self.all_stand():
            self.started = True
            self.send()

    def ack(self, tup_id):
        super().ack(tup_id)
        if self.rows:
            self.send()

    def fail(self, tup_id):
        super().fail(tup_id)
        self.send()


class Mute(Diary, Spout):
    """Never emits."""

    outputs = ["n"]

    def initialize(self, conf, context):
        self.open(conf, context)
        self.calls = 0

    def next_tuple(self):
        self.calls += self.all_stand()
        if self.calls == 3:
            open(os.path.join(self.folder, f"done.{self.task_id}"), "w").close()


class Raises(Script):
    """Raises once, with three tuples under way."""

    def ack(self, tup_id):
        path = os.path.join(self.folder, "raised")
        if tup_id == "2" and not os.path.exists(path):
            open(path, "w").close()
            raise ValueError("two is too many")
        super().ack(tup_id)


class Stubborn(Diary, ReliableSpout):
    """streamparse's own way with failures: three more tries, then it gives up."""

    outputs = ["n"]

    def initialize(self, conf, context):
        self.open(conf, context)
        self.sent = False

    def next_tuple(self):
        if not self.sent and self.all_stand():
            self.sent = True
            self.emit([1], tup_id="1")

    def fail(self, tup_id):
        self.note("failed", tup_id)
        super().fail(tup_id)
        if tup_id not in self.unacked_tuples:
            open(os.path.join(self.folder, f"done.{self.task_id}"), "w").close()
