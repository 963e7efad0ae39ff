"""What commands share that change rules or models while records flow."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli import app as shared

if TYPE_CHECKING:
    from apps.operate.rollout.changing import Who
    from stormwatch.archive import Archive
    from stormwatch.rollout.changes import Change
    from stormwatch.settings import Settings

WAIT_S = 10.0
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the history.")]


@contextmanager
def opened() -> "Iterator[tuple[Settings, Archive]]":
    """The settings and what Cassandra keeps, closed at the end. Raises StormwatchError."""
    from apps.cli.connect import stored

    settings = shared.settings()
    with stored(settings) as archive:
        yield settings, archive


def who(reason: str) -> "Who":
    """The user of this machine, now."""
    import getpass
    import time

    from apps.operate.rollout.changing import Who

    return Who(getpass.getuser(), reason, time.time_ns() // 1_000_000)


def settled(shadow: bool, canary: float) -> tuple[str, float]:
    """State and share. Raises a usage error for both, or a share that is none."""
    if shadow and canary:
        raise typer.BadParameter("--shadow and --canary exclude each other")
    if canary and not 0 < canary < 1:
        raise typer.BadParameter("--canary takes a share between 0 and 1, such as 0.05")
    return ("shadow" if shadow else "canary" if canary else "live"), canary


def dated(at: int) -> str:
    """A moment in ms, in words, UTC."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def announced(settings: "Settings", archive: "Archive", made: "Change") -> None:
    """Tell the running tasks, wait for them, and say how it went; exit code 1 where one refused."""
    from apps.local.services import manage
    from apps.operate.rollout import changing
    from stormwatch.errors import StormwatchError

    versions = ", ".join(f"{e.version} {e.state}" for e in made.entries) or "that of the settings"
    print(f"revision {made.revision} of {made.domain} {made.kind}: {versions}")
    try:
        manage.expect(settings, shared.ROOT, ("kafka",))
        changing.announce(settings, made)
    except StormwatchError as error:
        shared.complain(
            f"It is kept, and in force from the next start on; running tasks were not told: {error}"
        )
        raise typer.Exit(1) from error
    taken = changing.wait(archive, made, WAIT_S)
    if not taken.tasks:
        print(f"no task of {made.domain} runs now: in force from the next start on")
        return
    print(f"in force on {taken.by} of {taken.tasks} tasks after {taken.seconds:.1f} s")
    if taken.by < taken.tasks:
        why = f"{taken.refused} refused it" if taken.refused else "the others were not heard of"
        print(f"{why}: their logs say why; what was in force there stays", file=sys.stderr)
        raise typer.Exit(1)
