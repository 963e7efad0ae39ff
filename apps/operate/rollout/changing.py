"""Writes a change of what is in force, tells the running tasks, and waits until they have it."""

import time
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

import msgspec

from stormwatch.adapters import connect
from stormwatch.errors import SettingsError, StormwatchError
from stormwatch.metrics import Snapshot
from stormwatch.ports import Registry, Store
from stormwatch.rollout.changes import Change, Entry, encode, key_of, kinds_of
from stormwatch.settings import Settings

HISTORY = 1_000
"""Changes of a kind that are looked through at most."""
FRESH_MS = 5_000
"""A task writes its figures once a second: one that did not for so long does not run."""


class Who(NamedTuple):
    """Who makes a change, why and when (ms)."""

    author: str
    reason: str
    at: int


class Conflict(StormwatchError):
    """Somebody else made a change meanwhile: `newest`."""

    def __init__(self, message: str, newest: Change) -> None:
        super().__init__(message)
        self.newest = newest


class Task(NamedTuple):
    """A task that decides, and which change of a kind it decides by; 0: what its settings name."""

    name: str
    revision: int
    refused: int


def check_domain(domain: str, kind: str) -> None:
    """Raises SettingsError for what cannot be changed while it runs."""
    if kind not in kinds_of(domain):
        raise SettingsError(
            f"{domain} has no {kind} that can be changed while it runs; fraud has rules and a "
            "model, maintenance a model."
        )


def newest(registry: Registry, domain: str, kind: str) -> Change | None:
    """The change that is in force; None where there never was one."""
    return next(iter(registry.changes(domain, kind, 1)), None)


def entry_of(registry: Registry, domain: str, kind: str, version: str) -> Entry:
    """The newest entry of a version that was ever in force, by its name or how that begins or ends.

    Raises SettingsError.
    """
    changes = registry.changes(domain, kind, HISTORY)
    found = {
        entry.version: entry for change in reversed(changes) for entry in change.entries
        if entry.version == version or entry.version.endswith(version)
    }  # fmt: skip
    if version in found:
        return found[version]
    if len(found) == 1:
        return next(iter(found.values()))
    known = ", ".join(dict.fromkeys(e.version for c in changes for e in c.entries)) or "none"
    what = "Several versions end" if found else "No version of the registry is named"
    raise SettingsError(f"{what} {version!r}. Known of {domain} {kind}: {known}.")


def change(
    registry: Registry,
    domain: str,
    kind: str,
    who: Who,
    act: str,
    entries: tuple[Entry, ...],
    *,
    onto: int,
    describe: Callable[[Change], str] = lambda newer: "",
) -> Change:
    """Keep the change that follows revision `onto` (0: none).

    Raises Conflict where that is not the newest: the sentence has what the other one changed, and
    `describe` adds to it. Nothing is kept then.
    """
    if not who.reason.strip():
        raise SettingsError('Say why, for who reads the history: --reason "...".')
    made = Change(domain, kind, onto + 1, who.at, who.author, who.reason, act, entries)
    there = newest(registry, domain, kind)
    if (there.revision if there else 0) == onto and registry.add_change(made):
        return made
    there = newest(registry, domain, kind)
    if there is None or there.revision < onto:
        raise SettingsError(
            f"There is no revision {onto} of the {kind} of {domain}; the newest is "
            f"{there.revision if there else 0}."
        )
    raise Conflict(
        f"{there.author} was first: revision {there.revision} of the {kind} of {domain} "
        f"({there.act}: {there.reason}) came after revision {onto}, which yours was made of. "
        f"{describe(there)}Nothing was changed. Look at it, and make yours of it "
        f"(--onto {there.revision}).",
        there,
    )


def announce(settings: Settings, made: Change) -> None:
    """Tell the running tasks. Raises BrokerUnavailable: then the next start takes it up."""
    with closing(connect.source(settings, settings.topic_control)) as source:
        source.remember(key_of(made.domain, made.kind), encode(made))


def tasks(store: Store, domain: str, kind: str, now: int) -> list[Task]:
    """The tasks that decide now, by what they wrote last."""
    found = []
    for (component, instance), body in sorted(store.meters(domain).items()):
        of = msgspec.json.decode(body, type=Snapshot)
        if of.follows == domain and now - of.at < FRESH_MS:
            found.append(Task(f"{component} {instance}", of.revisions.get(kind, 0), of.refused))
    return found


class Taken(NamedTuple):
    """How a change was taken up."""

    tasks: int
    by: int
    refused: int
    seconds: float


def wait(store: Store, made: Change, limit_s: float) -> Taken:
    """Until all tasks that decide have it, one refused it, or the time is over."""
    began = time.monotonic()
    refused = sum(t.refused for t in tasks(store, made.domain, made.kind, _now()))
    while True:
        found = tasks(store, made.domain, made.kind, _now())
        by = sum(task.revision >= made.revision for task in found)
        now_refused = max(0, sum(task.refused for task in found) - refused)
        passed = time.monotonic() - began
        if by == len(found) or by + now_refused >= len(found) or passed > limit_s:
            return Taken(len(found), by, now_refused, passed)
        time.sleep(0.2)


def _now() -> int:
    return time.time_ns() // 1_000_000
