"""Curves as SVG, in a few lines. Pure."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle

Curve = Sequence[tuple[float, float]]
_WIDTH, _HEIGHT, _LEFT, _TOP, _BELOW = 860, 220, 70, 34, 26
_COLOURS = ("#1b6ca8", "#c0392b", "#1e8449", "#8e44ad", "#b9770e", "#117a65", "#5d6d7e", "#922b21")


def page(panels: Mapping[str, Mapping[str, Sequence[Curve]]], title: str) -> str:
    """One panel under the other: panel title -> curve's name -> its pieces (seconds, value)."""
    high = (_HEIGHT + _TOP + _BELOW) * len(panels) + 40
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH + _LEFT + 220}" height="{high}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="100%" height="100%" fill="#ffffff"/><title>{escape(title)}</title>',
        f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}</text>',
    ]
    for place, (name, curves) in enumerate(panels.items()):
        at = 40 + place * (_HEIGHT + _TOP + _BELOW)
        out.append(f'<g transform="translate({_LEFT},{at})">{_panel(name, curves)}</g>')
    return "\n".join([*out, "</svg>\n"])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _panel(name: str, curves: Mapping[str, Sequence[Curve]]) -> str:
    points = [point for pieces in curves.values() for piece in pieces for point in piece]
    last = max([x for x, _ in points], default=1.0) or 1.0
    most = max([y for _, y in points], default=1.0) or 1.0
    out = [f'<text y="{_TOP - 12}" font-weight="bold">{escape(name)}</text>']
    for step in range(5):
        y = _TOP + _HEIGHT * (1 - step / 4)
        out.append(f'<line x2="{_WIDTH}" y1="{y}" y2="{y}" stroke="#d5d8dc"/>')
        label = _number(most * step / 4)
        out.append(f'<text x="-6" y="{y + 4}" text-anchor="end">{label}</text>')
        x = _WIDTH * step / 4
        minutes = f"{_number(last * step / 4 / 60)} min"
        out.append(f'<text x="{x}" y="{_TOP + _HEIGHT + 16}" text-anchor="middle">{minutes}</text>')
    for row, ((label, pieces), colour) in enumerate(
        zip(curves.items(), cycle(_COLOURS), strict=False)
    ):
        for piece in pieces:
            drawn = " ".join(
                f"{x / last * _WIDTH:.1f},{_TOP + _HEIGHT * (1 - y / most):.1f}" for x, y in piece
            )
            out.append(
                f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
            )
        y = _TOP + 12 + 16 * row
        out.append(f'<text x="{_WIDTH + 10}" y="{y}" fill="{colour}">{escape(label)}</text>')
    return "".join(out)
