"""Tasks as processes: what Storm refuses costs the component its life, not the runner its own."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from streamparse import Topology

from stormwatch.adapters.clock import RealClock
from stormwatch.runner import plan as plans
from stormwatch.runner.engine import Engine, Rules, RunFailed
from stormwatch.runner.events import Died, Event, Logged
from stormwatch.runner.processes import Processes

COMPONENTS = '''
import os, subprocess, sys
from streamparse import Bolt, Spout
from stormwatch.adapters.storm.component import StrictComponent

class One(Spout):
    outputs = ["n"]
    def next_tuple(self):
        self.emit([1], tup_id="1")

class Malformed(Bolt):
    """Plain streamparse: descriptor 1 is Storm's."""
    def process(self, tup):
        subprocess.run(["echo", "from outside"])
        self.logger.info("said")

class AcksTwice(Bolt):
    def process(self, tup):
        self.ack(tup)

class Leaves(Bolt):
    def process(self, tup):
        os._exit(3)

class Guarded(StrictComponent, Bolt):
    def process(self, tup):
        subprocess.run(["echo", "from outside"])
        print("said")
'''


@pytest.fixture
def components(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    (tmp_path / "doubtful.py").write_text(COMPONENTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2] / 'src'}")
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    yield importlib.import_module("doubtful")
    del sys.modules["doubtful"]


def run(components: object, bolt: str, folder: Path, rules: Rules, seconds: float) -> list[Event]:
    class Two(Topology):
        one = components.One.spec()  # type: ignore[attr-defined]
        two = getattr(components, bolt).spec(inputs=[one])

    clock, events = RealClock(), list[Event]()
    plan = plans.read(Two, "two")
    host = Processes(plan, clock, folder)
    engine = Engine(plan, host, clock, Random(1), watch=events.append, rules=rules)
    try:
        engine.start()
        engine.run(seconds, lambda: any(isinstance(e, Logged) and "said" in e.text for e in events))
    finally:
        engine.stop()
    return events


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(
    ("bolt", "why"),
    [
        ("Malformed", "Storm refuses what it said: JSON is malformed"),
        ("AcksTwice", "non-existent or already acked/failed id"),
        ("Leaves", "it ended with exit code 3"),
    ],
)
def test_it_begins_again_and_after_some_deaths_the_run_ends_with_the_sentence(
    components: object, tmp_path: Path, bolt: str, why: str, together: bool
) -> None:
    with pytest.raises(RunFailed, match=rf"(?s)two died, the last of 2 deaths .*{why}"):
        run(components, bolt, tmp_path, Rules(deaths=1, together=together), 30)


def test_a_component_of_ours_may_start_children_that_write(
    components: object, tmp_path: Path
) -> None:
    events = run(components, "Guarded", tmp_path, Rules(), 30)
    assert any(isinstance(e, Logged) and e.text.endswith("said") for e in events)
    assert not [e for e in events if isinstance(e, Died)]
