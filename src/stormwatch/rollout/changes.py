"""What the registry keeps: numbered changes of what is in force, and how one is announced. Pure."""

from hashlib import sha256
from typing import Literal

import msgspec

from stormwatch.settings import Settings

RULES, MODEL = "rules", "model"
KINDS = (RULES, MODEL)
PREFIX = "rollout/"
"""How keys of announcements in the control topic begin; domain and kind follow."""
CHUNK = 1_000_000
"""Bytes of an artefact that stand in one row."""

State = Literal["live", "canary", "shadow"]


class Entry(msgspec.Struct, frozen=True):
    """A version that is in force."""

    version: str
    """As decisions name it."""
    sha256: str
    """Of its artefact."""
    state: State = "live"
    share: float = 0.0
    """Of a canary: the share of entities that it decides, above 0 and below 1."""
    may_jump: bool = False
    """Its scores are expected to be others than those of the version before."""


class Change(msgspec.Struct, frozen=True):
    """One change of the rules or the model of a domain. Never altered."""

    domain: str
    kind: str
    revision: int
    """1, 2, ...: of this domain and kind."""
    at: int
    """When, ms, by the clock of who made it."""
    author: str
    reason: str
    act: str
    """In words, such as "push" or "list add"."""
    entries: tuple[Entry, ...] = ()
    """What is in force from here on; what is not among them is not. Without a live one that of the
    settings is."""

    @property
    def live(self) -> Entry | None:
        """The version that decides what no canary does; None: that of the settings."""
        return next((entry for entry in self.entries if entry.state == "live"), None)

    @property
    def trials(self) -> tuple[Entry, ...]:
        """Canaries and shadows."""
        return tuple(entry for entry in self.entries if entry.state != "live")


_read = msgspec.json.Decoder(Change).decode


def key_of(domain: str, kind: str) -> str:
    """Of an announcement."""
    return f"{PREFIX}{domain}/{kind}"


def encode(change: Change) -> bytes:
    """As it is kept and announced."""
    return msgspec.json.encode(change)


def decode(data: bytes) -> Change:
    """Raises msgspec.DecodeError."""
    return _read(data)


def misread(key: str, value: bytes | None) -> str:
    """What is wrong with a record of the control topic that announces a change; "" if nothing is.

    Of a key that announces none nothing is wrong.
    """
    if not key.startswith(PREFIX) or value is None:
        return ""
    try:
        change = decode(value)
    except msgspec.DecodeError as error:
        return f"it announces no change that this version understands: {error}"
    if key != key_of(change.domain, change.kind) or change.kind not in KINDS:
        return f"its key is {key!r}, and it is a change of {change.domain}/{change.kind}"
    return ""


def digest(artefact: bytes) -> str:
    """What an artefact is named by."""
    return sha256(artefact).hexdigest()


def chunks(artefact: bytes) -> list[bytes]:
    """As it is stored; at least one."""
    return [artefact[at : at + CHUNK] for at in range(0, max(len(artefact), 1), CHUNK)]


def field_of(domain: str, kind: str) -> str:
    """The setting that a version takes the place of."""
    return f"{domain}_{kind}"


def kinds_of(domain: str) -> tuple[str, ...]:
    """What of a domain can be changed while it runs: what settings can name."""
    known = Settings.__dataclass_fields__
    return tuple(kind for kind in KINDS if field_of(domain, kind) in known)
