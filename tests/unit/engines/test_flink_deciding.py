"""What runs inside Flink, without it: the oracle's tables, whatever is cut or lost."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from random import Random
from typing import Any

import pytest

from apps.data.kinds import BY_TOPOLOGY, FeedOptions
from apps.data.mappings import parser
from apps.prove.verdict import oracle
from apps.prove.verdict.judge import PASS, judge
from apps.prove.verdict.oracle import Span
from apps.prove.verdict.tables import of_memory
from stormwatch.adapters import connect
from stormwatch.adapters.memory.broker import MemoryBroker
from stormwatch.adapters.memory.store import Fault, MemoryStore
from stormwatch.adapters.memory.world import World, doubles
from stormwatch.adapters.storm.resources import Connections, Meter
from stormwatch.engines.flink import use_case
from stormwatch.engines.flink.deciding import Decider
from stormwatch.engines.flink.log import Log, register
from stormwatch.errors import SettingsError, StoreUnavailable, TopicError
from stormwatch.ingest.commit_metadata import Mark
from stormwatch.ingest.start import Subscription
from stormwatch.ledger.reconcile import reconcile
from stormwatch.ports import Committed
from stormwatch.settings import Settings
from stormwatch.state.recorded import Recall
from stormwatch.state.second_key import Told, Values, second_of

PARTITIONS = 2


class Job:
    """The operator as Flink plays it: states and positions of each partition, checkpoints."""

    def __init__(self, name: str, count: int = 0, **chosen: object) -> None:
        self.settings = Settings(
            kafka_client="memory", store="memory", topic_labels="", topology_terminals=0,
            **chosen,  # type: ignore[arg-type]
        )  # fmt: skip
        self.name = name
        self.kind = BY_TOPOLOGY[name]
        self.world = World(MemoryBroker(default_partitions=PARTITIONS), MemoryStore())
        self.topic: str = getattr(self.settings, f"topic_{self.kind.events}")
        self.world.broker.create(self.topic, PARTITIONS, {})
        self.at: dict[int, int] = {}
        self.states: dict[int, dict[str, bytes]] = {p: {} for p in range(PARTITIONS)}
        self.kept = self.copied()
        self.has_checkpoint = False
        self.recall: Callable[[Sequence[Any]], Told] | None = None
        for nth, one in enumerate(islice(self.kind.feed(FeedOptions(3, "j", None, 40, 6)), count)):
            self.send(one.key, one.value)
            if nth % 97 == 0:
                self.send(one.key, b"no json")
                self.send(one.key, None)
                self.send(one.key, one.value)
                self.world.broker.skip(self.topic, nth % PARTITIONS)

    def send(self, key: bytes | None, value: bytes | None) -> None:
        self.world.broker.append(self.topic, key, value)

    def copied(self) -> tuple[dict[int, int], dict[int, dict[str, bytes]]]:
        return dict(self.at), {p: dict(each) for p, each in self.states.items()}

    def checkpoint(self) -> None:
        self.kept, self.has_checkpoint = self.copied(), True

    def start(self) -> Log:
        """From the last checkpoint."""
        self.at, self.states = self.kept[0], {p: dict(x) for p, x in self.kept[1].items()}
        self.at = dict(self.at)
        source = connect.source(self.settings, self.topic)
        subscription = Subscription(self.topic, self.settings.kafka_group, "resume")
        self.log = register(
            source, self.world.store, subscription, self.name, resumes=self.has_checkpoint
        )
        self.slept: list[float] = []
        self.told: list[str] = []
        self.decider = Decider(
            self.settings, use_case.of(self.settings, self.name), self.log,
            Connections(self.settings, Meter(self.name, "flink", 0)),
            lambda partition: source.watermarks(partition).low, self.slept.append,
            self.told.append, self.recall,
        )  # fmt: skip
        return self.log

    def step(self, partition: int, most: int) -> bool:
        """One micro-batch; False where there is none."""
        first = self.at.get(partition, self.decider.begin(partition))
        records = self.world.broker.log(self.topic, partition).read(first, most)
        if not records:
            return False
        self.at[partition] = self.decider.work(
            partition, first, records, _States(self.states[partition])
        )
        return True

    def to_end(self, most: int = 300) -> None:
        while sum(self.step(partition, most) for partition in range(PARTITIONS)):
            pass

    def judged(self) -> str:
        """Against the oracle, which cuts the log otherwise."""
        domain = use_case.of(self.settings, self.name).domain
        batches = []
        for partition in range(PARTITIONS):
            log = self.world.broker.log(self.topic, partition)
            span = Span(self.topic, partition, self.log.epochs[partition], 0, log.high)
            runs = [list(log.read(0, 1_000_000))]
            batches += oracle.cut(span, runs, lambda: 61, lambda record: False)
        parse = parser(self.settings, self.topic, domain)  # type: ignore[arg-type]
        want = oracle.expected(self.settings, batches, domain, parse)  # type: ignore[arg-type]
        found = judge(of_memory(want), of_memory(self.world.store), 0)
        assert found.status == PASS, found
        assert found.decisions > 0
        return found.status


class _States:
    def __init__(self, states: dict[str, bytes]) -> None:
        self.get = states.get
        self.put = states.__setitem__


@contextmanager
def playing(name: str, count: int = 0, **chosen: object) -> Iterator[Job]:
    job = Job(name, count, **chosen)
    before = connect.use(doubles(job.world))
    try:
        yield job
    finally:
        connect.use(before)


@pytest.mark.parametrize("name", use_case.NAMES)
def test_the_tables_are_those_of_the_oracle(name: str) -> None:
    with playing(name, 600) as job:
        job.start()
        job.to_end()
        assert job.judged() == PASS
        partition = job.world.store.stretches(job.log.name)[0].partition
        high = job.world.broker.log(job.topic, partition).high
        rows = job.world.store.ledger(job.topic, partition, job.log.epochs[partition], 0, high)
        assert not reconcile(partition, rows, 0, high, high).unaccounted


@pytest.mark.parametrize("seed", range(3))
def test_crashes_between_checkpoints_change_nothing(seed: int) -> None:
    random = Random(seed)
    with playing("fraud", 250) as job:
        job.start()
        generation = job.log.generation
        for _ in range(30):
            what = random.random()
            if what < 0.2:
                job.checkpoint()
            elif what < 0.4:
                job.start()
                assert job.log.generation > generation
                generation = job.log.generation
            else:
                job.step(random.randrange(PARTITIONS), random.randint(1, 60))
        job.to_end()
        job.judged()


def test_a_batch_waits_while_the_store_is_away_and_is_tried_again() -> None:
    with playing("fraud", 200) as job:
        job.start()
        job.world.store.faults += [
            Fault(3, "write_outcomes"), Fault(0, "write_states"), Fault(None, "write_states"),
        ]  # fmt: skip
        job.to_end()
        assert job.slept == [0.1, 0.2, 0.4]
        assert all("will be tried again" in each for each in job.told)
        job.judged()


def test_what_a_batch_teaches_is_kept_when_it_is_stored() -> None:
    with playing("fraud", 50) as job:
        job.start()
        job.world.store.down = True

        def give_up(seconds: float) -> None:
            raise StoreUnavailable("for good")

        job.decider._sleep = give_up
        with pytest.raises(StoreUnavailable):
            job.step(0, 10)
        assert not job.states[0] and not job.at


def test_records_that_kafka_deleted_before_they_were_read_are_expired() -> None:
    with playing("fraud", 300) as job:
        job.start()
        job.step(0, 20)
        job.checkpoint()
        read = job.at[0]
        job.world.broker.delete_records(job.topic, 0, read + 40)
        job.start()
        job.to_end()
        high = job.world.broker.log(job.topic, 0).high
        rows = job.world.store.ledger(job.topic, 0, job.log.epochs[0], 0, high)
        found = reconcile(0, rows, 0, high, high)
        assert found.states["expired"] == 40 and not found.unaccounted and not found.conflicting
        assert f"offsets {read} to {read + 39}" in job.told[0]


def test_reading_does_not_begin_anew_where_the_oldest_records_are_gone() -> None:
    with playing("fraud", 300) as job:
        job.start()
        job.to_end()
        job.start()  # no checkpoint, but the log is whole: the same decisions
        job.to_end()
        job.judged()
        job.world.broker.delete_records(job.topic, 0, 10)
        with pytest.raises(TopicError, match="there is no checkpoint to go on from"):
            job.start()


def test_a_group_that_storm_has_read_with_is_refused() -> None:
    with playing("fraud", 10) as job:
        source = connect.source(job.settings, job.topic)
        source.commit({0: Committed(3, Mark().text())}, wait=True)
        with pytest.raises(TopicError, match="a group and a keyspace of its own"):
            job.start()


def test_a_log_that_was_cut_is_refused() -> None:
    with playing("fraud", 300) as job:
        job.start()
        job.to_end()
        job.checkpoint()
        job.world.broker.truncate(job.topic, 0, 5)
        with pytest.raises(TopicError, match="it was cut"):
            job.start()


def test_a_topic_that_is_not_there_is_said() -> None:
    with playing("fraud") as job:
        job.world.broker.delete(job.topic)
        with pytest.raises(TopicError, match="There is no topic 'transactions'"):
            job.start()


@pytest.mark.parametrize(
    ("name", "chosen", "said"),
    [
        ("social", {}, "Flink decides fraud and maintenance"),
        ("fraud", {"source": "kinesis"}, "source is kinesis"),
    ],
)
def test_what_this_engine_does_not_do_is_refused(
    name: str, chosen: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        use_case.check(Settings(**chosen), name)  # type: ignore[arg-type]


def test_with_what_another_run_recorded_of_terminals_it_decides_as_that_run() -> None:
    def told(events: Sequence[Any]) -> Told:
        """Stands for the bolt of terminals, which no log tells of."""

        def tell(event: Any) -> Values:
            random = Random(event.id)
            return tuple(round(random.uniform(0, 3), 3) for _ in second.feature_names)

        return tell

    with playing("fraud", 400) as job:
        domain = use_case.of(job.settings, "fraud").domain
        second = second_of(domain)
        assert second is not None
        bodies: list[list[bytes]] = []
        of_storm = job.world.store
        for recall, most in (
            (told, 300),
            (Recall(of_storm, domain, job.settings.layout_stripes), 77),
            (None, 77),
        ):
            job.recall = recall
            job.start()
            job.to_end(most)
            rows = job.world.store.tables["decisions"].values()
            bodies.append(sorted(bytes(row["body"][1]) for row in rows))
            job.world = World(job.world.broker, MemoryStore())
            connect.use(doubles(job.world))
    assert len(bodies[0]) > 380
    assert bodies[1] == bodies[0] != bodies[2]
