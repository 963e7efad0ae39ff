"""The verdict on recommendations, whose items learn from all partitions in no order. Pure.

Exact: every end state, each user's state, what a decision says of its event, what is popular in a
partition, which offsets each item has counted. Bounded: an item's counts, which the order rounds
(`apps.prove.verdict.weights`). Of a list of items to show only what must hold in any order: the
counts that it was made of are not kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from msgspec.structs import replace as with_fields

from apps.prove.verdict.judge import Finding, Verdict, compare, verdict_of
from apps.prove.verdict.tables import Table, Tables
from apps.prove.verdict.weights import Learned, learn, wrong_state
from stormwatch.domains.recommend.domain import NAME, to_plan
from stormwatch.domains.recommend.history import Plan, digest_of, owns
from stormwatch.domains.recommend.items import ITEMS, asks, everyone
from stormwatch.domains.recommend.neighbours import ItemState
from stormwatch.domains.recommend.ranking import POPULAR, RECOMMENDED, TOP, asked
from stormwatch.errors import StateError
from stormwatch.records import Decision, Reason
from stormwatch.state.envelope import EnvelopeCodec

__all__ = ["ITEMS", "NAME", "judge", "veil", "wrong_form"]

_decode = msgspec.json.Decoder(Decision).decode
_encode = msgspec.json.Encoder().encode
_DID = {"view": "viewed", "buy": "bought", "rate": "rated"}
_FADING = 0.65
_POPULAR_NOW = "popular now"
_ROUNDING = 1e-6
TOLD = (
    "items meet users' events in no order, and a list does not keep the counts it was made of: of "
    "`outcome`, `score` and `reasons` only what must hold in any order was checked"
)


def judge(
    want: Tables, have: Tables, items: Table, seed: int, doubts: Sequence[str] = ()
) -> Verdict:
    """`want` are the users' half, as the oracle decides it; `items` the stored states of items."""
    plans = planned(want)
    learned = learned_of(plans)
    found = compare(replace(want, decisions=veiled(want)), replace(have, decisions=veiled(have)))
    known = {finding.key for finding in found if finding.table == "decisions"}
    for key, (decision, plan) in plans.items():
        if key in have.decisions and repr(key) not in known:
            told = wrong_row(have.decisions[key], decision, plan, learned)
            if told:
                found.append(Finding("different", "decisions", repr(key), told))
    found += _items(learned, items)
    return verdict_of(
        found, seed, doubts, len(want.ends), len(want.decisions), have, [TOLD]
    )  # fmt: skip


def veiled(tables: Tables) -> Table:
    """Decisions without what the items said; a body that is none stays as it is."""
    return {key: veil(cells) for key, cells in tables.decisions.items()}


def veil(cells: tuple[Any, ...]) -> tuple[Any, ...]:
    """One row of them."""
    try:
        body = with_fields(_decode(bytes(cells[2])), outcome="", score=0.0, reasons=())
    except msgspec.MsgspecError:
        return cells
    return ("", 0.0, _encode(body), *cells[3:])


Planned = Mapping[tuple[Any, ...], tuple[Decision, Plan]]


def planned(want: Tables) -> Planned:
    """Each expected decision with its plan, in the order of the log of each partition."""
    rows = [(key, _decode(cells[2])) for key, cells in want.decisions.items()]
    rows.sort(key=lambda row: (row[1].partition, row[1].offset))
    return {key: (decision, to_plan(decision.reasons)) for key, decision in rows}


def learned_of(plans: Planned) -> dict[str, Learned]:
    """What each item is told by all events together, and when."""
    learned: dict[str, Learned] = {}
    for decision, plan in plans.values():
        for ask in asks(plan, decision.partition, decision.offset):
            learn(learned, ask, decision.partition)
    return learned


def wrong_row(
    cells: tuple[Any, ...], decision: Decision, plan: Plan, learned: Mapping[str, Learned]
) -> str:
    """What no order gives of a stored decision; "" if one might."""
    try:
        body = _decode(bytes(cells[2]))
    except msgspec.MsgspecError:
        return ""  # told as different
    if (body.outcome, body.score) != tuple(cells[:2]):
        return "outcome and score are not those of the body"
    if _encode(body) != bytes(cells[2]):
        return "the body is not written as bodies are"
    return wrong_list(body, plan, learned, decision.partition)


def wrong_list(body: Decision, plan: Plan, learned: Mapping[str, Learned], partition: int) -> str:
    """What is wrong with a list of items in any order of events; "" if nothing is."""
    shown = _own(body)
    everybody = learned.get(everyone(partition), Learned())
    for reason in body.reasons[len(shown) :]:
        if reason.code not in everybody.sums:
            return f"{reason.code} was never popular in partition {partition}"
    wrong = (_wrong_reason(reason, plan, learned) for reason in shown)
    return wrong_form(body, plan) or next(filter(None, wrong), "")


def wrong_form(body: Decision, plan: Plan) -> str:
    """What no list has, whatever the items said: of its length, its order and the user's items."""
    shown, names = _own(body), [reason.code for reason in body.reasons]
    if len(names) > TOP or len(set(names)) < len(names):
        return f"{len(names)} items, {len(set(names))} of them different; {TOP} at most"
    outcome, score = (RECOMMENDED, shown[0].weight) if shown else (POPULAR, 0.0)
    if (body.outcome, body.score) != (outcome, score):
        return f"{body.outcome} with {body.score}, but the list says {outcome} with {score}"
    order = [(-reason.weight, reason.code) for reason in shown]
    popular = body.reasons[len(shown) :]
    if order != sorted(order) or [*shown, *popular] != list(body.reasons):
        return "the items are not in the order of their scores, popular ones last"
    known = {touch.item for touch in plan.recent}
    has = [name for name in names if name in known or owns(plan.owned, digest_of(name))]
    return f"{has[0]} is shown to a user who has it" if has else ""


def _own(body: Decision) -> list[Reason]:
    return [reason for reason in body.reasons if reason != Reason(reason.code, _POPULAR_NOW)]


def _wrong_reason(reason: Reason, plan: Plan, learned: Mapping[str, Learned]) -> str:
    """Its item has to be a neighbour of the one it names, and its score within reach."""
    reach, why, say = 0.0, set(), 1.0
    for touch in asked(plan.recent):
        if touch.strength and touch.item in learned and reason.code in learned[touch.item].sums:
            reach += say * touch.strength**0.5
            why.add(f"because you {_DID[touch.kind]} {touch.item}")
        say *= _FADING
    if reason.text not in why:
        return f"{reason.code} is no neighbour of what it is shown for ({reason.text!r})"
    if not 0 <= reason.weight <= reach + _ROUNDING:
        return f"{reason.code} has a score of {reason.weight}, at most {reach:.6f} is possible"
    return ""


def _items(learned: Mapping[str, Learned], items: Table) -> list[Finding]:
    codec: EnvelopeCodec[ItemState] = EnvelopeCodec(ItemState)
    found, known = [], set()
    for key, blob in sorted(items.items()):
        name = key[2]
        known.add(name)
        if name not in learned or not learned[name].sums:
            found.append(Finding("extra", "states", repr(key)))
            continue
        try:
            told = wrong_state(learned[name], codec.decode(blob, name))
        except StateError:
            told = "it cannot be read"
        if told:
            found.append(Finding("different", "states", repr(key), told))
    missing = sorted(name for name in learned.keys() - known if learned[name].sums)
    return found + [Finding("missing", "states", repr((ITEMS, name))) for name in missing]
