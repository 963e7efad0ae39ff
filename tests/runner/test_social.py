"""The social topology, its own classes, in the runner: partitions share brands, whatever fails."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.data.generate.posts import posts
from stormwatch.adapters.memory.world import World
from stormwatch.domains.social.domain import BrandState
from stormwatch.domains.social.event import Post
from stormwatch.domains.social.mentions import mentions
from stormwatch.domains.social.parse import parse
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.runner.faults import Act, Fault, Faults, Point
from stormwatch.runner.plan import Plan
from stormwatch.state.envelope import EnvelopeCodec
from tests.runner.drive import stage, store_faults

RECORDS, BAD = 600, 6  # half an hour of posts: no window of a brand closes yet
FAR = 1 << 62
Marks = dict[int, int]


@dataclass
class Ran:
    """What is in the store at the end, and what the log says."""

    account: TopicLedger
    decided: list[tuple[str, str]]  # brand, id
    brands: dict[str, tuple[int, Marks]]  # mentions counted, partition -> last offset
    named: list[tuple[str, str]]
    expected: dict[str, tuple[int, Marks]]
    happened: list[str]


def run(
    monkeypatch: pytest.MonkeyPatch, seed: int, faults: Callable[[Plan], Faults], stores: list[int]
) -> Ran:
    with stage(monkeypatch) as made:
        topic, broker = made.settings.topic_posts, made.world.broker
        for at, post in enumerate(islice(posts(seed % 5, run="t", authors=60), RECORDS)):
            broker.append(topic, post.key, post.value)
            if at % (RECORDS // BAD) == 0:
                broker.append(topic, post.key, b"not a post")
        account = made.run("social", topic, faults, seed, store_faults=store_faults(stores))
        decided = sorted((key[3], key[5]) for key in made.world.store.tables["decisions"])
        stored, expected = _stored(made.world), _expected(made.world, topic)
        return Ran(account, decided, stored, *expected, made.happened)


def _stored(made: World) -> dict[str, tuple[int, Marks]]:
    codec, found = EnvelopeCodec(BrandState), {}
    for key, row in made.store.tables["states"].items():
        envelope = codec.decode(row["state"][1], key[-1])
        counted = sum(count for _, _, count in envelope.body.windows.open)
        found[key[-1]] = (counted, {p: offset for p, _, offset in envelope.marks})
    return found


def _expected(
    made: World, topic: str
) -> tuple[list[tuple[str, str]], dict[str, tuple[int, Marks]]]:
    named: list[tuple[str, str]] = []
    marks: dict[str, Marks] = {}
    for partition, log in enumerate(made.broker.topic(topic).logs):
        for record in log.records:
            post = parse(record.value or b"", FAR, future_skew_ms=0)
            if isinstance(post, Post):
                for mention in mentions(post, lambda text: 0):
                    named.append((mention.brand, post.id))
                    marks.setdefault(mention.brand, {})[partition] = record.offset
    counts = Counter(brand for brand, _ in named)
    return sorted(named), {brand: (counts[brand], marks[brand]) for brand in marks}


def holds(ran: Ran) -> None:
    assert ran.account.sound and not ran.account.in_flight, ran.happened
    assert ran.account.states == {"scored": RECORDS, "rejected": BAD}
    assert ran.decided == ran.named, ran.happened
    assert ran.brands == ran.expected, ran.happened
    assert max(len(marks) for _, marks in ran.brands.values()) == 3


def test_without_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    holds(run(monkeypatch, 1, lambda plan: Faults(), []))


@pytest.mark.parametrize("act", [Act.CRASH, Act.CRASH_AFTER, Act.TIMEOUT, Act.DUPLICATE, Act.DROP])
@pytest.mark.parametrize("component", ["split", "decide"])
def test_a_fault_before_and_behind_the_fan_out(
    component: str, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = [Fault(Point.TUPLE, component, n, act) for n in (2, 5)]
    ran = run(monkeypatch, 1, lambda plan: Faults(planted), [])
    holds(ran)
    assert len(ran.happened) == 2


CHOICES = {
    "seed": st.integers(0, 2**32),
    "faults": st.integers(1, 12),
    "stores": st.lists(st.integers(-1, 60), max_size=6),
}


def campaign(seed: int, faults: int, stores: list[int]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        planted = lambda plan: Faults.seeded(seed, plan, faults, within=40)  # noqa: E731
        holds(run(monkeypatch, seed, planted, stores))


@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(**CHOICES)
def test_any_faults_at_any_moments(seed: int, faults: int, stores: list[int]) -> None:
    campaign(seed, faults, stores)


@pytest.mark.slow
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(**CHOICES)
def test_any_faults_at_any_moments_at_length(seed: int, faults: int, stores: list[int]) -> None:
    campaign(seed, faults, stores)
