"""Machine readings to decisions: how long a unit will still run, or how odd it is, and whether to
believe it."""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from msgspec.structs import replace

from stormwatch.compiled import core as compiled_core
from stormwatch.domains.maintenance import alarms, findings, fleet, lives, native, reorder
from stormwatch.domains.maintenance.anomalies import Anomalies
from stormwatch.domains.maintenance.equipment import (
    Types,
    chosen,
    default_types,
    shipped,
    shipped_names,
)
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.failures import Failures, feature_set
from stormwatch.domains.maintenance.features import (
    FEATURE_NAMES,
    FEATURE_SET,
    MODEL_FEATURES,
    OLD_FEATURES,
    OLD_SET,
    Normal,
    advance,
    learns,
)
from stormwatch.domains.maintenance.health import clock, wearing
from stormwatch.domains.maintenance.health.wearing import Found
from stormwatch.domains.maintenance.judging import (
    Thresholds,
    is_elsewhere,
    judge,
    judge_by_rules,
    unlike,
    withheld,
)
from stormwatch.domains.maintenance.judging_any import (
    EVENT_FEATURES,
    MODEL,
    judge_any,
    noted,
    with_life,
)
from stormwatch.domains.maintenance.lives import Carry
from stormwatch.domains.maintenance.memory import expected
from stormwatch.domains.maintenance.parse import Readings, to_wire
from stormwatch.domains.maintenance.state import UnitState
from stormwatch.domains.maintenance.together import advance_all
from stormwatch.domains.maintenance.why import OfLife
from stormwatch.errors import ModelError
from stormwatch.features import names
from stormwatch.models import (
    NONE,
    Card,
    Model,
    NoModel,
    Supply,
    card_of,
    distribution,
    load,
    now,
    round6,
)
from stormwatch.models.conditions import Conditions
from stormwatch.models.networks import BlendModel
from stormwatch.models.trees import TreesModel
from stormwatch.records import Rejection
from stormwatch.settings import Settings
from stormwatch.state.judge import Advanced, Verdict, Versions

LIFE_CAP = 125.0
"""The longest remaining useful life that is estimated, cycles: earlier the sensors show nothing."""
ALERT_OUTCOMES = frozenset({"service", "sensor_fault", "anomaly", "no_data", "unknown_regime"})
FEWEST = 6
"""Units from which on it is quicker to learn a reading of each together than one by one."""
SHIPPED = Path(__file__).with_name("model")
_CALLS = {"advance", "advance_all", "settle"}


