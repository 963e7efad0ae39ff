"""What Storm, and this project's guarantee, ask of every bolt. Each raises LawBroken."""

import gc
import io
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, pairwise

from stormwatch.testing import storm
from stormwatch.testing.clock import Clock
from stormwatch.testing.lawcase import Case, FakeStdin, Nowhere, broken, stdout_caught
from stormwatch.testing.lawchecks import (
    alive,
    as_declared,
    plain,
    same_effects,
    settled_once,
    silent,
)
from stormwatch.testing.ports import ForgetfulSink, ForgetfulStore, effects, memory_ports
from stormwatch.testing.storm import HEARTBEAT, TICK, drive

EVENTS = (0, 400, 800, 1600)
"""Of the law on states: how many events of one key were seen when its size is taken. It grows if
every event adds a byte or more, as well at the end as before."""
WINDOWS, MANY, LARGE = 8, 10, 100
"""Of the memory law: it is bounded as soon as one window of so many batches leaves nothing."""
_GROWTH, _NOISE = 0.3, 4096
"""Part of the bytes read in a window that may be held more after it than before; bytes beside."""


def once(case: Case) -> None:
    """Each input, a tick as well, is acked or failed once, also while store and Kafka are down."""
    sent = [*case.batches(), TICK]
    with memory_ports():
        settled_once(case, drive(case.bolt, *sent, conf=case.conf), sent, "")
    with memory_ports() as ports:
        ports.store.down = True
        ports.broker.down()
        said = drive(case.bolt, *sent, conf=case.conf)
        settled_once(case, said, sent, " while the store and Kafka are down")


def declared(case: Case) -> None:
    """Each emit is on a declared stream, has as many values as fields, and is anchored."""
    with memory_ports():
        said = drive(case.bolt, *case.batches(), *case.bad(), TICK, conf=case.conf)
    alive(case, said.exit_code, said.log, "")
    for emit in said.emits:
        as_declared(case, emit)
        if not emit.get("anchors"):
            broken(
                case, f"emits on {emit['stream']!r} without an anchor",
                "what is lost behind it is never replayed",
                "use self.send(stream, fragment, payload, tup), or pass anchors=[tup]",
            )  # fmt: skip


def bad_records(case: Case) -> None:
    """Bad data neither ends the process nor keeps a tuple from being acked."""
    sent = case.bad()
    with memory_ports():
        said = drive(case.bolt, *sent, conf=case.conf)
    settled_once(case, said, sent, " on bad data")
    if said.fails:
        broken(
            case, "fails a tuple for its data",
            "the same batch comes again for ever, and its partition stands still",
            "make bad data a result (a Rejection, a row set aside); fail only what may succeed "
            "the next time",
        )  # fmt: skip


def replay(case: Case) -> None:
    """The same batches again, by a new process and by the same one, have no second effect."""
    firsts = case.batches()
    with Clock().installed():
        with memory_ports() as ports:
            single = drive(case.bolt, *firsts, conf=case.conf)
            before = effects(ports)
            drive(case.bolt, *case.batches(generation=2), conf=case.conf)
            same_effects(case, before, effects(ports), "a new process")
        with memory_ports() as ports:
            again = case.batches(attempt=1)
            twice = chain.from_iterable(zip(firsts, again, strict=True))
            drive(case.bolt, *twice, conf=case.conf)
            same_effects(case, before, effects(ports), "the same process")
        with memory_ports():
            doubled = chain.from_iterable(zip(firsts, firsts, strict=True))
            said = drive(case.bolt, *doubled, conf=case.conf)
    emitted = Counter(plain(m) for m in single.emits)
    if not any(before.values()) and Counter(plain(m) for m in said.emits) != Counter(
        {key: 2 * count for key, count in emitted.items()}
    ):
        broken(
            case, "emits something else when the same tuple comes again",
            "Storm replays tuples; counts would be taken twice behind it",
            "keep no state between tuples outside the state contract (docs/architecture.md)",
        )  # fmt: skip


