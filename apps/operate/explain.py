"""`explain`: one decision whole, as a person reads it; and what would have cleared it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from apps.data import mappings
from apps.data.in_words import by_weight, score_in_words
from apps.data.moments import moment
from apps.data.printable import shown
from apps.operate.journey import Place, endings, epochs_of
from stormwatch.adapters import log_reader
from stormwatch.archive import Archive
from stormwatch.dead_letters import redaction
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.flips import flips as of_payment
from stormwatch.domains.fraud.parse import parse
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.flips import Stored
from stormwatch.domains.maintenance.flips import flips as of_reading
from stormwatch.errors import StormwatchError
from stormwatch.parsing.mapping import Mapped
from stormwatch.ports import Source
from stormwatch.reasons.flip import Flip
from stormwatch.records import Decision, DecisionRow, Explanation, Record
from stormwatch.settings import Settings

_ANY_MS = 1 << 52  # it was accepted: its time is not judged again
NEWEST = 500
"""Alerts among which an id is looked for."""
BEFORE = 10_000
"""Records before an alert that are read to learn its unit's readings again."""


Before = Callable[[], Iterable[Record]]
"""Reads the records of the decision's partition before it, in their order, BEFORE of them."""


def cleared(
    settings: Settings, event: Any, decision: Decision, before: Before = tuple
) -> tuple[list[Flip], str]:
    """What would have cleared a decision of an event; without any, why nothing is told."""
    if not isinstance(event, Transaction | Reading):
        return [], "not told: the record cannot be read again"
    try:
        domain = _domain(settings, isinstance(event, Transaction))
        known = {(domain.model_version, domain.rules_version)}
        known |= {versions[:2] for versions in domain.other_versions}
    except StormwatchError as error:
        return [], f"the model cannot be asked: {error}"
    if (decision.model, decision.rules) not in known:
        return [], (
            f"decided by {decision.model} and {decision.rules}; here are {domain.model_version} "
            f"and {domain.rules_version}, which would tell of another decision"
        )
    if isinstance(event, Transaction):
        found = of_payment(domain, event, decision.features, decision.outcome, decision.score)
    else:
        stored = Stored(decision.features, decision.outcome, decision.score)
        learned = _of_unit(settings, domain, decision, event, before())
        told = of_reading(domain, learned, event, stored)
        if told is None:
            return [], (
                f"not told: the last {BEFORE:,} records of the partition, or the settings of here, "
                "do not give the decision again"
            )
        found = told
    found = [_in_own_words(settings, decision, one) for one in found]
    return found, "" if found else "no change of one field alone clears it"


def _of_unit(
    settings: Settings, domain: Any, decision: Decision, event: Reading, before: Iterable[Record]
) -> Iterator[Reading]:
    """What the records say of the unit."""
    parse = mappings.parser(settings, decision.topic, domain)
    for record in before:
        made = parse(record.value or b"", record.timestamp, future_skew_ms=_ANY_MS)
        if isinstance(made, Reading) and made.unit == event.unit:
            yield made


def _in_own_words(settings: Settings, decision: Decision, flip: Flip) -> Flip:
    """With the place in the person's own record, where a mapping made the event of it."""
    mapped = _mapped(settings, decision)
    path = mapped.paths.get(flip.field) if mapped else None
    if path is None or path == flip.field:
        return flip
    text = f"{flip.text}, `{path}` of the record"
    return msgspec.structs.replace(flip, field=path, text=text)


def _mapped(settings: Settings, decision: Decision) -> Mapped | None:
    """The mapping that made the decision's event, if the settings have it still."""
    if decision.mapping is msgspec.UNSET:
        return None
    events = ("transactions", "readings")
    for one in (mappings.of(settings, kind, decision.topic) for kind in events):
        if one is not None and one.mark == decision.mapping:
            return one
    return None


def mapped_event(settings: Settings, topic: str, record: Record) -> Any:
    """What the mapping of the topic makes of a record; None without one, or where it refuses."""
    for events in ("transactions", "readings"):
        mapped = mappings.of(settings, events, topic)
        if mapped is not None:
            made = mapped.parse(record.value or b"", record.timestamp, future_skew_ms=_ANY_MS)
            return made if isinstance(made, Transaction | Reading) else None
    return None


def event_of(settings: Settings, decision: Decision, record: Record) -> Any:
    """The payment or reading that was decided; None of what is neither, or came by a mapping that
    the settings do not have."""
    if decision.mapping is not msgspec.UNSET:
        has_it = _mapped(settings, decision) is not None
        return mapped_event(settings, decision.topic, record) if has_it else None
    value, time = record.value or b"", record.timestamp
    made: Any = None
    if decision.topic == settings.topic_transactions:
        made = parse(value, time, future_skew_ms=_ANY_MS)
    elif decision.topic == settings.topic_readings:
        made = _domain(settings, False).parse(value, _ANY_MS)
    return made if isinstance(made, Transaction | Reading) else None


def before(source: Source, place: Place) -> Iterator[Record]:
    """See `Before`. What Kafka has no more is not among them."""
    first = max(source.watermarks(place.partition).low, place.offset - BEFORE)
    for some in log_reader.records(source, place.partition, first, place.offset):
        yield from some


@lru_cache(maxsize=2)
def _domain(settings: Settings, is_payment: bool) -> Any:
    """Made once a process: its model takes a moment to load."""
    kind = Fraud if is_payment else Maintenance
    return kind.from_settings(settings)


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
    before: Before = tuple,
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
            found, why_not = cleared(settings, event, decision, before)
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
