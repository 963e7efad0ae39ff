"""Whether each topology is well, in a word: for `./stormwatch status` and its exit code."""

from typing import NamedTuple

from apps.data.streams import Stream, every
from apps.operate import ledger
from apps.operate.figures import Look
from apps.operate.looks import Connected, take
from stormwatch.ledger.reconcile import TopicLedger

RUNS, IDLE, BEHIND, STANDS, UNSOUND = "runs", "idle", "behind", "stands", "unsound"
WELL = (RUNS, IDLE)
FRESH_MS = 30_000
"""A component that has not written its figures for longer does not run."""
BEHIND_RECORDS = 10_000
"""As of the alarm StormwatchStandsStill."""


class Health(NamedTuple):
    """One topology. `state`: `runs`, `idle` (it is not started and nothing waits), `behind`,
    `stands` (nothing runs and records wait), `unsound` (its ledger is)."""

    name: str
    state: str
    waiting: int
    tasks: int
    unaccounted: int
    conflicting: int

    @property
    def well(self) -> bool:
        """Whether nobody has to look."""
        return self.state in WELL


def health(name: str, seen: Look, ledgers: list[TopicLedger]) -> Health:
    """Of one look and the ledgers of its topics."""
    unaccounted = sum(each.unaccounted for each in ledgers)
    conflicting = sum(each.conflicting for each in ledgers)
    if unaccounted or conflicting:
        state = UNSOUND
    elif not seen.tasks:
        state = STANDS if seen.lag else IDLE
    else:
        state = BEHIND if seen.lag > BEHIND_RECORDS else RUNS
    return Health(name, state, seen.lag, seen.tasks, unaccounted, conflicting)


def topologies(outside: Connected, now: int) -> list[Health]:
    """Of all whose topic exists. Raises InfrastructureError."""
    found = []
    for stream in every(outside.settings):
        there = [t for t in stream.topics if outside.admin.describe(t) is not None]
        if there:
            read = Stream(stream.topology, there[0], stream.events, tuple(there[1:]))
            seen = take(read, outside, now - FRESH_MS)
            ledgers = ledger.topics(outside.settings, outside.admin, outside.store, there)
            found.append(health(stream.topology, seen, ledgers))
    return found