def memory(case: Case) -> None:
    """Memory does not grow with the records seen, whatever their keys."""
    grown: list[tuple[int, int]] = []  # bytes kept, bytes read, of each window

    def read() -> Iterator[bytes]:
        before = 0
        for window in range(WINDOWS):
            eaten = 0
            for message in case.batches(MANY, LARGE, start=window * MANY * LARGE):
                data = storm.encoded(message)
                eaten += len(data)
                yield data
            gc.collect()
            now, _ = tracemalloc.get_traced_memory()
            if window:  # the first one fills what is made at first use
                grown.append((now - before, eaten))
                if now - before <= _GROWTH * eaten + _NOISE:
                    return
            before = now

    conf = {"stormwatch.cache_mb": 1, **case.conf}
    with memory_ports(ForgetfulStore(), ForgetfulSink()), tempfile.TemporaryDirectory() as folder:
        feed = FakeStdin(storm.handshake(folder, conf), read())
        tracemalloc.start()
        try:
            storm.run(case.bolt, feed, Nowhere())
        finally:
            tracemalloc.stop()
    if grown and all(kept > _GROWTH * eaten + _NOISE for kept, eaten in grown):
        kept, eaten = grown[-1]
        broken(
            case, f"kept {kept:,} of the last {eaten:,} bytes that it read, and before no less",
            "the worker's memory grows until the machine kills it",
            "bound what is kept (stormwatch.state.cache.StateCache), or keep it in the store",
        )  # fmt: skip


def states(case: Case) -> None:
    """A key's state does not grow with its events (asked of bolts that read parsed ones)."""
    sizes = []
    with memory_ports() as ports:
        for first, end in pairwise(EVENTS):
            drive(case.bolt, *case.of_one_key(range(first, end)), conf=case.conf)
            rows = ports.store.tables.get("states", {}).values()
            sizes.append(sum(len(row["state"][1]) for row in rows))
    steps = zip(pairwise(sizes), pairwise(EVENTS[1:]), strict=True)
    if all(large - small >= end - first for (small, large), (first, end) in steps):
        broken(
            case, f"keeps more of a key with each event of it: {sizes[-1]:,} bytes after "
            f"{EVENTS[-1]:,} of them, and no end",
            "each batch reads and writes the whole state of its keys, more slowly every day",
            "keep sums, counts, or the last few; drop what is older than any window",
        )  # fmt: skip


def heartbeats(case: Case) -> None:
    """`initialize` and every tuple leave the thread that answers heartbeats in time."""
    mixed = [m for one in case.batches() for m in (HEARTBEAT, one)]
    with memory_ports(), tempfile.TemporaryDirectory() as folder:
        out = io.BytesIO()
        feed = FakeStdin(storm.handshake(folder, case.conf), map(storm.encoded, mixed))
        storm.run(case.bolt, feed, out)
    syncs = sum(m.get("command") == "sync" for m in storm.decoded(out.getvalue()))
    if syncs < len(mixed) // 2:
        broken(
            case, f"answered {syncs} of {len(mixed) // 2} heartbeats",
            "Storm kills the worker after topology.subprocess.timeout.secs",
            "leave `_run` to the base class, and the heartbeat with it",
        )  # fmt: skip
    if feed.longest_s > case.patience_s:
        broken(
            case, f"held the protocol's thread for {feed.longest_s:.1f} s "
            f"(allowed here: {case.patience_s:g} s)",
            "no heartbeat is answered meanwhile: Storm kills the worker",
            "open connections and models by stormwatch.adapters.threads.background.Lazy;"
            " do less at once",
        )  # fmt: skip


def stdout(case: Case) -> None:
    """Nothing but the protocol is written to stdout."""
    with memory_ports(), stdout_caught() as written:
        drive(case.bolt, *case.batches(), *case.bad(), TICK, HEARTBEAT, conf=case.conf)
    silent(case, written)


LAWS: Mapping[str, Callable[[Case], None]] = {
    "acks_or_fails_once": once,
    "emits_what_it_declares": declared,
    "survives_bad_records": bad_records,
    "replay_has_no_second_effect": replay,
    "memory_is_bounded": memory,
    "state_is_bounded": states,
    "answers_heartbeats": heartbeats,
    "never_writes_to_stdout": stdout,
}
"""Name -> law. Each takes a Case and raises LawBroken."""
