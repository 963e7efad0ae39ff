"""The judge that a decision was made by, of the versions that it names."""

from collections.abc import Callable
from typing import Any

from apps.operate.domains import MAKE
from apps.operate.rollout import changing
from stormwatch.adapters.versions import with_version
from stormwatch.models import NONE
from stormwatch.ports import Registry
from stormwatch.rollout.changes import KINDS, Entry, kinds_of
from stormwatch.settings import Settings

Judge = Any
Names = tuple[str, str]
"""Model and rules, as a decision has them."""
Resolve = Callable[[Names], Judge]
"""None where a version is neither that of the settings nor of the registry."""


def resolver(settings: Settings, registry: Registry, domain: str, own: Judge) -> Resolve:
    """`own`: the domain as the settings have it. Each version is loaded once.

    Where no model decided (NONE) any judge with these rules is given.
    """
    known: dict[str, dict[str, Entry]] = {}
    made: dict[Names, Judge] = {(own.model_version, own.rules_version): own}

    def entries(kind: str) -> dict[str, Entry]:
        if kind not in known:
            changes = registry.changes(domain, kind, changing.HISTORY)
            known[kind] = {e.version: e for c in reversed(changes) for e in c.entries}
        return known[kind]

    def load(names: Names) -> Judge:
        wanted = {"model": names[0], "rules": names[1]}
        mine = {"model": own.model_version, "rules": own.rules_version}
        found = settings
        for kind in (kind for kind in KINDS if wanted[kind] not in (NONE, mine[kind])):
            entry = entries(kind).get(wanted[kind]) if kind in kinds_of(domain) else None
            if entry is None:
                return None
            found = with_version(found, domain, kind, entry, registry)
        return own if found is settings else MAKE[domain](found)

    def resolve(names: Names) -> Judge:
        if names not in made:
            made[names] = load(names)
        return made[names]

    return resolve
