"""The verdict behind a re-key hop, where partitions share keys and stand in no order. Pure.

What a record alone decides is compared byte for byte. For each key an order of the partitions is
looked for in which the pure core decides each event as it is stored and ends in the stored state.
What a try that was not committed left behind is counted, not blamed:
`stormwatch.state.repartition`.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from apps.prove.verdict.judge import Finding, Verdict, verdict_of
from apps.prove.verdict.keys import ASIDE, Keys, Looked, cells_of
from apps.prove.verdict.orders import Step
from apps.prove.verdict.rekeyed import Log
from apps.prove.verdict.tables import Stored, Table
from stormwatch.dead_letters import card_numbers
from stormwatch.records import EndState, Outcomes
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain

_BY_KEY = {EndState.SCORED, EndState.DUPLICATE, *ASIDE}
"""What a key can make of an event; the other end states the record has of itself."""
_LONG = 300


def judge(
    settings: Settings,
    domain: Domain[Any, Any],
    topic: str,
    log: Log,
    have: Stored,
    seed: int,
    doubts: Iterable[str] = (),
) -> Verdict:
    """Compare. `doubts` make it INVALID, whatever was found."""
    return _Judge(domain, topic, log, have, Keys(settings, domain, topic, log, have)).run(
        seed, list(doubts)
    )


class _Judge:
    def __init__(
        self, domain: Domain[Any, Any], topic: str, log: Log, have: Stored, keys: Keys
    ) -> None:
        self._name, self._topic = domain.name, topic
        self._log, self._have, self._keys = log, have.tables, keys
        self._mine = {step.place for step in log.steps()}
        self._found = list(keys.findings)
        self._left = 0

    def run(self, seed: int, doubts: list[str]) -> Verdict:
        looked = {name: self._keys.look(name) for name in sorted(self._log.lanes)}
        self._ends()
        self._found += [each for one in looked.values() for each in one.findings]
        self._states()
        decided = [pair for one in looked.values() for pair in one.way.order]
        self._left += sum(not m.decisions and self._keys.row(s) is not None for s, m in decided)
        self._compare("dead_letters", self._letters(decided))
        self._compare("alerts", self._alerts(decided))
        lost = [name for name, one in looked.items() if one.way.given_up]
        if lost:
            doubts.append(
                f"for {len(lost)} keys, {lost[0]!r} among them, too many orders of the partitions "
                "would have to be tried"
            )
        kept = {key for key in self._log.certain.ends if key not in self._mine}
        return verdict_of(
            self._found, seed, doubts, len(kept | self._mine), len(self._have.decisions),
            self._have, self._told(looked),
        )  # fmt: skip

    def _told(self, looked: dict[str, Looked]) -> list[str]:
        whole = sum(one.way.whole for one in looked.values())
        told = [
            f"partitions stand in no order to each other: for {whole} of {len(looked)} keys one "
            "was found in which the pure core decides each event as it is stored"
        ]
        if self._left:
            told.append(f"{self._left} rows were left by tries that were not committed")
        return told

    def _ends(self) -> None:
        """One end state an offset; which, is certain where the record alone decides."""
        ends, certain = self._have.ends, self._log.certain.ends
        mine = {step.place for step in self._log.steps() if step.accounts}
        for at in sorted(ends.keys() | certain.keys() | mine):
            said, want = ends.get(at, frozenset()), certain.get(at, frozenset())
            if said == want if at not in mine else len(said) == 1 and said <= _BY_KEY:
                continue
            kind = "missing" if not said else "doubled" if len(said) > 1 else "different"
            if at not in certain and at not in mine:
                kind = "extra"
            wanted = "+".join(sorted(want)) or "one of a decided event"
            told = f"{'+'.join(sorted(said)) or 'none'}, not {wanted}"
            self._found.append(Finding(kind, "ends", repr(at), told))

    def _states(self) -> None:
        for key in sorted(self._have.states):
            if key[2] not in self._log.lanes:
                self._found.append(Finding("extra", "states", repr(key)))

    def _letters(self, decided: list[tuple[Step, Outcomes]]) -> Table:
        """Place -> the rows that may stand there: two keys of one offset may both be late."""
        want: Table = {k: [cells] for k, cells in self._log.certain.dead_letters.items()}
        for step, made in decided:
            for row in made.aside:
                want.setdefault(self._keys.letter_key(step, row.state), []).append(cells_of(row))
        return want

    def _alerts(self, decided: list[tuple[Step, Outcomes]]) -> Table:
        want: Table = {}
        for step, made in decided:
            for row in (row for row in made.decisions if row.alert):
                key = self._name, self._topic, step.partition, row.timestamp, row.entity, row.id
                cells = row.stripe, row.time, row.outcome, row.score, bytes(row.body)
                want.setdefault(key, []).append(cells)
        return want

    def _compare(self, table: str, want: Table) -> None:
        """`want` has several rows for a place where any of them will do."""
        have: Table = getattr(self._have, table)
        for key in sorted(want.keys() - have.keys(), key=repr):
            self._found.append(Finding("missing", table, repr(key)))
        places = Counter(_origin(key) for key in want)
        for key in sorted(have.keys() - want.keys(), key=repr):
            if self._is_left(table, key):
                self._left += 1
                continue
            kind = "doubled" if places[_origin(key)] else "extra"
            self._found.append(Finding(kind, table, repr(key)))
        for key in sorted(want.keys() & have.keys(), key=repr):
            if have[key] in want[key]:
                continue
            if table == "dead_letters" and self._is_another_s(key, have[key], want[key]):
                self._left += 1
            else:
                told = f"{have[key]!r}"[:_LONG]
                self._found.append(Finding("different", table, repr(key), told))

    def _is_another_s(self, key: tuple[Any, ...], have: Any, want: list[Any]) -> bool:
        """Whether a try set this record aside for another of its keys than was found."""
        at = key[2], key[4], key[5]
        theirs = {
            card_numbers.mask(s.event.entity.encode()) for s in self._log.steps() if s.place == at
        }
        same = any((row[0], row[1], row[4]) == (have[0], have[1], have[4]) for row in want)
        return same and have[3] in theirs - {row[3] for row in want}

    def _is_left(self, table: str, key: tuple[Any, ...]) -> bool:
        """Whether a try that was not committed may have written it: then it is no fault."""
        if key[2] not in self._keys.tried:
            return False
        if table == "alerts":
            return any(
                step.event.id == key[5] and step.timestamp == key[3]
                for step in self._log.lanes.get(key[4], {}).get(key[2], [])
            )
        return key[3] in ASIDE and (key[2], key[4], key[5]) in self._mine


def _origin(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a row is the outcome of: an offset of any state, a key's event of any time."""
    return key[:3] + key[4:]
