"""A version of the registry put in the place of a setting."""

from dataclasses import replace
from typing import Any

from stormwatch.adapters.model_folders import folder_of
from stormwatch.errors import ModelError, SettingsError
from stormwatch.ports import Registry
from stormwatch.rollout.changes import MODEL, Entry, digest, field_of
from stormwatch.settings import Settings


def fetched(registry: Registry, entry: Entry) -> bytes:
    """The artefact of a version. Raises ModelError where it is not whole, StoreUnavailable."""
    artefact = registry.artefact(entry.sha256)
    if artefact is None or digest(artefact) != entry.sha256:
        what = "missing" if artefact is None else f"other than it was ({len(artefact):,} bytes)"
        raise ModelError(
            f"the artefact of {entry.version} (sha256 {entry.sha256[:12]}) is {what} in Cassandra. "
            "Push it again."
        )
    return artefact


def with_version(
    settings: Settings, domain: str, kind: str, entry: Entry, registry: Registry
) -> Settings:
    """The settings with this version. Raises ModelError, SettingsError, StoreUnavailable."""
    artefact = fetched(registry, entry)
    if kind == MODEL:
        value = str(folder_of(entry.sha256, artefact))
    else:
        try:
            value = artefact.decode()
        except UnicodeDecodeError as error:
            raise SettingsError(f"{entry.version} is no text: {error}") from error
        value += "" if "\n" in value else "\n"
    changes: dict[str, Any] = {field_of(domain, kind): value}
    return replace(settings, **changes)
