"""The verdict where partitions share keys: an order is found whatever fails, planted faults too."""

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice, pairwise
from random import Random

import msgspec
import pytest

from apps.data.generate.posts import posts
from apps.prove.verdict import oracle, rekeyed, shared
from apps.prove.verdict.judge import FAIL, KINDS, PASS, Verdict
from apps.prove.verdict.keys import Keys
from apps.prove.verdict.oracle import Batch, Span
from apps.prove.verdict.rekeyed import Log
from apps.prove.verdict.tables import Stored, stored_in_memory
from bolts.social import SplitPosts, make_domain
from stormwatch.domains.social.parse import parse
from stormwatch.runner.faults import Faults
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain
from tests.runner.drive import Stage, stage, store_faults

RECORDS = 500
SEED = 9


@dataclass
class Ran:
    """A run that was decided to its end."""

    settings: Settings
    topic: str
    domain: Domain
    log: Log
    stored: Stored

    def verdict(self, stored: Stored | None = None) -> Verdict:
        have = stored or self.stored
        return shared.judge(self.settings, self.domain, self.topic, self.log, have, SEED)


def traffic() -> Iterator[tuple[bytes, bytes]]:
    """Posts; some again, changed, hours too late or broken."""
    random, sent = Random(5), []
    for nth, post in enumerate(islice(posts(3, run="t", authors=60), RECORDS)):
        sent.append((post.key, post.value))
        yield sent[-1]
        key, value = random.choice(sent[-30:])
        body = msgspec.json.decode(value)
        if nth % 40 == 39:
            yield key, b"not a post"
        elif nth % 40 == 19:
            yield key, value
        elif nth % 40 == 29:
            yield key, msgspec.json.encode(body | {"text": body["text"] + " again"})
        elif nth % 40 == 9:
            yield (
                key,
                msgspec.json.encode(body | {"id": f"late-{nth}", "time": "2001-01-01T00:00:00Z"}),
            )


def ran(monkeypatch: pytest.MonkeyPatch, seed: int, faults: int = 0) -> Ran:
    with stage(monkeypatch) as made:
        topic = made.settings.topic_posts
        for key, value in traffic():
            made.world.broker.append(topic, key, value)
        planted = lambda plan: Faults.seeded(seed, plan, faults, within=40)  # noqa: E731
        failing = store_faults(range(0, 5 * faults, 9))
        account = made.run("social", topic, planted, seed, store_faults=failing)
        assert account.sound and not account.in_flight
        return _read(made, topic)


def _read(made: Stage, topic: str) -> Ran:
    have = stored_in_memory(made.world.store, "social", topic)
    domain = make_domain(made.settings)
    log = rekeyed.read(made.settings, _batches(made, topic, have), domain, parse, SplitPosts)
    return Ran(made.settings, topic, domain, log, have)


def _batches(made: Stage, topic: str, have: Stored) -> Iterator[Batch]:
    random = Random(SEED)
    epochs = {partition: epoch for partition, epoch, _ in have.starts}
    for partition, log in enumerate(made.world.broker.topic(topic).logs):
        span = Span(topic, partition, epochs[partition], 0, log.high)
        size = lambda: random.randint(1, 90)  # noqa: E731
        yield from oracle.cut(span, [log.records], size, lambda record: False)


@pytest.fixture(scope="module")
def calm() -> Iterator[Ran]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield ran(monkeypatch, 1)


@pytest.fixture
def have(calm: Ran) -> Stored:
    return deepcopy(calm.stored)


def only(verdict: Verdict, **counts: int) -> None:
    assert verdict.status == FAIL, verdict
    assert verdict.counts == {kind: counts.get(kind, 0) for kind in KINDS}, verdict.findings


