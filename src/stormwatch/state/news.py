"""Which second keys were told something that cannot wait, so that the deciding side reads them.

What most visits tell is of use days later: a terminal's payments count in windows that ended a week
ago. A label is of use from the next hour on. So the bolt that keeps states of second keys also
keeps, a row for each bucket, the last keys that were told such a thing; whoever reads states looks
at these rows once an hour of event time and reads the named keys again.

Where a row was begun in an empty store it also says of which hour the oldest visit is: a key is not
read at all as long as nothing that was told of any could be of use.

Guarantee: a key is named after its state is written and before its batch is acked. A reader that
finds that it may have missed names forgets all that it knows.
"""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import NamedTuple

import msgspec

from stormwatch.errors import StormwatchError
from stormwatch.partitioner import stripe_of
from stormwatch.ports import Store
from stormwatch.records import StateRow
from stormwatch.state.envelope import VERSION, Envelope, EnvelopeCodec

MOST = 512
"""Names kept of a bucket: a row of 4 KB."""
_NEVER = 1 << 40  # an hour
_STRIPE = 0
"""Of these rows: one read for all of them."""
_NAME = "\nnews "
"""Their entity, among the keys: no key has a line break, for ids are printable."""


class _News(msgspec.Struct, array_like=True):
    told: int = 0  # names so far
    last: list[str] = []  # the last MOST of them, the newest at the end
    since: int = 0  # hour of the oldest visit that is no news; 0: not known


_codec: EnvelopeCodec[_News] = EnvelopeCodec(_News)


def is_news(key: str) -> bool:
    """Whether a state of this key is such a row."""
    return key.startswith(_NAME)


def names_in(blob: bytes) -> frozenset[str]:
    """The keys that such a row names: what is the same however often a batch comes."""
    return frozenset(_codec.decode(blob, _NAME).body.last)


def _rows(store: Store, second: str, buckets: Iterable[int]) -> dict[int, _News]:
    names = {f"{_NAME}{bucket}": bucket for bucket in buckets}
    found = store.load_states(second, {_STRIPE: list(names)})
    return {names[name]: _codec.decode(blob, name).body for name, blob in found.items()}


class NewsWriter:
    """The side that learns; one process writes a bucket."""

    def __init__(self, second: str, buckets: int) -> None:
        self._second = second
        self._bucket_of: Callable[[str], int] = (
            partial(stripe_of, stripes=buckets) if buckets > 1 else lambda _: 0
        )
        self._buckets = buckets
        self._rows: dict[int, _News] = {}
        self._begins = True

    def forget(self) -> None:
        """Others may have written these rows: they are read again."""
        self._rows.clear()
        self._begins = False

    def write(
        self, store: Store, keys: Collection[str], visited: Iterable[tuple[str, int]], stamp: int,
        *, is_first: bool,
    ) -> None:  # fmt: skip
        """Name `keys`; `visited`: keys and hours of visits that are no news. `stamp` rises from
        write to write; `is_first`: no process ever stored any. Raises StoreUnavailable."""
        self._begins &= is_first
        shares: dict[int, list[str]] = {}
        for key in sorted(keys):
            shares.setdefault(self._bucket_of(key), []).append(key)
        hours: dict[int, int] = {}
        asks = self._begins or len(self._rows) < self._buckets
        for key, hour in visited if asks else ():
            bucket = self._bucket_of(key)
            if hour < hours.get(bucket, _NEVER):
                hours[bucket] = hour
        written: dict[int, _News] = {}
        self._load(store, shares.keys() | hours.keys())
        for bucket in shares.keys() | hours.keys():
            row, share = self._rows[bucket], shares.get(bucket, [])
            since = min(row.since or _NEVER, hours.get(bucket, _NEVER)) if self._begins else 0
            if share or since != row.since:
                last = (row.last + share)[-MOST:]
                written[bucket] = _News(row.told + len(share), last, since % _NEVER)
        if not written:
            return
        rows = []
        for bucket, row in written.items():
            blob = _codec.encode(Envelope(VERSION, stamp, [], 0, b"", row))
            rows.append(StateRow(_STRIPE, f"{_NAME}{bucket}", blob, stamp))
        try:
            store.write_states(self._second, rows)
        except StormwatchError:
            self.forget()
            raise
        self._rows |= written

    def _load(self, store: Store, buckets: Collection[int]) -> None:
        missing = [bucket for bucket in buckets if bucket not in self._rows]
        found = _rows(store, self._second, missing) if missing and not self._begins else {}
        for bucket in missing:
            # A write that was not confirmed may be read, and be replaced by what is written now:
            # readers are made to forget.
            row = found.get(bucket) or _News()
            told = row.told if self._begins else row.told + MOST
            self._rows[bucket] = _News(told, row.last, row.since)


class News(NamedTuple):
    """What a look at the rows gave."""

    keys: set[str]
    missed: bool  # some are not known any more
    since: int  # hour of the oldest visit that is no news; 0: not known
    named: frozenset[str]  # where that is known, all keys that were ever told news


class NewsReader:
    """The side that decides."""

    def __init__(self, second: str, buckets: int) -> None:
        self._second, self._buckets = second, range(buckets)
        self._told: dict[int, int] | None = None

    def look(self, store: Store) -> News:
        """Which keys were named since the last look; the first one names none. Raises
        StoreUnavailable."""
        rows = _rows(store, self._second, self._buckets)
        before, self._told = self._told, {bucket: row.told for bucket, row in rows.items()}
        keys: set[str] = set()
        missed = False
        for bucket, row in rows.items() if before is not None else ():
            new = row.told - (before or {}).get(bucket, 0)
            missed |= not 0 <= new <= len(row.last)
            keys.update(row.last[-new:] if new > 0 else ())
        is_whole = len(rows) == len(self._buckets) and all(
            row.since and row.told == len(row.last) for row in rows.values()
        )
        if not is_whole:
            return News(keys, missed, 0, frozenset())
        named = frozenset(key for row in rows.values() for key in row.last)
        return News(keys, missed, min(row.since for row in rows.values()), named)
