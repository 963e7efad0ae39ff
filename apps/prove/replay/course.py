"""One pass over a partition: what the components decide of each offset of the range. No outside."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import msgspec

from apps.prove.replay.components import OF
from apps.prove.replay.host import Host, RoundHost
from apps.prove.verdict.oracle import Batch
from stormwatch.dead_letters.redaction import names
from stormwatch.domains.recommend.history import Plan
from stormwatch.ledger.bitmap import offsets
from stormwatch.parsing.batch import parse_batch
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
    plans: dict[int, Plan]  # of lists: what each offset asks of the items


def run(settings: Settings, name: str, batches: Iterable[Batch], of: Range) -> Pass:
    """Run the batches, which begin where the states do. Raises ModelError."""
    components = OF[name]
    # What is stored was decided in time: here the model may take as long as it likes.
    host = components.host(replace(settings, model_deadline_s=0))
    made = Pass({}, {}, {}, "", 0, {})
    before, model = 0, ""
    for fragment, records, killer in batches:
        inside = fragment.last >= of.first
        before += sum(record.offset < of.first for record in records)
        if killer:
            made.ends[records[0].offset] = str(EndState.DEAD_LETTERED)
            continue
        parsed, rejected = parse_batch(
            fragment,
            records,
            partial(components.parse_one, future_skew_ms=settings.future_skew_s * 1000),
            component="replay",
            record_max_bytes=settings.record_max_bytes,
            masked=names(settings.mask_fields),
            now=0,
        )
        if rejected is not None and inside:
            made.ends.update((row.offset, row.state) for row in rejected.rows)
        host.decide(fragment, parsed)
        if inside:
            for offset, _, event in parsed.events:
                stripe = stripe_of(event.entity, settings.layout_stripes)
                made.keys[offset] = DecisionKey(stripe, event.entity, event.time, event.id)
            model = _collect(host, name, made) or model
        host.forget()
    wanted = range(of.first, of.last + 1)
    for table in (made.decisions, made.ends, made.keys):
        for offset in [offset for offset in table if offset not in wanted]:
            del table[offset]
    return made._replace(model=model, before=before)


def _collect(host: Host | RoundHost, name: str, made: Pass) -> str:
    model = ""
    for stored in host.store.all_decisions(name):
        decision = _decode(bytes(stored.row.body))
        made.decisions[decision.offset] = stored.row
        model = decision.model
    for key, row in host.store.tables.get("ledger", {}).items():
        for state, bits in row["row"][1].bitmaps.items():
            if state != EndState.ABSENT:
                made.ends.update((offset, state) for offset in offsets(bits, key[3]))
    if isinstance(host, RoundHost):
        made.plans.update(host.plans)
    return model
