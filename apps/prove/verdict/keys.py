"""Keys behind a re-key hop: each stored decision to its event, and an order for each key. Pure."""

from typing import Any, NamedTuple

import msgspec

from apps.prove.verdict.judge import Finding, body_differences
from apps.prove.verdict.orders import Step, Way, find
from apps.prove.verdict.rekeyed import Core, Log, Place, end_of
from apps.prove.verdict.tables import Stored
from stormwatch.dead_letters import card_numbers
from stormwatch.errors import StateError
from stormwatch.partitioner import stripe_of
from stormwatch.records import Decision, EndState, Outcomes, SetAside
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain

ASIDE = {EndState.LATE, EndState.CONFLICT, EndState.DEAD_LETTERED}
_FIRST_TRY = 1, 0
_LONG = 300
_decode = msgspec.json.Decoder(Decision).decode


class Looked(NamedTuple):
    """An order for one key, and what is wrong with it."""

    way: Way
    findings: list[Finding]
    blamed: dict[Place, str]  # offsets whose decision is not what the core makes of them


class Keys:
    """What is stored of each key, beside what the log holds for it."""

    def __init__(
        self, settings: Settings, domain: Domain[Any, Any], topic: str, log: Log, have: Stored
    ) -> None:
        self._settings, self._domain, self._topic = settings, domain, topic
        self._log, self._have = log, have.tables
        self._core = Core(settings, domain, topic)
        self._rows: dict[tuple[int, int, str], tuple[Any, ...]] = {}
        self._free: set[tuple[str, Place]] = set()
        """Events of whose decisions nothing is known, so that any will do."""
        self._told: dict[tuple[str, Place], str] = {}
        self.tried = {row.partition for row in have.written if row.nth > _FIRST_TRY}
        """Partitions where batches came again: a try that was not committed may have left rows."""
        self.findings: list[Finding] = []
        """Decisions that are missing, doubled, of nothing, or of another record."""
        self._place_rows()

    def decision_key(self, step: Step) -> tuple[Any, ...]:
        """Where the decision of an event is stored."""
        event, period = step.event, self._settings.layout_period_h * 3_600_000
        stripe = stripe_of(event.entity, self._settings.layout_stripes)
        place = self._domain.name, stripe, event.time // period
        return (*place, event.entity, event.time, event.id)

    def letter_key(self, step: Step, state: str) -> tuple[Any, ...]:
        """Where it is kept if it is set aside."""
        return self._domain.name, self._topic, step.partition, state, step.epoch, step.offset

    def row(self, step: Step) -> tuple[Any, ...] | None:
        """The stored decision of this event."""
        return self._rows.get((step.partition, step.offset, step.event.entity))

    def _place_rows(self) -> None:
        by_key: dict[tuple[Any, ...], list[Step]] = {}
        for step in self._log.steps():
            by_key.setdefault(self.decision_key(step), []).append(step)
        known = {(key[3], key[5]) for key in by_key}
        for key, cells in sorted(self._have.decisions.items(), key=lambda row: repr(row[0])):
            steps = by_key.get(key, [])
            if not steps:
                kind = "doubled" if (key[3], key[5]) in known else "extra"
                self.findings.append(Finding(kind, "decisions", repr(key)))
                continue
            mine = _whose(cells, steps, self._topic)
            if mine is not None:
                self._rows[mine.partition, mine.offset, key[3]] = cells
                continue
            self._blame("different", key, steps, "the body is of no record with this id in the log")
        for key, steps in by_key.items():
            if key in self._have.decisions:
                if len(steps) > 1:  # one row for all of them: which have none cannot be known
                    other = [step for step in steps if self.row(step) is None]
                    self._free |= {(key[3], step.place) for step in other}
            elif any(map(self._is_scored, steps)) or (len(steps) == 1 and self._is_lost(*steps)):
                self._blame("missing", key, steps, "no decision is stored")

    def _blame(self, kind: str, key: tuple[Any, ...], steps: list[Step], told: str) -> None:
        shown = "" if kind == "missing" else told
        self.findings.append(Finding(kind, "decisions", repr(key), shown))
        self._free |= {(key[3], step.place) for step in steps}
        self._told.update(((key[3], step.place), told) for step in steps)

    def _is_scored(self, step: Step) -> bool:
        return step.accounts and EndState.SCORED in self._have.ends.get(step.place, ())

    def _is_lost(self, step: Step) -> bool:
        """One that no end state speaks of, with no decision: then it has to be set aside."""
        letters = self._have.dead_letters
        return not step.accounts and not any(self.letter_key(step, s) in letters for s in ASIDE)

    def look(self, name: str) -> Looked:
        """An order of the partitions for one key."""
        key = self._domain.name, stripe_of(name, self._settings.layout_stripes), name
        found: list[Finding] = []
        blob = self._have.states.get(key)
        if blob is None:
            found.append(Finding("missing", "states", repr(key)))
        readable = blob is not None and self._readable(blob)
        same = lambda mine: not readable or self._core.same(mine, blob or b"")  # noqa: E731
        lanes = [lane for _, lane in sorted(self._log.lanes[name].items())]
        way = find(lanes, self._core.ways(self._misfit, same))
        blamed = [
            (step, self._misfit(step, made))
            for step, made in way.order
            if step in way.wrong
            and (self.row(step) or not made.aside)  # else its own row is told of
        ]
        for step, why in [*blamed, *way.stuck]:
            late = any(other.partition == step.partition for other in way.ahead)
            kind = "out_of_order" if late else "different"
            told = "decided after a later record of its key; " if late else ""
            told = f"{told}in no order of the partitions: {why}"
            found.append(Finding(kind, "decisions", repr(self.decision_key(step)), told))
        if blob is not None and (not readable or (way.whole and not way.state)):
            told = "no order of the partitions ends in it" if readable else "it cannot be read"
            found.append(Finding("different", "states", repr(key), told))
        wrong = {at: told for (whose, at), told in self._told.items() if whose == name}
        wrong |= {step.place: why for step, why in [*blamed, *way.stuck]}
        return Looked(way, found, wrong)

    def _readable(self, blob: bytes) -> bool:
        try:
            self._core.known(blob)
        except StateError:
            return False
        return True

    def _misfit(self, step: Step, made: Outcomes) -> str:
        state = end_of(made)
        said = self._have.ends.get(step.place, frozenset()) if step.accounts else frozenset()
        if said and state not in said:
            return f"its end is {'+'.join(sorted(said))}, not {state}"
        other = self._other(step, state)
        if other:
            return f"it is set aside as {other}, not {state}"
        if made.decisions:
            return self._decided(step, made)
        free = (step.event.entity, step.place) in self._free
        if self.row(step) is not None and not free and step.partition not in self.tried:
            return f"a decision is stored, and it is {state}"
        return self._aside(step, made)

    def _decided(self, step: Step, made: Outcomes) -> str:
        row = self.row(step)
        if (step.event.entity, step.place) in self._free:
            return ""
        if row is None:
            return "no decision is stored"
        (mine,) = made.decisions
        if row == (mine.outcome, mine.score, mine.body, mine.timestamp, mine.alert):
            return ""
        return body_differences(mine.body, row[2]) or f"stored is {row!r}"[:_LONG]

    def _other(self, step: Step, state: str) -> str:
        """Another state that its row says, where no try can have left it."""
        if step.partition in self.tried:
            return ""
        key, letters = card_numbers.mask(step.event.entity.encode()), self._have.dead_letters
        rows = ((other, letters.get(self.letter_key(step, other))) for other in ASIDE)
        return next((o for o, row in rows if o != state and row is not None and row[3] == key), "")

    def _aside(self, step: Step, made: Outcomes) -> str:
        """How a row set aside differs; its reason tells how far the key was when it was late."""
        for row in made.aside:
            stored = self._have.dead_letters.get(self.letter_key(step, row.state))
            mine = cells_of(row)
            if stored is None and not step.accounts:
                return f"nothing is set aside of it as {row.state}"
            if stored is not None and stored[3] == mine[3] and stored[2] != mine[2]:
                return f"{stored[2]!r} is stored, not {mine[2]!r}"
        return ""


def cells_of(row: SetAside) -> tuple[Any, ...]:
    """As they are in `Tables`: a traceback names files, which lie elsewhere."""
    reason = "" if row.state == EndState.DEAD_LETTERED else row.reason
    return row.timestamp, row.code, reason, row.key, row.raw


def _whose(cells: tuple[Any, ...], steps: list[Step], topic: str) -> Step | None:
    """Which of these events, of one key and id, the stored row says to be of."""
    try:
        body = _decode(bytes(cells[2]))
    except msgspec.MsgspecError:
        return None
    at = body.topic, body.partition, body.offset
    return next((s for s in steps if (topic, s.partition, s.offset) == at), None)
