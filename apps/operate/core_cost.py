"""What a record costs in the core, stage by stage, in processor time. No Storm, no stores.

Record values are parsed and decided by the state contract, from states as they are stored to states
as they are stored. Of several passes over the same records the least of each batch counts, so that
other work on the machine shows little. `contract` is what is left: marks, ids, lateness, the
ledger's bitmaps and, where the domain has it, the last word on a verdict. Of batches that the
compiled core takes (docs/native-core.md) opening, features and closing are one: `features`.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from apps.data.samples import newest
from apps.data.streams import Stream, streams
from apps.operate.domains import DIRECT, MAKE
from stormwatch.adapters import connect
from stormwatch.errors import StormwatchError
from stormwatch.parsing.batch import parse_batch
from stormwatch.records import Fragment, Record
from stormwatch.settings import Settings, load, to_environ
from stormwatch.state import processor
from stormwatch.state.cache import Entry
from stormwatch.state.processor import Contract, Policy

_ROOT = Path(__file__).parents[2]
_LIMIT_S = 300.0
STAGES = ("parse", "open", "features", "model", "rules", "decision", "close", "contract")


def cost(domain: Any, records: Sequence[Record], batch: int, rounds: int = 5) -> dict[str, float]:
    """Microseconds a record by stage, once states are known: of the second half of the records,
    which are decided `batch` at a time. Records that are none are parsed, and cost no more.

    Not for two threads at once: what is measured is wrapped meanwhile.
    """
    passes = [_once(domain, records, batch) for _ in range(rounds)]
    seconds = [first for first in range(0, len(records), batch) if 2 * first >= len(records)]
    counted = len(records) - min(seconds, default=0)
    return {stage: spent / counted * 1e6 for stage, spent in _least(passes).items()}


def of_topic(
    settings: Settings, stream: Stream, most: int, batches: Sequence[int]
) -> dict[int, dict[str, float]]:
    """By size of batch, what the newest records of a topic cost; nothing where there are none, or
    where a record is several events. Raises InfrastructureError, ModelError."""
    if stream.topology not in DIRECT:
        return {}
    with closing(connect.source(settings, stream.topic)) as source:
        found = [record for _, record in newest(source, stream.topic, most)]
    records = [Record(nth, one.timestamp, None, one.value) for nth, one in enumerate(found)]
    domain = MAKE[stream.topology](settings)
    sizes = sorted({min(batch, len(records)) for batch in batches} - {0})
    return {size: cost(domain, records, size, 3) for size in sizes}


def measured(
    settings: Settings, stream: Stream, most: int, batches: Sequence[int]
) -> dict[int, dict[str, float]]:
    """As `of_topic`, in a process of its own whose numpy has one thread, as in a topology: this
    process may have loaded numpy with more, whose spinning would count. Raises StormwatchError."""
    environ = os.environ | to_environ(settings) | {
        "PYTHONPATH": f"{_ROOT}{os.pathsep}{_ROOT / 'src'}",
        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "apps.operate.core_cost", stream.topology, str(most)]
    try:
        done = subprocess.run(
            [*command, *map(str, batches)], capture_output=True, text=True, check=False,
            env=environ, cwd=_ROOT, timeout=_LIMIT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise StormwatchError(
            f"What the core costs was not measured within {_LIMIT_S:g} s: this machine is too "
            "busy. Try again when it is less so."
        ) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise StormwatchError(f"What the core costs could not be measured: {last}")
    found = json.loads(done.stdout.splitlines()[-1])
    return {int(size): costs for size, costs in found.items()}


def lines(costs: Mapping[int, Mapping[str, float]]) -> list[str]:
    """The table, for a person."""
    head = f"{'core, µs a record':<20}" + "".join(f"{stage:>17}" for stage in (*STAGES, "sum"))
    return [
        head,
        *(
            f"{f'batches of {size}':<20}"
            + "".join(f"{each:>17.1f}" for each in (*found.values(), sum(found.values())))
            for size, found in costs.items()
        ),
    ]


class Clock:
    """Adds up the processor time of what it wraps, by stage; its own is taken off."""

    def __init__(self) -> None:
        self._inside = self._outside = 0.0
        self.reset()
        for _ in range(3):  # the cost of looking at the clock, seen from inside and from outside
            self.reset()
            empty = self.over("parse", lambda: None)
            began = time.process_time()
            for _ in range(2_000):
                empty()
            outside, inside = time.process_time() - began, self.spent["parse"]
        self._inside, self._outside = inside / 2_000, outside / 2_000

    def reset(self) -> None:
        self.spent, self.overhead = dict.fromkeys(STAGES, 0.0), 0.0

    def over(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """`work`, timed."""

        def timed(*args: Any) -> Any:
            began = time.process_time()
            try:
                return work(*args)
            finally:
                self.spent[stage] += time.process_time() - began - self._inside
                self.overhead += self._outside

        return timed


class _Timed(NamedTuple):
    """A compiled core whose work is timed."""

    take: Callable[..., Any]
    decisions: Callable[..., Any]
    settles: bool


def _once(domain: Any, records: Sequence[Record], batch: int) -> list[dict[str, float]]:
    """Of one pass over the records, for each batch of its second half: seconds by stage."""
    clock = Clock()
    contract = Contract(domain, Policy.of(Settings()), "bench")
    if contract.compiled is not None:
        contract.compiled = _Timed(
            clock.over("features", contract.compiled.take),
            clock.over("decision", contract.compiled.decisions),
            contract.compiled.settles,
        )
    model = domain.model if hasattr(domain, "model") else domain._model
    model.predict = clock.over("model", model.predict)
    domain.decide = clock.over("rules", domain.decide)  # with the model's, which is taken off
    advance = "advance_all" if hasattr(domain, "advance_all") else "advance"
    setattr(domain, advance, clock.over("features", getattr(domain, advance)))
    contract._advance_all = getattr(domain, "advance_all", None)  # it has taken the bare one
    codec = contract._codec
    codec.encode = clock.over("close", codec.encode)  # type: ignore[method-assign]
    codec.decode = clock.over("open", codec.decode)  # type: ignore[method-assign]
    json, processor._json = processor._json, clock.over("decision", processor._json)
    known: dict[str, Entry] = {}
    found = []
    try:
        for first in range(0, len(records), batch):
            clock.reset()
            some = records[first : first + batch]
            fragment = Fragment("bench", 0, 2048, first, first + len(some) - 1, 1, 0)
            began = time.process_time()
            parsed, _ = parse_batch(
                fragment, some, domain.parse, component="bench", record_max_bytes=1 << 20, now=0
            )
            clock.spent["parse"] = time.process_time() - began
            names = {event.entity for _, _, event in parsed.events}
            states = {name: known.get(name) or Entry(0, b"") for name in names}
            began = time.process_time()
            outcomes = contract.apply(fragment, parsed, states, 0)
            whole = time.process_time() - began - clock.overhead
            clock.spent["rules"] -= clock.spent["model"]
            clock.spent["contract"] = whole - sum(clock.spent[stage] for stage in STAGES[1:])
            if 2 * first >= len(records):
                found.append(clock.spent)
            known |= {row.entity: Entry(row.stripe, row.blob) for row in outcomes.states}
    finally:
        processor._json = json
        del domain.decide, model.predict
        delattr(domain, advance)
    return found


def _least(passes: Sequence[list[dict[str, float]]]) -> dict[str, float]:
    """By stage the sum over batches of the least of several passes."""
    return {
        stage: sum(min(each[stage] for each in batches) for batches in zip(*passes, strict=True))
        for stage in STAGES
    }


def _main(topology: str, most: str, *batches: str) -> None:
    settings = load(root=Path.cwd())
    (stream,) = streams(settings, topology)
    print(json.dumps(of_topic(settings, stream, int(most), [int(one) for one in batches])))


if __name__ == "__main__":
    _main(*sys.argv[1:])
