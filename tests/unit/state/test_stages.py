"""The stages of a decision, told to a stopwatch: by a clock that a test sets, a look a stage."""

from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from apps.data.generate.readings import readings
from apps.data.generate.transactions import Transactions
from stormwatch.adapters.threads.model_guard import Guard, watched
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.maintenance import Maintenance
from stormwatch.metrics import Stopwatch
from stormwatch.models import Model
from stormwatch.records import Fragment, Rejection
from stormwatch.rollout.arms import Arm, Rolled
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.processor import Contract, Policy

STAGES = {"features", "model", "rules", "encode"}


class Clock:
    """Goes on by one at each look."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> int:
        self.looks += 1
        return self.looks


def guarded(load: Callable[[], Model]) -> Model:
    return Guard(load, load(), deadline_s=0, probe_s=1)


def payments(core: str) -> tuple[Any, list[bytes]]:
    made = islice(Transactions(1, run="t", customers=20), 200)
    return Fraud.load(supply=guarded, core=core), [one.value for one in made]


def machines(_: str) -> tuple[Any, list[bytes]]:
    return Maintenance.load(supply=guarded), [g.value for g in islice(readings(1, units=9), 200)]


def decided(domain: Any, values: list[bytes], batch: int, watch: Stopwatch | None) -> list[Any]:
    """All rows, of batches of that size."""
    watched(domain.models, watch or Stopwatch())
    contract: Contract[Any, Any] = Contract(domain, Policy.of(Settings()), "t", watch=watch)
    events = [domain.parse(value, 1 << 50) for value in values]
    assert not any(isinstance(event, Rejection) for event in events)
    known: dict[str, Entry] = {}
    rows: list[Any] = []
    for first in range(0, len(values), batch):
        some = events[first : first + batch]
        fragment = Fragment("t", 0, 2048, first, first + len(some) - 1, 1, 0)
        parsed = Parsed([(first + nth, 1, event) for nth, event in enumerate(some)], [], [])
        states = {event.entity: known.get(event.entity) or Entry(0, b"") for event in some}
        outcomes = contract.apply(fragment, parsed, states, 0)
        known |= {row.entity: Entry(row.stripe, row.blob) for row in outcomes.states}
        rows += [*outcomes.decisions, *outcomes.states]
    return rows


@pytest.mark.parametrize("make", [payments, machines])
@pytest.mark.parametrize("core", ["compiled", "python"])
def test_a_batch_is_looked_at_once_a_stage_however_long_it_is(make: Any, core: str) -> None:
    domain, values = make(core)
    looks = {}
    for batch in (200, 50):
        clock, spent = Clock(), Counter[str]()
        watch = Stopwatch(clock, spent)
        rows = decided(domain, values, batch, watch)
        assert set(spent) == STAGES and all(spent.values())
        assert sum(spent.values()) == clock.looks - len(values) // batch  # none between the stages
        looks[batch] = clock.looks
        assert rows == decided(domain, values, batch, None), "what is decided asks no clock"
    assert looks[50] == 4 * looks[200] and looks[200] <= 8


def test_models_of_versions_on_trial_are_told_apart_too() -> None:
    live, other = (Fraud.load(supply=guarded) for _ in range(2))
    rolled = Rolled(live, [Arm("rules", None, other, None)])  # type: ignore[arg-type]
    assert rolled.models == (*live.models, *other.models)
