"""What is read back from Spanner: decisions, alerts, set-aside records, the ledger; and erasing."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
from google.api_core.exceptions import GoogleAPICallError

from stormwatch.adapters.spanner.session import Database, Transaction, translated
from stormwatch.adapters.spanner.values import deletes, in_days, names, writes
from stormwatch.archive import AlertPlace, Erased, LetterAct, StoredDecision
from stormwatch.ledger.coverage import BLOCK
from stormwatch.ports import StoredAside
from stormwatch.records import (
    DecisionKey,
    DecisionRow,
    Fingerprint,
    Fragment,
    LedgerRow,
    SetAside,
    StateRow,
)
from stormwatch.settings import Settings
from stormwatch.state.decided import SLOT_MS, Entry, in_order, without
from stormwatch.state.envelope import newest_of
from stormwatch.state.write_timestamps import epoch_of

_DECISION = "stripe, entity, time, id, outcome, score, body, ktime, alerted"
_ASIDE = "topic, `partition`, epoch, `offset`, ktime, state, code, reason, component, key, raw"
_WORK = "epoch, first, last, part, generation, attempt"
_ACT = "topic, `partition`, epoch, `offset`, `at`, act, who, note, to_partition, to_offset"
_PAGE = 5_000
_LATEST = (1 << 63) - 1
_HINT = (
    "FORCE_INDEX=decisions_alerted, spanner_emulator.disable_query_null_filtered_index_check=true"
)
"""The second is the emulator's alone: it does not see that IS NOT NULL allows for the index."""
_ALERTS = (
    f"SELECT {_DECISION} FROM decisions@{{{_HINT}}} WHERE domain = @domain AND alerted IS NOT NULL"
)
_NEWEST = "ORDER BY alerted DESC, entity, id LIMIT @most"
_ASIDES = (
    f"SELECT {_ASIDE} FROM dead_letters@{{FORCE_INDEX=dead_letters_by_time}} "
    "WHERE domain = @domain ORDER BY ktime DESC"
)
_bitmaps = msgspec.msgpack.Decoder(dict[str, bytes]).decode
_fingerprint = msgspec.msgpack.Decoder(Fingerprint).decode


