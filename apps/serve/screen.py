"""`watch`: alerts and figures as a screen of text, with the words of the page. Pure but for `keys`.

What records say is shown escaped: it never reaches the terminal raw.
"""

import os
import re
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from apps.data.printable import shown
from apps.serve import answers

KEYS = "q quit  p hold  j k choose  Enter why  f next domain  ? keys"
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)")
_BROKEN = frozenset({"sensor_fault", "dead_lettered"})
_LEAVE = ("q", "\x03", "\x04")
_ROWS = 14  # of the screen that are not alerts


class View(NamedTuple):
    """What the reader chose."""

    domain: str = ""  # "" shows all
    chosen: int = 0  # which alert, from the top
    why: bool = False  # whether all its reasons are shown
    held: bool = False  # the list holds still
    help: bool = False


def pressed(view: View, key: str, domains: list[str], alerts: int) -> View | None:
    """The view after a key; None: the reader leaves."""
    order = ["", *domains]
    moves: dict[str, dict[str, object]] = {
        "p": {"held": not view.held},
        "j": {"chosen": min(view.chosen + 1, max(alerts - 1, 0)), "held": True},
        "k": {"chosen": max(view.chosen - 1, 0)},
        "\n": {"why": not view.why, "held": True},
        "f": {"domain": order[(order.index(view.domain) + 1) % len(order)], "chosen": 0},
        "?": {"help": not view.help},
    }
    key = {"\r": "\n", "\x1b[B": "j", "\x1b[A": "k"}.get(key, key)
    return None if key in _LEAVE else view._replace(**moves.get(key, {}))  # type: ignore[arg-type]


def chosen(alerts: list[answers.Summary], view: View) -> list[answers.Summary]:
    """The alerts that the view shows."""
    return [a for a in alerts if view.domain in ("", a.domain)]


def screen(now: answers.Now, alerts: list[answers.Summary], view: View, height: int) -> Group:
    """What is shown: is all well, the figures, the alerts."""
    parts: list[RenderableType] = [_well(now), _figures(now.rates.figures)]
    room = max(height - _ROWS - (4 if view.why else 0), 3)
    first = max(0, view.chosen - room + 1)
    rows = chosen(alerts, view)
    parts.append(_alerts(rows[first : first + room], view.chosen - first))
    if view.why and rows:
        one = rows[min(view.chosen, len(rows) - 1)]
        parts.append(Text(f"{one.record}  " + why(one), style="dim"))
    newer = len(now.alerts.alerts) and now.alerts.alerts[:1] != alerts[:1]
    held = "held: newer ones wait (p)  " if view.held and newer else "held  " if view.held else ""
    parts.append(Text(held + (KEYS if view.help else "? keys  q quit"), style="dim"))
    return Group(*parts)


def line(alert: answers.Summary) -> str:
    """An alert as a line of text."""
    return (
        f"{_at(alert.timestamp)} {alert.domain:<12} {alert.outcome.upper():<8} "
        f"{shown(alert.entity)} {shown(alert.said)}: {why(alert)}"
    )


def why(alert: answers.Summary) -> str:
    """Its reasons, most weighty first, as one line; their times in this machine's zone."""
    said = "; ".join(reason.text for reason in alert.reasons)
    return shown(_ISO.sub(lambda found: _zoned(found[0]), said))


def score(alert: answers.Summary) -> str:
    """Its score in its domain's unit."""
    if alert.degraded or alert.score < 0:
        return "rules"
    return f"{alert.score:.0f} cyc" if alert.domain == "maintenance" else f"{alert.score:.2f}"


def _well(now: answers.Now) -> Text:
    unsound = [each.topic for each in now.ledgers.ledgers if not each.sound]
    if now.trouble.said:
        return Text(
            f"✗ since {_at(now.trouble.since)}: {shown(now.trouble.said)}", style="bold red"
        )
    if unsound:
        return Text(f"✗ the ledger of {', '.join(unsound)} is not sound", style="bold red")
    if not now.rates.at:
        return Text("looking")
    return Text(f"✓ {_at(now.rates.at)} all is well")


def _figures(figures: list[answers.Figures]) -> RenderableType:
    running = [each for each in figures if each.running or each.decided]
    if not running:
        return Text("No topology runs. Start one: ./stormwatch run")
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for name in ("in", "decided", "to a decision", "p99", "waiting", "alerts", "rejected"):
        table.add_column(name, justify="right")
    for each in running:
        p50, p99 = each.latency.p50, each.latency.p99
        table.add_row(
            each.domain, f"{each.incoming:,.0f}/s", f"{each.outgoing:,.0f}/s",
            "–" if p50 is None else f"{p50:,} ms", "–" if p99 is None else f"{p99:,} ms",
            f"{each.waiting:,}", f"{each.alerts:,}", f"{sum(each.rejected.values()):,}",
        )  # fmt: skip
    return table


def _alerts(alerts: list[answers.Summary], at: int) -> RenderableType:
    if not alerts:
        return Text("No alert yet.", style="dim")
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    for name in ("when", "outcome", "score", "whom", "what", "why"):
        table.add_column(name, no_wrap=True, ratio=1 if name == "why" else None)
    for i, alert in enumerate(alerts):
        style = "bold red" if alert.outcome in _BROKEN else "yellow"
        table.add_row(
            _at(alert.timestamp), Text(alert.outcome.replace("_", " "), style=style), score(alert),
            Text(shown(alert.entity)), Text(shown(alert.said)), Text(why(alert)),
            style="reverse" if i == at else "",
        )  # fmt: skip
    return table


def _zoned(iso: str) -> str:
    try:
        return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError):
        return iso


def _at(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000).astimezone().strftime("%H:%M:%S")


@contextmanager
def keys() -> Iterator[Callable[[float], str]]:
    """Keys as they are pressed: a function that waits so many seconds for one, "" where none
    came. The terminal is as before at the end."""
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    tty.setcbreak(number)

    def pressed_within(seconds: float) -> str:
        ready, _, _ = select.select([number], [], [], seconds)
        return os.read(number, 8).decode(errors="replace") if ready else ""

    try:
        yield pressed_within
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)
