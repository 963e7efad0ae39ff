"""Mentions to decisions: noted, needs_answer or spike."""

from collections.abc import Sequence

import msgspec

from stormwatch.domains.social.event import Mention, Post
from stormwatch.domains.social.mentions import NONE, Sentiment, mentions
from stormwatch.domains.social.parse import parse, to_wire
from stormwatch.domains.social.rate import ONE, Rate, learn, surprise
from stormwatch.parsing.rejections import excerpt
from stormwatch.records import Reason, Rejection
from stormwatch.state.judge import Advanced, Verdict
from stormwatch.state.windows import COUNT, Tumbling, Windows, WindowState

ALERT_OUTCOMES = frozenset({"needs_answer", "spike"})
BUCKET = 300_000
"""Five minutes, ms: mentions are counted in these."""
SPIKE_FROM = 10_000
"""Surprise that is a spike, thousandths of a deviation (chosen on NAB: docs/quality-social.md)."""
ANGRY_FROM = -4_000
"""Sentiment of a post that needs an answer."""
CAUSES = 3
"""Posts that a spike's reasons name besides the one that made it."""
FEATURE_NAMES = (
    "mentions",  # of the brand in the running five minutes, this one included
    "usual",  # their level in other five minutes
    "surprise",  # deviations above it, if a spike could be told; else 0
    "sentiment",  # of this post, -1 to 1
    "mood",  # mean sentiment of the brand's posts before, -1 to 1
    "addressed",  # 1 if the brand is spoken to
)

LAG = 24
"""Buckets that stay open: Kafka's partitions may be apart by two hours of event time."""

_WINDOWS = Windows(Tumbling(BUCKET), COUNT, lateness_ms=LAG * BUCKET)
_MOOD_SHIFT = 5


class BrandState(msgspec.Struct, array_like=True):
    """What is remembered of a brand; at most 0.7 KB encoded, all of it integers and ids."""

    windows: WindowState[int]
    rate: Rate
    mood: int  # exponential mean of sentiment with the weight 1/32, millionths
    posts: list[str]  # ids of the newest CAUSES posts


class Social:
    """The social domain, after a repartition; see `stormwatch.state.judge.Domain`.

    `sentiment` is asked where a post is parsed or split, once a post; a mention carries it on. The
    score of a decision is the post's sentiment, -1 to 1.
    """

    name = "social"
    event = Mention
    state = BrandState
    feature_names: tuple[str, ...] = FEATURE_NAMES
    feature_set = "social-1"
    rules_version = "social-1"
    model_version = "vader-3.3.2+spelling-1"  # lexicon, and what is made of typographic signs
    alert_outcomes = ALERT_OUTCOMES

    def __init__(self, sentiment: Sentiment, *, future_skew_ms: int = 300_000) -> None:
        self._sentiment = sentiment
        self._future_skew_ms = future_skew_ms

    def parse(self, value: bytes, timestamp: int) -> Mention | Rejection:
        """The first mention of the post, the one that accounts for its offset."""
        post = parse(value, timestamp, future_skew_ms=self._future_skew_ms)
        return post if isinstance(post, Rejection) else mentions(post, self._sentiment)[0]

    def to_wire(self, event: Mention) -> bytes:
        """The whole post."""
        return to_wire(Post(event.id, event.author, event.time, event.text))

    def new_state(self) -> BrandState:
        """Of a brand never mentioned."""
        return BrandState(_WINDOWS.new_state(), Rate(), 0, [])

    def advance(self, state: BrandState, event: Mention) -> Advanced:
        """Features of a mention, and the ids of the posts just before it; then it is learned.

        Its own count is in, its sentiment not.
        """
        taken = _WINDOWS.take(state.windows, event.time, 1)
        for window in taken.closed:
            learn(state.rate, window.start // BUCKET, window.value)
        count = taken.current[0].value if taken.current else 0
        found = surprise(state.rate, event.time // BUCKET, count) if count else 0
        features = (
            count,
            round(state.rate.level / ONE, 3),
            found / 1000,
            event.sentiment / 10_000,
            state.mood / 1_000_000,
            1 if event.addressed else 0,
        )
        before = tuple(state.posts)
        state.mood += (event.sentiment * 100 - state.mood) >> _MOOD_SHIFT
        state.posts = [*state.posts, event.id][-CAUSES:]
        return features, before

    def decide(
        self,
        events: Sequence[Mention],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[tuple[str, ...]],
    ) -> list[Verdict]:
        """Rules alone: the sentiment is VADER's, the surprise of the detector."""
        return list(map(_decide, events, features, carries))


def _decide(event: Mention, features: tuple[float, ...], before: tuple[str, ...]) -> Verdict:
    count, usual, found, sentiment, mood, _ = features
    quoted = f"post {event.id} of {event.author}: {excerpt(event.text)}"
    reasons = []
    if found * 1000 >= SPIKE_FROM:
        told = f"{count:.0f} mentions of {event.brand} within 5 minutes, {usual:.1f} are usual"
        others = ", ".join(before)
        reasons.append(Reason("spike", f"{told}; the last is {quoted}, before it {others}", found))
        reasons.append(Reason("mood", f"mean sentiment of {event.brand} is {mood:.2f}", mood))
    if event.addressed and event.sentiment <= ANGRY_FROM and event.brand != NONE:
        text = f"{event.brand} is addressed with a sentiment of {sentiment:.2f} by {quoted}"
        reasons.append(Reason("needs_answer", text, sentiment))
    outcome = reasons[0].code if reasons else "noted"
    return Verdict(outcome, sentiment, tuple(reasons))