class SpannerArchive:
    """The reading half of the port `Archive`, and what erases."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._aside = ThreadPoolExecutor(1, "spanner-beside")
        self._waiting: Future[None] | None = None

    def find_decisions(self, domain: str, keys: Sequence[DecisionKey]) -> list[DecisionRow]:
        """See the port."""
        places = [(domain, k.stripe, k.entity, k.time, k.id) for k in set(keys)]
        with translated(self._settings, "read decisions"):
            return [_decision(row) for row in self._database.read("decisions", _DECISION, places)]

    def ledger(
        self, topic: str, partition: int, epoch: int, first: int, last: int
    ) -> Iterator[LedgerRow]:
        """See the port."""
        with translated(self._settings, "read the ledger"):
            rows = self._database.scan(
                "SELECT first, last, part, generation, attempt, bitmaps, age, fingerprint "
                "FROM ledger WHERE topic = @topic AND `partition` = @part AND epoch = @epoch "
                "AND first > @before AND first <= @last AND last >= @first "
                "ORDER BY first, last, part, generation, attempt",
                topic=topic, part=partition, epoch=epoch, first=first, last=last,
                before=first - BLOCK,  # a row spans at most one
            )  # fmt: skip
            for low, high, part, generation, attempt, bitmaps, age, taken in rows:
                where = Fragment(
                    topic, partition, epoch, low, high, generation, attempt,
                    fingerprint=None if taken is None else _fingerprint(taken),
                )  # fmt: skip
                yield LedgerRow(where, part, _bitmaps(bitmaps), age)

    def ledger_starts(self, topic: str) -> list[tuple[int, int, int]]:
        """See the port."""
        with translated(self._settings, "read the ledger"):
            rows = self._database.query(
                "SELECT `partition`, epoch, first FROM ledger_starts WHERE topic = @topic "
                "ORDER BY 1, 2, 3",
                topic=topic,
            )
            return [(partition, epoch, first) for partition, epoch, first in rows]

    def alerts(self, domain: str, limit: int) -> list[DecisionRow]:
        """See the port."""
        with translated(self._settings, "read alerts"):
            rows = self._database.query(f"{_ALERTS} {_NEWEST}", domain=domain, most=limit)
            return [_decision(row) for row in rows]

    def alerts_after(self, domain: str, place: AlertPlace, limit: int) -> list[DecisionRow]:
        """See the port."""
        with translated(self._settings, "read alerts"):
            rows = self._database.query(
                f"{_ALERTS} AND (alerted < @ktime OR (alerted = @ktime AND (entity > @entity "
                f"OR (entity = @entity AND id > @id)))) {_NEWEST}",
                domain=domain, most=limit, ktime=place.timestamp, entity=place.entity, id=place.id,
            )  # fmt: skip
            return [_decision(row) for row in rows]

    def decided(self, domain: str, since: int, until: int) -> Iterator[list[Entry]]:
        """See the port."""
        with translated(self._settings, "read decisions"):
            rows = self._database.scan(
                "SELECT slot, body FROM decided WHERE domain = @domain AND slot >= @first "
                "AND slot <= @last ORDER BY slot DESC",
                domain=domain, first=since // SLOT_MS, last=(until - 1) // SLOT_MS,
            )  # fmt: skip
            for _, some in groupby(rows, key=itemgetter(0)):
                entries = in_order(body for _, body in some)
                yield [e for e in entries if since <= e.timestamp < until]

    def set_aside(self, domain: str, limit: int) -> list[StoredAside]:
        """See the port."""
        with translated(self._settings, "read set-aside records"):
            rows = self._database.query(
                f"{_ASIDES}, topic, `partition`, epoch, `offset` DESC LIMIT @most",
                domain=domain, most=limit,
            )  # fmt: skip
            return [_stored_aside(row) for row in rows]

    def asides(self, domain: str) -> Iterator[StoredAside]:
        """See the port."""
        with translated(self._settings, "read set-aside records"):
            for row in self._database.scan(_ASIDES, domain=domain):
                yield _stored_aside(row)

    def find_asides(
        self, domain: str, topic: str, partition: int, epoch: int, offset: int
    ) -> list[StoredAside]:
        """See the port."""
        with translated(self._settings, "read set-aside records"):
            rows = self._database.query(
                f"SELECT {_ASIDE} FROM dead_letters WHERE domain = @domain AND topic = @topic "
                "AND `partition` = @part AND epoch = @epoch AND `offset` = @place",
                domain=domain, topic=topic, part=partition, epoch=epoch, place=offset,
            )  # fmt: skip
            return [_stored_aside(row) for row in rows]

    def write_act(self, domain: str, act: LetterAct) -> None:
        """See the port."""
        until = in_days(self._settings.ttl_dead_letters_d)
        row = (domain, *(getattr(act, name) for name in names(_ACT)), until)
        with translated(self._settings, "confirm a write of an act"):
            self._database.write(writes("letter_acts", f"domain, {_ACT}, expires", [row]))

    def acts(self, domain: str, topic: str, partition: int) -> list[LetterAct]:
        """See the port."""
        with translated(self._settings, "read acts"):
            rows = self._database.query(
                f"SELECT {_ACT} FROM letter_acts WHERE domain = @domain AND topic = @topic "
                "AND `partition` = @part ORDER BY epoch, `offset`, `at`, act",
                domain=domain, topic=topic, part=partition,
            )  # fmt: skip
            return [LetterAct(*row) for row in rows]

    def find_state(self, domain: str, stripe: int, entity: str) -> StateRow | None:
        """See the port."""
        with translated(self._settings, "read a state"):
            rows = self._database.read("states", "state, stamp", [(domain, stripe, entity)])
            return next((StateRow(stripe, entity, blob, stamp) for blob, stamp in rows), None)

    def decisions_of(
        self, domain: str, stripe: int, entity: str, since: int, before: tuple[int, str], limit: int
    ) -> list[DecisionRow]:
        """See the port."""
        with translated(self._settings, "read decisions"):
            return self._of(domain, stripe, entity, since, before, limit)

    def newest_decisions(self, domain: str, each: int, limit: int) -> dict[str, list[DecisionRow]]:
        """See the port."""
        found: dict[str, list[DecisionRow]] = {}
        with translated(self._settings, "read states"):
            known = self._database.query(
                "SELECT stripe, entity, state FROM states WHERE domain = @domain LIMIT @most",
                domain=domain, most=limit,
            )  # fmt: skip
        with translated(self._settings, "read decisions"):
            for stripe, entity, blob in known:
                time = newest_of(blob) if blob else 0
                if rows := self._of(domain, stripe, entity, 0, (time + 1, ""), each):
                    found[entity] = rows
        return found

    def all_decisions(self, domain: str) -> Iterator[StoredDecision]:
        """See the port."""
        with translated(self._settings, "read decisions"):
            for stripe in range(self._settings.layout_stripes):
                entity, time, name = "", _LATEST, ""
                while True:  # a request over the whole table would need any time limit
                    page = self._database.scan(
                        f"SELECT {_DECISION}, stamp FROM decisions WHERE domain = @domain "
                        "AND stripe = @stripe AND entity >= @entity AND (entity > @entity "
                        "OR time < @time OR (time = @time AND id < @id)) "
                        "ORDER BY entity, time DESC, id DESC LIMIT @most",
                        domain=domain, stripe=stripe, entity=entity, time=time, id=name,
                        most=_PAGE,
                    )  # fmt: skip
                    rows = list(page)
                    for *row, stamp in rows:
                        yield StoredDecision(epoch_of(stamp), _decision(row))
                    if len(rows) < _PAGE:
                        break
                    _, entity, time, name, *_ = rows[-1]

    def erase_state(self, domain: str, stripe: int, entity: str) -> bool:
        """See the port."""
        with translated(self._settings, "erase a state"):
            return self._gone("states", "entity", [(domain, stripe, entity)]) > 0

    def erase_decisions(self, domain: str, rows: Sequence[Erased]) -> int:
        """See the port."""
        places = [(domain, r.stripe, r.entity, r.time, r.id) for r in rows]
        with translated(self._settings, "erase decisions"):
            acted = [(domain, r.entity, r.time, r.id) for r in rows]
            erased = self._gone("decisions", "id", places, deletes("alert_work", acted))
            by_slot: dict[tuple[int, str, int], list[tuple[str, int, str]]] = {}
            for r in rows:
                place = (r.timestamp // SLOT_MS, r.topic, r.partition)
                by_slot.setdefault(place, []).append((r.entity, r.time, r.id))
            for place, gone in by_slot.items():
                self._database.transact(_less(domain, place, gone))
        return erased

    def erase_asides(self, domain: str, rows: Sequence[StoredAside]) -> int:
        """See the port."""
        places = [
            (domain, one.topic, one.partition, one.epoch, one.row.offset, one.row.state)
            for one in rows
        ]
        with translated(self._settings, "erase set-aside records"):
            return self._gone("dead_letters", "code", places)

    def _gone(self, table: str, column: str, rows: Sequence[Any], *beside: Any) -> int:
        """How many of these rows there were, and no longer are."""

        def erase(transaction: Transaction) -> int:
            found = transaction.read(table, column, rows)
            transaction.write(deletes(table, rows), *beside)
            return len(found)

        return self._database.transact(erase) if rows else 0

    def _of(
        self, domain: str, stripe: int, entity: str, since: int, before: tuple[int, str], limit: int
    ) -> list[DecisionRow]:
        rows = self._database.query(
            f"SELECT {_DECISION} FROM decisions WHERE domain = @domain AND stripe = @stripe "
            "AND entity = @entity AND time >= @since "
            "AND (time < @time OR (time = @time AND id < @id)) "
            "ORDER BY time DESC, id DESC LIMIT @most",
            domain=domain, stripe=stripe, entity=entity, since=since,
            time=before[0], id=before[1], most=limit,
        )  # fmt: skip
        return [_decision(row) for row in rows]

    def _beside(self, write: Callable[[], None]) -> None:
        """Write without waiting; left out where the write before it is still under way."""

        def run() -> None:
            with suppress(GoogleAPICallError, ValueError):  # the next one is as good
                write()

        if self._waiting is None or self._waiting.done():
            self._waiting = self._aside.submit(run)


def _less(
    domain: str, place: tuple[int, str, int], gone: Sequence[tuple[str, int, str]]
) -> Callable[[Transaction], None]:
    """Takes decisions out of the index, of a slot of one partition."""

    def erase(transaction: Transaction) -> None:
        slot, topic, partition = place
        for *work, body, expires in transaction.query(
            f"SELECT {_WORK}, body, STRING(expires, 'UTC') FROM decided WHERE domain = @domain "
            "AND slot = @slot AND topic = @topic AND `partition` = @part",
            domain=domain, slot=slot, topic=topic, part=partition,
        ):  # fmt: skip
            key = (domain, *place, *work)
            left = without(body, gone)
            if left is None:
                transaction.write(deletes("decided", [key]))
            elif left != body:
                until = expires.removesuffix("+00").replace(" ", "T") + "Z"
                columns = f"domain, slot, topic, `partition`, {_WORK}, body, expires"
                transaction.write(writes("decided", columns, [(*key, left, until)]))

    return erase


def _decision(row: Sequence[Any]) -> DecisionRow:
    *cells, alerted = row
    return DecisionRow(*(*cells, alerted is not None))


def _stored_aside(row: Sequence[Any]) -> StoredAside:
    topic, partition, epoch, *rest = row
    return StoredAside(topic, partition, epoch, SetAside(*rest))
