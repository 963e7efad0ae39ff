"""`explain`: one decision whole, as a person reads it; and what would have cleared it."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from apps.data.in_words import by_weight, score_in_words
from apps.data.moments import moment
from apps.data.printable import shown
from apps.operate.journey import Place, endings, epochs_of
from stormwatch.archive import Archive
from stormwatch.dead_letters import redaction
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.flips import Flip, flips
from stormwatch.domains.fraud.parse import parse
from stormwatch.errors import StormwatchError
from stormwatch.records import Decision, DecisionRow, Explanation, Record
from stormwatch.settings import Settings

_ANY_MS = 1 << 52  # it was accepted: its time is not judged again
NEWEST = 500
"""Alerts among which an id is looked for."""


def cleared(settings: Settings, event: Any, decision: Decision) -> tuple[list[Flip], str]:
    """What would have cleared a decision of an event; without any, why nothing is told."""
    if event is None:
        return [], "not told: the record cannot be read again"
    if not isinstance(event, Transaction):
        return [], "not told of machines: their features are the work of many readings"
    try:
        fraud = _fraud(settings)
        versions = fraud.model_version, fraud.rules_version
    except StormwatchError as error:
        return [], f"the model cannot be asked: {error}"
    if (decision.model, decision.rules) != versions:
        return [], (
            f"decided by {decision.model} and {decision.rules}; here are {versions[0]} and "
            f"{versions[1]}, which would tell of another decision"
        )
    found = flips(fraud, event, decision.features, decision.outcome, decision.score)
    return found, "" if found else "no change of one field alone clears it"


def event_of(settings: Settings, decision: Decision, record: Record) -> Transaction | None:
    """The payment that was decided; None of what is none, or came by a mapping."""
    if decision.topic != settings.topic_transactions or decision.mapping is not msgspec.UNSET:
        return None
    event = parse(record.value or b"", record.timestamp, future_skew_ms=_ANY_MS)
    return event if isinstance(event, Transaction) else None


@lru_cache(maxsize=1)
def _fraud(settings: Settings) -> Fraud:
    """Made once a process: its model takes a moment to load."""
    return Fraud.from_settings(settings)


def find(archive: Archive, domains: Sequence[str], name: str) -> tuple[str, DecisionRow] | None:
    """The newest alert of that id, with its domain; None where it is none of the newest."""
    for domain in domains:
        for row in archive.alerts(domain, NEWEST):
            if row.id == name:
                return domain, row
    return None


def place_of(row: DecisionRow) -> Place:
    """Where its record is."""
    told = msgspec.json.decode(bytes(row.body), type=Decision)
    return Place(told.topic, told.partition, told.offset)


def lines(
    settings: Settings,
    archive: Archive,
    place: Place,
    record: Record | None,
    decided: Sequence[tuple[str, DecisionRow, Any]],
    flips_of: Callable[[Settings, Any, Decision], tuple[list[Flip], str]] = cleared,
) -> Iterator[str]:
    """To read. `decided`: what was decided of the record, by domain, with the event."""
    yield f"record        {place.topic}/{place.partition}/{place.offset}"
    if record is None:
        yield "              Kafka has it no more; the decision stays"
    else:
        masked = redaction.names(settings.mask_fields)
        yield f"              {shown(redaction.mask(record.value or b'', masked))}"
        yield f"              written {moment(record.timestamp)}"
    for domain, row, event in decided:
        decision = msgspec.json.decode(bytes(row.body), type=Decision)
        sent = ", an alert" if row.alert else ""
        yield ""
        who = f"{decision.outcome.upper()} {decision.entity} {decision.id}"
        yield f"{domain:<14}{shown(who)}"
        yield f"              {score_in_words(domain, row)}; event of {moment(decision.time)}{sent}"
        for nth, reason in enumerate(by_weight(decision.reasons)):
            yield f"{'why' if not nth else '':<14}{shown(reason.text)}"
        if not decision.reasons:
            yield "why           nothing stood out"
        for explanation in decision.explanations or ():
            yield from _added(explanation)
        if row.alert:
            found, why_not = flips_of(settings, event, decision)
            for nth, flip in enumerate(found):
                yield f"{'cleared' if not nth else '':<14}{shown(flip.text)}: score {flip.score:g}"
            if not found:
                yield f"cleared       {why_not}"
        mapping = decision.mapping if isinstance(decision.mapping, str) else "none"
        yield f"versions      model {decision.model}, rules {decision.rules}"
        yield f"              features {decision.feature_set}, mapping {mapping}"
    for written, state in endings(archive, place, epochs_of(archive, place)):
        f, part = written.fragment, written.part.partition(":")[0]
        yield (
            f"ledger        {part}: {state} (batch {f.first}-{f.last}, generation {f.generation}, "
            f"try {f.attempt}, epoch {f.epoch})"
        )


def _added(explanation: Explanation) -> Iterator[str]:
    """What adds up, a line each."""
    yield f"added up      by {explanation.by}, in {explanation.unit}"
    yield f"              {explanation.base:+10.4f}  to begin with"
    for part in explanation.parts:
        value = "" if part.value is None else f" = {part.value:.6g}"
        usual = ""
        if part.normal is not None:
            usual = f" (usual {part.normal[0]:.6g} to {part.normal[1]:.6g})"
        yield f"              {part.amount:+10.4f}  {shown(part.of)}{value}{usual}"
    if explanation.rest:
        yield f"              {explanation.rest:+10.4f}  all others"
    yield f"              {explanation.total:+10.4f}  together"
