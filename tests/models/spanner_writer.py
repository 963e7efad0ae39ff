"""Processes that decide a log into Spanner until they are killed; each goes on where it may.

What they are given as their position lags behind what is committed, as Kafka's does.
"""

import sys
from pathlib import Path

from stormwatch.codec import Parsed
from stormwatch.partitioner import stripe_of
from stormwatch.ports import Store
from stormwatch.records import Fragment
from stormwatch.settings import Settings
from stormwatch.state.cache import StateCache
from stormwatch.state.commit import StoreStep, Topics
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.score import ScoreStep
from stormwatch.state.step import Outcome
from tests.models.forks import serve
from tests.models.toy import Ping, Toy

BATCH, KEYS, STRIPES = 250, 400, 4
_LAG = 2
"""Batches that a start goes back at least."""


class Nowhere:
    """A sink: what is published is not looked at here."""

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None: ...

    def flush(self, timeout: float) -> None: ...


def decide(store: Store, start: int, end: int, generation: int, noted: Path | None) -> None:
    """Decide the records start to end - 1 of the log; `noted` is told how far it came."""
    contract = Contract(Toy(), Policy(10**12, 10**12, 64), "toy")
    score = ScoreStep(
        lambda: contract, StateCache(1 << 24), lambda name: stripe_of(name, STRIPES),
        lambda: store, lambda: 0,
    )  # fmt: skip
    sink = Nowhere()
    commit = StoreStep(
        lambda: store, lambda: sink, Topics("alerts", "aside"), 1.0, lambda _: None,
    )  # fmt: skip
    for first in range(start, end, BATCH):
        last = min(first + BATCH, end) - 1
        fragment = Fragment("pings", 0, 0, first, last, generation, 0)
        records = [
            (i, i, Ping(f"id-{i}", f"card-{i * 7919 % KEYS}", i, i % 11))
            for i in range(first, last + 1)
        ]
        [outcomes] = score.work_all([(fragment, Parsed(records, [], []))])
        commit.work_all([(fragment, outcomes)])
        score.finish(fragment, Outcome.DONE)
        if noted is not None:
            noted.write_text(str(first))


def write(settings: Settings, end: int, generation: int, noted: Path) -> None:
    """From where `noted` says, and a little before it."""
    from stormwatch.adapters.spanner import store as spanner

    done = int(noted.read_text() or 0) if noted.exists() else 0
    store = spanner.connect(settings)
    decide(store, max(0, done - _LAG * BATCH), end, generation, noted)
    store.close()


def main(emulator: str, database: str, end: str, note: str) -> None:
    """Fork a writer for each line of the standard input; print its pid, and later its exit code.

    All is imported before, and no connection made: a start costs a fork.
    """
    import stormwatch.adapters.spanner.store  # noqa: F401

    settings = Settings(
        store="spanner", spanner_project="test", spanner_instance="test",
        spanner_database=database, spanner_emulator=emulator, layout_stripes=STRIPES,
    )  # fmt: skip
    serve(lambda generation, _: write(settings, int(end), generation, Path(note)))


if __name__ == "__main__":
    main(*sys.argv[1:])
