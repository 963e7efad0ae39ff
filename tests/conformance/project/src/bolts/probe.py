"""Bolts that do what their configuration says, and write down what came."""

import json
import os

from streamparse import BatchingBolt, Bolt, Stream

from spouts.script import Diary


class Fresh:
    """A new list each time: Flux reads at most 50 shared ones in its file."""

    def __init__(self, *fields):
        self.fields = fields

    def __get__(self, instance, owner):
        return list(self.fields)


def probe(tasks=None, **plan):
    """Configuration of a `Probe`: its plan, and of how many tasks it is."""
    return {"probe": json.dumps(plan), **({"topology.tasks": tasks} if tasks else {})}


class Probe(Diary, Bolt):
    """`probe`: {emit: [[stream, anchored, to]], fail_once, fail, hold_once: [n], join: k, …}.

    `fail_each`: fail_once of each task that it comes from. `late`: what becomes of a tuple that was
    held when its replay comes, "ack" or "fail". `inflate`: b becomes so many letters.
    """

    outputs = Fresh("n", "a", "b")
    auto_ack = False
    auto_anchor = False

    def initialize(self, conf, context):
        self.open(conf, context)
        self.plan = json.loads(conf.get("probe") or "{}")
        self.held = []
        self.late = {}
        names = context["task->component"].items()
        self.tasks = {}
        for task, name in sorted((int(task), name) for task, name in names):
            self.tasks.setdefault(name, []).append(task)
        self.ready()

    def process(self, tup):
        n = tup.values[0]
        self.note("got", tup.component, tup.stream, tup.values)
        late = self.late.pop(n, None)
        if late:
            self.note("late", self.plan["late"], n)
            (self.fail if self.plan["late"] == "fail" else self.ack)(late)
        if n in self.plan.get("hold_once", ()) and self.first(n):
            if "late" in self.plan:
                self.late[n] = tup
            return
        self.held.append(tup)
        if len(self.held) < self.plan.get("join", 1):
            return
        for stream, anchored, to in self.plan.get("emit", ()):
            values = list(min(self.held, key=lambda one: one.values[0]).values)
            values = values if stream == "default" else [n]
            if "inflate" in self.plan:
                values[2] = "x" * self.plan["inflate"]
            targets = self.tasks[to] if to else None
            direct = targets[n % len(targets)] if to else None
            anchors = self.held if anchored else []
            told = {"direct_task": direct}  # lint refuses it by name
            ids = self.emit(values, stream=stream, anchors=anchors, need_task_ids=True, **told)
            self.note("sent", stream, values[:2], direct or (ids if len(ids) != 1 else "one"))
        fails = n in self.plan.get("fail", ())
        fails = fails or (n in self.plan.get("fail_once", ()) and self.first(n))
        fails = fails or (n in self.plan.get("fail_each", ()) and self.first(f"{n}.{tup.task}"))
        for one in self.held:
            (self.fail if fails else self.ack)(one)
        self.held = []

    def process_tick(self, tup):
        self.note("tick", tup.component, tup.stream, tup.task)
        self.ack(tup)

    def first(self, n):
        path = os.path.join(self.folder, f"first.{self.component_name}.{n}")
        if os.path.exists(path):
            return False
        open(path, "w").close()
        return True


class Sender(Probe):
    """With more streams."""

    outputs = [Stream(["n", "a", "b"]), Stream(["n"], "side"), Stream(["n"], "told", direct=True)]


class Auto(Diary, Bolt):
    """streamparse's defaults: anchors and acks by itself, named values."""

    outputs = ["n", "a", "b"]

    def initialize(self, conf, context):
        self.open(conf, context)
        self.ready()

    def process(self, tup):
        self.note("got", tup.component, tup.stream, tup.values)
        self.note("fields", list(tup.values._fields))
        self.emit(list(tup.values))


class Complains(Diary, Bolt):
    """Reports errors and logs at every level, and goes on."""

    outputs = Fresh("n")

    def initialize(self, conf, context):
        self.open(conf, context)
        self.ready()

    def process(self, tup):
        self.note("got", tup.component, tup.stream, tup.values)
        for level in ("debug", "info", "warning", "error", "critical"):
            getattr(self.logger, level)("%s of %s", level, tup.id)
        try:
            raise ValueError(f"{tup.values[0]} is not to its taste")
        except ValueError as error:
            self.raise_exception(error, tup)
        self.emit([tup.values[0]], need_task_ids=False)


class Batches(Diary, BatchingBolt):
    """streamparse's batches between ticks."""

    outputs = ["n"]
    ticks_between_batches = 1

    def initialize(self, conf, context):
        self.open(conf, context)
        self.ready()

    def group_key(self, tup):
        return tup.values[0] % 2

    def process_batch(self, key, tups):
        for tup in tups:
            self.note("got", tup.component, tup.stream, tup.values)


class Dies(Diary, Bolt):
    """Raises the first time it meets 3."""

    outputs = ["n"]

    def initialize(self, conf, context):
        self.open(conf, context)
        self.ready()

    def process(self, tup):
        path = os.path.join(self.folder, "died")
        if tup.values[0] == 3 and not os.path.exists(path):
            open(path, "w").close()
            raise ValueError("three is too many")
        self.note("got", tup.component, tup.stream, tup.values)
