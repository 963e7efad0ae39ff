"""A bolt that says what its name promises, once."""

import os

from streamparse import Bolt, Stream

from spouts.script import Diary


class Wrong(Diary, Bolt):
    """With a stream that somebody reads, one that nobody reads, and one for direct emits."""

    outputs = [Stream(["n", "a", "b"]), Stream(["n"], "unheard")]
    auto_ack = auto_anchor = False

    def initialize(self, conf, context):
        self.open(conf, context)
        tasks = context["task->component"].items()
        self.hears = next(int(task) for task, name in tasks if name == "hears")
        self.ready()

    def process(self, tup):
        self.note("got", tup.component, tup.stream, tup.values)
        WRONGS[self.component_name](self, tup)
        open(os.path.join(self.folder, f"done.{self.task_id}"), "w").close()


def _acks_twice(bolt, tup):
    bolt.ack(tup)
    bolt.ack(tup)


def _fails_acked(bolt, tup):
    bolt.ack(tup)
    bolt.fail(tup)


def _anchors_late(bolt, tup):
    bolt.ack(tup)
    bolt.emit(list(tup.values), anchors=[tup])


def _emits_direct(bolt, tup):
    told = {"direct_task": bolt.hears}  # lint refuses it by name
    bolt.emit([1, "a", "b"], **told)


WRONGS = {
    "direct_emit": _emits_direct,
    "unknown_stream": lambda bolt, tup: bolt.emit([1, "a", "b"], stream="nowhere"),
    "too_few": lambda bolt, tup: bolt.emit([1, "a"]),
    "too_many": lambda bolt, tup: bolt.emit([1, "a", "b", "c"]),
    "acks_twice": _acks_twice,
    "fails_acked": _fails_acked,
    "anchors_late": _anchors_late,
    "anchors_strange": lambda bolt, tup: bolt.emit([1, "a", "b"], anchors=["1234"]),
    "no_command": lambda bolt, tup: bolt.send_message({"tuple": [1, "a", "b"]}),
    "metric": lambda bolt, tup: bolt.report_metric("speed", 1),
    # Storm minds none of these.
    "odd_command": lambda bolt, tup: bolt.send_message({"command": "dance"}),
    "unheard_wrong": lambda bolt, tup: bolt.emit([1, "a", "b"], stream="unheard"),
}
