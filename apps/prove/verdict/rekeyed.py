"""Behind a re-key hop: the log as its keys see it, and what the record alone decides. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from apps.prove.verdict import oracle
from apps.prove.verdict.oracle import Batch
from apps.prove.verdict.orders import Step, Ways
from apps.prove.verdict.tables import Tables, of_memory
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed, Share
from stormwatch.dead_letters.redaction import names
from stormwatch.dead_letters.rows import kept
from stormwatch.partitioner import stripe_of
from stormwatch.records import Fragment, Outcomes
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.envelope import EnvelopeCodec
from stormwatch.state.judge import Domain
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.repartition import Split, fan_out
from stormwatch.state.write_timestamps import outcome_stamp

Place = tuple[int, int, int]  # partition, epoch, offset


class Hop(Protocol):
    """What a RekeyBolt says of itself."""

    split: Split
    to_wire: Callable[[Any], bytes]
    accounted: bool


@dataclass
class Log:
    """What the whole log holds for the keys, and what is certain before any of them is asked."""

    certain: Tables = field(default_factory=Tables)
    """Dead letters and end states of what is no event, or names no key."""
    lanes: dict[str, dict[int, list[Step]]] = field(default_factory=dict)
    """Key -> partition -> its events there, in the order of the log."""

    def steps(self) -> Iterable[Step]:
        """All of them, key by key."""
        return (s for lanes in self.lanes.values() for lane in lanes.values() for s in lane)


def read(
    settings: Settings,
    batches: Iterable[Batch],
    domain: Domain[Any, Any],
    parse_one: Callable[..., Any],
    hop: Hop,
) -> Log:
    """Parse and split the log."""
    out, store = Log(), MemoryStore(settings.layout_period_h)
    masked = names(settings.mask_fields)
    for batch in batches:
        parsed = oracle.events(settings, batch, domain.name, parse_one, store)
        if parsed is None:
            continue
        fragment = batch.fragment
        fanned = fan_out(
            fragment, parsed, hop.split, buckets=1, accounted=hop.accounted,
            to_wire=hop.to_wire, component="oracle", now=0,
        )  # fmt: skip
        if fanned.aside is not None:
            rows = [kept(row, settings.record_max_bytes, masked) for row in fanned.aside.rows]
            store.write_aside(domain.name, rows, fanned.aside.ledger, outcome_stamp(fragment))
        for share in fanned.shares:
            _keep(out, fragment, share)
    out.certain = of_memory(store)
    return out


def _keep(out: Log, fragment: Fragment, share: Parsed[Any]) -> None:
    secondary = frozenset(share.share.secondary if share.share else ())
    for nth, (offset, timestamp, event) in enumerate(share.events):
        step = Step(
            fragment.partition, fragment.epoch, offset, timestamp, event, nth not in secondary
        )
        lanes = out.lanes.setdefault(event.entity, {})
        lanes.setdefault(fragment.partition, []).append(step)


class Core:
    """The pure core for one event of one key at a time."""

    def __init__(self, settings: Settings, domain: Domain[Any, Any], topic: str) -> None:
        self._contract = Contract(domain, Policy.of(settings), "oracle")
        self._codec: EnvelopeCodec[Any] = EnvelopeCodec(domain.state)
        self._stripes, self._topic = settings.layout_stripes, topic

    def decide(self, step: Step, blob: bytes) -> Outcomes:
        """One event, from this state; its end state is in the ledger's row, accounted or not."""
        at, name = step.offset, step.event.entity
        of = Fragment(self._topic, step.partition, step.epoch, at, at, 1, 0)
        parsed = Parsed([(at, step.timestamp, step.event)], [], [], Share(0, []))
        return self._contract.apply(
            of, parsed, {name: Entry(stripe_of(name, self._stripes), blob)}, 0
        )

    def known(self, blob: bytes) -> object:
        """All that later decisions depend on but the marks, which the place in the log tells."""
        if not blob:
            return b""
        envelope = self._codec.decode(blob, "")
        envelope.marks, envelope.stamp = [], 0
        return self._codec.encode(envelope)

    def same(self, one: bytes, other: bytes) -> bool:
        """Whether two states are equal but for their stamps, which rise with tries."""
        mine, theirs = (self._codec.decode(blob, "") for blob in (one, other))
        for envelope in (mine, theirs):
            envelope.marks, envelope.stamp = sorted(envelope.marks), 0
        return self._codec.encode(mine) == self._codec.encode(theirs)

    def ways(self, misfit: Callable[[Step, Outcomes], str], same: Callable[[bytes], bool]) -> Ways:
        """For `orders.find`."""
        return Ways(self.decide, misfit, same, self.known)


def end_of(outcomes: Outcomes) -> str:
    """The end state of the one event that was decided; "" if it was decided before."""
    return next(iter(outcomes.ledger.bitmaps), "")
