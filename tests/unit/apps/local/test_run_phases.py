"""A run publishes when its components are ready, and not before."""

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from apps.data.streams import Stream
from apps.local.run import phases
from apps.local.run.phases import Course
from apps.local.run.publisher import May
from apps.operate.figures import NOTHING, Look
from stormwatch.records import EndState

STREAMS = [Stream("fraud", "transactions", "transactions"), Stream("maintenance", "r", "readings")]


class Played:
    """Processes, watcher, signals and screen of a run, whose looks come from a script."""

    alarms: tuple[str, ...] = ()
    trouble = ""
    memory: ClassVar[dict[str, Any]] = {}
    ended_by = None
    asked = None

    def __init__(self, script: list[dict[str, Look]], sent: dict[str, int]) -> None:
        self.script, self.at, self._sent = script, 0, sent
        self.let_go: list[tuple[int, str, May]] = []
        self.fed: list[str] = []
        self.said: list[str] = []
        self.topologies = {
            s.topology: SimpleNamespace(restarts=0, components="2 of 7") for s in STREAMS
        }

    def latest(self, topology: str) -> Look | None:
        return self.script[min(self.at, len(self.script) - 1)].get(topology)

    def rates(self, topology: str) -> None:
        return None

    def ledgers(self, topology: str) -> list[Any]:
        return []

    def records(self, topology: str) -> dict[Any, str]:
        return {}

    def feed(self, stream: Stream, order: object) -> None:
        self.fed.append(stream.topology)

    def let(self, topology: str, may: May) -> None:
        self.let_go.append((self.at, topology, may))

    def sent(self, topology: str) -> int:
        met = [m for _, name, m in self.let_go if name == topology]
        return self._sent[topology] if met else 0

    def check(self) -> None: ...

    def decided(self, topology: str, records: int) -> None: ...

    def stop_publishing(self) -> str:
        return ""

    def show(self, screen: Any) -> None:
        self.said.append(screen.phase)

    def pause(self, seconds: float) -> bool:
        self.at += 1
        return self.at > len(self.script) + 3


def look(tasks: int, decided: int = 0, lag: int = 1) -> Look:
    return NOTHING._replace(taken=1, tasks=tasks, ends={EndState.SCORED: decided}, lag=lag)


def course(played: Any) -> Course:
    return Course(
        lambda stream: stream, "r", STREAMS, played, played, played, played.show  # type: ignore[arg-type, return-value]
    )  # fmt: skip


def test_first_records_go_to_a_topology_that_reports_and_the_rest_when_all_decide() -> None:
    played = Played(
        [
            {},
            {"fraud": look(0), "maintenance": look(0)},
            {"fraud": look(2), "maintenance": look(0)},
            {"fraud": look(4, 40), "maintenance": look(1)},
            {"fraud": look(4, 100), "maintenance": look(2, 99)},
            {"fraud": look(4, 100), "maintenance": look(2, 100)},
        ],
        {"fraud": 100, "maintenance": 100},
    )
    assert course(played).lead(0.0) == ""
    assert played.fed == ["fraud", "maintenance"]
    assert played.let_go == [
        (2, "fraud", May.OPENING),
        (3, "maintenance", May.OPENING),
        (5, "fraud", May.ALL),
        (5, "maintenance", May.ALL),
    ]
    assert (
        played.said[0] == "starting: fraud has 2 of 7 components, maintenance has 2 of 7 components"
    )
    assert played.said[2].startswith("starting: fraud is given its first records, maintenance has")
    assert played.said[4] == "starting: fraud decides, maintenance is given its first records"


def test_what_is_committed_is_decided_though_a_meter_that_was_lost_says_less() -> None:
    looks = [{"fraud": look(1, n, lag), "maintenance": look(1, n, lag)} for n, lag in
             [(0, 100), (60, 40), (60, 0)]]  # fmt: skip
    played = Played(looks, {"fraud": 100, "maintenance": 100})
    assert course(played).lead(0.0) == ""
    assert [(at, may) for at, _, may in played.let_go if may is May.ALL] == [(2, May.ALL)] * 2


def test_what_was_never_decided_is_told_with_what_was_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(phases, "READY_LIMIT_S", -1.0)
    told = course(Played([{}], {"fraud": 1, "maintenance": 1})).lead(1.0)
    assert "fraud has 2 of 7 components" in told
    assert "./stormwatch doctor" in told
