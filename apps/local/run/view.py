"""The live screen of a run, and its plain lines where there is no terminal. Pure rendering."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from apps.data.in_words import in_words, score_in_words
from apps.data.moments import moment
from apps.data.printable import shown
from apps.operate.figures import Look, Rates, rejected_by_code
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.metrics import MUCH_DRIFT, Labelled, precision_recall
from stormwatch.records import DecisionRow, EndState

RUNNING = "running"
"""The phase between warm-up and drain."""
HEIGHT = 24
_NAME = 20
_SHOWN_STATES = tuple(s for s in EndState if s is not EndState.ABSENT)
_BESIDE_ALERTS = 5
"""Lines of head, memory, blank, last line, and the one that a terminal keeps for the cursor."""
_TROUBLE_LINES = 3
_STYLES = {
    "decline": "bold red",
    "review": "yellow",
    "service": "bold red",
    "watch": "yellow",
    "sensor_fault": "magenta",
    "anomaly": "bold red",
    "no_data": "yellow",
    "unknown_regime": "yellow",
}


class Panel(NamedTuple):
    """What is known of one topology now."""

    topology: str
    look: Look | None
    rates: Rates | None
    restarts: int = 0
    published: int = 0
    ledgers: Sequence[TopicLedger] = ()
    """Of its topics; none before the first reconciliation."""
    records: Mapping[tuple[str, str], str] = {}
    """What the records were that led to alerts, in words, by entity and id."""


class Screen(NamedTuple):
    """Everything that is shown."""

    run: str
    phase: str  # what is going on, in words
    elapsed: float  # s in this phase; while running, since ready
    panels: Sequence[Panel]
    memory: Mapping[str, Mapping[str, float]]
    trouble: str = ""


def live(screen: Screen, height: int = HEIGHT, page: str = "") -> RenderableType:
    """For a terminal of this many lines: the figures whole, then as many alerts as there is room
    for, of each topology some. `page` says where the live page is."""
    head = Text.assemble(
        ("Stormwatch ", "bold cyan"),
        (f"{screen.phase} ", "bold"),
        f"· {clock(screen.elapsed)}  ",
        (f"run {screen.run}", "dim"),
    )
    figures, more = _figures(screen.panels)
    parts: list[RenderableType] = [_line(head), figures, *more, _memory(screen.memory)]
    trouble = screen.trouble.splitlines()[:_TROUBLE_LINES]
    parts += [_line(Text(line, style="bold red")) for line in trouble]
    room = height - _BESIDE_ALERTS - figures.row_count - 1 - len(more) - len(trouble)
    parts += [Text(""), *_alerts(screen.panels, room)]
    foot = "Ctrl-C stops the run and everything that it started."
    return Group(*parts, _line(Text(f"{page}. {foot}" if page else foot, style="dim")))


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
        again += f", {_unread(look.unread)}" if look.unread else ""
        if not look.decided and all(ledger.sound for ledger in panel.ledgers):
            head = f"{_when(screen)} {panel.topology}: nothing decided yet"
            lines.append(f"{head}, lag {look.lag}, {memory:,.0f} MB{again}")
            continue
        line = (
            f"{_when(screen)} {panel.topology}: "
            f"in {_rate(rates.incoming if rates else None)}/s, "
            f"out {_rate(rates.outgoing if rates else None)}/s, latency p50 "
            f"{_ms(latency and latency.p50)} p95 {_ms(latency and latency.p95)} "
            f"p99 {_ms(latency and latency.p99)} ms, lag {look.lag}, {_states(look)}, "
            f"alerts {look.alerts}, unaccounted {_unaccounted(panel.ledgers)}, {memory:,.0f} MB"
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


def _by_labels(labelled: Mapping[str, int]) -> str:
    shares = precision_recall(labelled)
    return " ".join("–" if share is None else f"{share:.0%}" for share in shares)


def _drift(topology: str, look: Look) -> Text | None:
    """Which features are no longer as in the model's training; None where none is."""
    much = sorted((-index, name) for name, index in look.drift.items() if index > MUCH_DRIFT)
    if not much:
        return None
    told = ", ".join(f"{name} {-index:.2f}" for index, name in much[:3])
    told += f" and {len(much) - 3} more" if len(much) > 3 else ""
    return _line(Text.assemble((f"{topology} is unlike the model's training: ", "yellow"), told))


