"""Everything that is stored of one customer or machine, erased: states, decisions, alerts with what
people did about them, set-aside records; and its name in the audit log.
"""

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

import msgspec

from apps.operate.casework import Who, audited
from apps.operate.domains import chosen
from apps.operate.figures import measured
from stormwatch.archive import Archive, Erased
from stormwatch.partitioner import stripe_of
from stormwatch.people import People
from stormwatch.ports import StoredAside
from stormwatch.records import DAY_MS, Decision, day_of
from stormwatch.settings import Settings

WINDOW_MS = 92 * DAY_MS
AT_ONCE = 500
AUDIT_DAYS, AUDIT_ROWS = 366, 10_000
FRESH_MS = 30_000
FORGOTTEN = "forgotten"
_decision = msgspec.json.Decoder(Decision).decode


class Forgotten(NamedTuple):
    """What was erased; `running`: a topology whose memory may still hold the state."""

    states: int
    decisions: int
    set_aside: int
    audit: int
    running: bool


def forget(
    settings: Settings, archive: Archive, domain: str, entity: str, who: Who, now: int
) -> Forgotten:
    """Erase it. Raises SettingsError, StoreUnavailable: then call it again.

    Bolts that run hold states in memory: where one knows the entity, its next event stores that
    state again. What Kafka has stays until its retention.
    """
    name = f"{domain}/{sha256(entity.encode()).hexdigest()[:16]}"
    stripe = stripe_of(entity, settings.layout_stripes)
    states = decisions = set_aside = 0
    running = False
    with audited(archive, who, "forget", name, "", now):
        for stream in chosen(settings, domain):
            own = stream.topology
            for some in _decisions(settings, archive, own, stripe, entity, now):
                decisions += archive.erase_decisions(own, some)
            letters = list(_letters(archive, own, entity))
            set_aside += archive.erase_asides(own, letters)
            states += archive.erase_state(own, stripe, entity)
            running = running or any(
                now - one.at < FRESH_MS for _, one in measured(archive.meters(own))
            )
        audit = _rename(archive, domain, entity, now)
    return Forgotten(states, decisions, set_aside, audit, running)


def _decisions(
    settings: Settings, archive: Archive, domain: str, stripe: int, entity: str, now: int
) -> Iterator[list[Erased]]:
    """All, a page at a time, from a day after now back to where decisions end."""
    newest = now + DAY_MS
    oldest = now - settings.ttl_decisions_d * DAY_MS
    while newest > oldest:
        since, before = newest - WINDOW_MS, (newest, "")
        while rows := archive.decisions_of(domain, stripe, entity, since, before, AT_ONCE):
            before = (rows[-1].time, rows[-1].id)
            found = []
            for row in rows:
                try:
                    d = _decision(bytes(row.body))
                    place = (d.topic, d.partition)
                except msgspec.MsgspecError:  # of another version: its alert ends with its TTL
                    place = ("", 0)
                found.append(Erased(stripe, entity, row.time, row.id, *place, row.timestamp))
            yield found
        newest = since


def _letters(archive: Archive, domain: str, entity: str) -> Iterator[StoredAside]:
    """Set-aside records that name it, as a word of their own."""
    named = re.compile(rb"(?<![\w-])" + re.escape(entity.encode()) + rb"(?![\w-])")
    for one in archive.asides(domain):
        texts = (one.row.key, one.row.raw, one.row.reason.encode())
        if any(text and named.search(bytes(text)) for text in texts):
            yield one


def _rename(people: People, domain: str, entity: str, now: int) -> int:
    count = 0
    for day in range(day_of(now), day_of(now) - AUDIT_DAYS, -1):
        for row in people.audit(day, AUDIT_ROWS):
            if row.target.startswith(f"{domain}/{entity}/"):
                people.write_audit(
                    msgspec.structs.replace(row, target=f"{domain}/{FORGOTTEN}", detail="")
                )
                count += 1
    return count
