"""A batch of users' events on its round: planned, asked of each shard of items in turn, filled in.

    plan (by user) -> shard 0 of items -> shard 1 … -> fill in and store (by user)

One tuple goes the whole round, so there is nothing to wait for and nothing to lose between its
parts. Users' states are written at its end, items' on the way, each with its mark:
- before the end a replay makes the same plans again, from the same users' states; what an item has
  counted before it does not count twice, it only answers with what it knows by now;
- after it the users' marks end the replay at its first step: no ask is made, nothing is decided.
"""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from stormwatch.codec import Parsed, Share
from stormwatch.domains.recommend.history import RoundPlan
from stormwatch.domains.recommend.items import Ask, Told, asks, everyone
from stormwatch.domains.recommend.neighbours import Answer
from stormwatch.domains.recommend.ranking import rank
from stormwatch.partitioner import stripe_of
from stormwatch.records import Decision, DecisionRow, Outcomes
from stormwatch.state.judge import Verdict

_NOTHING = Answer(0, [])
_decode = msgspec.json.Decoder(Decision).decode
_encode = msgspec.json.Encoder().encode


class Planned(msgspec.Struct, frozen=True, array_like=True):
    """What one of the decisions, told by its key, is to be made of."""

    user: str
    time: int
    id: str
    offset: int
    plan: RoundPlan


class Round(msgspec.Struct, array_like=True):
    """Payload between plan, the shards and the store."""

    outcomes: Outcomes
    planned: list[Planned]
    told: list[Told] = []


def begin(outcomes: Outcomes, plans: Sequence[RoundPlan]) -> Round:
    """The round of what the users' contract gave: preliminary decisions, and the plan of each."""
    planned = [
        Planned(row.entity, row.time, row.id, _decode(row.body).offset, plan)
        for row, plan in zip(outcomes.decisions, plans, strict=True)
    ]
    return Round(outcomes, planned)


def asked_of(batch: Round, shard: int, shards: int) -> Parsed[Ask]:
    """The asks for one shard's items, in offset order; which shard, the item's hash says."""
    partition = batch.outcomes.fragment.partition
    found = (
        ask
        for one in batch.planned
        for ask in asks(one.plan, partition, one.offset)
        if stripe_of(ask.name, shards) == shard
    )
    return Parsed([(ask.offset, ask.time, ask) for ask in found], [], [], Share(shard, []))


def finish(batch: Round) -> Outcomes:
    """The outcomes to store, each planned decision filled in with the items to show."""
    outcomes = batch.outcomes
    answers: dict[int, dict[str, Answer]] = {}
    for told in batch.told:
        answers.setdefault(told.offset, {})[told.name] = told.answer
    planned = {(one.user, one.time, one.id): one for one in batch.planned}
    popular = everyone(outcomes.fragment.partition)
    decisions = []
    for row in outcomes.decisions:
        one = planned.get((row.entity, row.time, row.id))
        if one is not None:
            found = answers.get(one.offset, {})
            row = _filled(row, rank(one.plan, found, found.get(popular, _NOTHING)))  # noqa: PLW2901
        decisions.append(row)
    return replace(outcomes, decisions=decisions)


def _filled(row: DecisionRow, verdict: Verdict) -> DecisionRow:
    made = {"outcome": verdict.outcome, "score": verdict.score}
    body = replace(_decode(row.body), **made, reasons=verdict.reasons)
    return replace(row, **made, body=_encode(body))
