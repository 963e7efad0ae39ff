"""What the score step keeps of states between batches, and when it forgets."""

from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.codec import Parsed
from stormwatch.records import Fragment
from stormwatch.state.cache import StateCache
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.score import ScoreStep
from stormwatch.state.step import Outcome
from tests.models.toy import Ping, Toy


def test_a_later_start_of_the_spout_drops_the_keys_of_that_partition_alone() -> None:
    store, cache = MemoryStore(), StateCache(1 << 20)
    step = ScoreStep(
        lambda: Contract(Toy(), Policy(10**9, 10**9, 64), "toy"), cache, lambda name: 0,
        lambda: store, lambda: 0,
    )  # fmt: skip

    def work(partition: int, offset: int, generation: int, topic: str = "t") -> None:
        fragment = Fragment(topic, partition, 0, offset, offset, generation, 0)
        name = f"{topic}{partition}"
        ping = Ping(f"{generation}-{offset}", name, offset, 1)
        [outcomes] = step.work_all([(fragment, Parsed([(offset, 0, ping)], [], []))])
        store.write_states("toy", outcomes.states)
        step.finish(fragment, Outcome.DONE)

    for topic, partition in (("t", 0), ("t", 1), ("u", 0)):
        work(partition, 0, 1, topic)
    assert {"t0", "t1", "u0"} == {name for name in ("t0", "t1", "u0") if cache.get(name)}
    # Another instance goes on with partition 0, then this one comes back to it.
    row = next(r for k, r in store.tables["states"].items() if k[-1] == "t0")
    stamp, blob = row["state"]
    row["state"] = (stamp + 1, blob)
    reads: list[object] = []
    load = store.load_states
    store.load_states = lambda *asked: reads.append(asked) or load(*asked)  # type: ignore[method-assign,func-returns-value]
    work(0, 1, 2)
    assert len(reads) == 1
    for topic, partition in (("t", 1), ("u", 0)):
        work(partition, 1, 1, topic)
    work(0, 2, 2)
    assert len(reads) == 1
