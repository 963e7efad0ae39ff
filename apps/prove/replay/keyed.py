"""A replay behind a re-key hop: the range's keys decided again, with all that other partitions did.

Between partitions there is no order on paper. So one is looked for that fits what is stored of each
key (`apps.prove.verdict.orders`), and the topology's own bolt decides the key's events in it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from apps.data.kinds import BY_TOPOLOGY, named
from apps.operate.domains import MAKE
from apps.prove.replay.compare import EXAMPLES, Change, Difference, Proof
from apps.prove.replay.components import KEYED
from apps.prove.replay.course import Range
from apps.prove.replay.host import Host
from apps.prove.replay.needs import Needs, ReplayRefused
from apps.prove.replay.stored_keys import Stock
from apps.prove.verdict import rekeyed
from apps.prove.verdict.judge import body_differences
from apps.prove.verdict.keys import Keys, Looked
from apps.prove.verdict.oracle import Batch
from apps.prove.verdict.orders import Step
from apps.prove.verdict.rekeyed import Log, Place, end_of
from apps.prove.verdict.tables import Stored
from stormwatch.archive import Archive
from stormwatch.codec import Parsed, Share
from stormwatch.errors import SettingsError
from stormwatch.ports import Source
from stormwatch.records import DecisionRow, EndState, Fragment, Outcomes
from stormwatch.settings import Settings

FOUND = (
    "which partition's event a key met first is not stored: an order was looked for, and found, in "
    "which every event of the {count} keys of the range is decided as it is stored"
)
Row = DecisionRow | None
_LONG = 300


class KeyedReplay:
    """One range of one partition. Raises ReplayRefused, InfrastructureError, SettingsError."""

    def __init__(
        self, settings: Settings, archive: Archive, source: Source, name: str, of: Range
    ) -> None:
        self._settings, self._name, self._of = settings, name, of
        self._domain, self._kind = MAKE[name](settings), BY_TOPOLOGY[name]
        self._needs = Needs(settings, archive, source, name, of)
        self._stock = Stock(settings, archive, source, self._domain, of)

    def proof(self, folders: Sequence[Path] = ()) -> Proof:
        """Compare with what is stored; there are no models that `folders` could hold."""
        of, ends = self._of, self._needs.ends()
        log = self._read()
        mine = [step for step in log.steps() if self._inside(step)]
        names = sorted({step.event.entity for step in mine})
        have = self._stock.stored(log, names, {step.place for step in mine})
        keys = Keys(self._settings, self._domain, of.topic, log, have)
        self._same_code(have)
        host = Host(KEYED[self._name], self._settings)
        found: list[Difference] = []
        replayed = self._certain(log)
        for name in names:
            looked = keys.look(name)
            if looked.way.given_up:
                raise ReplayRefused(
                    f"What {name!r} met of {len(log.lanes[name])} partitions could have come in "
                    "too many orders to try them all."
                )
            rows = self._decide(host, looked)
            for step in (step for step in mine if step.event.entity == name):
                row, made = rows.get(step.place, (None, None))
                told = _told(step, keys, looked, row, made)
                if told:
                    found.append(Difference(step.offset, name, step.event.id, told))
                if step.accounts and made is not None:
                    replayed[step.offset] = end_of(made)
        told_of = {each.offset for each in found}
        for offset in sorted((ends.keys() | replayed.keys()) - told_of):
            was, now = ends.get(offset, "none"), replayed.get(offset, "none")
            if now != was:
                told = f"end state: {was} stored, {now} replayed"
                found.append(Difference(offset, "", "", told))
        return self._proof(log, ends, found, [step for step in mine if keys.row(step)])

    def _proof(
        self, log: Log, ends: dict[int, str], found: list[Difference], decided: list[Step]
    ) -> Proof:
        of, wrong = self._of, {(each.offset, each.entity) for each in found}
        equal = sum((step.offset, step.event.entity) not in wrong for step in decided)
        before = sum(step.offset < of.first for step in log.steps() if step.accounts)
        found.sort(key=lambda each: each.offset)
        return Proof(
            of.partition, of.first, of.last, before,
            [f"{self._domain.model_version} {self._domain.rules_version}"], len(decided), equal,
            dict(Counter(ends.values())), found[:EXAMPLES], len(found),
            FOUND.format(count=len({step.event.entity for step in decided})),
        )  # fmt: skip

    def _certain(self, log: Log) -> dict[int, str]:
        """End states of the range that no key has a say in."""
        return {
            offset: "+".join(states)
            for (partition, _, offset), states in log.certain.ends.items()
            if partition == self._of.partition and self._of.first <= offset <= self._of.last
            if states != {EndState.ABSENT}
        }

    def _same_code(self, have: Stored) -> None:
        mine = self._domain.model_version, self._domain.rules_version, self._domain.feature_set
        for body in self._stock.bodies(have):
            theirs = body.model, body.rules, body.feature_set
            if theirs != mine:
                raise ReplayRefused(
                    f"The keys of the range have decisions by {' '.join(theirs)}; this program has "
                    f"{' '.join(mine)}. Replay with the version of Stormwatch that has them."
                )

    def change(self, folder: Path | None, rules: Path | None = None) -> Change:
        """Raises SettingsError: nothing of it can be replaced."""
        raise SettingsError(
            f"{self._name} has no model or rules that can be replaced: it decides by its code "
            f"({self._domain.model_version}, {self._domain.rules_version})."
        )

    def _read(self) -> Log:
        parse, hop = named(self._kind.parse), named(self._kind.hop)
        return rekeyed.read(self._settings, self._batches(), self._domain, parse, hop)

    def _batches(self) -> Iterator[Batch]:
        for needs in self._stock.partitions(self._needs, self._name):
            yield from needs.batches()

    def _inside(self, step: Step) -> bool:
        of = self._of
        return step.partition == of.partition and of.first <= step.offset <= of.last

    def _decide(self, host: Host, looked: Looked) -> dict[Place, tuple[Row, Outcomes]]:
        """Each event of the order by the bolt; what it stored is looked at, and forgotten."""
        rows: dict[Place, tuple[Row, Outcomes]] = {}
        for step, made in looked.way.order:
            at = step.offset
            of = Fragment(self._of.topic, step.partition, step.epoch, at, at, 1, 0)
            share = Share(0, [] if step.accounts else [0])
            host.decide(of, Parsed([(at, step.timestamp, step.event)], [], [], share))
            stored = [each.row for each in host.store.all_decisions(self._name)]
            rows[step.place] = stored[0] if stored else None, made
            host.forget()
        return rows


def _told(step: Step, keys: Keys, looked: Looked, row: Row, made: Outcomes | None) -> str:
    """How an event came out otherwise; "" if it is the same."""
    if step.place in looked.blamed:
        return looked.blamed[step.place]
    if made is None:
        at = ", ".join(f"{s.partition}/{s.offset}: {why}" for s, why in looked.way.stuck)
        return f"its key's events fit in no order up to it; it ends before {at}"
    cells = keys.row(step)
    if row is None:
        return ""  # what is stored in spite of it was left by a try: `Keys` saw to that
    if cells is None:
        return "no decision is stored"
    mine = row.outcome, row.score, row.body, row.timestamp, row.alert
    if mine == cells:
        return ""
    return body_differences(row.body, cells[2]) or f"stored is {cells!r}"[:_LONG]