class Maintenance:
    """The maintenance domain; see `stormwatch.state.judge.Domain`.

    What judges a reading is named by its equipment type. With the model `turbofan` the score is
    the remaining life in operating cycles, 0 to LIFE_CAP, 6 decimals. Outcomes:
    `service` and `watch` at or below the thresholds of the model's card, `sensor_fault` where a
    sensor is broken and no service is due, else `healthy`; `unknown_regime`, with the score
    UNSCORED, where the unit works in conditions that the model does not know. Where the model has
    no score the same outcomes come of how far the sensors have drifted (WATCH_WEAR, SERVICE_WEAR).

    With the model `any` it is how surprising the reading is, in decades, see `surprise`. Outcomes:
    `anomaly`, `watch` while it stays as far off as was told, `sensor_fault`, `no_data` after a gap,
    `learning` as long as no normal is known, else `healthy`.

    With the model `failure` readings that have all it takes get the probability of a failure as
    their score, and `service` or `watch` from the thresholds of its card on; else as with `any`.

    While an alarm of a unit is open, more of the same is decided and is no alert: see `alarms`.
    In a maintenance window what would be an alert is `silenced`; an event of a unit is `noted`.
    """

    name = "maintenance"
    event = Reading
    state = UnitState
    feature_names = FEATURE_NAMES
    feature_set = FEATURE_SET
    other_features: dict[str, tuple[str, ...]] = {  # noqa: RUF012  # never changed in place
        findings.FEATURE_SET: findings.NAMES,
        **findings.FEATURES_BEFORE,
        EVENT_FEATURES: (),
        OLD_SET: OLD_FEATURES,
        **{
            feature_set(kind): names(kind.failure_features)
            for kind in map(shipped, shipped_names())
            if kind.failure is not None
        },
    }
    """Names of features by their set, where these are others than the domain's own."""
    rules_version = "sensors-1"
    alert_outcomes = ALERT_OUTCOMES
    sampling = fleet

    def __init__(
        self,
        model: Model,
        *,
        future_skew_ms: int = 300_000,
        types: Types | None = None,
        normal: Normal | None = None,
        failures: Mapping[str, Failures] = MappingProxyType({}),
        core: str = "compiled",
    ) -> None:
        """`normal`: of the model's conditions; without, readings may be of any. `failures`: by the
        name of a type whose model is "failure"; others are judged as `any`. `core`: see `compiled`.

        Raises ModelError for a card without the thresholds `service` and `watch`.
        """
        self._normal = normal or Normal()
        self._model = model
        self._future_skew_ms = future_skew_ms
        self._types = types = types or default_types()
        self._parse = Readings(types).parse
        self._judges = {
            name: None if kind.model == "turbofan" else Anomalies(kind)
            for name, kind in types.by_name.items()
        }
        self._wearing = {name for name, judge in self._judges.items() if judge is None}
        if self._judges[types.default.name] is None:
            self._wearing.add("")
        self._failures, self._core = failures, core
        self._scored: native.Scored | None = None
        self.other_features = self.other_features | {
            feature_set(types.by_name[name]): names(types.by_name[name].failure_features)
            for name in failures
        }
        Thresholds.of(model.card)

    @classmethod
    def load(
        cls, folder: Path | str = "", *, future_skew_ms: int = 300_000, supply: Supply = now,
        types: Types | None = None, core: str = "compiled",
    ) -> "Maintenance":  # fmt: skip
        """With the model in `folder`, or the shipped one. Raises ModelError.

        What is normal in which condition is read of the card at once, for units learn by it: a
        model that becomes usable later must have the same.
        """
        path = Path(folder) if folder else SHIPPED
        conditions = _conditions(path)

        def checked() -> Model:
            model = load(path, feature_set=FEATURE_SET, feature_names=MODEL_FEATURES)
            Thresholds.of(model.card)
            found = None if core == "python" else compiled_core()
            if found is not None and isinstance(model, TreesModel | BlendModel):
                model.hasten(found)
            if model.card.conditions != conditions:
                raise ModelError(
                    f"{path} knows other working conditions than when this process began: restart "
                    "the topology, so that all units learn by them"
                )
            return model

        types = types or default_types()
        failures = {
            name: Failures.load(kind, supply)
            for name, kind in types.by_name.items()
            if kind.failure is not None
        }
        return cls(
            supply(checked), future_skew_ms=future_skew_ms, types=types, normal=Normal(conditions),
            failures=failures, core=core,
        )  # fmt: skip

    @classmethod
    def from_settings(cls, settings: Settings, supply: Supply = now) -> "Maintenance":
        """As the settings say. Raises ModelError, EquipmentError."""
        skew_ms = settings.future_skew_s * 1000
        types = chosen(settings)
        return cls.load(
            settings.maintenance_model, future_skew_ms=skew_ms, supply=supply, types=types,
            core=settings.core,
        )  # fmt: skip

    def by_rules(self) -> "Maintenance":
        """The same without a model: every decision is degraded."""
        return type(self)(
            NoModel(), future_skew_ms=self._future_skew_ms, types=self._types, normal=self._normal,
            failures={name: one.by_rules() for name, one in self._failures.items()},
            core=self._core,
        )  # fmt: skip

    @property
    def card(self) -> Card:
        """Of the remaining-life model in use."""
        return self._model.card

    @property
    def models(self) -> tuple[Model, ...]:
        """See `stormwatch.state.judge.AsksModels`."""
        return (self._model, *(one.model for one in self._failures.values()))

    @property
    def model_version(self) -> str:
        """Of the model in use."""
        return self._model.card.version

    @property
    def other_versions(self) -> frozenset[Versions]:
        """Model, rules and features of what the remaining-life model does not judge."""
        kinds = self._types.by_name.values()
        judged = {(MODEL, kind.label, findings.FEATURE_SET) for kind in kinds}
        judged |= {(NONE, kind.label, EVENT_FEATURES) for kind in kinds}
        for name, one in self._failures.items():
            kind = self._types.by_name[name]
            judged.add((one.model_version, kind.label, feature_set(kind)))
        return frozenset(judged)

    def parse(self, value: bytes, timestamp: int) -> Reading | Rejection:
        """See `stormwatch.domains.maintenance.parse`."""
        return self._parse(value, timestamp, future_skew_ms=self._future_skew_ms)

    def to_wire(self, event: Reading) -> bytes:
        """See `stormwatch.domains.maintenance.parse`."""
        return to_wire(event)

    def words(self, event: Reading, sensor: str) -> tuple[str, str]:
        """What a sensor of a reading is called, and its unit; "" for a plain number."""
        one = self._types.of(event.equipment).sensors.get(sensor)
        if one is None:
            return sensor, ""
        return one.words or sensor, "" if one.unit == "1" else one.unit

    def new_state(self) -> UnitState:
        """Of a unit never seen."""
        return UnitState()

    def advance(self, state: UnitState, event: Reading) -> Advanced:
        """The unit's features with this reading in them; see `features` beside this file.

        The carry: what the verdict is to be noted as, if the reading is not learned; of other types
        and of events what else the verdict is made of.
        """
        skew_s = self._skew(state, event)
        return self._advance(state, event, skew_s, is_worn=self._is_worn(state, event))

    def advance_all(self, states: Sequence[UnitState], events: Sequence[Reading]) -> list[Advanced]:
        """As `advance`, of each in turn; but turbofans that go on in order are learned together."""
        made: dict[int, Advanced] = {}
        for places in _rounds(states):
            worn: list[tuple[int, UnitState, Reading, float]] = []
            for at in places:
                state, event = states[at], events[at]
                skew_s = self._skew(state, event)
                is_worn = self._is_worn(state, event)
                if is_worn and learns(state, event):
                    worn.append((at, state, event, skew_s))
                else:
                    made[at] = self._advance(state, event, skew_s, is_worn=is_worn)
            if len(worn) >= FEWEST:
                made |= self._advance_together(worn)
            else:
                made |= {
                    at: self._advance(state, event, skew_s, is_worn=True)
                    for at, state, event, skew_s in worn
                }
        return [made[at] for at in range(len(states))]

    @staticmethod
    def _skew(state: UnitState, event: Reading) -> float:
        """Seconds by which the unit's clock is off, learned."""
        if event.event is not None or event.time <= lives.since(state):
            return 0.0
        state.clock, skew_s = clock.look(state.clock, event.time, event.cycle)
        return skew_s

    def _is_worn(self, state: UnitState, event: Reading) -> bool:
        """Whether it is a reading of a turbofan to which nothing ever happened."""
        return (
            event.event is None
            and event.equipment in self._wearing
            and isinstance(state.body, bytes)
        )

    def _advance_together(
        self, some: Sequence[tuple[int, UnitState, Reading, float]]
    ) -> Iterator[tuple[int, Advanced]]:
        """Of turbofans with a reading each that follows what they have learned."""
        _, states, events, _ = zip(*some, strict=True)
        for state, event in zip(states, events, strict=True):
            state.recent = state.recent or reorder.begun(state, event)
        learned = advance_all(states, events, self._normal)
        for (at, state, event, skew_s), (row, found) in zip(some, learned, strict=True):
            assert state.recent is not None
            reorder.follows(state, state.recent, event)
            carry = None
            if skew_s or found:
                kind = self._types.of(event.equipment)
                carry = Carry(kind, skew_s=skew_s, unwell=found)
            yield at, (row, carry)

    def _advance(
        self, state: UnitState, event: Reading, skew_s: float, *, is_worn: bool
    ) -> Advanced:
        """Learn a reading or an event alone."""
        kind = self._types.of(event.equipment)
        found: list[Found] = []

        def learn(state: UnitState, reading: Reading) -> tuple[float, ...]:
            row, told = self._learn(state, reading)
            if reading is event and told is not None:
                found.append(told)
            return row

        if is_worn:
            row, state.recent, note = reorder.follow(state, state.recent, event, learn)
            if not skew_s and not found:
                return row, note or None
            carry = Carry(kind, note=note)
        else:
            row, carry = lives.advance(
                state, event, kind, self._judges[kind.name], learn, self._failures.get(kind.name)
            )
        if skew_s or found:
            carry = carry._replace(skew_s=skew_s, unwell=found[0] if found else None)
        return row, carry

    def _learn(self, state: UnitState, reading: Reading) -> tuple[tuple[float, ...], Found | None]:
        """A turbofan's features with this reading in them, but for the sensors that are at fault;
        and what is wrong with these."""
        found, out = None, frozenset[str]()
        if not learns(state, reading):
            out = wearing.names_of(state.health)
        elif known := expected(state.body, reading, self._normal, is_calm=not state.health):
            found = wearing.look(state.health, reading.sensors, known)
            state.health, out = found.body, found.out
        if out:
            left = {name: value for name, value in reading.sensors.items() if name not in out}
            reading = replace(reading, sensors=left)
        row = advance(state, reading, self._normal)
        return row, found if found and (found.named or found.absent) else None

    @property
    def _native(self) -> Any:
        """The compiled core; None where it is not installed or not wanted."""
        return None if self._core == "python" else compiled_core()

    def compiled(self, policy: Any) -> Any:
        """See `stormwatch.state.processor.Compiled`; None where there is no compiled core."""
        found = self._native
        as_shipped = type(self).advance is Maintenance.advance and not vars(self).keys() & _CALLS
        if found is None or not as_shipped or type(self).settle is not Maintenance.settle:
            return None

        def carry(event: Reading, skew_s: float, unwell: Found | None) -> Carry:
            return Carry(self._types.of(event.equipment), skew_s=skew_s, unwell=unwell)

        return native.core_of(found, policy, self._normal, self._wearing, self.advance, carry)

    def settle(self, state: UnitState, event: Reading, verdict: Verdict) -> Verdict:
        """See `alarms`."""
        return alarms.settle(state, event, verdict)

    def decide(
        self,
        events: Sequence[Reading],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[str | Carry | None],
    ) -> list[Verdict]:
        """One model call a type; a verdict for each reading from its own row and carry alone."""
        worn = [
            (event, row)
            for event, row, carry in zip(events, features, carries, strict=True)
            if not isinstance(carry, Carry) or (carry.findings is None and carry.event is None)
        ]
        verdicts = iter(self._worn(worn) if worn else ())
        failing = self._failing(events, carries)
        return [self._verdict(carry, verdicts, failing.get(at)) for at, carry in enumerate(carries)]

    def _failing(
        self, events: Sequence[Reading], carries: Sequence[str | Carry | None]
    ) -> dict[int, Verdict]:
        """By its place, the verdict of each reading that a model of failures judges."""
        found: dict[int, Verdict] = {}
        for name, one in self._failures.items():
            own = [
                (at, carry, carry.inputs)
                for at, carry in enumerate(carries)
                if isinstance(carry, Carry) and carry.inputs is not None
                if carry.equipment.name == name
            ]
            if own:
                judged = one.judge(
                    [row for _, _, row in own],
                    [events[at].sensors for at, _, _ in own],
                    [judge_any(carry) for _, carry, _ in own],
                    [carry.kept for _, carry, _ in own],
                )
                found |= zip((at for at, _, _ in own), judged, strict=True)
        return found

    def _worn(self, worn: Sequence[tuple[Reading, tuple[float, ...]]]) -> Iterator[Verdict]:
        """Of readings that the remaining-life model judges."""
        events, told = (list(each) for each in zip(*worn, strict=True))
        found = self._native
        whole = np.array(told) if found is None else _matrix(found, told)
        rows = whole[:, : len(MODEL_FEATURES)]  # once for both
        left = self._model.predict(rows)
        limits = Thresholds.of(card := self._model.card)
        trained_on = distribution.of(card)
        scored = None if found is None else self._scored_by(found, card)
        is_odd = trained_on and (trained_on.outside if scored is None else scored.outside)
        outside = is_odd(rows).tolist() if is_odd else [False] * len(rows)
        healthy: list[Verdict | None] = [None] * len(rows)
        if scored is not None:
            healthy = scored.healthy(events, told, left, outside)
        for (event, row), life, is_outside, plain in zip(worn, left, outside, healthy, strict=True):
            if plain is not None:
                yield plain
            elif is_elsewhere(row):
                yield withheld(event, row, degraded=not isfinite(life))
            elif isfinite(life):
                score = round6(min(max(life, 0.0), LIFE_CAP))
                interval = card.interval.around(score) if card.interval else None
                costs = self._types.of(event.equipment).costs
                verdict = judge(event, row, score, limits, interval, costs)
                if verdict.outcome == "service":
                    why = OfLife(self._model, self._normal, event, row, score)
                    verdict = verdict._replace(why=why)
                if is_outside and trained_on:
                    verdict = unlike(verdict, judge_by_rules(event, row), row, trained_on)
                yield verdict
            else:
                yield judge_by_rules(event, row)

    def _scored_by(self, found: Any, card: Card) -> native.Scored:
        """Of the compiled core, what it is of this model."""
        if self._scored is None or self._scored.card is not card:
            self._scored = native.Scored(found, card, LIFE_CAP)
        return self._scored

    def _verdict(
        self, carry: str | Carry | None, worn: Iterator[Verdict], failing: Verdict | None
    ) -> Verdict:
        if carry is None:
            return next(worn)
        if not isinstance(carry, Carry):
            return next(worn)._replace(noted=carry)
        if carry.event is not None:
            return noted(carry)
        verdict = failing or (next(worn) if carry.findings is None else judge_any(carry))
        return with_life(verdict, carry, ALERT_OUTCOMES)


def _matrix(found: Any, rows: list[tuple[float, ...]]) -> Any:
    """As an array, by the compiled core."""
    return np.frombuffer(found.matrix(rows)).reshape(len(rows), -1)


def _rounds(states: Sequence[UnitState]) -> list[list[int]]:
    """Places in the order of their coming, so that no two of a round are of one state."""
    rounds: list[list[int]] = []
    seen: dict[int, int] = {}
    for at, state in enumerate(states):
        nth = seen.get(id(state), 0)
        seen[id(state)] = nth + 1
        if nth == len(rounds):
            rounds.append([])
        rounds[nth].append(at)
    return rounds


def _conditions(path: Path) -> Conditions | None:
    try:
        return card_of(path).conditions
    except ModelError:
        return None  # the supply of the model tells of it
