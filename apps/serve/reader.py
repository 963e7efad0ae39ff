"""Questions about what is stored, and their answers: the one way to ask, of API and command line.

Each is bounded in rows and in time. All raise InfrastructureError where Kafka or the store does
not answer; NotFound where there is no such thing.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from functools import cache
from threading import Lock
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from apps.data.in_words import by_weight
from apps.data.kinds import BY_TOPOLOGY, named
from apps.data.streams import every
from apps.operate import explain
from apps.operate.journey import Place, endings, epochs_of
from apps.operate.missing import NotFound
from apps.serve import answers
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.archive import AlertPlace, Archive
from stormwatch.dead_letters import redaction
from stormwatch.errors import StormwatchError
from stormwatch.partitioner import stripe_of
from stormwatch.people import OPEN, AlertKey, People, Work
from stormwatch.ports import Source, StoredAside
from stormwatch.records import Decision, DecisionKey, DecisionRow, Record
from stormwatch.settings import Settings
from stormwatch.state.envelope import newest_of

DAY_MS = 86_400_000
LIMIT = 500
"""Rows of an answer at most."""
DAYS = 92
"""Days of event time that one question looks back at most."""
LOOKED = 500
"""Alerts that one filtered list looks at, at once; `next` goes on from there."""
_LAST = chr(0x10FFFF)  # after any entity
_AHEAD_MS = 1  # a cursor is exclusive, the newest event is not

Domain = Annotated[str, Meta(min_length=1, max_length=48, description="A topology's name.")]
Entity = Annotated[str, Meta(min_length=1, max_length=1_000, description="Customer or machine.")]
Word = Annotated[str, Meta(max_length=200)]
Limit = Annotated[int, Meta(ge=1, le=LIMIT, description="Rows at most.")]
After = Annotated[str, Meta(max_length=4_000, description="`next` of the page before.")]

Features = Annotated[
    str, Meta(max_length=2_000, description="Names of features to show, with commas between.")
]

_decision = msgspec.json.Decoder(Decision).decode


class BadCursor(StormwatchError):
    """A cursor that was not given by an answer."""


class ListAlerts(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of a list of alerts."""

    domain: Domain
    limit: Limit = 50
    features: Features = ""
    after: After = ""
    outcome: Word = ""
    rule: Annotated[str, Meta(max_length=200, description="Code of one of its reasons.")] = ""
    model: Annotated[str, Meta(max_length=200, description="Version of the model.")] = ""
    since: Annotated[int, Meta(description="Kafka's time, ms: from then on.")] = 0
    until: Annotated[int, Meta(description="Kafka's time, ms: before then; 0: now.")] = 0
    status: Annotated[
        str, Meta(pattern="^(|open|acknowledged|closed|snoozed)$", description="What people did.")
    ] = ""


