"""`decisions` and `watch`: what was decided of one customer or machine, and all of it, live."""

from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli import app as shared

if TYPE_CHECKING:
    from apps.serve.live import Live


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        epilog=shared.example("decisions C0000042", "decisions pump-17 --limit 5 --json"),
        short_help="What was decided of one customer or machine, newest first.",
    )(decisions)
    app.command(
        epilog=shared.example("watch", "watch --json"),
        short_help="A live screen of alerts and figures, with keys.",
    )(watch)


def decisions(
    entity: Annotated[str, typer.Argument(help="A customer, machine, brand or user.")],
    domain: Annotated[str, typer.Option(help="fraud, maintenance …; by default wherever.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 20,
    days: Annotated[int, typer.Option(min=1, max=92, help="Days to look back.")] = 31,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what was decided of one customer or machine, newest event first, with the reasons.

    Exit code 1 where nothing is known of it.
    """
    from datetime import UTC, datetime

    from apps.cli.connect import reader, stored
    from apps.data.kinds import BY_TOPOLOGY
    from apps.data.printable import shown
    from apps.serve.reader import ListDecisions
    from apps.serve.screen import score, why
    from stormwatch.errors import StormwatchError

    settings = shared.settings()
    found, unknown = [], []
    with stored(settings) as archive:
        asked = reader(settings, archive)
        for name in [domain] if domain else BY_TOPOLOGY:
            try:
                page = asked.decisions(ListDecisions(name, entity, limit, days))
            except StormwatchError as error:  # of this domain nothing
                unknown.append(error)
                continue
            found += page.decisions
    if not found:
        if domain and unknown:
            raise unknown[0]
        shared.complain(
            f"Nothing was decided of {shown(entity)} in {days} days. "
            "./stormwatch alerts names customers and machines that there are."
        )
        raise typer.Exit(1)
    if as_json:
        shared.print_json(found)
        return
    for each in found:
        at = datetime.fromtimestamp(each.time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        mark = "!" if each.alert else " "
        print(f"{mark} {at} {each.domain:<12} {each.outcome:<12} {score(each):>8}  {why(each)}")
        print(f"{'':<24} {shown(each.record)}  {shown(each.id)}")


def watch(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print alerts as JSON, one a line, as they come.")
    ] = False,
) -> None:
    """Show alerts and figures as they come; j and k choose an alert, Enter says why, q leaves.

    Where the output is no terminal, each alert is printed as a line.
    """
    import sys

    from apps.cli.connect import connected
    from apps.data.streams import every
    from apps.serve.live import Live
    from apps.serve.server import Outside

    settings = shared.settings()
    shared.log_to(settings, "watch")
    with connected(settings) as (admin, archive):
        live = Live(every(settings), Outside(settings, admin, archive))
        live.watching = 1
        live.start()
        try:
            if not as_json and sys.stdin.isatty() and sys.stdout.isatty():
                on_screen(live)
            else:
                in_lines(live, as_json)
        finally:
            live.stop()


def on_screen(live: "Live") -> None:
    """Until q or Ctrl-C."""
    from rich.console import Console
    from rich.live import Live as Shown

    from apps.serve import screen

    console = Console(no_color=not shared.colours(console_stream()), highlight=False)
    view: screen.View | None = screen.View()
    alerts = live.now.alerts.alerts
    with screen.keys() as key, Shown(console=console, screen=True, auto_refresh=False) as display:
        while view is not None:
            now = live.now
            if not view.held:
                alerts = now.alerts.alerts
            display.update(screen.screen(now, alerts, view, console.size.height), refresh=True)
            pressed = key(0.5)
            domains = [each.domain for each in now.rates.figures]
            view = screen.pressed(view, pressed, domains, len(screen.chosen(alerts, view)))


def in_lines(live: "Live", as_json: bool) -> None:
    """Each alert as it comes, until a signal."""
    import msgspec

    from apps.data.printable import shown
    from apps.local.run.signals import Signals
    from apps.serve.screen import line

    known: set[tuple[str, int, str]] = set()
    with Signals() as signals:
        signals.only_ask()
        while not signals.pause(0.2):
            newest = live.now.alerts.alerts
            fresh = [a for a in newest if (a.entity, a.time, a.id) not in known]
            for alert in reversed(fresh):
                print(shown(msgspec.json.encode(alert)) if as_json else line(alert), flush=True)
            known = {(a.entity, a.time, a.id) for a in newest}


def console_stream() -> object:
    """Where the screen is drawn."""
    import sys

    return sys.stdout
