"""What all commands share: the root, the settings, and how errors and progress look."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.data.printable import lines_shown

if TYPE_CHECKING:
    from apps.local.steps import Steps
    from stormwatch.domains.maintenance.equipment import Types
    from stormwatch.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
"""The project: where project.clj, topologies/ and stormwatch.toml are."""

COMMAND = "./stormwatch"


def settings() -> "Settings":
    """The settings as this machine has them now. Raises SettingsError."""
    from stormwatch.settings import load

    return load(root=ROOT)


def equipment(named: str) -> "Types":
    """The equipment types with the one in this file, or of this name, as the default; of "" those
    of the settings. Raises SettingsError."""
    from stormwatch.domains.maintenance.equipment import chosen

    known = settings()
    return chosen(replace(known, maintenance_equipment=named) if named else known)


def answered(*names: str) -> "Settings":
    """The settings, of a machine where these services (kafka, cassandra, store) answer.

    Raises ServiceError at once where one does not, with the command that starts it.
    """
    from apps.local.services import manage

    found = settings()
    manage.expect(found, ROOT, names)
    return found


def log_to(settings: "Settings", name: str) -> None:
    """Send what libraries log to a file: the screen is for what the command itself prints."""
    import logging

    from apps.local.services.home import private

    private(ROOT / settings.run_dir)
    logs = ROOT / settings.run_dir / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=logs / f"{name}.log",
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
        level=logging.WARNING,
        force=True,
    )


def example(*lines: str) -> str:
    """The end of a command's help: examples, kept line by line."""
    return "\b\nExamples:\n" + "\n".join(f"  {COMMAND} {line}" for line in lines)


def print_json(document: Any) -> None:
    """A document for other programs, on stdout."""
    import json

    import msgspec

    text = msgspec.json.format(msgspec.json.encode(document)).decode()
    # JSON needs no escape for every control character, but a terminal obeys it all the same.
    print("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))


def complain(message: str) -> None:
    """An error, on stderr."""
    start, end = ("\033[31m", "\033[0m") if colours(sys.stderr) else ("", "")
    print(f"{start}error:{end} {lines_shown(message)}", file=sys.stderr)


def colours(stream: Any) -> bool:
    """Whether escape codes are welcome on the stream."""
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR")


def steps() -> "Steps":
    """Progress as lines on stderr."""
    from apps.local.steps import Steps, on_terminal

    def say(step: str, detail: str) -> None:
        print(f"{step}: {detail}", file=sys.stderr, flush=True)

    return Steps(say, renew=on_terminal())
