"""The verdict: tables against the oracle's, each fault named by its kind. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import msgspec

from apps.operate.domains import own_domains_of_all
from apps.prove.verdict.degraded import marked
from apps.prove.verdict.tables import Table, Tables
from stormwatch.records import Decision
from stormwatch.state.envelope import same_but_for_order
from stormwatch.state.judge import Domain
from stormwatch.state.second_key import advance_of

PASS, FAIL, INVALID = "PASS", "FAIL", "INVALID"
KINDS = ("missing", "extra", "doubled", "different", "out_of_order")
EXAMPLES = 5
"""Findings of each kind that are told; the counts are whole."""
_AHEAD = 5
_decision = msgspec.json.Decoder(Decision).decode


class Finding(msgspec.Struct, frozen=True):
    """One fault: in which table, at which key, and what."""

    kind: str
    table: str
    key: str
    told: str = ""


class Judgement(msgspec.Struct):
    """PASS: equal. FAIL: `counts` says how not. INVALID: nothing was proven, `why` says why."""

    seed: int
    status: str
    records: int
    decisions: int
    quarantined: int  # believed: the oracle cannot know which records kill their process
    degraded: int  # believed to have had no score; equal to what the rules alone decide
    counts: dict[str, int]
    findings: list[Finding]
    why: list[str]  # and what else is to be known of it


def judge(
    want: Tables,
    have: Tables,
    seed: int,
    doubts: Sequence[str] = (),
    events: Callable[[str], Sequence[tuple[int, Any]]] = lambda entity: (),
    domain: Domain[Any, Any] | None = None,
) -> Judgement:
    """Compare. `doubts` make it INVALID, whatever was found.

    `events` gives the scored events of an entity with their offsets, in the order of the log: with
    `domain` they tell a decision that was made out of order from one that is merely different.
    """
    found = compare(want, have)
    if domain is not None:
        found = _ordered(found, have, events, domain)
    counts = Counter(finding.kind for finding in found)
    shown = [f for kind in KINDS for f in [f for f in found if f.kind == kind][:EXAMPLES]]
    status = INVALID if doubts else FAIL if found else PASS
    quarantined = sum(cells[1] == "kills_process" for cells in have.dead_letters.values())
    return Judgement(
        seed, status, len(want.ends), len(want.decisions), quarantined, len(marked(have)),
        {kind: counts[kind] for kind in KINDS}, shown, list(doubts),
    )  # fmt: skip


def beyond(made: Judgement, found: Sequence[Finding]) -> None:
    """Add what was found beside the tables, in place."""
    for finding in found:
        made.counts[finding.kind] = made.counts.get(finding.kind, 0) + 1
    made.findings += found[:EXAMPLES]
    if found and made.status == PASS:
        made.status = FAIL


def compare(want: Tables, have: Tables) -> list[Finding]:
    """Each row that is missing, extra, doubled or different."""
    found: list[Finding] = []
    for each in fields(Tables):
        mine, theirs = getattr(want, each.name), getattr(have, each.name)
        if each.name == "ends":
            found += _ends(mine, theirs)
        else:
            found += _rows(each.name, mine, theirs)
    return found


def differences(want: Tables, have: Tables) -> list[str]:
    """`compare` in one sentence a table and kind; [] where they are equal.

    Rows that bolts with state store under names of their own are no part of it.
    """
    others = own_domains_of_all()
    ours = Tables(**{
        each.name: {
            key: cells
            for key, cells in getattr(have, each.name).items()
            if key[0] not in others or key in getattr(want, each.name)
        }
        for each in fields(Tables)
    })  # fmt: skip
    grouped: dict[tuple[str, str], list[Finding]] = {}
    for finding in compare(want, ours):
        grouped.setdefault((finding.table, finding.kind), []).append(finding)
    return [
        f"{table}: {len(found)} {kind} of {len(getattr(want, table))}: "
        + ", ".join(f"{f.key} ({f.told})" if f.told else f.key for f in found[:EXAMPLES])
        for (table, kind), found in grouped.items()
    ]


def _rows(table: str, want: Table, have: Table) -> Iterable[Finding]:
    for key in sorted(want.keys() - have.keys(), key=repr):
        yield Finding("missing", table, repr(key))
    known = Counter(_origin(table, key, cells) for key, cells in have.items())
    for key in sorted(have.keys() - want.keys(), key=repr):
        twice = known[_origin(table, key, have[key])] > 1
        yield Finding("doubled" if twice else "extra", table, repr(key))
    for key in sorted(want.keys() & have.keys(), key=repr):
        if want[key] != have[key] and not (
            table == "states" and same_but_for_order(want[key], have[key])
        ):
            yield Finding("different", table, repr(key), _explain(want[key], have[key]))


def _origin(table: str, key: tuple[Any, ...], cells: Any) -> object:
    """What a row is the outcome of: two rows of one record are a doubled one."""
    if table == "decisions":
        return key[0], key[3], key[5]  # domain, entity, id
    if table == "alerts":
        return key[0], key[4], key[5]
    if table == "dead_letters":
        return key[:3] + key[4:]  # any state
    return key


def _ends(want: Table, have: Table) -> Iterable[Finding]:
    for key in sorted(want.keys() | have.keys()):
        mine, theirs = want.get(key, frozenset()), have.get(key, frozenset())
        if mine == theirs:
            continue
        told = f"{'+'.join(sorted(theirs)) or 'none'}, not {'+'.join(sorted(mine)) or 'none'}"
        kind = "different" if mine and theirs else "missing" if mine else "extra"
        yield Finding("doubled" if len(theirs) > 1 else kind, "ends", repr(key), told)


def _explain(want: Any, have: Any) -> str:
    """Field by field where the rows hold a decision's JSON, else column by column."""
    if not isinstance(want, tuple):
        return f"{_short(have)}, not {_short(want)}"
    told = []
    for number, (mine, theirs) in enumerate(zip(want, have, strict=True)):
        if mine != theirs:
            told.append(body_differences(mine, theirs) or f"column {number}: {_short(theirs)}")
    return "; ".join(told)


