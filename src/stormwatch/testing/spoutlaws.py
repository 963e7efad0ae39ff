"""What Storm, and this project's guarantee, ask of every spout. Each raises LawBroken."""

import time
from collections.abc import Callable, Iterator, Mapping

from stormwatch.testing.lawcase import broken, stdout_caught
from stormwatch.testing.lawchecks import alive, as_declared, fields_of, silent
from stormwatch.testing.spoutcase import PARTITIONS, SpoutCase, Talk, life
from stormwatch.testing.storm import Message

PENDING = "topology.max.spout.pending"
STRANGERS = ("", "0", "nobody's", "0:1:0:0-4:default", "99:1:0:0-4:default", "-1:x", "²:1")
"""Ids that this process never gave: another one's, another topic's, nonsense."""
_TURNS, _IDLE, _BOUND, _FAILS = 50, 20, 100, 2


def answered(case: SpoutCase) -> None:
    """Each command is answered by one sync, also while Kafka and the store are down."""
    for down in (False, True):
        with case.opened() as ports:
            if down:
                ports.store.down = True
                ports.broker.down()
            talk = case.talk(life)
        when = " while Kafka and the store are down" if down else ""
        alive(case, talk.storm.code, talk.storm.log, when)
        for step in talk.steps:
            if step.syncs != 1:
                broken(
                    case, f"answered {step.command!r} with {step.syncs} syncs{when}",
                    "Storm waits for one after each command: with none it kills the worker, with "
                    "two it is a command ahead and reads acks as another tuple's",
                    "leave `_run` to the base class; let next_tuple, ack and fail return",
                )  # fmt: skip


def unknown_ids(case: SpoutCase) -> None:
    """Acks and fails of tuples that it never emitted, or that ended before, change nothing."""

    def script(talk: Talk) -> Iterator[Message]:
        for _ in range(_IDLE):
            yield from talk.ask("next")
            yield from talk.finish()
        known = [emit["id"] for emit in talk.emits[:_IDLE] if emit.get("id") is not None]
        for stranger in (*known, *STRANGERS):
            yield from talk.ask("ack", stranger)
            yield from talk.ask("fail", stranger)
        yield from talk.ask("next")

    with case.opened():
        talk = case.talk(script)
    alive(case, talk.storm.code, talk.storm.log, " after an ack or a fail of an id it never gave")


def declared(case: SpoutCase) -> None:
    """Each emit is on a declared stream, has as many values as fields, and has an id."""
    with case.opened():
        talk = case.talk(life)
    alive(case, talk.storm.code, talk.storm.log, "")
    for emit in talk.emits:
        as_declared(case, emit)
        if emit.get("id") is None:
            broken(
                case, f"emits on {emit['stream']!r} without an id",
                "Storm never reports what became of it: what is lost after it stays lost",
                "self.emit(values, tup_id=…), and emit it again when `fail` names the id",
            )  # fmt: skip


def idle(case: SpoutCase) -> None:
    """It answers in time when there is nothing to read, and when Kafka is down."""

    def script(talk: Talk) -> Iterator[Message]:
        yield from talk.ask("activate")
        for _ in range(_IDLE):
            yield from talk.ask("next")

    for down in (False, True):
        with case.opened(fed=False) as ports:
            if down:
                ports.broker.down()
            talk = case.talk(script)
        alive(case, talk.storm.code, talk.storm.log, " with nothing to read")
        longest = max([talk.initialized_s, *(step.seconds or 0.0 for step in talk.steps)])
        if longest > case.patience_s:
            broken(
                case, f"held the protocol's thread for {longest:.1f} s "
                f"(allowed here: {case.patience_s:g} s)",
                "acks wait meanwhile, and after topology.subprocess.timeout.secs Storm kills the "
                "worker",
                "return from next_tuple when nothing came within some ms; connect there, not in "
                "initialize",
            )  # fmt: skip


def bounded(case: SpoutCase) -> None:
    """With nobody acking, no more than `pending` tuples are in flight.

    By default one for each partition of a topic's spout; of others as many as Storm lets them
    (topology.max.spout.pending), or some bound.
    """
    given = {**(getattr(case.spout, "config", None) or {}), **case.conf}
    limit = case.pending or (PARTITIONS if case.topic else _BOUND)
    by_storm = int(given.get(PENDING) or 0)

    def script(talk: Talk) -> Iterator[Message]:
        for _ in range(PARTITIONS * 3 if case.topic else 0):  # past its start, to the batches
            yield from talk.ask("next")
            yield from talk.finish()
        silent = 0
        while silent < _IDLE and len(talk.pending) <= limit:
            if 0 < by_storm <= len(talk.pending):
                return
            yield from talk.ask("next")
            silent = 0 if talk.steps[-1].emits else silent + 1

    with case.opened():
        talk = case.talk(script)
    alive(case, talk.storm.code, talk.storm.log, "")
    if len(talk.pending) > limit:
        broken(
            case, f"has {len(talk.pending)} tuples in flight that nobody acked (allowed: {limit})",
            "behind a slow bolt they fill the queues, time out and come again, ever more of them",
            f'wait for acks in next_tuple, or config = {{"{PENDING}": …}} on the class',
        )  # fmt: skip


def again(case: SpoutCase) -> None:
    """What fails comes again, the same, until it is acked."""
    main = next(iter(fields_of(case.spout)))
    seen: list[Message] = []

    def script(talk: Talk) -> Iterator[Message]:
        for _ in range(_TURNS):
            yield from talk.ask("next")
            seen.extend([e for e in talk.steps[-1].emits or () if e["stream"] == main][:1])
            if seen:
                break
            yield from talk.finish()
        for _ in range(_FAILS if seen else 0):
            yield from talk.ask("fail", seen[-1].get("id"))
            place = len(talk.emits) - len(talk.steps[-1].emits or ())
            found: list[Message] = []
            end = time.monotonic() + case.patience_s
            while not found and time.monotonic() < end:
                yield from talk.ask("next")
                found = [e for e in talk.emits[place:] if case.bare(e) == case.bare(seen[0])]
            seen.extend(found[:1])
            if not found:
                return

    with case.opened():
        talk = case.talk(script)
    alive(case, talk.storm.code, talk.storm.log, "")
    if not seen:
        broken(
            case, "emitted nothing that could fail",
            "this law cannot see what a fail would do",
            "pass feed=… with something for it to read",
        )  # fmt: skip
    if len(seen) <= _FAILS:
        broken(
            case, f"did not emit the same again within {case.patience_s:g} s of its fail "
            f"number {len(seen)}",
            "what a bolt could not store when Cassandra or Kafka was away is lost",
            "keep what is in flight by id, and emit it again, unchanged, on `fail`",
        )  # fmt: skip


def stdout(case: SpoutCase) -> None:
    """Nothing but the protocol is written to stdout."""
    with case.opened(), stdout_caught() as written:
        case.talk(life)
    silent(case, written)


SPOUT_LAWS: Mapping[str, Callable[[SpoutCase], None]] = {
    "answers_each_command_once": answered,
    "survives_unknown_ids": unknown_ids,
    "emits_what_it_declares": declared,
    "answers_while_idle": idle,
    "bounds_what_is_pending": bounded,
    "fail_means_the_same_again": again,
    "never_writes_to_stdout": stdout,
}
"""Name -> law. Each takes a SpoutCase and raises LawBroken."""
