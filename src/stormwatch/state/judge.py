"""What a domain (fraud, maintenance, yours) is: pure code, no clock, no driver.

The state contract (`stormwatch.state.processor`) drives these calls; a domain only says what an
event is, what is learned from it and what is decided.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from stormwatch.records import Explanation, Learned, Reason, Rejection, Shadow


class Event(Protocol):
    """A parsed event: a frozen msgspec.Struct(array_like=True) with at least these.

    It may have `learn_only: bool`: where true it is learned and not judged (`records.NOTES`). And
    `content`, what a repeat of it has in common with it; without, that is all of it. And
    `is_beside: bool`: where true it comes by another log than its entity's other events, so it
    stands in no order of time with them: it is never late and makes nothing late, and its decision
    says after which of them it came (`Decision.after`).
    """

    @property
    def id(self) -> str: ...  # unique per entity

    @property
    def entity(self) -> str: ...  # the record's Kafka key

    @property
    def time(self) -> int: ...  # event time, ms


E = TypeVar("E", bound=Event)
S = TypeVar("S")


UNSCORED = -1.0
"""The score of a decision that no model made: below every score that a model gives."""
LEARNED = "learned"
"""The outcome of an event that a state learned and nobody judged: history from before the start."""


class Capped(NamedTuple):
    """Rules that fire and have a cap: whether they are above it is known once it is an event's turn
    (`Settles`)."""

    rules: tuple[Any, ...]
    again: "Callable[[frozenset[str]], Verdict]"
    """The verdict where the rules of these ids are noted alone."""


Why = Callable[[], tuple[tuple[Reason, ...], tuple[Explanation, ...]]]
"""Makes what is told of an alert besides: the reasons that go first, and the explanations. Two that
make the same are equal."""


class Verdict(NamedTuple):
    """What model and rules say of one event."""

    outcome: str
    score: float = 0.0  # already rounded to 6 decimals; UNSCORED where no model made it
    reasons: tuple[Reason, ...] = ()
    degraded: bool = False  # the model had no score: decided by rules alone
    noted: str = ""  # a key of `records.NOTES` that this event counts under
    by: tuple[str, str, str] | None = None
    """Feature set, model and rules, where these are others than the domain's own."""
    alert: bool | None = None
    """Whether it is an alert; None: if its outcome is one of the domain's `alert_outcomes`."""
    learned: Learned | None = None
    """Of a label: what it says of which event."""
    interval: tuple[float, float] | None = None
    """Within which what the score estimates lies in nine of ten cases."""
    shadow: tuple[Shadow, ...] = ()
    """What versions in the state shadow say (`stormwatch.rollout.arms`)."""
    capped: Capped | None = None
    explanations: tuple[Explanation, ...] = ()
    """Of an alert: how its scores came about."""
    rates: str = ""
    """Of amounts that a reference rate compared: the version of the rates."""
    why: Why | None = None
    """Asked once it is sure that it is an alert, of what takes long to tell."""


_YEAR_1, _YEAR_9999 = -62_135_596_800_000, 253_402_300_799_999
_KEY_MAX = 1_000
"""Characters; of four bytes each they are far below the 65,535 that Cassandra takes in a key."""


def check_storable(event: Event) -> None:
    """Raises ValueError for an event whose id, entity or time no table can hold."""
    if not _YEAR_1 <= event.time <= _YEAR_9999:
        raise ValueError(f"the event's time, {event.time} ms, is not within the years 1 to 9999")
    if len(event.entity) > _KEY_MAX or len(event.id) > _KEY_MAX:
        raise ValueError(f"the event's entity or id is longer than {_KEY_MAX} characters")


Advanced = tuple[tuple[float, ...], Any]
"""The features of an event, which are stored, and its carry: what else `decide` needs to know of
the state at that moment (for its reasons, say). It is handed to `decide` and kept nowhere; None
where there is nothing."""


class Judge(Protocol, Generic[E, S]):
    """What the state contract asks of a use case.

    `S` is a msgspec.Struct(array_like=True) of ints, floats, strings, bytes and lists of those:
    it goes through msgpack and back bit for bit at any moment. Money is integer minor units.
    """

    name: str  # "fraud"
    event: type[E]
    state: type[S]
    feature_set: str  # name and version of the features, e.g. "fraud-1"
    alert_outcomes: frozenset[str]

    @property
    def model_version(self) -> str:
        """Of the model that `decide` uses; may load it, so first asked off the heartbeat path."""

    @property
    def rules_version(self) -> str:
        """Of the rules that `decide` uses."""

    def to_wire(self, event: E) -> bytes:
        """The event as JSON, to be kept of a record that is set aside; see `Domain.parse`."""

    def new_state(self) -> S:
        """The state of an entity never seen."""

    def advance(self, state: S, event: E) -> Advanced:
        """Features of `event` given what came before, and the carry; then learn it.

        Mutates `state`. Score first, then learn: the features must not see the event's own
        contribution unless the feature says so. May be called out of event-time order within the
        allowed lateness. Of a domain with a `second` key (`stormwatch.state.second_key`) it takes a
        third argument: what the event is told of that key, which becomes part of its features.
        """

    def decide(
        self,
        events: Sequence[E],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[Any],
    ) -> list[Verdict]:
        """Model and rules, once for the batch.

        Row i depends on event i, features i and carry i alone.
        """


class Settles(Protocol):
    """What a judge may have besides: the last word on a verdict, and what is remembered of it."""

    def settle(self, state: Any, event: Any, verdict: Verdict) -> Verdict:
        """The verdict of an event that was judged, such as whether it is an alert while another
        one is open.

        Called for each in the order of offsets, after `decide`, and maybe after `advance` of later
        events: what it changes in `state` is its own, and `advance` neither reads nor changes it.
        Where a model had no score in time of one of two tries these states may differ, as the
        decisions do.
        """


class AsksModels(Protocol):
    """What a judge may have besides: its models, so that their time is told apart from that of its
    rules."""

    @property
    def models(self) -> Sequence[Any]:
        """Those that `decide` asks (`stormwatch.models.Model`)."""


class AdvancesAll(Protocol):
    """What a judge without a second key may have besides: a batch is advanced at once."""

    def advance_all(self, states: Sequence[Any], events: Sequence[Any]) -> list[Advanced]:
        """As `advance` of each event in turn, to the bit; a state stands as often as its entity has
        events. Where it raises, `advance` finds the record that does."""


class Domain(Judge[E, S], Protocol[E, S]):
    """One use case, from record values on."""

    feature_names: tuple[str, ...]

    def parse(self, value: bytes, timestamp: int) -> E | Rejection:
        """Decode and validate one record value; `timestamp` is Kafka's, ms. Never raises.

        `to_wire` is its inverse: what it gives is read back to the same event.
        """


Versions = tuple[str, str, str]
"""Model, rules and feature set that a decision is of."""


def versions_of(judge: Judge[Any, Any]) -> frozenset[Versions]:
    """All versions that decisions of this code may name where the model had a score.

    A judge that gives verdicts `by` others than its own has these as `other_versions`.
    """
    own = (judge.model_version, judge.rules_version, judge.feature_set)
    return frozenset({own, *getattr(judge, "other_versions", ())})
