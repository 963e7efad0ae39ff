"""Set-aside records with what was done about them."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from apps.data.printable import lines_shown
from apps.data.streams import Stream
from apps.operate.domains import chosen, of_topic
from stormwatch.archive import Archive, LetterAct
from stormwatch.dead_letters import redaction
from stormwatch.errors import SettingsError
from stormwatch.ports import StoredAside
from stormwatch.records import day_of
from stormwatch.settings import Settings

OPEN = "open"


class Letter(NamedTuple):
    """One set-aside record and the acts on it, oldest first."""

    domain: str
    stored: StoredAside
    acts: tuple[LetterAct, ...] = ()

    @property
    def place(self) -> tuple[str, int, int, int]:
        return self.stored.topic, self.stored.partition, self.stored.epoch, self.stored.row.offset

    @property
    def name(self) -> str:
        """What a person types: topic/partition/epoch/offset."""
        return "/".join(map(str, self.place))

    @property
    def status(self) -> str:
        """`open`, or the last act."""
        return self.acts[-1].act if self.acts else OPEN

    def shown(self, masked: frozenset[str]) -> dict[str, object]:
        """For a screen or another program; masked as the settings are now."""
        row = self.stored.row
        reason = redaction.mask(row.reason.encode(), masked).decode(errors="replace")
        return {
            "record": self.name, "topology": self.domain, "status": self.status,
            "state": row.state, "code": row.code, "reason": reason, "component": row.component,
            "timestamp": row.timestamp, "key": _text(row.key, frozenset()),
            "value": _text(row.raw, masked),
            "acts": [
                {
                    "act": act.act, "at": act.at, "who": act.who, "note": act.note,
                    "copy": f"{act.topic}/{act.to_partition}/{act.to_offset}"
                    if act.to_partition >= 0 else None,
                }
                for act in self.acts
            ],
        }  # fmt: skip


class Wanted(NamedTuple):
    """Which records; None is any."""

    code: str | None = None
    component: str | None = None
    state: str | None = None
    done: bool = False  # also those that were re-driven or discarded

    def fits(self, letter: Letter) -> bool:
        """Whether it is one of them."""
        row = letter.stored.row
        pairs = ((self.code, row.code), (self.component, row.component), (self.state, row.state))
        return all(want in (None, have) for want, have in pairs) and (
            self.done or letter.status in (OPEN, "redriving")
        )


def find(archive: Archive, streams: Sequence[Stream], wanted: Wanted, limit: int) -> list[Letter]:
    """The newest that are wanted, newest first. Raises StoreUnavailable."""
    found = [letter for stream in streams for letter in _newest(archive, stream, wanted, limit)]
    found.sort(key=lambda letter: (-letter.stored.row.timestamp, letter.place))
    return found[:limit]


def find_all(archive: Archive, streams: Sequence[Stream]) -> Iterator[Letter]:
    """All, newest day first; those done, too. Raises StoreUnavailable."""
    for stream in streams:
        acts: Acts = {}
        for stored in archive.asides(stream.topology):
            yield _with_acts(archive, stream.topology, stored, acts)


def by_name(archive: Archive, settings: Settings, name: str) -> Letter:
    """The one with this name. Raises SettingsError for anything else."""
    try:
        topic, partition, epoch, offset = name.rsplit("/", 3)
        place = topic, int(partition), int(epoch), int(offset)
    except ValueError as error:
        raise SettingsError(
            f"{name!r} is not a record: write topic/partition/epoch/offset, as "
            "`./stormwatch dlq list` shows it."
        ) from error
    for stream in chosen(settings, of_topic(settings, place[0]).topology):
        for stored in archive.find_asides(stream.topology, *place):
            return _with_acts(archive, stream.topology, stored, {})
    raise SettingsError(
        f"{name} is not in the dead-letter queue: it was decided, never read, or is older than "
        f"{settings.ttl_dead_letters_d} days. `./stormwatch dlq list --all` shows what there is."
    )


Acts = dict[tuple[str, int], dict[tuple[str, int, int, int], list[LetterAct]]]


def _newest(archive: Archive, stream: Stream, wanted: Wanted, limit: int) -> Iterator[Letter]:
    """Those of the newest days that hold `limit` of them together."""
    acts: Acts = {}
    taken, day = 0, None
    for stored in archive.asides(stream.topology):
        now = day_of(stored.row.timestamp)
        if now != day and taken >= limit:
            return
        day = now
        letter = _with_acts(archive, stream.topology, stored, acts)
        if wanted.fits(letter):
            taken += 1
            yield letter


def _with_acts(archive: Archive, domain: str, stored: StoredAside, known: Acts) -> Letter:
    partition = stored.topic, stored.partition
    if partition not in known:
        by_place = known[partition] = {}
        for act in archive.acts(domain, *partition):
            by_place.setdefault(act.place, []).append(act)
    letter = Letter(domain, stored)
    return letter._replace(acts=tuple(known[partition].get(letter.place, ())))


def _text(value: bytes | None, masked: frozenset[str]) -> str | None:
    if value is None:
        return None
    return lines_shown(redaction.mask(value, masked))
