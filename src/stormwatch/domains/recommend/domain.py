"""The user's half of a recommendation: what is remembered, and which items are to be asked.

The state contract decides a batch of events per user as for any domain; its verdicts here are
preliminary: outcome `asked`, and the plan as reasons. `recommend.round` puts what the items answer
in their place before anything is stored.
"""

from collections.abc import Sequence
from typing import cast

from stormwatch.domains.recommend.event import Behaviour, Kind
from stormwatch.domains.recommend.history import Plan, Touch, UserState, remember
from stormwatch.domains.recommend.parse import parse, to_wire
from stormwatch.records import Reason, Rejection
from stormwatch.settings import Settings
from stormwatch.state.judge import Verdict

NAME = "recommend"
ALERT_OUTCOMES: frozenset[str] = frozenset()
_OWNED = "owned"


class Features(tuple[float, ...]):
    """Recent items, owned items, strength of the event; with the plan they were counted from."""

    plan: Plan


class Recommend:
    """The recommend domain; see `stormwatch.state.judge.Domain`.

    Outcome `recommended` (something comes from the user's own items) or `popular`; the score is
    that of the best item. A reason is one item to show: `code` the item, `text` why.
    """

    name = NAME
    event = Behaviour
    state = UserState
    feature_names: tuple[str, ...] = ("recent", "owned", "strength")
    feature_set = "recommend-1"
    model_version = "neighbours-1"
    rules_version = "none"
    alert_outcomes = ALERT_OUTCOMES

    def __init__(self, *, future_skew_ms: int = 300_000) -> None:
        self._future_skew_ms = future_skew_ms

    @classmethod
    def from_settings(cls, settings: Settings) -> "Recommend":
        """As the settings say."""
        return cls(future_skew_ms=settings.future_skew_s * 1000)

    def parse(self, value: bytes, timestamp: int) -> Behaviour | Rejection:
        """See `stormwatch.domains.recommend.parse`."""
        return parse(value, timestamp, future_skew_ms=self._future_skew_ms)

    def to_wire(self, event: Behaviour) -> bytes:
        """See `stormwatch.domains.recommend.parse`."""
        return to_wire(event)

    def new_state(self) -> UserState:
        """Of a user never seen."""
        return UserState()

    def advance(self, state: UserState, event: Behaviour) -> Features:
        """Learn the event; the features carry what is to be asked."""
        plan = remember(state, event)
        features = Features((len(plan.recent), len(plan.owned) // 6, event.strength))
        features.plan = plan
        return features

    def decide(
        self, events: Sequence[Behaviour], features: Sequence[tuple[float, ...]]
    ) -> list[Verdict]:
        """Preliminary: each event's plan."""
        return [Verdict("asked", 0.0, to_reasons(row.plan)) for row in features]  # type: ignore[attr-defined]


def to_reasons(plan: Plan) -> tuple[Reason, ...]:
    """A plan as reasons, the one form in which a verdict can carry it."""
    touches = (Reason(f"{t.kind} {t.time}", t.item, t.strength) for t in plan.recent)
    return (*touches, Reason(_OWNED, plan.owned.hex()))


def to_plan(reasons: Sequence[Reason]) -> Plan:
    """The plan that `to_reasons` wrote."""
    touches = []
    for reason in reasons[:-1]:
        kind, time = reason.code.split()
        touches.append(Touch(reason.text, int(time), cast(Kind, kind), int(reason.weight)))
    return Plan(touches, bytes.fromhex(reasons[-1].text))
