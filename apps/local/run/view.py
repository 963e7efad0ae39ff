"""The live screen of a run, and its plain lines where there is no terminal. Pure rendering."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from apps.data.in_words import in_words
from apps.data.moments import moment
from apps.data.printable import shown
from apps.local.run.figures import Look, Rates, rejected_by_code
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.records import DecisionRow, EndState

RUNNING = "running"
"""The phase between warm-up and drain."""
ALERTS_SHOWN = 5
_NAME = 20
_SHOWN_STATES = tuple(s for s in EndState if s is not EndState.ABSENT)


class Panel(NamedTuple):
    """What is known of one topology now."""

    topology: str
    look: Look | None
    rates: Rates | None
    restarts: int = 0
    published: int = 0
    ledger: TopicLedger | None = None


class Screen(NamedTuple):
    """Everything that is shown."""

    run: str
    phase: str  # what is going on, in words
    elapsed: float  # s in this phase; while running, since ready
    panels: Sequence[Panel]
    memory: Mapping[str, Mapping[str, float]]
    trouble: str = ""


def live(screen: Screen) -> RenderableType:
    """For a terminal."""
    head = Text.assemble(
        ("Stormwatch ", "bold"), f"run {screen.run} · {screen.phase} · {clock(screen.elapsed)}"
    )
    parts: list[RenderableType] = [head, _figures(screen), _memory(screen.memory)]
    if screen.trouble:
        parts.append(Text(screen.trouble, style="bold red"))
    parts += [_alerts(screen.panels), Text("Ctrl-C ends the run and all it started.", style="dim")]
    return Group(*parts)


def plain(screen: Screen) -> list[str]:
    """One line a topology, for logs and pipes."""
    lines = []
    for panel in screen.panels:
        look, rates = panel.look, panel.rates
        if look is None:
            lines.append(f"{_when(screen)} {panel.topology}: nothing known yet")
            continue
        latency = rates.latency if rates else None
        memory = screen.memory.get(panel.topology, {}).get("total", 0.0)
        again = f", restarts {panel.restarts}" if panel.restarts else ""
        if not look.decided and (panel.ledger is None or panel.ledger.sound):
            head = f"{_when(screen)} {panel.topology}: nothing decided yet"
            lines.append(f"{head}, lag {look.lag}, {memory:,.0f} MB{again}")
            continue
        line = (
            f"{_when(screen)} {panel.topology}: "
            f"in {_rate(rates.incoming if rates else None)}/s, "
            f"out {_rate(rates.outgoing if rates else None)}/s, latency p50 "
            f"{_ms(latency and latency.p50)} p95 {_ms(latency and latency.p95)} "
            f"p99 {_ms(latency and latency.p99)} ms, lag {look.lag}, {_states(look)}, "
            f"alerts {look.alerts}, unaccounted {_unaccounted(panel.ledger)}, {memory:,.0f} MB"
        )
        line += f", degraded {look.degraded}" if look.degraded else ""
        line += "".join(f", {what.replace('_', ' ')} {n}" for what, n in sorted(look.noted.items()))
        lines.append(line + again)
    if screen.trouble:
        lines.append(f"{clock(screen.elapsed)} {screen.trouble}")
    return lines


def _when(screen: Screen) -> str:
    phase = "" if screen.phase == RUNNING else f", {screen.phase}"
    return f"{clock(screen.elapsed)}{phase}"


def clock(seconds: float) -> str:
    """m:ss."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _figures(screen: Screen) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("")
    for panel in screen.panels:
        table.add_column(panel.topology, justify="right", min_width=12)
    for name, cell in _ROWS:
        table.add_row(name, *(cell(panel) for panel in screen.panels))
    for state in _SHOWN_STATES:
        counts = [panel.look.ends.get(state, 0) if panel.look else 0 for panel in screen.panels]
        if any(counts) or state in (EndState.SCORED, EndState.REJECTED):
            table.add_row(state.replace("_", " "), *(f"{count:,}" for count in counts))
    degraded = [panel.look.degraded if panel.look else 0 for panel in screen.panels]
    if any(degraded):
        told = Text("by rules alone (degraded)", style="bold red")
        table.add_row(told, *(f"{count:,}" for count in degraded))
    notes = [panel.look.noted if panel.look else {} for panel in screen.panels]
    for what in sorted({what for noted in notes for what in noted}):
        told = Text(what.replace("_", " "), style="bold")
        table.add_row(told, *(f"{noted.get(what, 0):,}" for noted in notes))
    codes = [rejected_by_code(panel.look.ends) if panel.look else {} for panel in screen.panels]
    for code in sorted(set().union(*codes)):
        table.add_row(Text(f"  {code}", style="dim"), *(f"{c.get(code, 0):,}" for c in codes))
    return table


def _memory(memory: Mapping[str, Mapping[str, float]]) -> Text:
    total = sum(group.get("total", 0.0) for group in memory.values())
    parts = ", ".join(f"{name} {group.get('total', 0.0):,.0f}" for name, group in memory.items())
    return Text(f"resident memory {total:,.0f} MB: {parts}")


def _alerts(panels: Sequence[Panel]) -> RenderableType:
    newest: dict[str, DecisionRow] = {}  # of each entity: one that goes on and on hides no other
    for row in sorted(
        (row for panel in panels if panel.look for row in panel.look.newest),
        key=lambda row: -row.timestamp,
    ):
        newest.setdefault(row.entity, row)
    if not newest:
        return Text("no alerts yet", style="dim")
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, title_justify="left")
    table.add_column("last alerts", no_wrap=True)
    table.add_column("entity", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("reasons", ratio=1)
    for row in list(newest.values())[:ALERTS_SHOWN]:
        when = moment(row.timestamp, "%H:%M:%S")
        table.add_row(when, Text(shown(_tail(row.entity))), row.outcome, Text(in_words(row)))
    return table


def _tail(name: str) -> str:
    return name if len(name) <= _NAME else f"…{name[1 - _NAME :]}"


def _states(look: Look) -> str:
    shown = [f"{s} {look.ends[s]}" for s in _SHOWN_STATES if look.ends.get(s)]
    return ", ".join(shown) or "nothing decided yet"


def _unaccounted(ledger: TopicLedger | None) -> str:
    """Offsets that are lost, and those with two states if there are any."""
    if ledger is None:
        return "–"
    twice = f", {ledger.conflicting:,} twice" if ledger.conflicting else ""
    return f"{ledger.unaccounted:,}{twice}"


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _ms(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


_ROWS: tuple[tuple[str, Callable[[Panel], str]], ...] = (
    ("records/s in", lambda p: _rate(p.rates and p.rates.incoming)),
    ("records/s out", lambda p: _rate(p.rates and p.rates.outgoing)),
    ("latency p50, ms", lambda p: _ms(p.rates and p.rates.latency.p50)),
    ("latency p95, ms", lambda p: _ms(p.rates and p.rates.latency.p95)),
    ("latency p99, ms", lambda p: _ms(p.rates and p.rates.latency.p99)),
    ("published", lambda p: f"{p.published:,}"),
    ("lag", lambda p: f"{p.look.lag:,}" if p.look else "–"),
    ("alerts", lambda p: f"{p.look.alerts:,}" if p.look else "–"),
    ("unaccounted", lambda p: _unaccounted(p.ledger)),
    ("restarts", lambda p: f"{p.restarts}"),
)
