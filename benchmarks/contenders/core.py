"""The work that all contenders do: payments to decisions, with nothing kept but states in memory.

Features, model, rules and bodies are this project's; marks, known ids, lateness, the ledger and
stored states are left out, as a competent engineer would who asks for no guarantees.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import Transaction
from stormwatch.records import Decision, Rejection

_json = msgspec.json.Encoder().encode


class Taken(NamedTuple):
    """A record as it was read."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    value: bytes


class Core:
    """Live states of customers, and one model call a batch."""

    def __init__(self) -> None:
        self._domain = Fraud.load()
        self._states: dict[str, Any] = {}

    def decide(self, taken: Sequence[Taken]) -> list[tuple[bytes, bytes]]:
        """Customer and decision of each record that is a payment, in order."""
        domain, states = self._domain, self._states
        events: list[Transaction] = []
        places, features, carries = [], [], []
        for one in taken:
            event = domain.parse(one.value, one.timestamp)
            if isinstance(event, Rejection):
                continue
            state = states.get(event.entity)
            if state is None:
                state = states[event.entity] = domain.new_state()
            row, carry = domain.advance(state, event)
            events.append(event)
            places.append(one)
            features.append(row)
            carries.append(carry)
        verdicts = domain.decide(events, features, carries) if events else []
        version, rules = domain.model_version, domain.rules_version
        made = []
        for event, row, verdict, at in zip(events, features, verdicts, places, strict=True):
            reasons, explanations = verdict.reasons, verdict.explanations
            if verdict.why is not None and verdict.outcome in domain.alert_outcomes:
                first, explanations = verdict.why()
                reasons = (*first, *reasons)
            body = Decision(
                event.id, event.entity, event.time, verdict.outcome, verdict.score, reasons, row,
                domain.feature_set, version, rules, at.topic, at.partition, at.offset,
                at.timestamp, explanations=explanations or msgspec.UNSET,
                rates=verdict.rates or msgspec.UNSET,
            )  # fmt: skip
            made.append((event.entity.encode(), _json(body)))
        return made


def reference(taken: Iterable[Taken]) -> dict[str, bytes]:
    """Decision's id -> its body, each partition in order: what every contender has to make."""
    core, batch = Core(), list(taken)
    made: dict[str, bytes] = {}
    for first in range(0, len(batch), 500):
        for _, body in core.decide(batch[first : first + 500]):
            made[_id(body).id] = body
    return made


class _Named(msgspec.Struct):
    id: str


_id = msgspec.json.Decoder(_Named).decode


def differing(want: dict[str, bytes], found: Iterable[bytes]) -> str:
    """What is wrong with the decisions of a contender; "" if nothing is."""
    met: set[str] = set()
    other = twice = 0
    for body in found:
        name = _id(body).id
        twice += name in met
        met.add(name)
        other += body != want.get(name)
    missing = len(want.keys() - met)
    told = [f"{count:,} {word}" for count, word in
            ((other, "differ"), (twice, "twice"), (missing, "missing")) if count]  # fmt: skip
    return ", ".join(told)


class Arguments(NamedTuple):
    """What `peers` tells a contender."""

    servers: str
    topic: str
    out: str
    group: str
    task: int
    tasks: int


def arguments(argv: Sequence[str]) -> Arguments:
    """Of the command line."""
    servers, topic, out, group, task, tasks = argv[1:7]
    return Arguments(servers, topic, out, group, int(task), int(tasks))


ROOT = Path(__file__).resolve().parents[2]
