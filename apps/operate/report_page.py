"""A report as one HTML file that needs nothing else: it can be mailed, and opened without a net.

All that comes of records is escaped: it is text, whatever it says.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from apps.data.in_words import in_words, score_in_words
from apps.data.printable import shown
from apps.operate.report import DAY_MS, Report
from stormwatch.ledger.reconcile import PartitionLedger, TopicLedger
from stormwatch.records import DecisionRow

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Its own style, and nothing from elsewhere."""
_REASONS = 3
"""Of an alert, the weightiest: a report is read, and the decision has them all."""
_STYLE = """
:root { color-scheme: light dark; --ink: #1b2126; --quiet: #57626c; --line: #d9dde1;
--curve: #2f6fb3; --person: #8a5a00; --broken: #b3261e; --ground: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8eb; --quiet: #9aa6b0; --line: #333c44;
--curve: #7db4ee; --person: #f0b94d; --broken: #ff8a80; --ground: #14181c; } }
body { font: 14px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--ground);
max-width: 60em; margin: 0 auto; padding: 24px; font-variant-numeric: tabular-nums; }
h1 { font-size: 22px; font-weight: 600; margin: 0; } h2 { font-size: 14px; margin: 28px 0 8px; }
p { margin: 4px 0; } .quiet { color: var(--quiet); } .large { font-size: 22px; margin-right: 4px; }
.bad { color: var(--broken); font-weight: 600; } .person { color: var(--person); font-weight: 600; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; font-weight: 400;
color: var(--quiet); font-size: 12px; } th, td { padding: 4px 12px 4px 0; vertical-align: top;
border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
.f { display: inline-block; margin-right: 28px; } td:last-child { overflow-wrap: anywhere; }
.n { text-align: right; }
td.n, td.w { white-space: nowrap; } svg { display: block; width: 100%; height: auto; }
.bar { fill: var(--curve); } .alert { fill: var(--person); } .gap { fill: var(--broken); }
.rest { fill: var(--line); } text { fill: var(--quiet); font-size: 11px; }
"""


def page(of: Report, made: int) -> str:
    """The file's text; `made`: now, ms."""
    day = _day(of.day)
    body = [
        f"<h1>{_text(of.domain)}, {day}</h1>",
        f'<p class="quiet">Kafka\'s day, UTC; made {_moment(made)}Z by Stormwatch.</p>',
        *_figures(of),
        "<h2>Decisions by hour (UTC); the lower part: alerts</h2>", _hours(of.by_hour),
        *_scores(of),
        f"<h2>{f'The worst {len(of.worst)} alerts' if of.worst else 'Alerts'}</h2>", _worst(of),
        "<h2>Data quality: set aside, with the reason</h2>", _aside(of),
        "<h2>The ledger's proof: each offset has exactly one end state, as of now</h2>",
        *map(_ledger, of.ledgers),
        "<h2>Versions that decided</h2>",
        _table(("", "version", "decisions"), (
            *(("model", version, f"{n:,}") for version, n in of.models.items()),
            *(("rules", version, f"{n:,}") for version, n in of.rules.items()),
        )),
    ]  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(of.domain)} {day}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _figures(of: Report) -> list[str]:
    alerts = sum(n for _, n in of.by_hour)
    sound = all(ledger.sound for ledger in of.ledgers)
    proof = "sound" if sound else '<span class="bad">not sound</span>'
    share = f" ({100 * alerts / of.decided:.2f} %)" if of.decided else ""
    aside = sum(one.count for one in of.aside)
    found = [
        f'<p class="f"><span class="large">{of.decided:,}</span> decided</p>',
        f'<p class="f"><span class="large">{alerts:,}</span> alerts{share}</p>',
        f'<p class="f"><span class="large">{aside:,}</span> set aside</p>',
        f'<p class="f">ledger <span class="large">{proof}</span></p>',
    ]
    if of.degraded:
        found.append(f'<p class="person">{of.degraded:,} decided by rules alone</p>')
    if of.outcomes:
        words = ", ".join(f"{_text(_plain(word))} {n:,}" for word, n in of.outcomes.items())
        found.append(f'<p class="quiet">{words}</p>')
    if not of.decided:
        found.append("<p>Nothing was decided on this day.</p>")
    return found


