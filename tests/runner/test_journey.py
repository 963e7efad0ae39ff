"""What is told of one record: its journey, after a run with a fault."""

from itertools import islice

import pytest

from apps.data.generate.posts import posts
from apps.local.dev.load import topology
from apps.operate.journey import Place, journey
from stormwatch.adapters.memory.kafka import MemorySource
from stormwatch.errors import SettingsError
from stormwatch.runner.faults import Act, Fault, Faults, Point
from tests.runner import drive

COUNT = 60


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[str]]:
    """Offset -> lines, of partition 0 of posts; the offset 0 holds none."""
    with drive.stage(monkeypatch) as made:
        topic, broker = made.settings.topic_posts, made.world.broker
        broker.append(topic, b"bad", b"not a post", partition=0)
        for post in islice(posts(1, run="t", authors=9), COUNT):
            broker.append(topic, post.key, post.value, partition=0)
        planted = Faults([Fault(Point.TUPLE, "decide", 1, Act.CRASH_AFTER)])
        made.run("social", topic, lambda plan: planted, 1)
        wired = topology(drive.ROOT, "social")

        def lines(offset: int) -> list[str]:
            source = MemorySource(broker, topic)
            place = Place(topic, 0, offset)
            return list(journey(made.settings, wired, "social", source, made.world.store, place))

        found = {offset: lines(offset) for offset in range(COUNT + 1)}
        with pytest.raises(SettingsError, match=r"no record at offset 61 of posts/0"):
            lines(COUNT + 1)
    return found


def test_a_record_that_was_refused(told: dict[int, list[str]]) -> None:
    record, *ledger, aside = told[0]
    assert record.endswith("key b'bad': not a post")
    assert len(ledger) == 2, "one for each try"
    assert all(line.startswith("ledger    reject: rejected (batch 0-") for line in ledger)
    assert aside.startswith("set aside social by parse: not_json; ")


def test_records_that_were_decided(told: dict[int, list[str]]) -> None:
    for offset in range(1, COUNT + 1):
        kinds = [line.split()[0] for line in told[offset]]
        assert kinds[0] == "record" and set(kinds[1:]) == {"ledger", "decision"}
        assert {line.split()[2] for line in told[offset] if line.startswith("ledger")} == {"scored"}
        assert all(line.split()[1] == "social" for line in told[offset] if "decision" in line[:9])
    assert max(sum("decision" in line[:9] for line in told[o]) for o in told) > 1, "several brands"


@pytest.mark.parametrize("name", ["posts", "posts/1", "posts/a/1", "posts/1/-1"])
def test_what_names_no_record_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="topic/partition/offset"):
        Place.of(name)


def test_names_are_those_of_alerts_and_of_dead_letters() -> None:
    assert Place.of("posts/1/7") == Place.of("posts/1/33/7") == ("posts", 1, 7)
