"""Models of a domain changed while it runs: pushed, promoted, rolled back, listed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from apps.operate.domains import MAKE
from apps.operate.rollout import changing
from apps.operate.rollout.changing import Who
from stormwatch.adapters.versions import with_version
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud import domain as fraud
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance import domain as maintenance
from stormwatch.errors import ModelError, SettingsError
from stormwatch.models import NONE, Card, card_of
from stormwatch.ports import Registry
from stormwatch.rollout.changes import MODEL, Change, Entry, field_of
from stormwatch.rollout.folder import pack
from stormwatch.settings import Settings

SHIPPED = {Fraud.name: fraud.SHIPPED, Maintenance.name: maintenance.SHIPPED}


class Version(msgspec.Struct, frozen=True):
    """A model that was ever pushed."""

    version: str
    sha256: str
    state: str
    """live, canary, shadow, or retired."""
    share: float
    since: int
    """When it came into that state, ms."""
    by: str
    reason: str
    revision: int


def push(
    settings: Settings, registry: Registry, domain: str, folder: Path, who: Who,
    state: str = "shadow", share: float = 0.0, may_jump: bool = False,
) -> Change:  # fmt: skip
    """Keep the model of a folder, and have it in force in that state.

    Raises ModelError for what cannot be used by this domain, SettingsError, Conflict; nothing is
    changed then.
    """
    changing.check_domain(domain, MODEL)
    card = checked(settings, registry, domain, folder)
    entry = Entry(
        card.version, registry.keep_artefact(pack(folder)), state, share, may_jump  # type: ignore[arg-type]
    )  # fmt: skip
    for before in _entries(registry.changes(domain, MODEL, changing.HISTORY)):
        if before.version == entry.version and before.sha256 != entry.sha256:
            raise ModelError(
                f"{folder} is named {entry.version}, as another model that was pushed before: "
                "decisions would not say which. Give its card another version."
            )
    return _changed(registry, domain, who, f"push as {state}", entry)


def checked(settings: Settings, registry: Registry, domain: str, folder: Path) -> Card:
    """The card of a model that this domain can change to while it runs. Raises ModelError."""
    card = card_of(folder)
    if card.version == NONE:
        raise ModelError(f"{folder} is no model. Name the folder of one.")
    made = MAKE[domain](_with(settings, domain, str(folder)))
    if made.model_version != card.version:
        raise ModelError(f"{folder} cannot be used: it is {made.model_version} when loaded.")
    there = current_card(settings, registry, domain)
    if card.window != there.window:
        raise ModelError(
            f"{folder} looks at {card.window} records of an entity, {there.version}, which is in "
            f"force, at {there.window}: states keep so many from the start on. Set {domain}.model "
            "and restart the topology."
        )
    if card.conditions != there.conditions:
        raise ModelError(
            f"{folder} knows other working conditions than {there.version}, which is in force: "
            f"units learn by them. Set {domain}.model and restart the topology."
        )
    return card


def current_card(settings: Settings, registry: Registry, domain: str) -> Card:
    """Of the live model. Raises ModelError."""
    change = changing.newest(registry, domain, MODEL)
    if change is not None and change.live is not None:
        settings = with_version(settings, domain, MODEL, change.live, registry)
    value = str(getattr(settings, field_of(domain, MODEL)))
    return card_of(Path(value) if value else SHIPPED[domain])


def promote(
    registry: Registry, domain: str, version: str, who: Who, state: str = "live",
    share: float = 0.0, may_jump: bool = False,
) -> Change:  # fmt: skip
    """Have a version that was pushed in force in that state. Raises SettingsError, Conflict."""
    changing.check_domain(domain, MODEL)
    known = changing.entry_of(registry, domain, MODEL, version)
    entry = Entry(known.version, known.sha256, state, share, may_jump)  # type: ignore[arg-type]
    act = f"promote to {state}" + (f" {share:.0%}" if share else "")
    return _changed(registry, domain, who, act, entry)


def rollback(registry: Registry, domain: str, who: Who) -> Change:
    """What is on trial is taken out; where nothing is, the live one goes back to that before it.

    Raises SettingsError where there is nothing to go back from.
    """
    changing.check_domain(domain, MODEL)
    changes = registry.changes(domain, MODEL, changing.HISTORY)
    if not changes or not changes[0].entries:
        raise SettingsError(f"{domain} runs with the model of its settings: nothing to roll back.")
    now, *older = changes
    if now.trials:
        entries = tuple(entry for entry in now.entries if entry.state == "live")
    else:
        other = next((each for each in older if each.live != now.live), None)
        entries = (other.live,) if other and other.live else ()
    return changing.change(registry, domain, MODEL, who, "rollback", entries, onto=now.revision)


def versions(registry: Registry, domain: str) -> list[Version]:
    """All that were ever pushed, the newest first, each in its state now."""
    changes = registry.changes(domain, MODEL, changing.HISTORY)
    now = {entry.version: entry for entry in (changes[0].entries if changes else ())}
    found: dict[str, Version] = {}
    for change in reversed(changes):
        there = {entry.version: entry for entry in change.entries}
        for name in {*found, *there}:
            entry, before = there.get(name), found.get(name)
            state = entry.state if entry else "retired"
            share = entry.share if entry else 0.0
            if before is None or (before.state, before.share) != (state, share):
                sha256 = entry.sha256 if entry else before.sha256 if before else ""
                found.pop(name, None)
                found[name] = Version(
                    name, sha256, state, share, change.at, change.author, change.reason,
                    change.revision,
                )  # fmt: skip
    return sorted(found.values(), key=lambda one: (one.version not in now, -one.since))


def card(settings: Settings, registry: Registry, domain: str, version: str) -> Card:
    """Of a version that was pushed. Raises SettingsError, ModelError."""
    entry = changing.entry_of(registry, domain, MODEL, version)
    found = with_version(settings, domain, MODEL, entry, registry)
    return card_of(Path(getattr(found, field_of(domain, MODEL))))


def _changed(registry: Registry, domain: str, who: Who, act: str, entry: Entry) -> Change:
    there = changing.newest(registry, domain, MODEL)
    before = there.entries if there else ()
    kept = tuple(
        each for each in before
        if each.version != entry.version and each.state != entry.state
    )  # fmt: skip
    return changing.change(
        registry, domain, MODEL, who, act, (*kept, entry), onto=there.revision if there else 0
    )


def _entries(changes: Sequence[Change]) -> list[Entry]:
    return [entry for change in changes for entry in change.entries]


def _with(settings: Settings, domain: str, folder: str) -> Settings:
    changes: dict[str, Any] = {field_of(domain, MODEL): folder}
    return replace(settings, **changes)