def _figures(panels: Sequence[Panel]) -> tuple[Table, list[Text]]:
    """The table, and lines that belong below it."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for panel in panels:
        table.add_column(panel.topology, justify="right", min_width=14, no_wrap=True)
    for name, cell in _ROWS:
        table.add_row(name, *(cell(panel) for panel in panels))
    for state in _SHOWN_STATES:
        counts = [panel.look.ends.get(state, 0) if panel.look else 0 for panel in panels]
        if any(counts) or state is EndState.SCORED:
            table.add_row(state.replace("_", " "), *(f"{count:,}" for count in counts))
    if any(panel.restarts for panel in panels):
        table.add_row("restarts", *(Text(str(p.restarts), style="yellow") for p in panels))
    labelled = [panel.look.labelled if panel.look else {} for panel in panels]
    if any(labelled):
        table.add_row("precision, recall by labels", *map(_by_labels, labelled))
    degraded = [panel.look.degraded if panel.look else 0 for panel in panels]
    if any(degraded):
        told = Text("by rules alone (degraded)", style="bold red")
        table.add_row(told, *(f"{count:,}" for count in degraded))
    notes = [panel.look.noted if panel.look else {} for panel in panels]
    for what in sorted({what for noted in notes for what in noted}):
        note = Text(what.replace("_", " "), style="bold")
        table.add_row(note, *(f"{noted.get(what, 0):,}" for noted in notes))
    unknown = [one.get(Labelled.UNKNOWN, 0) for one in labelled]
    if any(unknown):
        table.add_row("labels of what never came", *(f"{count:,}" for count in unknown))
    drifts = [_drift(panel.topology, panel.look) for panel in panels if panel.look]
    more = [line for line in drifts if line is not None]
    more += [
        _line(Text(f"{panel.topology}: {told}", "yellow"))
        for panel in panels
        for what, told in sorted(panel.look.alarms.items() if panel.look else ())
        if what != "drift"
    ]
    for panel in panels:
        codes = rejected_by_code(panel.look.ends) if panel.look else {}
        if codes:
            listed = ", ".join(f"{code} {count:,}" for code, count in codes.items())
            more.append(_line(Text.assemble((f"rejected by {panel.topology}: ", "dim"), listed)))
        if panel.look and panel.look.unread:
            more.append(_line(Text(f"{panel.topology}: {_unread(panel.look.unread)}", "yellow")))
    return table, more


def _unread(count: int) -> str:
    return f"{count} meters of another version are not counted"


def _memory(memory: Mapping[str, Mapping[str, float]]) -> Text:
    total = sum(group.get("total", 0.0) for group in memory.values())
    parts = ", ".join(f"{name} {group.get('total', 0.0):,.0f}" for name, group in memory.items())
    return _line(Text(f"memory {total:,.0f} MB: {parts}", style="dim"))


def _alerts(panels: Sequence[Panel], room: int) -> list[Text]:
    """Alerts of each topology in `room` lines: half for the first, two lines an alert."""
    blocks = [(panel, _newest(panel)) for panel in panels]
    out: list[Text] = []
    for number, (panel, rows) in enumerate(blocks):
        left = max(room - len(out), 0)
        later = len(blocks) - number - 1
        own = left - max(left // 3, 3) * later if later else left
        title = "newest alerts" if rows else "no alerts yet"
        style = "bold" if rows else "dim"
        out.append(_line(Text(f"{panel.topology}: {title}", style=style)))
        for row in rows[: max((own - 1) // 2, 1)]:
            out += [_line(_what(panel, row)), _line(Text(f"         {in_words(row)}", "dim"))]
    return out


def _newest(panel: Panel) -> list[DecisionRow]:
    """One of each entity: one that goes on and on hides no other."""
    found: dict[str, DecisionRow] = {}
    for row in sorted(panel.look.newest if panel.look else (), key=lambda row: -row.timestamp):
        found.setdefault(row.entity, row)
    return list(found.values())


def _what(panel: Panel, row: DecisionRow) -> Text:
    about = panel.records.get((row.entity, row.id), "")
    return Text.assemble(
        f"{moment(row.timestamp, '%H:%M:%S')} ",
        (row.outcome, _STYLES.get(row.outcome, "bold")),
        f" {score_in_words(panel.topology, row)}  ",
        (f"{about}  " if about else "", "bold"),
        (shown(_tail(row.entity)), "cyan"),
    )


def _line(text: Text) -> Text:
    """On one line, whatever the width."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _tail(name: str) -> str:
    return name if len(name) <= _NAME else f"…{name[1 - _NAME :]}"


def _states(look: Look) -> str:
    shown = [f"{s} {look.ends[s]}" for s in _SHOWN_STATES if look.ends.get(s)]
    return ", ".join(shown) or "nothing decided yet"


def _unaccounted(ledgers: Sequence[TopicLedger]) -> str:
    """Offsets that are lost, and those with two states if there are any."""
    if not ledgers:
        return "–"
    conflicting = sum(ledger.conflicting for ledger in ledgers)
    twice = f", {conflicting:,} twice" if conflicting else ""
    return f"{sum(ledger.unaccounted for ledger in ledgers):,}{twice}"


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _ms(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _latencies(panel: Panel) -> str:
    if panel.rates is None:
        return "–"
    found = panel.rates.latency
    return " / ".join(_ms(value) for value in (found.p50, found.p95, found.p99))


_ROWS: tuple[tuple[str, Callable[[Panel], str]], ...] = (
    ("records/s in", lambda p: _rate(p.rates and p.rates.incoming)),
    ("records/s decided", lambda p: _rate(p.rates and p.rates.outgoing)),
    ("latency p50/95/99, ms", _latencies),
    ("published", lambda p: f"{p.published:,}"),
    ("lag", lambda p: f"{p.look.lag:,}" if p.look else "–"),
    ("alerts", lambda p: f"{p.look.alerts:,}" if p.look else "–"),
    ("unaccounted", lambda p: _unaccounted(p.ledgers)),
)
