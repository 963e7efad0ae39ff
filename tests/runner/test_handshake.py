"""What a component is told at its start is what Storm tells it."""

import json
from typing import Any, ClassVar

from streamparse import Bolt, Grouping, Stream, Topology

from stormwatch.runner import plan as plans
from tests.runner.shapes import Collect, Numbers


class Sender(Bolt):
    outputs: ClassVar = [Stream(["n", "a"]), Stream(["n"], "side"), Stream(["n"], "unread")]


class Shape(Topology):
    config: ClassVar[dict[str, Any]] = {"own.word": 1, "topology.message.timeout.secs": 7}
    numbers = Numbers.spec()
    sender = Sender.spec(inputs={numbers: Grouping.fields("n")}, par=2)
    tail = Collect.spec(
        inputs={sender: Grouping.SHUFFLE, sender["side"]: Grouping.GLOBAL},
        config={"topology.debug": True},
    )


def hello(component: str) -> tuple[dict[str, Any], dict[str, Any]]:
    plan = plans.read(Shape, "shape")
    task = plan.parts[component].tasks[0]
    said = json.loads(json.dumps(plan.hello(task, "/pids")))
    assert said.pop("pidDir") == "/pids"
    return said["conf"], said["context"]


def test_the_context_has_the_eight_keys_of_storms() -> None:
    """Compared with Storm 2.8.3 itself in tests/conformance."""
    tasks = {"1": "__acker", "2": "numbers", "3": "sender", "4": "sender", "5": "tail"}
    assert hello("sender")[1] == {
        "taskid": 3,
        "componentid": "sender",
        "task->component": tasks,
        "streams": ["default", "side", "unread"],
        "stream->outputfields": {"default": ["n", "a"], "side": ["n"], "unread": ["n"]},
        "stream->target->grouping": {
            "default": {"tail": {"type": "SHUFFLE"}},
            "side": {"tail": {"type": "FIELDS", "fields": []}},
        },
        "source->stream->fields": {"numbers": {"default": ["n"]}},
        "source->stream->grouping": {"numbers": {"default": {"type": "FIELDS", "fields": ["n"]}}},
    }
    told = hello("tail")[1]
    assert told["source->stream->fields"]["sender"].keys() == {"default", "side", "unread"}
    assert told["source->stream->grouping"]["sender"].keys() == {"default", "side"}


def test_the_configuration_has_storms_entries_under_ones_own() -> None:
    spout, _ = hello("numbers")
    bolt, _ = hello("tail")
    for conf in (spout, bolt):
        assert conf["topology.workers"] == 1  # nobody said so: Storm's default
        assert conf["topology.message.timeout.secs"] == 7
        assert conf["own.word"] == 1
        assert conf["topology.name"] == "shape"
        assert len(conf) > 290
    assert (spout["topology.debug"], bolt["topology.debug"]) == (False, True)
    assert spout["topology.tick.tuple.freq.secs"] == 7  # Storm counts a spout's time-outs by it
    assert bolt["topology.tick.tuple.freq.secs"] is None