def body_differences(want: Any, have: Any) -> str:
    """Which fields of two decisions' JSON differ, and how; "" where they are no decisions."""
    try:
        mine, theirs = (_plain(body) for body in (want, have))
    except (msgspec.MsgspecError, TypeError):
        return ""
    return "; ".join(
        f"{name}: {_short(theirs.get(name))}, not {_short(mine.get(name))}"
        for name in dict.fromkeys([*mine, *theirs])
        if mine.get(name) != theirs.get(name)
    )


def _plain(body: bytes) -> Mapping[str, Any]:
    plain: Mapping[str, Any] = msgspec.json.decode(bytes(body), type=dict[str, Any])
    return plain


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:120]}…"


def _ordered(
    found: Sequence[Finding], have: Tables, events: Callable[[str], Sequence[tuple[int, Any]]],
    domain: Domain[Any, Any],
) -> list[Finding]:  # fmt: skip
    """`found` with those decisions marked that had learned of later records already."""
    bodies = {repr(key): (key[3], cells[2]) for key, cells in have.decisions.items()}
    out = []
    for finding in found:
        entity, body = bodies.get(finding.key, ("", b""))
        if finding.kind == "different" and finding.table == "decisions" and body:
            try:
                decision = _decision(bytes(body))
            except msgspec.MsgspecError:
                out.append(finding)
                continue
            if _out_of_order(decision, events(entity), domain):
                told = f"decided after a later record of its key; {finding.told}"
                finding = msgspec.structs.replace(finding, kind="out_of_order", told=told)  # noqa: PLW2901
        out.append(finding)
    return out


def _out_of_order(
    decision: Decision, events: Sequence[tuple[int, Any]], domain: Domain[Any, Any]
) -> bool:
    """Whether the features are those after some of the next events, which the log has later."""
    advance = advance_of(domain)
    places = [place for place, (offset, _) in enumerate(events) if offset == decision.offset]
    for place in places:
        for ahead in range(1, min(_AHEAD, len(events) - place - 1) + 1):
            state = domain.new_state()
            for _, event in [*events[:place], *events[place + 1 : place + 1 + ahead]]:
                advance(state, event)
            features, _ = advance(state, events[place][1])
            if features == decision.features:
                return True
    return False
