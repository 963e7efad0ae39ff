"""One pass over a partition: what the core decides of each offset of the range. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from apps.data.mappings import parser
from apps.operate.domains import MAKE
from apps.prove.verdict import oracle
from apps.prove.verdict.oracle import Batch
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.ledger.bitmap import offsets
from stormwatch.partitioner import stripe_of
from stormwatch.records import Decision, DecisionKey, DecisionRow, EndState
from stormwatch.settings import Settings

_decode = msgspec.json.Decoder(Decision).decode


class Range(NamedTuple):
    """Offsets `first` to `last`, both included, of one partition."""

    topic: str
    partition: int
    first: int
    last: int


class Pass(NamedTuple):
    """What came of the range."""

    decisions: dict[int, DecisionRow]  # by offset
    ends: dict[int, str]  # offset -> end state; without absent ones
    keys: dict[int, DecisionKey]  # of every record that is an event, decided or not
    model: str  # version; "" where nothing was decided
    before: int  # records that were run through before the range, for its states


def run(settings: Settings, name: str, batches: Iterable[Batch], of: Range) -> Pass:
    """Run the batches, which begin where the states do. Raises ModelError."""
    domain = MAKE[name](settings)
    core = oracle.Core(settings, domain, parser(settings, of.topic, domain))
    made = Pass({}, {}, {}, "", 0)
    before, model = 0, ""
    for batch in batches:
        before += sum(record.offset < of.first for record in batch.records)
        parsed = core.apply(batch)
        if batch.fragment.last >= of.first:
            for offset, _, event in parsed.events if parsed is not None else ():
                stripe = stripe_of(event.entity, settings.layout_stripes)
                made.keys[offset] = DecisionKey(stripe, event.entity, event.time, event.id)
            model = _collect(core.store, name, made) or model
        core.forget()
    wanted = range(of.first, of.last + 1)
    for table in (made.decisions, made.ends, made.keys):
        for offset in [offset for offset in table if offset not in wanted]:
            del table[offset]
    return made._replace(model=model, before=before)


def _collect(store: MemoryStore, name: str, made: Pass) -> str:
    model = ""
    for stored in store.all_decisions(name):
        decision = _decode(bytes(stored.row.body))
        made.decisions[decision.offset] = stored.row
        model = decision.model
    for key, row in store.tables.get("ledger", {}).items():
        for state, bits in row["row"][1].bitmaps.items():
            if state != EndState.ABSENT:
                made.ends.update((offset, state) for offset in offsets(bits, key[3]))
    return model