def _hours(by_hour: Sequence[tuple[int, int]]) -> str:
    top = max(1, *(n for n, _ in by_hour))
    most = max(1, *(n for _, n in by_hour))
    parts = []
    for hour, (decided, alerts) in enumerate(by_hour):
        tall, low = 100 * decided / top, 30 * alerts / most
        parts.append(
            f'<rect class="bar" x="{hour * 30 + 2}" y="{100 - tall:.1f}" width="26" '
            f'height="{tall:.1f}"><title>{hour}:00 {decided:,} decided</title></rect>'
            f'<rect class="alert" x="{hour * 30 + 2}" y="104" width="26" height="{low:.1f}">'
            f"<title>{hour}:00 {alerts:,} alerts</title></rect>"
        )
        if hour % 3 == 0:
            parts.append(f'<text x="{hour * 30 + 2}" y="150">{hour:02}:00</text>')
    worst = max(n for _, n in by_hour)
    alarms = f"{worst:,} alert{'' if worst == 1 else 's'} in the worst" if worst else "no alert"
    told = f"{top:,} decided in the fullest hour, {alarms}"
    return (
        f'<svg viewBox="0 0 720 154" role="img" aria-label="{told}">{"".join(parts)}</svg>'
        f'<p class="quiet">{told}.</p>'
    )


def _scores(of: Report) -> list[str]:
    if not of.scores:
        return []
    unit, wide = ("cycles left", 5) if of.domain == "maintenance" else ("hundredths", 2)
    bins: dict[int, int] = {}
    for score, n in of.scores.items():
        bins[score // wide] = bins.get(score // wide, 0) + n
    first, last = min(bins), max(bins)
    room, top = 720 / (last - first + 1), max(bins.values())
    bars = "".join(
        f'<rect class="bar" x="{(at - first) * room:.1f}" y="{80 - _root(n, top):.1f}" '
        f'width="{max(room - 1, 1):.1f}" height="{_root(n, top):.1f}">'
        f"<title>{at * wide} to {(at + 1) * wide}: {n:,}</title></rect>"
        for at, n in sorted(bins.items())
    )
    ends = (
        f'<text x="0" y="94">{first * wide}</text>'
        f'<text x="720" y="94" text-anchor="end">{(last + 1) * wide}</text>'
    )
    return [
        f"<h2>Scores, {unit}; height: the square root of how many</h2>",
        f'<svg viewBox="0 0 720 98" role="img" aria-label="Scores">{bars}{ends}</svg>',
    ]


def _root(n: int, top: int) -> float:
    return float(78 * (n / top) ** 0.5)


def _worst(of: Report) -> str:
    if not of.worst:
        return '<p class="quiet">None.</p>'
    return _table(
        ("when", "outcome", "score", "whom", "why"), (_row(of.domain, row) for row in of.worst)
    )


def _row(domain: str, row: DecisionRow) -> tuple[str, ...]:
    return (
        _moment(row.timestamp)[11:], _plain(row.outcome), score_in_words(domain, row), row.entity,
        in_words(row, _REASONS),
    )  # fmt: skip


def _plain(outcome: str) -> str:
    return outcome.replace("_", " ")


def _aside(of: Report) -> str:
    if not of.aside:
        return '<p class="quiet">Nothing: every record was decided.</p>'
    return _table(
        ("state", "code", "records", "for example"),
        (
            (one.state, one.code, f"{one.count:,}",
             "; ".join(f"{place}: {why}" for place, why in one.examples))
            for one in of.aside
        ),
    )  # fmt: skip


def _ledger(of: TopicLedger) -> str:
    states = ", ".join(f"{state.replace('_', ' ')} {n:,}" for state, n in of.states.items() if n)
    sound = "✓ sound" if of.sound else '<span class="bad">✗ not sound</span>'
    return (
        f"<p><b>{_text(of.topic)}</b> {sound} <span class='quiet'>{states or 'nothing decided'}"
        f" · in flight {of.in_flight:,} · without an end state {of.unaccounted:,}</span></p>"
        + "".join(map(_strip, of.partitions))
    )


def _strip(of: PartitionLedger) -> str:
    span = max(of.end - of.first, 1)

    def x(offset: int) -> float:
        return 640 * (offset - of.first) / span

    gaps = "".join(
        f'<rect class="gap" x="{x(gap.first):.1f}" y="0" height="10" '
        f'width="{max(x(gap.last + 1) - x(gap.first), 2):.1f}"/>'
        for gap in of.unaccounted_ranges + of.conflicting_ranges
    )
    told = f"partition {of.partition}: offsets {of.first:,} to {of.end:,}"
    return (
        f'<svg viewBox="0 0 720 12" role="img" aria-label="{told}"><title>{told}</title>'
        f'<rect class="rest" width="640" height="10"/>'
        f'<rect class="bar" width="{x(max(of.committed, of.first)):.1f}" height="10"/>{gaps}'
        f'<text x="646" y="10">{of.partition}: {of.end - of.first:,}</text></svg>'
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{_text(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str) -> str:
    return escape(shown(text))


def _day(day: int) -> str:
    return _moment(day * DAY_MS)[:10]


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
