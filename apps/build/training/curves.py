"""How good a model is at each threshold, as curves: an SVG and the numbers beside it. Pure."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_W, _H, _LEFT, _TOP = 360, 240, 60, 40
_POINTS = 200


class Mark(NamedTuple):
    """A point that is pointed out."""

    x: float
    y: float
    words: str


class Panel(NamedTuple):
    """One picture: a curve in a field whose axes begin at 0."""

    title: str
    x: str
    y: str
    points: Sequence[tuple[float, float]]
    marks: Sequence[Mark] = ()


class AtThreshold(NamedTuple):
    """What comes of a threshold."""

    score: float
    a_day: float
    precision: float
    recall: float


def ladder(score: Floats, positive: Flags, days: int) -> list[AtThreshold]:
    """From few to many alerts: at thresholds that are scores of these rows."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(positive[order])
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    if len(ends) > _POINTS:  # evenly in the logarithm: few alerts a day matter most
        at = np.geomspace(1, len(ends), _POINTS).astype(int) - 1
        ends = ends[np.unique(at)]
    total = max(1, int(positive.sum()))
    return [
        AtThreshold(
            float(score[order[end]]), (end + 1) / days, float(hits[end] / (end + 1)),
            float(hits[end] / total),
        )
        for end in ends.tolist()
    ]  # fmt: skip


def at(limit: float, score: Floats, positive: Flags, days: int) -> AtThreshold:
    """What comes of one threshold."""
    above = score >= limit
    hits, alerts = int(positive[above].sum()), int(above.sum())
    total = max(1, int(positive.sum()))
    return AtThreshold(limit, alerts / days, hits / alerts if alerts else 0.0, hits / total)


def svg(title: str, panels: Sequence[Panel]) -> str:
    """The panels beside each other."""
    wide = (_W + _LEFT + 40) * len(panels)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{_H + 110}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>',
        f'<title>{escape(title)}</title><text x="16" y="22" font-size="15">{escape(title)}</text>',
    ]
    for place, panel in enumerate(panels):
        across = _LEFT + place * (_W + _LEFT + 40)
        out.append(f'<g transform="translate({across},{_TOP + 20})">{_panel(panel)}</g>')
    return "\n".join([*out, "</svg>\n"])


def _panel(panel: Panel) -> str:
    most_x = max([x for x, _ in panel.points], default=1.0) or 1.0
    most_y = max([1e-9, *(y for _, y in panel.points)])
    most_y = 1.0 if 0.5 < most_y <= 1 else most_y

    def place(x: float, y: float) -> tuple[float, float]:
        return x / most_x * _W, _H - y / most_y * _H

    out = [f'<text y="-8" font-weight="bold">{escape(panel.title)}</text>']
    for step in range(5):
        part = step / 4
        y, x = _H * (1 - part), _W * part
        out.append(f'<line x2="{_W}" y1="{y}" y2="{y}" stroke="#d5d8dc"/>')
        out.append(f'<text x="-6" y="{y + 4}" text-anchor="end">{most_y * part:.3g}</text>')
        out.append(f'<text x="{x}" y="{_H + 16}" text-anchor="middle">{most_x * part:.3g}</text>')
    drawn = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in panel.points)
    out.append(f'<polyline points="{drawn}" fill="none" stroke="#1b6ca8" stroke-width="2"/>')
    for mark in panel.marks:
        x, y = place(min(mark.x, most_x), mark.y)
        out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#c0392b"/>')
        side, away = ("end", -8) if x > _W / 2 else ("start", 8)
        out.append(
            f'<text x="{x + away:.1f}" y="{y - 8:.1f}" text-anchor="{side}" fill="#c0392b">'
            f"{escape(mark.words)}</text>"
        )
    out.append(f'<text x="{_W / 2}" y="{_H + 34}" text-anchor="middle">{escape(panel.x)}</text>')
    out.append(
        f'<text transform="translate(-44,{_H / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(panel.y)}</text>"
    )
    return "".join(out)
