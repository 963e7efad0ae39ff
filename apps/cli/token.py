"""`token`: who may ask the API, with which role."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli import app as shared
from apps.data.printable import shown

if TYPE_CHECKING:
    from stormwatch.archive import Archive

app = typer.Typer(
    help="Tokens for the API and the page: viewer, analyst, operator.",
    epilog=shared.example("token add ann --role analyst", "token list", "token revoke ann"),
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(epilog=shared.example("token add ann --role analyst", "token add grafana --days 366"))
def add(
    name: Annotated[str, typer.Argument(help="Who it is for; the audit log names it.")],
    role: Annotated[
        str, typer.Option(help="viewer reads, analyst works on alerts, operator does all.")
    ] = "viewer",
    days: Annotated[int, typer.Option(help="How long it holds, 366 at most.")] = 90,
) -> None:
    """Make a token and print it, this once: only a hash of it is stored."""
    from apps.operate import tokens
    from stormwatch.adapters.storm.resources import now_ms

    with _audited("token.add", name, f"{role}, {days} days") as archive:
        text = tokens.add(archive, name, role, days, now_ms())
    print(text)


@app.command("list", epilog=shared.example("token list", "token list --json"))
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List tokens: names, roles, until when; never the tokens themselves."""
    from apps.cli.connect import stored
    from apps.data.moments import moment
    from stormwatch.adapters.storm.resources import now_ms

    with stored(shared.settings()) as archive:
        found = archive.tokens()
    now = now_ms()
    state = {
        t.name: "revoked" if t.revoked else "holds" if t.holds(now) else "expired" for t in found
    }
    if as_json:
        shared.print_json([
            {"name": t.name, "role": t.role, "state": state[t.name], "created": t.created,
             "expires": t.expires, "revoked": t.revoked} for t in found
        ])  # fmt: skip
        return
    for t in found:
        print(shown(f"{t.name:<20} {t.role:<9} {state[t.name]:<8} until {moment(t.expires)}"))
    if not found:
        print("There is no token: the API is served to this machine alone.")


@app.command(epilog=shared.example("token revoke ann"))
def revoke(name: Annotated[str, typer.Argument(help="As `token list` shows it.")]) -> None:
    """Take a token back; servers notice within five seconds."""
    from stormwatch.adapters.storm.resources import now_ms
    from stormwatch.errors import SettingsError

    with _audited("token.revoke", name, "") as archive:
        if not archive.revoke_token(name, now_ms()):
            raise SettingsError(f"There is no token {name!r}. `./stormwatch token list` has them.")
    print(f"{name} is revoked.")


@contextmanager
def _audited(act: str, target: str, detail: str) -> "Iterator[Archive]":
    """The store, with the act in the audit log."""
    import getpass
    import socket

    from apps.cli.connect import stored
    from apps.operate.casework import Who, audited
    from stormwatch.adapters.storm.resources import now_ms
    from stormwatch.people import OPERATOR

    who = Who(f"{getpass.getuser()}@{socket.gethostname()}", OPERATOR, "command")
    with stored(shared.settings()) as archive, audited(archive, who, act, target, detail, now_ms()):
        yield archive
