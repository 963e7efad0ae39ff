"""Repartition: one partition's batch into sub-batches by a second key. Pure.

A post names several brands; state is kept for a brand, not for the Kafka key. `fan_out` asks
`split` for the keyed events of each event and puts them, by hash of their entity, into buckets. A
bucket's sub-batch is an ordinary `Parsed` with a `Share`; behind a fields grouping on `bucket` the
usual score and store steps keep states, marks and ledger per second key without knowing more.

The contract:
- **Marks** are kept per (entity, source partition): a replay is recognised for each key by itself.
- **The ledger** has one end state for each offset: the first event that `split` gives accounts for
  it, in the ledger row of that event's bucket (part `score/<bucket>`). The other events of the
  offset are decided, learned and stored, and leave no ledger bits (`Share.secondary`). The bolt
  itself accounts (part `rekey`) for what names no key, what `split` raises on, and absent offsets.
  With `accounted` an earlier bolt has accounted for every offset, and nothing here does.
- **Order**: a key sees the events of one partition in offset order; between partitions there is no
  order, so a decision may depend on which batch came first. Once committed it never changes. A try
  that was not committed may have decided otherwise: its decision is replaced, and the ledger goes
  by the last try (`stormwatch.ledger.coverage`). Its row in `alerts` may stay; so may its decision
  where the event has become late meanwhile: allow a lateness above the partitions' distance in
  event time.
- **Chained**: score and store are one bolt; `score.ScoreStep` refuses to hand on.
- **Fenced**: a process takes a term when it first decides (one conditional write, then none), and
  its state writes are stamped by (term, order of writing). So whatever was not confirmed, of a
  process that died or of this one, loses to what is written after it, whenever it is applied; its
  batch was not acked and comes again. What a replay finds decided it writes again, for that.
- **A try that comes after its successor** in the same process is not worked on: what it decided
  would be committed beside the decision that its successor had left (`stormwatch.state.attempts`).
- `split` is pure: the same event always gives the same events in the same order, each with another
  entity and the same id; the number of buckets may be changed between two starts.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from stormwatch.codec import Asides, Parsed, Share
from stormwatch.dead_letters.rows import raw_of, trace
from stormwatch.errors import StormwatchError
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.partitioner import stripe_of
from stormwatch.records import EndState, Fragment, LedgerRow, SetAside, age_of
from stormwatch.state.judge import check_storable

PART = "rekey"
"""`part` of the hop's own ledger rows."""
NO_KEY = "no_key"

Split = Callable[[Any], Sequence[Any]]
"""One event to its keyed events, the accounting one first; empty if it names no key."""


class FannedOut(NamedTuple):
    """What the hop makes of a batch. `aside` is None where the hop has nothing to account for."""

    shares: list[Parsed[Any]]
    aside: Asides | None


def fan_out(
    fragment: Fragment,
    parsed: Parsed[Any],
    split: Split,
    *,
    buckets: int,
    accounted: bool,
    to_wire: Callable[[Any], bytes],
    component: str,
    now: int,
) -> FannedOut:
    """Split a batch, in offset order; sub-batches ascending by bucket, none of them empty.

    `to_wire` gives the bytes kept of an event that is set aside: `rejected` with code `no_key`
    where it names no key, `dead_lettered` where `split` raises. `now` (ms) only dates the ledger
    row. Never raises on data.
    """
    shares: dict[int, tuple[list[tuple[int, int, Any]], list[int]]] = {}
    aside: list[SetAside] = []

    def set_aside(state: EndState, code: str, reason: str) -> None:
        key = event.entity.encode()
        aside.append(
            SetAside(offset, timestamp, state, code, reason, component, key, raw_of(to_wire, event))
        )

    for offset, timestamp, event in parsed.events:
        try:
            keyed = split(event)
            if len({one.entity for one in keyed}) < len(keyed):
                raise ValueError("split gave two events of one entity: a key sees an offset once")
            for one in keyed:
                check_storable(one)
        except StormwatchError:
            raise
        except Exception as error:  # a bug in a domain's code must not stop the partition
            set_aside(EndState.DEAD_LETTERED, type(error).__name__, trace())
            continue
        if not keyed and not accounted:
            set_aside(EndState.REJECTED, NO_KEY, "the event names none of the keys looked for")
        for nth, one in enumerate(keyed):
            bucket = stripe_of(one.entity, buckets)
            events, secondary = shares.setdefault(bucket, ([], []))
            if nth or accounted:
                secondary.append(len(events))
            events.append((offset, timestamp, one))
    return FannedOut(
        [Parsed(es, [], [], Share(bucket, sec)) for bucket, (es, sec) in sorted(shares.items())],
        _asides(fragment, aside, [] if accounted else parsed.absent, now, accounted),
    )


def _asides(
    fragment: Fragment, rows: list[SetAside], absent: list[int], now: int, accounted: bool
) -> Asides | None:
    if not rows and not absent:
        return None
    ends: dict[str, list[int]] = {EndState.ABSENT: absent} if absent else {}
    for row in () if accounted else rows:
        ends.setdefault(row.state, []).append(row.offset)
    bitmaps = {state: bitmap_of(offsets, fragment.first) for state, offsets in ends.items()}
    age = age_of((row.timestamp for row in rows), now)
    return Asides(rows, LedgerRow(fragment, PART, bitmaps, age))