def test_a_calm_run_passes_and_says_how(calm: Ran) -> None:
    verdict = calm.verdict()
    assert verdict.status == PASS, verdict.findings
    assert verdict.seed == SEED and verdict.records > RECORDS
    assert "partitions stand in no order" in verdict.why[0]
    ends = {state for said in calm.stored.tables.ends.values() for state in said}
    assert ends == {"scored", "rejected", "duplicate", "conflict", "late"}
    assert max(len(lanes) for lanes in calm.log.lanes.values()) == 3
    assert calm.stored.tables.alerts


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_whatever_fails_there_is_an_order(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    verdict = ran(monkeypatch, seed, faults=10).verdict()
    assert verdict.status == PASS, verdict.findings


def scored(have: Stored, nth: int) -> tuple:
    """The key of some decision of the brand with most of them."""
    brands = [key[3] for key in have.tables.decisions]
    most = max(sorted(set(brands)), key=brands.count)
    return sorted(key for key in have.tables.decisions if key[3] == most)[nth]


def change_body(have: Stored, key: tuple, **values: object) -> None:
    outcome, score, body, *rest = have.tables.decisions[key]
    wrong = msgspec.json.decode(body) | values
    have.tables.decisions[key] = (outcome, score, msgspec.json.encode(wrong), *rest)


def test_one_planted_loss_is_missing(calm: Ran, have: Stored) -> None:
    lost = scored(have, 20)
    del have.tables.decisions[lost]
    verdict = calm.verdict(have)
    only(verdict, missing=1)
    assert verdict.findings[0].key == repr(lost)


def test_one_planted_duplicate_is_doubled(calm: Ran, have: Stored) -> None:
    key = scored(have, 20)
    have.tables.decisions[*key[:4], key[4] + 1, key[5]] = have.tables.decisions[key]
    only(calm.verdict(have), doubled=1)


@pytest.mark.parametrize(
    "values", [{"score": 0.123457}, {"features": [1, 2, 3, 4, 5, 6]}, {"time": 5}]
)
def test_one_wrong_byte_is_different_and_told_by_field(
    calm: Ran, have: Stored, values: dict[str, object]
) -> None:
    key = scored(have, 20)
    change_body(have, key, **values)
    verdict = calm.verdict(have)
    only(verdict, different=1)
    (finding,) = verdict.findings
    assert finding.key == repr(key)
    assert next(iter(values)) in finding.told and "in no order" in finding.told


def test_a_body_that_is_no_decision_or_of_another_record_is_different(
    calm: Ran, have: Stored
) -> None:
    key = scored(have, 20)
    cells = have.tables.decisions[key]
    have.tables.decisions[key] = (*cells[:2], b"{broken", *cells[3:])
    only(calm.verdict(have), different=1)
    have.tables.decisions[key] = cells
    change_body(have, key, offset=100_000)
    only(calm.verdict(have), different=1)


def test_a_wrong_state_is_different_and_a_lost_one_missing(calm: Ran, have: Stored) -> None:
    key = "social", *next(k for k in sorted(have.tables.states) if k[2] == scored(have, 0)[3])[1:]
    blob = have.tables.states[key]
    have.tables.states[key] = blob[:-1] + bytes([blob[-1] ^ 1])
    only(calm.verdict(have), different=1)
    have.tables.states[key] = b"not a state"
    only(calm.verdict(have), different=1)
    del have.tables.states[key]
    only(calm.verdict(have), missing=1)
    have.tables.states[key] = blob
    have.tables.states["social", 0, "nobody"] = blob
    only(calm.verdict(have), extra=1)


@pytest.mark.parametrize("table", ["alerts", "dead_letters", "ends"])
def test_each_lost_row_is_missing(calm: Ran, have: Stored, table: str) -> None:
    del getattr(have.tables, table)[sorted(getattr(have.tables, table))[2]]
    only(calm.verdict(have), missing=1)


def test_an_offset_with_two_ends_is_doubled_and_one_of_nothing_extra(
    calm: Ran, have: Stored
) -> None:
    place = next(at for at, said in sorted(have.tables.ends.items()) if said == {"scored"})
    have.tables.ends[place] |= {"rejected"}
    only(calm.verdict(have), doubled=1)
    have.tables.ends[place] = frozenset({"scored"})
    have.tables.ends[0, place[1], 100_000] = frozenset({"scored"})
    only(calm.verdict(have), extra=1)


def test_two_posts_of_a_partition_learned_in_the_wrong_order_are_told(
    calm: Ran, have: Stored
) -> None:
    """As a zombie might: the tables are those of a log in which two posts changed places."""
    brand = scored(have, 0)[3]
    lane = max(calm.log.lanes[brand].values(), key=len)
    came = Counter(step.event.id for each in calm.log.lanes[brand].values() for step in each)
    one, other = next(
        (a, b)
        for a, b in pairwise(lane[10:])
        if a.event.sentiment != b.event.sentiment
        and a.accounts
        and b.accounts
        and came[a.event.id] == came[b.event.id] == 1  # no duplicate, no conflict
    )
    keys = Keys(calm.settings, calm.domain, calm.topic, calm.log, have)
    as_came = lambda at, it: at._replace(event=it.event, timestamp=it.timestamp)  # noqa: E731
    swapped = {one: as_came(one, other), other: as_came(other, one)}
    real = {one.event.id: one.offset, other.event.id: other.offset}
    core, blob = rekeyed.Core(calm.settings, calm.domain, calm.topic), b""
    for step, _ in keys.look(brand).way.order:
        made = core.decide(swapped.get(step, step), blob)
        blob = made.states[0].blob
        for row in made.decisions:
            key = next(k for k in have.tables.decisions if k[3] == brand and k[5] == row.id)
            cells = row.outcome, row.score, row.body, row.timestamp, row.alert
            have.tables.decisions[key] = cells
            if row.id in real:
                change_body(have, key, offset=real[row.id])
    verdict = calm.verdict(have)
    assert verdict.status == FAIL and verdict.counts["out_of_order"] >= 1, verdict.findings


def test_what_a_try_left_is_counted_where_batches_came_again(calm: Ran, have: Stored) -> None:
    """A post decided by a try that was not committed, and late at the next: its row may stay."""
    place = next(at for at, said in sorted(have.tables.ends.items()) if said == {"late"})
    late = next(s for s in calm.log.steps() if s.place == place and s.accounts)
    some = scored(have, 20)
    key = Keys(calm.settings, calm.domain, calm.topic, calm.log, have).decision_key(late)
    have.tables.decisions[key] = have.tables.decisions[some]
    change_body(have, key, topic=calm.topic, partition=place[0], offset=place[2])
    row = have.written[0]._replace(partition=place[0], nth=(1, 0))
    assert calm.verdict(have._replace(written=[row])).status == FAIL
    verdict = calm.verdict(have._replace(written=[row._replace(nth=(1, 1))]))
    assert verdict.status == PASS, verdict.findings
    assert "1 rows were left by tries" in verdict.why[1]
