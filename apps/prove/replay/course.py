"""One pass over a partition: what the core decides of each offset of the range. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from apps.data.mappings import parser
from apps.operate.domains import MAKE, one
from apps.operate.rollout.versions import Resolve
from apps.prove.verdict import oracle
from apps.prove.verdict.named import Named
from apps.prove.verdict.oracle import Batch
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.archive import Archive
from stormwatch.codec import Parsed
from stormwatch.ledger.bitmap import offsets
from stormwatch.partitioner import stripe_of
from stormwatch.records import Decision, DecisionKey, DecisionRow, EndState
from stormwatch.settings import Settings
from stormwatch.state.recorded import AsRecorded, Find, Recorded, read

_AT_ONCE = 500
"""Decisions that are asked for together."""
_decode = msgspec.json.Decoder(Decision).decode


class Range(NamedTuple):
    """Offsets `first` to `last`, both included, of one partition."""

    topic: str
    partition: int
    first: int
    last: int


class Recall:
    """What stored decisions recorded, asked for by batch. Called as `recorded.Find`."""

    def __init__(self, settings: Settings, archive: Archive, name: str) -> None:
        self._archive, self._name, self._stripes = archive, name, settings.layout_stripes
        self._found: dict[tuple[str, int, str], Recorded] = {}

    def look(self, parsed: Parsed[Any]) -> None:
        """Read those of a batch's events; what was read before is forgotten."""
        self._found = self._read([event for _, _, event in parsed.events])

    def of(self, events: Sequence[Any]) -> Find:
        """Of these alone."""
        found: dict[tuple[str, int, str], Recorded] = {}
        for first in range(0, len(events), _AT_ONCE):
            found |= self._read(events[first : first + _AT_ONCE])
        return lambda event: found.get((event.entity, event.time, event.id))

    def _read(self, events: Sequence[Any]) -> dict[tuple[str, int, str], Recorded]:
        rows = self._archive.find_decisions(self._name, [self.key_of(each) for each in events])
        return {
            (row.entity, row.time, row.id): told
            for row in rows
            if (told := read(row.body)) is not None
        }

    def key_of(self, event: Any) -> DecisionKey:
        """Where its decision is."""
        stripe = stripe_of(event.entity, self._stripes)
        return DecisionKey(stripe, event.entity, event.time, event.id)

    def __call__(self, event: Any) -> Recorded | None:
        return self._found.get((event.entity, event.time, event.id))


class Pass(NamedTuple):
    """What came of the range."""

    decisions: dict[int, DecisionRow]  # by offset
    ends: dict[int, str]  # offset -> end state; without absent ones
    keys: dict[int, DecisionKey]  # of every record that is an event, decided or not
    model: str  # version; "" where nothing was decided
    before: int  # records that were run through before the range, for its states


def run(
    settings: Settings, name: str, batches: Iterable[Batch], of: Range, recorded: Recall,
    resolve: Resolve | None = None,
) -> Pass:  # fmt: skip
    """Run the batches, which begin where the states do; what they recorded is told by `recorded`.

    `resolve`: each event by the versions that its stored decision names, where it gives them.
    Batches of labels between them lead to states, and are no part of the range. Raises ModelError.
    """
    own: Any = MAKE[name](settings)
    judged = own if resolve is None else Named(own, recorded, resolve)
    domain: Any = AsRecorded(judged, recorded)
    stream = one(settings, name)
    parsers = {topic: parser(settings, topic, domain) for topic in stream.topics}
    core = oracle.Core(settings, domain, parsers, recorded.look)
    made = Pass({}, {}, {}, "", 0)
    before, model = 0, ""
    for batch in batches:
        parsed = core.apply(batch)
        if batch.fragment.topic != of.topic:
            core.forget()
            continue
        before += sum(record.offset < of.first for record in batch.records)
        if batch.fragment.last >= of.first:
            for offset, _, event in parsed.events if parsed is not None else ():
                made.keys[offset] = recorded.key_of(event)
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