class ListDecisions(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of a list of one entity's decisions, newest event first."""

    domain: Domain
    entity: Entity
    limit: Limit = 100
    days: Annotated[int, Meta(ge=1, le=DAYS, description="Days to look back.")] = 31
    features: Features = ""
    after: After = ""


class OneDecision(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of one decision."""

    domain: Domain
    entity: Entity
    time: Annotated[int, Meta(description="Of the event, ms.")]
    id: Entity


class ListAsides(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of a list of records that were set aside."""

    domain: Domain
    limit: Limit = 50


class Reader(NamedTuple):
    """Asks the store; `source` opens a topic of Kafka, to show the record itself."""

    archive: Archive
    settings: Settings
    source: Callable[[str], Source]
    lock: Lock

    def streams(self) -> list[answers.Stream]:
        """The topologies that there are."""
        return [
            answers.Stream(each.topology, each.topic, each.events, sorted(_alerting(each.topology)))
            for each in every(self.settings)
        ]

    def alerts(self, asked: ListAlerts) -> answers.Page:
        """Alerts, newest first by Kafka's time."""
        known(asked.domain)
        place: AlertPlace | None = None
        if asked.after:
            place = AlertPlace(*from_cursor(asked.after, tuple[int, str, str]))
        elif asked.until:
            place = AlertPlace(asked.until, _LAST, "")
        found: list[answers.Summary] = []
        looked = 0
        filtered = asked.outcome or asked.rule or asked.model or asked.status
        while len(found) < asked.limit and looked < LOOKED:
            rows = self._alerts(asked.domain, place, LOOKED if filtered else asked.limit)
            if not rows:
                return answers.Page(found, None)
            for each in self._worked(asked.domain, rows, asked.features):
                if each.timestamp < asked.since:
                    return answers.Page(found, None)
                place = AlertPlace(each.timestamp, each.entity, each.id)
                looked += 1
                if self._is_asked_for(asked, each):
                    found.append(each)
                    if len(found) == asked.limit:
                        break
        return answers.Page(found, None if place is None else cursor(place))

    def _alerts(self, domain: str, place: AlertPlace | None, limit: int) -> list[DecisionRow]:
        if place is None:
            return self.archive.alerts(domain, limit)
        return self.archive.alerts_after(domain, place, limit)

    @staticmethod
    def _is_asked_for(asked: ListAlerts, one: answers.Summary) -> bool:
        return (
            asked.outcome in ("", one.outcome)
            and asked.model in ("", one.model)
            and (not asked.rule or any(reason.code == asked.rule for reason in one.reasons))
            and asked.status in ("", status_of(one.work, now_ms()))
        )

    def decisions(self, asked: ListDecisions) -> answers.Page:
        """One entity's decisions, newest event first."""
        known(asked.domain)
        stripe = stripe_of(asked.entity, self.settings.layout_stripes)
        if asked.after:
            before = from_cursor(asked.after, tuple[int, str])
        else:
            state = self.archive.find_state(asked.domain, stripe, asked.entity)
            if state is None:
                raise NotFound(
                    f"{asked.domain} has decided nothing of {asked.entity!r}, or not for "
                    f"{self.settings.ttl_states_d} days. Alerts name the entities that there are."
                )
            before = (newest_of(state.blob) + _AHEAD_MS, "")
        rows = self.archive.decisions_of(
            asked.domain, stripe, asked.entity, before[0] - asked.days * DAY_MS, before, asked.limit
        )
        whole = len(rows) == asked.limit
        onward = cursor((rows[-1].time, rows[-1].id)) if whole else None
        wanted = asked.features.split(",") if asked.features else ()
        found = [summary(asked.domain, row, features=wanted) for row in rows]
        return answers.Page(found, onward)

    def decision(self, asked: OneDecision) -> answers.Whole:
        """One decision with its features, versions, ledger rows and record."""
        row, decision = self._one(asked)
        names = _features(asked.domain, decision.feature_set) or tuple(
            f"feature {i}" for i in range(len(decision.features))
        )
        record = self.record(Place(decision.topic, decision.partition, decision.offset))
        return answers.Whole(
            summary(asked.domain, row),
            dict(zip(names, decision.features, strict=False)),
            decision.feature_set,
            decision.model,
            decision.rules,
            self.written(self.archive, Place(decision.topic, decision.partition, decision.offset)),
            self._value(record),
        )

    def cleared(self, asked: OneDecision) -> answers.Cleared:
        """What would have cleared an alert: scored again, of a machine from its readings before."""
        row, d = self._one(asked)
        if not row.alert:
            return answers.Cleared([], "it is no alert")
        place = Place(d.topic, d.partition, d.offset)
        found = self.record(place)
        event = None if found is None else explain.event_of(self.settings, d, found)

        def before() -> list[Record]:
            with self.lock:
                return list(explain.before(self.source(d.topic), place))

        return answers.Cleared(*explain.cleared(self.settings, event, d, before))

    def _one(self, asked: OneDecision) -> tuple[DecisionRow, Decision]:
        known(asked.domain)
        stripe = stripe_of(asked.entity, self.settings.layout_stripes)
        key = DecisionKey(stripe, asked.entity, asked.time, asked.id)
        found = self.archive.find_decisions(asked.domain, [key])
        if not found:
            raise NotFound(
                f"{asked.domain} has no decision {asked.id!r} of {asked.entity!r} at {asked.time}. "
                "A list of the entity's decisions has the ids and times that there are."
            )
        return found[0], _decision(bytes(found[0].body))

    def asides(self, asked: ListAsides) -> answers.Asides:
        """The newest records that were set aside."""
        known(asked.domain)
        found = self.archive.set_aside(asked.domain, asked.limit)
        return answers.Asides([aside(asked.domain, each, self.settings) for each in found])

    def _worked(
        self, domain: str, rows: Sequence[DecisionRow], features: str = ""
    ) -> list[answers.Summary]:
        """Alerts with what people did about them."""
        wanted = features.split(",") if features else ()
        found = [summary(domain, row, features=wanted) for row in rows]
        return worked(self.archive, domain, found)

    @staticmethod
    def written(archive: Archive, place: Place) -> list[answers.Written]:
        """What the ledger says of a record."""
        found = endings(archive, place, epochs_of(archive, place))
        return [
            answers.Written(
                row.part.partition(":")[0], state, row.fragment.first, row.fragment.last,
                row.fragment.epoch, row.fragment.generation, row.fragment.attempt, row.age,
            )
            for row, state in found
        ]  # fmt: skip

    def record(self, place: Place) -> Record | None:
        """A record of Kafka, None where it has none there."""
        with self.lock:  # a source reads at one place at a time
            return (
                self.source(place.topic).peek({place.partition: place.offset}).get(place.partition)
            )

    def _value(self, found: Record | None) -> str | None:
        if found is None or found.value is None:
            return None
        return _text(redaction.mask(found.value, redaction.names(self.settings.mask_fields)))


def aside(domain: str, found: StoredAside, settings: Settings) -> answers.Aside:
    """A stored set-aside record, masked."""
    row, masked = found.row, redaction.names(settings.mask_fields)
    return answers.Aside(
        domain, row.state, row.code, row.reason.strip(), row.component, row.timestamp,
        f"{found.topic}/{found.partition}/{row.offset}",
        None if row.raw is None else _text(redaction.mask(bytes(row.raw), masked)),
    )  # fmt: skip


def summary(
    domain: str, row: DecisionRow, said: str = "", features: Sequence[str] = ()
) -> answers.Summary:
    """A stored decision as it stands in a list, with these features where it has them."""
    told = answers.Summary(
        domain, row.entity, row.id, row.time, row.outcome, row.score, row.alert, [], False,
        row.timestamp, "", said, key=cursor((domain, row.entity, row.time, row.id)),
    )  # fmt: skip
    try:
        decision = _decision(bytes(row.body))
    except msgspec.MsgspecError:  # written by another version: what the columns say is shown
        return told
    told.reasons = by_weight(decision.reasons)
    told.model = decision.model
    told.explanations = list(decision.explanations or ())
    told.degraded = decision.degraded is True
    told.record = f"{decision.topic}/{decision.partition}/{decision.offset}"
    told.interval = None if decision.interval is msgspec.UNSET else decision.interval
    if features:
        names = _features(domain, decision.feature_set)
        values = dict(zip(names, decision.features, strict=False))
        told.features = {name: values[name] for name in features if name in values}
    return told


def status_of(work: Work | None, now: int) -> str:
    """open, acknowledged, closed; or snoozed, as long as it is."""
    if work is None:
        return OPEN
    return "snoozed" if work.snoozed_until > now else work.status


def worked(people: People, domain: str, some: list[answers.Summary]) -> list[answers.Summary]:
    """These with what people did about them. Raises StoreUnavailable."""
    works = people.works(domain, [AlertKey(each.entity, each.time, each.id) for each in some])
    for each in some:
        each.work = works.get(AlertKey(each.entity, each.time, each.id))
    return some


def cursor(place: tuple[Any, ...]) -> str:
    """Where a page ends, as one opaque word."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).decode().rstrip("=")


def alert_of(key: str) -> tuple[str, AlertKey]:
    """Domain and place that a `key` of an answer names. Raises NotFound."""
    try:
        domain, *place = from_cursor(key, tuple[str, str, int, str])
    except BadCursor as error:
        raise NotFound(
            "There is no such key: each alert and decision of a list has its own."
        ) from (error)
    return domain, AlertKey(*place)


def from_cursor(text: str, kind: Any) -> Any:
    """What `cursor` made. Raises BadCursor."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.msgpack.decode(raw, type=kind)
    except (binascii.Error, ValueError) as error:
        raise BadCursor(
            "is not the `next` of an answer: leave it out for the first page"
        ) from error


def known(domain: str) -> None:
    """Raises NotFound for another domain than there are."""
    if domain not in BY_TOPOLOGY:
        raise NotFound(f"There is no domain {domain!r}. There are: {', '.join(BY_TOPOLOGY)}.")


@cache
def _class_of(domain: str) -> Any:
    """The domain's class, or one that a function makes by the default settings."""
    place = BY_TOPOLOGY[domain].domain
    if "." in place.partition(":")[2]:
        return named(place.rpartition(".")[0])
    return named(place)(Settings()) if place else None


def _alerting(domain: str) -> frozenset[str]:
    return getattr(_class_of(domain), "alert_outcomes", frozenset())


def _features(domain: str, feature_set: str) -> tuple[str, ...]:
    """Names of the features of a set: the domain's own, or another that it decides by."""
    made = _class_of(domain)
    others: dict[str, tuple[str, ...]] = getattr(made, "other_features", {})
    return others.get(feature_set, getattr(made, "feature_names", ()))


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")
