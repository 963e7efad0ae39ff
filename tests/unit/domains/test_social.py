"""Posts to mentions to decisions: what is found, what is not, the same through storage."""

import os
from collections import Counter
from itertools import islice
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.build.training.social import agreement, detect, spikes
from apps.data.generate.posts import BRANDS, STEP_MS, Planted, posts
from stormwatch.adapters.sentiment import sentiment, spelled
from stormwatch.domains.social import Social
from stormwatch.domains.social.domain import BUCKET, LAG, BrandState
from stormwatch.domains.social.event import Post
from stormwatch.domains.social.mentions import MOST, NONE, mentions
from stormwatch.domains.social.parse import parse, to_wire
from stormwatch.domains.social.rate import GAP, HOLD, ONE, WARM, Rate, learn, surprise
from stormwatch.records import Rejection

DATA = os.environ.get("STORMWATCH_DATA")
public = pytest.mark.skipif(
    not DATA, reason="set STORMWATCH_DATA to the folder that holds social/ and nab/"
)
T = 1_700_000_000_000


def named(text):
    return [(m.brand, m.addressed) for m in mentions(Post("1", "a", T, text), lambda _: 0)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@Acme and #acme, $ACME!", [("acme", True)]),
        ("#acme said @bolt", [("acme", False), ("bolt", True)]),
        ("#a then @a", [("a", True)]),
        ("mail me@acme.com &#39;quoted&#39; #1 $5 $TOOLONGNAME", [(NONE, False)]),
        ("#zürich #東京 (@x)", [("zürich", False), ("東京", False), ("x", True)]),
        ("#" + "l" * 51, [(NONE, False)]),
        ("plain", [(NONE, False)]),
    ],
)
def test_brands_are_tags_once_each(text, found):
    assert named(text) == found


def test_of_many_tags_the_first_count():
    assert len(named(" ".join(f"#t{i}x" for i in range(20)))) == MOST


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b'{"id":"1","author":"a","time":"2026-01-01T00:00:00Z"}', "missing_field"),
        (b'{"id":"1","author":"a","time":"2026-01-01T00:00:00Z","text":" \\n"}', "bad_text"),
        (b'{"id":"1","author":"a","time":"2026-01-01T00:00:00Z","text":""}', "out_of_range"),
        (b'{"id":"1","author":"a","time":"2026-01-01","text":"x"}', "bad_time"),
        (b'{"id":"1","author":"a","time":"2026-01-01T00:00:00Z","text":"x","id":"2"}',
         "duplicate_key"),
        (b'{"id":"1","author":"a","time":"2026-01-01T00:00:00Z","text":"x","type":"toot"}',
         "unknown_type"),
        (b"[]", "wrong_type"), (b"\xff", "not_json"), (b"", "empty"),
    ],
)  # fmt: skip
def test_what_is_no_post_is_refused_with_a_code(value, code):
    found = parse(value, -1, future_skew_ms=0)
    assert isinstance(found, Rejection)
    assert found.code == code or (code == "not_json" and found.code == "not_utf8")


@given(st.text(min_size=1, max_size=200).filter(lambda s: not s.isspace()))
def test_a_post_goes_over_the_wire_and_back(text):
    post = Post("p", "a", T, text)
    assert parse(to_wire(post), -1, future_skew_ms=0) == post


def test_the_domains_own_parse_gives_the_mention_that_accounts():
    post = Post("p", "a", T, "@one is great, #two")
    social = Social(sentiment)
    first = social.parse(to_wire(post), -1)
    assert (first.brand, first.sentiment) == ("one", sentiment(post.text))
    assert social.to_wire(first) == to_wire(post)


def fed(counts, through=lambda rate: rate):
    rate, out = Rate(), []
    for bucket, count in enumerate(counts):
        out.append(surprise(rate, bucket, count))
        learn(rate, bucket, count)
        rate = through(rate)
    return rate, out


@given(st.lists(st.integers(0, 10**6), max_size=60))
def test_the_detector_is_the_same_through_a_blob(counts):
    def through(rate):
        return msgspec.msgpack.decode(msgspec.msgpack.encode(rate), type=Rate)

    assert fed(counts, through) == fed(counts)


def test_the_level_is_the_mean_at_first_and_then_follows():
    rate, _ = fed([4, 6] * 200)
    assert abs(rate.level - 5 * ONE) < ONE // 20 and abs(rate.spread - ONE) < ONE // 20
    rate, _ = fed([5] * 2000 + [50] * 3000)
    assert 45 * ONE < rate.level <= 50 * ONE


def test_one_spike_is_told_once_unless_it_grows_and_again_a_day_later():
    counts = [5, 6] * 20 + [100, 100, 120] + [5, 6] * 10 + [4000] + [5] * HOLD + [4000]
    told = [bucket for bucket, found in enumerate(fed(counts)[1]) if found >= 10_000]
    assert told == [40, 63, 64 + HOLD]


def test_nothing_is_told_of_what_is_hardly_known_or_below_the_usual():
    assert not any(fed([1] * (WARM - 1) + [500])[1][: WARM - 1])
    assert fed([50] * 100 + [0])[1][-1] == 0


