"""What a law drives a spout with: a talk with Storm, each command measured."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from stormwatch import settings
from stormwatch.adapters.memory.kafka import MemoryAdmin
from stormwatch.codec import BATCH_FIELDS
from stormwatch.testing.events import ODD
from stormwatch.testing.lawchecks import fields_of
from stormwatch.testing.ports import Ports, memory_ports
from stormwatch.testing.spouts import Conversation, converse
from stormwatch.testing.storm import Message

PARTITIONS, RECORDS, BATCH = 2, 200, 5
"""Of the topic that a spout reads in a law; so many records make a batch."""
LIFE = 20
"""Turns of `next` in a `life`."""


@dataclass
class Step:
    """A command to a spout and how it answered; all None if it did not live to answer."""

    command: str
    id: str | None
    emits: list[Message] | None = None
    syncs: int | None = None
    seconds: float | None = None


class Talk:
    """A conversation with a spout in steps. `storm` is known as soon as it begins."""

    storm: Conversation

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.initialized_s = 0.0

    @property
    def emits(self) -> list[Message]:
        """Emitted tuples, each with its stream."""
        return [{"stream": "default", **emit} for emit in self.storm.emits]

    @property
    def pending(self) -> set[str]:
        """Ids emitted and neither acked nor failed."""
        open_: set[str] = set()
        for step in self.steps:
            open_.discard(step.id or "")
            open_.update(str(e["id"]) for e in step.emits or () if e.get("id") is not None)
        return open_

    def ask(self, command: str, id: str | None = None) -> Iterator[Message]:  # noqa: A002
        """One command."""
        step = Step(command, id)
        self.steps.append(step)
        emitted, synced, began = len(self.emits), self._syncs(), time.monotonic()
        yield {"command": command} if id is None else {"command": command, "id": id}
        step.seconds = time.monotonic() - began
        step.emits, step.syncs = self.emits[emitted:], self._syncs() - synced

    def finish(self, how: str = "ack") -> Iterator[Message]:
        """An ack, or a fail, for what the last command emitted."""
        for emit in self.steps[-1].emits or ():
            if emit.get("id") is not None:
                yield from self.ask(how, emit["id"])

    def _syncs(self) -> int:
        return sum(m.get("command") == "sync" for m in self.storm.sent)


def life(talk: Talk) -> Iterator[Message]:
    """All that Storm says to a spout: a few tuples acked, a few failed, a pause."""
    yield from talk.ask("activate")
    for turn in range(LIFE):
        yield from talk.ask("next")
        yield from talk.finish("fail" if turn % 3 == 2 else "ack")
    yield from talk.ask("deactivate")
    yield from talk.ask("activate")
    yield from talk.ask("next")


Script = Callable[[Talk], Iterator[Message]]


@dataclass(frozen=True)
class SpoutCase:
    """A spout and what it reads. `feed` replaces the records of its topic."""

    spout: type
    feed: Callable[[Ports], None] | None = None
    conf: Mapping[str, Any] = field(default_factory=dict)
    patience_s: float = 10.0
    pending: int | None = None

    @property
    def component(self) -> type:
        return self.spout

    @property
    def topic(self) -> str | None:
        """Of a spout that names the setting of its topic."""
        name = getattr(self.spout, "topic_setting", None)
        return name and getattr(settings.load(environ={}, conf=self.conf), name)

    @contextmanager
    def opened(self, *, fed: bool = True) -> Iterator[Ports]:
        """Its outside in memory, with something to read or with nothing."""
        with memory_ports() as ports:
            if self.topic:
                MemoryAdmin(ports.broker).ensure_topic(self.topic, PARTITIONS, {})
            if fed and self.feed:
                self.feed(ports)
            elif fed and self.topic:
                for n in range(RECORDS):
                    value = ODD[n % len(ODD)]
                    ports.broker.append(self.topic, b"k%d" % n, value, n % PARTITIONS)
            yield ports

    def bare(self, emit: Message) -> list[Any]:
        """Stream and values of an emit, whichever attempt it is."""
        fields, values = fields_of(self.spout).get(emit["stream"], ()), emit["tuple"]
        if tuple(fields) == BATCH_FIELDS:
            values = [v for name, v in zip(fields, values, strict=False) if name != "attempt"]
        return [emit["stream"], values]

    def talk(self, script: Script) -> Talk:
        """Run the spout through the script; Storm goes away at its end."""
        made, began = Talk(), time.monotonic()

        def steps(storm: Conversation) -> Iterator[Message]:
            made.storm, made.initialized_s = storm, time.monotonic() - began
            yield from script(made)

        conf = {"stormwatch.batch.max_records": BATCH, **self.conf}
        made.storm = converse(self.spout, steps, conf=conf)
        return made
