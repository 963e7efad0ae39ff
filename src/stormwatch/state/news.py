"""Which second keys were told something that cannot wait, so that the deciding side reads them.

What most visits tell is of use days later: a terminal's payments count in windows that ended a week
ago. A label is of use from the next hour on. So the bolt that keeps states of second keys also
keeps, a row for each bucket, the last keys that were told such a thing; whoever reads states looks
at these rows once an hour of event time and reads the named keys again.

Guarantee: a key is named after its state is written and before its batch is acked. A reader that
finds that it may have missed names forgets all that it knows.
"""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import NamedTuple

import msgspec

from stormwatch.partitioner import stripe_of
from stormwatch.ports import Store
from stormwatch.records import StateRow
from stormwatch.state.envelope import VERSION, Envelope, EnvelopeCodec

MOST = 512
"""Names kept of a bucket: a row of 4 KB."""
_STRIPE = 0
"""Of these rows: one read for all of them."""
_NAME = "\nnews "
"""Their entity, among the keys: no key has a line break, for ids are printable."""


class _News(msgspec.Struct, array_like=True):
    told: int = 0  # names so far
    last: list[str] = []  # the last MOST of them, the newest at the end


_codec: EnvelopeCodec[_News] = EnvelopeCodec(_News)


def is_news(key: str) -> bool:
    """Whether a state of this key is such a row."""
    return key.startswith(_NAME)


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
        self._rows: dict[int, _News] = {}

    def forget(self) -> None:
        """Others may have written these rows: they are read again."""
        self._rows.clear()

    def write(self, store: Store, keys: Collection[str], stamp: int) -> None:
        """Name `keys`; `stamp` rises from write to write. Raises StoreUnavailable."""
        shares: dict[int, list[str]] = {}
        for key in sorted(keys):
            shares.setdefault(self._bucket_of(key), []).append(key)
        missing = shares.keys() - self._rows.keys()
        if missing:
            found = _rows(store, self._second, missing)
            for bucket in missing:
                row = found.get(bucket) or _News()
                # A write that was not confirmed may be read, and be replaced by this one: readers
                # are made to forget.
                self._rows[bucket] = _News(row.told + MOST, row.last)
        rows = {}
        for bucket, share in shares.items():
            row = self._rows.pop(bucket)  # until it is confirmed
            rows[bucket] = _News(row.told + len(share), (row.last + share)[-MOST:])
        written = []
        for bucket, row in rows.items():
            blob = _codec.encode(Envelope(VERSION, stamp, [], 0, b"", row))
            written.append(StateRow(_STRIPE, f"{_NAME}{bucket}", blob, stamp))
        store.write_states(self._second, written)
        self._rows |= rows


class News(NamedTuple):
    """What a look at the rows gave."""

    keys: set[str]
    missed: bool  # some are not known any more


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
        return News(keys, missed)
