"""Who may push: a secret in the header `Authorization: Bearer …`."""

import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from stormwatch.errors import SettingsError

VARIABLE = "STORMWATCH_LAND_TOKENS"
FILE = "land-tokens"
"""Under the run directory: one token a line."""
_SHORTEST = 16

Allow = Callable[[str], bool]
"""Whether a request with this header `Authorization` may push."""


def tokens(run_dir: Path, file: Path | None, environ: dict[str, str]) -> tuple[Allow, str]:
    """Those of `file`; else of the environment, with commas between; else of FILE in the run
    directory, made at the first start. And where they are, in words. Raises SettingsError."""
    if file is None and (given := environ.get(VARIABLE, "")):
        return allow(given.replace(",", "\n"), VARIABLE), f"in {VARIABLE}"
    place = file or run_dir / FILE
    if file is None and not place.exists():
        run_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as out:
            out.write(secrets.token_urlsafe(32) + "\n")
    try:
        return allow(place.read_text(encoding="utf-8"), str(place)), f"in {place}"
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The tokens in {place} cannot be read: {error}. Give a text file with one token a "
            "line, or leave --tokens out."
        ) from error


def allow(text: str, where: str) -> Allow:
    """Checks against the tokens in a text, one a line. Raises SettingsError."""
    known = [line.strip().encode() for line in text.splitlines() if line.strip()]
    if not known or min(map(len, known)) < _SHORTEST:
        raise SettingsError(
            f"{where} must hold tokens, one a line, each of {_SHORTEST} characters or more: "
            "`openssl rand -hex 32` makes one."
        )

    def allowed(header: str) -> bool:
        kind, _, token = header.partition(" ")
        given = token.strip().encode("utf-8", "replace")
        matches = [hmac.compare_digest(given, one) for one in known]  # all: time says nothing
        return kind.lower() == "bearer" and any(matches)

    return allowed
