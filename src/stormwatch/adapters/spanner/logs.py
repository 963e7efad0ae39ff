"""What the database knows of logs: incarnations given out once, what was read, how far."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from stormwatch.adapters import log_registry as registry
from stormwatch.adapters.log_registry import BY_GENERATION, Registered
from stormwatch.adapters.spanner.session import Database, Transaction, translated
from stormwatch.adapters.spanner.values import writes
from stormwatch.cursors import Anchor, Cursor
from stormwatch.records import Fingerprint
from stormwatch.settings import Settings
from stormwatch.stretches import Stretch

_KEY = "log, `partition`, incarnation"
_GENERATION = ", ".join(BY_GENERATION)
_CURSOR = "`offset`, metadata, sequence"
_fingerprints = msgspec.msgpack.Decoder(tuple[Fingerprint, ...]).decode


class SpannerLogs:
    """The parts of the port `Store` that are about logs."""

    _database: Database
    _settings: Settings
    _beside: Callable[[Callable[[], None]], None]

    def incarnation(self, log: str, nth: int, claim: tuple[int, str] | None) -> int:
        """See the port."""

        def give(transaction: Transaction) -> int:
            rows = transaction.query("SELECT incarnation, stream, log, nth FROM logs")
            given = [Registered(*row) for row in rows]
            taken = registry.wanted(given, log, nth, claim)
            if taken not in given:
                transaction.write(writes("logs", "incarnation, stream, log, nth", [taken]))
            return taken.incarnation

        with translated(self._settings, "give a log its incarnation"):
            return self._database.transact(give)

    def resizes(self, log: str, partitions: int, known: tuple[int, int] | None) -> int:
        """See the port."""

        def count(transaction: Transaction) -> int:
            rows = transaction.read("log_sizes", "partitions, resizes", [(log,)])
            before = (rows[0][0], rows[0][1]) if rows else None
            after = registry.sized(before, partitions, known)
            if after != before:
                row = (log, *after)
                transaction.write(writes("log_sizes", "log, partitions, resizes", [row]))
            return after[1]

        with translated(self._settings, "return the size of a log"):
            return self._database.transact(count)

    def stretches(self, log: str) -> list[Stretch]:
        """See the port."""
        with translated(self._settings, "return what was read of a log"):
            rows = self._database.query(
                f"SELECT `partition`, incarnation, {_GENERATION}, position, fingerprints "
                "FROM log_stretches WHERE log = @log AND first IS NOT NULL "
                "ORDER BY `partition`, incarnation",
                log=log,
            )
            return [
                Stretch(
                    partition, incarnation, **dict(zip(BY_GENERATION, kept, strict=True)),
                    position=position or 0,
                    fingerprints=_fingerprints(taken) if taken else (),
                )
                for partition, incarnation, *kept, position, taken in rows
            ]  # fmt: skip

    def write_stretches(self, log: str, stretches: Sequence[Stretch]) -> None:
        """See the port."""
        with translated(self._settings, "confirm what was read of a log"):
            self._database.transact(_keeping(log, stretches, whole=True))

    def note_position(self, log: str, stretch: Stretch) -> None:
        """See the port."""
        self._beside(lambda: self._database.transact(_keeping(log, [stretch], whole=False)))

    def cursors(self, log: str, reader: str) -> dict[int, Cursor]:
        """See the port."""
        with translated(self._settings, "return how far a log was read"):
            rows = self._database.query(
                f"SELECT `partition`, {_CURSOR}, ended FROM log_cursors "
                "WHERE log = @log AND reader = @reader",
                log=log, reader=reader,
            )  # fmt: skip
            return {partition: Cursor(*kept) for partition, *kept in rows}

    def write_cursors(self, log: str, reader: str, cursors: Mapping[int, Cursor]) -> None:
        """See the port."""
        changes = []
        for partition, (*kept, ended) in cursors.items():
            row = (log, reader, partition, *kept)
            columns = f"log, reader, `partition`, {_CURSOR}"
            if ended is not None:
                row, columns = (*row, ended), f"{columns}, ended"
            changes.append(writes("log_cursors", columns, [row]))
        if changes:
            with translated(self._settings, "confirm how far a log was read"):
                self._database.write(*changes)

    def anchors(self, log: str, partition: int) -> list[Anchor]:
        """See the port."""
        with translated(self._settings, "return the counts of a log"):
            rows = self._database.query(
                "SELECT `offset`, sequence FROM log_anchors WHERE log = @log "
                "AND `partition` = @part ORDER BY 1",
                log=log, part=partition,
            )  # fmt: skip
            return [Anchor(*row) for row in rows]

    def anchor(self, log: str, partition: int, wanted: Anchor) -> Anchor:
        """See the port."""

        def keep(transaction: Transaction) -> Anchor:
            key = (log, partition, wanted.offset)
            for (sequence,) in transaction.read("log_anchors", "sequence", [key]):
                return Anchor(wanted.offset, sequence)
            columns = "log, `partition`, `offset`, sequence"
            transaction.write(writes("log_anchors", columns, [(log, partition, *wanted)]))
            return wanted

        with translated(self._settings, "keep a count of a log"):
            return self._database.transact(keep)


def _keeping(
    log: str, stretches: Sequence[Stretch], *, whole: bool
) -> Callable[[Transaction], None]:
    """Of each the greatest generation's columns stay, and the greatest position's. `whole`: also
    those of the generation are written."""

    def keep(transaction: Transaction) -> None:
        keys = [(log, s.partition, s.incarnation) for s in stretches]
        columns = "`partition`, incarnation, generation, position"
        found = {
            tuple(row[:2]): row[2:] for row in transaction.read("log_stretches", columns, keys)
        }
        for s, key in zip(stretches, keys, strict=True):
            generation, position = found.get(key[1:], (None, None))
            if whole and (generation is None or s.generation >= generation):
                kept: tuple[Any, ...] = tuple(getattr(s, name) for name in BY_GENERATION)
                transaction.write(
                    writes("log_stretches", f"{_KEY}, {_GENERATION}", [(*key, *kept)])
                )
            if position is None or s.position >= position:
                noted = (*key, s.position, msgspec.msgpack.encode(s.fingerprints))
                transaction.write(
                    writes("log_stretches", f"{_KEY}, position, fingerprints", [noted])
                )

    return keep
