"""The work that all contenders do: events to decisions, with nothing kept but states in memory.

Features, model, rules and bodies are this project's; marks, known ids, lateness, the ledger and
stored states are left out, as a competent engineer would who asks for no guarantees.
"""

from collections.abc import Callable, Iterable, MutableMapping, Sequence
from typing import Any, NamedTuple

import msgspec

from stormwatch.domains.fraud import Fraud
from stormwatch.domains.maintenance import Maintenance
from stormwatch.partitioner import stripe_of
from stormwatch.records import Decision, DecisionRow, Rejection

_json = msgspec.json.Encoder().encode
DOMAINS: dict[str, Callable[[], Any]] = {"fraud": Fraud.load, "maintenance": Maintenance.load}
STRIPES = 64


class Taken(NamedTuple):
    """A record as it was read."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    value: bytes


class Core:
    """Live states of customers or machines, and one model call a batch."""

    def __init__(
        self, domain: str = "fraud", states: MutableMapping[str, Any] | None = None
    ) -> None:
        """`states`: where an engine keeps them; else they are kept here."""
        self.domain = DOMAINS[domain]()
        self.states: MutableMapping[str, Any] = {} if states is None else states
        self._advance_all = getattr(self.domain, "advance_all", None)
        self._settle = getattr(self.domain, "settle", None)

    def decide(self, taken: Sequence[Taken]) -> list[tuple[bytes, bytes]]:
        """Entity and decision of each record that is an event, in order."""
        return [(event.entity.encode(), body) for event, _, body, _ in self._decided(taken)]

    def rows(self, taken: Sequence[Taken]) -> list[tuple[Taken, DecisionRow]]:
        """The same as rows for a store, each with the record it is of."""
        return [
            (at, DecisionRow(stripe_of(event.entity, STRIPES), event.entity, event.time, event.id,
                             verdict.outcome, verdict.score, body, at.timestamp, alert))
            for (event, (verdict, alert), body, at) in self._decided(taken)
        ]  # fmt: skip

    def _decided(self, taken: Sequence[Taken]) -> list[tuple[Any, tuple[Any, bool], bytes, Taken]]:
        domain, states = self.domain, self.states
        events, places, advanced, live = [], [], [], []
        for one in taken:
            event = domain.parse(one.value, one.timestamp)
            if isinstance(event, Rejection):
                continue
            state = states.get(event.entity)
            if state is None:
                state = states[event.entity] = domain.new_state()
            if self._advance_all is None:
                advanced.append(domain.advance(state, event))
            live.append(state)
            events.append(event)
            places.append(one)
        if not events:
            return []
        if self._advance_all is not None:
            advanced = self._advance_all(live, events)
        features, carries = zip(*advanced, strict=True)
        verdicts = domain.decide(events, features, carries)
        if self._settle is not None:
            verdicts = [
                self._settle(state, event, verdict)
                for state, event, verdict in zip(live, events, verdicts, strict=True)
            ]
        names = domain.feature_set, domain.model_version, domain.rules_version
        return [
            (event, *_body(domain, names, event, row, verdict, at), at)
            for event, row, verdict, at in zip(events, features, verdicts, places, strict=True)
        ]


def _body(
    domain: Any, names: tuple[str, str, str], event: Any, row: Any, verdict: Any, at: Taken
) -> tuple[tuple[Any, bool], bytes]:
    """(verdict, whether it is an alert), and the decision's JSON."""
    alert = verdict.outcome in domain.alert_outcomes if verdict.alert is None else verdict.alert
    reasons, explanations = verdict.reasons, verdict.explanations
    if alert and verdict.why is not None:
        first, explanations = verdict.why()
        reasons = (*first, *reasons)
    feature_set, model, rules = names
    if verdict.by is not None:
        feature_set, model, rules = verdict.by
    body = Decision(
        event.id, event.entity, event.time, verdict.outcome, verdict.score, reasons, row,
        feature_set, model, rules, at.topic, at.partition, at.offset, at.timestamp,
        interval=verdict.interval or msgspec.UNSET, explanations=explanations or msgspec.UNSET,
        rates=verdict.rates or msgspec.UNSET,
    )  # fmt: skip
    return (verdict, alert), _json(body)


def reference(taken: Iterable[Taken], domain: str = "fraud") -> dict[str, bytes]:
    """Decision's id -> its body, each partition in order: what every contender has to make."""
    core, batch = Core(domain), list(taken)
    made: dict[str, bytes] = {}
    for first in range(0, len(batch), 500):
        for _, body in core.decide(batch[first : first + 500]):
            made[_id(body).id] = body
    return made


class _Named(msgspec.Struct):
    id: str


_id = msgspec.json.Decoder(_Named).decode


def differing(want: dict[str, bytes], found: Iterable[bytes], least: int | None = None) -> str:
    """What is wrong with the decisions of a contender; "" if nothing is.

    `least`: how many it was asked for, where not for all.
    """
    met: set[str] = set()
    other = twice = 0
    for body in found:
        name = _id(body).id
        twice += name in met
        met.add(name)
        other += body != want.get(name)
    missing = max(0, (len(want) if least is None else least) - len(met & want.keys()))
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
    domain: str
    more: tuple[str, ...]


def arguments(argv: Sequence[str]) -> Arguments:
    """Of the command line."""
    servers, topic, out, group, task, tasks, domain, *more = argv[1:]
    return Arguments(servers, topic, out, group, int(task), int(tasks), domain, tuple(more))
