"""Decisions of all entities of a domain, by Kafka's time, outcome, rule and model."""

from typing import Annotated

import msgspec
from msgspec import Meta

from apps.serve import answers
from apps.serve.reader import (
    DAY_MS,
    After,
    Domain,
    Features,
    Limit,
    Reader,
    Word,
    cursor,
    from_cursor,
    known,
    summary,
    worked,
)
from apps.serve.route import Route
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.archive import AlertPlace
from stormwatch.errors import SettingsError
from stormwatch.records import DecisionKey
from stormwatch.state.decided import Entry

DAYS = 7
"""Days of Kafka's time that one question spans at most."""
LOOKED = 5_000
"""Decisions that one question looks at; `next` goes on from there."""
_AHEAD_MS = 60_000  # a broker's clock may be ahead of this one


class ListDecided(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of a list of decisions, of whatever entity."""

    domain: Domain
    limit: Limit = 50
    since: Annotated[
        int, Meta(description="Kafka's time, ms: from then on; 0: 7 days before `until`.")
    ] = 0
    until: Annotated[int, Meta(description="Kafka's time, ms: before then; 0: now.")] = 0
    outcome: Word = ""
    rule: Annotated[str, Meta(max_length=200, description="Code of one of its reasons.")] = ""
    model: Annotated[str, Meta(max_length=200, description="Version of the model.")] = ""
    features: Features = ""
    after: After = ""


def decided(reader: Reader, asked: ListDecided) -> answers.Page:
    """The newest that fit. Raises SettingsError where the question spans too much."""
    known(asked.domain)
    until = asked.until or now_ms() + _AHEAD_MS
    since = asked.since or until - DAYS * DAY_MS
    if until - since > DAYS * DAY_MS:
        raise SettingsError(
            f"since: one question spans at most {DAYS} days, and from since to until are "
            f"{(until - since) / DAY_MS:,.1f}. Ask for a shorter time; `next` pages within it."
        )
    place: AlertPlace | None = None
    if asked.after:
        place = AlertPlace(*from_cursor(asked.after, tuple[int, str, str]))
        until = min(until, place.timestamp + 1)
    wanted, onward = _wanted(reader, asked, since, until, place)
    keys = [DecisionKey(e.stripe, e.entity, e.time, e.id) for e in wanted]
    stored = {
        (row.entity, row.time, row.id): row
        for row in reader.archive.find_decisions(asked.domain, keys)
    }
    names = asked.features.split(",") if asked.features else ()
    found = [
        summary(asked.domain, row, features=names)
        for e in wanted
        if (row := stored.get((e.entity, e.time, e.id))) is not None
    ]
    found = [one for one in found if asked.outcome in ("", one.outcome)]  # what stands counts
    return answers.Page(worked(reader.archive, asked.domain, found), onward)


def _wanted(
    reader: Reader, asked: ListDecided, since: int, until: int, place: AlertPlace | None
) -> tuple[list[Entry], str | None]:
    """The entries that fit, and where to go on."""
    found: list[Entry] = []
    looked = 0
    after = None if place is None else (-place.timestamp, place.entity, place.id)
    for slot in reader.archive.decided(asked.domain, since, until):
        for e in slot:
            if after is not None and (-e.timestamp, e.entity, e.id) <= after:
                continue
            looked += 1
            if _fits(asked, e):
                found.append(e)
            if len(found) == asked.limit or looked == LOOKED:
                return found, cursor(AlertPlace(e.timestamp, e.entity, e.id))
    return found, None


def _fits(asked: ListDecided, e: Entry) -> bool:
    return (
        asked.outcome in ("", e.outcome)
        and asked.model in ("", e.model)
        and (not asked.rule or asked.rule in e.codes)
    )


def route(reader: Reader) -> Route:
    """The route."""
    return Route(
        "/v1/decided", ListDecided, answers.Page,
        "Decisions of whatever entity by time, outcome, rule and model, newest first by Kafka's "
        "time.", lambda asked: decided(reader, asked),
    )  # fmt: skip