def test_empty_buckets_are_learned_and_long_silence_is_bounded():
    sparse, full = Rate(), Rate()
    learn(sparse, 0, 3)
    learn(sparse, 50, 3)
    for bucket in range(51):
        learn(full, bucket, 3 if bucket in (0, 50) else 0)
    assert sparse == full
    learn(sparse, 10**9, 1)
    assert sparse.seen == 51 + GAP + 1


def decisions(generated):
    """(label, outcome, verdict) of every mention, brand by brand."""
    social, states = Social(sentiment), {}
    for made in generated:
        for mention in mentions(parse(made.value, -1, future_skew_ms=0), sentiment):
            state = states.setdefault(mention.brand, social.new_state())
            row, before = social.advance(state, mention)
            yield made, mention, social.decide([mention], [row], [before])[0]


def test_planted_spikes_and_angry_posts_are_found_and_little_else():
    found, spiked, planted = Counter(), set(), set()
    for made, mention, verdict in decisions(islice(posts(5, run="t"), 25_000)):
        found[made.label, verdict.outcome] += 1
        if verdict.outcome == "spike":
            spiked.add(mention.brand)
            [reason] = [r for r in verdict.reasons if r.code == "spike"]
            assert made.value and mention.id in reason.text and "before it t-" in reason.text
        if made.label == Planted.SPIKE:
            planted.add(made.brand)
    assert planted and spiked == planted
    assert found[Planted.ANGRY, "needs_answer"] == sum(
        n for (label, _), n in found.items() if label == Planted.ANGRY
    )
    assert not found[Planted.NONE, "needs_answer"] and found[Planted.NONE, "spike"] <= 1


def test_a_brands_state_is_small_and_the_same_through_a_blob():
    social, state, copy, largest = Social(sentiment), None, None, 0
    for made in islice(posts(6, run="t"), 12_000):
        for mention in mentions(parse(made.value, -1, future_skew_ms=0), lambda _: 17):
            if mention.brand != BRANDS[0]:
                continue
            state, copy = state or social.new_state(), copy or social.new_state()
            assert social.advance(copy, mention) == social.advance(state, mention)
            blob = msgspec.msgpack.encode(copy)
            largest, copy = max(largest, len(blob)), msgspec.msgpack.decode(blob, type=BrandState)
    assert copy == state and LAG * BUCKET // STEP_MS > 1000
    assert largest < 700


def test_the_generator_repeats_itself_and_everything_is_a_post():
    first = list(islice(posts(1, run="r"), 3000))
    assert first == list(islice(posts(1, run="r"), 3000)) != list(islice(posts(2, run="r"), 3000))
    read = [parse(made.value, -1, future_skew_ms=0) for made in first]
    assert all(isinstance(p, Post) and made.key == p.author.encode()
               for p, made in zip(read, first, strict=True))  # fmt: skip
    times = [p.time for p in read]
    assert times == sorted(times) and len({p.id for p in read}) == len(read)


def test_detection_in_one_pass_learns_behind():
    assert detect([5.0] * 60 + [200.0])[-1] > 10
    assert not any(detect([5.0] * 60))


@pytest.mark.parametrize("apostrophe", "’‘‛′´`ʼ＇")
@pytest.mark.parametrize("text", ["The service isn't good", "I CAN'T love this", "won't fail"])
def test_an_apostrophe_of_any_kind_does_not_turn_sentiment_round(text, apostrophe):
    """The service isn't good: -3412 with ', and was +4404 with U+2019."""
    assert sentiment(text.replace("'", apostrophe)) == sentiment(text) != 0
    assert sentiment(text.replace("'", "&#8217;")) == sentiment(text)


@pytest.mark.parametrize(
    ("typographic", "plain"),
    [
        ("“terrible”", '"terrible"'), ("«good»", "good"), ("„bad‟", "bad"), ("¡good!", "good!"),
        ("great！！！", "great!!!"), ("ｇｒｅａｔ", "great"), ("ﬁne", "fine"), ("good。", "good."),
        ("it's great—really bad", "it's great - really bad"), ("good… bad", "good... bad"),
        ("so go\u00adod", "so good"), ("not\u00a0good", "not good"), ("not\u200bgood", "not good"),
        ("great\u200d", "great"), ("❤️", "❤"), ("☹️", "☹"), ("good👍", "good 👍"),
        ("👍good", "good"), ("I love ：）", "I love :)"),
        ("good™", "good"), ("good²", "good"), ("good→bad", "good bad"),
    ],
)  # fmt: skip
def test_typographic_signs_hide_no_word(typographic, plain):
    assert sentiment(typographic) == sentiment(plain) != 0


@given(st.text(st.characters(max_codepoint=127, exclude_characters="`"), max_size=80))
def test_an_ascii_text_is_scored_as_it_was(text):
    assert spelled(text) == text


@public
def test_sentiment_agrees_with_people():
    found = agreement(Path(DATA, "social", "vader_tweets_ground_truth.tsv"), sentiment)
    assert found.tweets == 4200
    assert found.correlation >= 0.87 and found.accuracy >= 0.88


@public
def test_the_detectors_benchmark_figures_are_those_of_the_document():
    found = spikes(Path(DATA, "nab"))
    page = (Path(__file__).parents[3] / "docs" / "quality-social.md").read_text()
    for figure in (found.tweets, found.tweets_fixed, found.tweets_own, found.corpus):
        assert f"{figure:.1f}" in page
