"""The user's half of a recommendation: what is remembered, and which items are to be asked.

The state contract decides a batch of events per user as for any domain; its verdicts here are
preliminary: outcome `asked`, while the plan is the carry, which `recommend.round` sends on its way
and puts what the items answer in place of the verdict before anything is stored.
"""

from collections.abc import Sequence

from stormwatch.domains.recommend.event import Behaviour
from stormwatch.domains.recommend.history import RoundPlan, UserState, remember
from stormwatch.domains.recommend.parse import parse, to_wire
from stormwatch.records import Rejection
from stormwatch.settings import Settings
from stormwatch.state.judge import Advanced, Verdict

NAME = "recommend"
ALERT_OUTCOMES: frozenset[str] = frozenset()


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

    def advance(self, state: UserState, event: Behaviour) -> Advanced:
        """Learn the event: recent items, owned items and its strength; what is to be asked."""
        plan = remember(state, event)
        return (len(plan.recent), len(plan.owned) // 6, event.strength), plan

    def decide(
        self,
        events: Sequence[Behaviour],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[RoundPlan],
    ) -> list[Verdict]:
        """Preliminary: `recommend.round` decides, once the items have answered."""
        return [Verdict("asked")] * len(events)
