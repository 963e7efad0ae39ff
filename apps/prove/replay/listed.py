"""Lists of items, replayed: the user's half exactly, of what the items said what any list has."""

from collections.abc import Mapping

import msgspec

from apps.prove.replay import compare
from apps.prove.replay.compare import Difference
from apps.prove.replay.course import Pass
from apps.prove.verdict.lists import veil, wrong_form
from stormwatch.records import Decision, DecisionRow

NOT_COMPARED = (
    "`outcome`, `score` and `reasons`: items learn from all partitions in no order, and a list "
    "does not keep the counts it was made of. Its form was checked, and that it shows nothing the "
    "user has; `./stormwatch verdict recommend` checks its items"
)
_decode = msgspec.json.Decoder(Decision).decode


def differences(
    stored: Mapping[int, DecisionRow],
    replayed: Mapping[int, DecisionRow],
    stored_ends: Mapping[int, str],
    made: Pass,
) -> list[Difference]:
    """As `compare.differences`."""
    found = compare.differences(_veiled(stored), _veiled(replayed), stored_ends, made.ends)
    known = {each.offset for each in found}
    for offset, row in sorted(stored.items()):
        if offset in made.plans and offset not in known:
            body = _decode(bytes(row.body))
            told = wrong_form(body, made.plans[offset])
            if (row.outcome, row.score) != (body.outcome, body.score):
                told = "outcome and score are not those of the body"
            if told:
                found.append(Difference(offset, row.entity, row.id, told))
    return sorted(found, key=lambda each: each.offset)


def _veiled(rows: Mapping[int, DecisionRow]) -> dict[int, DecisionRow]:
    return {offset: _veil(row) for offset, row in rows.items()}


def _veil(row: DecisionRow) -> DecisionRow:
    outcome, score, body = veil((row.outcome, row.score, row.body))
    return msgspec.structs.replace(row, outcome=outcome, score=score, body=body)
