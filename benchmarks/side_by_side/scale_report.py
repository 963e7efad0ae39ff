"""Curves as a table and a chart."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.side_by_side import chart
from benchmarks.side_by_side.growth import Growth
from benchmarks.side_by_side.running import NotInstalledError, installed


class Curve(NamedTuple):
    """What was measured of one."""

    name: str
    of: str  # what x counts
    line: str  # which of several in one panel
    points: Sequence[tuple[int, float]]
    growth: Growth | None
    unit: str = "µs a record"

    def told(self) -> str:
        """In one line."""
        points = ", ".join(f"{x:,}: {y:.1f}" for x, y in self.points)
        return f"{self.of} {self.line}".strip() + f": {points} {self.unit}; {self.growth or '–'}"


def write(curves: Sequence[Curve], command: str, out: Path | None) -> str:
    """The text; with `out` the files curves.md, .json and .svg, too."""
    lines = [
        "# How the cost of a record grows", "",
        f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.0f}; made by `{command}`. "
        "Microseconds of processor time a record. Growth is the exponent b of c · x^b, by least "
        "squares in logarithms, with its 95 % interval: 0 is flat, 1 proportional. Where a cost "
        "has a constant part the exponent describes the range that was measured, no more.", "",
        "| against | " + "measured, µs a record | last ÷ first | growth |", "|---|---|---|---|",
    ]  # fmt: skip
    for curve in curves:
        points = ", ".join(f"{x:,}: {y:.1f}" for x, y in curve.points)
        ratio = curve.points[-1][1] / curve.points[0][1]
        name = f"{curve.of}, {curve.line}" if curve.line else curve.of
        lines.append(f"| {name} | {points} | {ratio:.2f} | {curve.growth or '–'} |")
    text = "\n".join(lines) + "\n"
    if out is None:
        return text
    out.mkdir(parents=True, exist_ok=True)
    kept = [curve._asdict() for curve in curves]
    (out / "curves.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if _drawn(curves, out / "curves.svg"):
        text += "\n![growth](curves.svg)\n"
    (out / "curves.md").write_text(text, encoding="utf-8")
    return text


def _drawn(curves: Sequence[Curve], out: Path) -> bool:
    panels: dict[str, dict[str, object]] = {}
    for curve in curves:
        panel = panels.setdefault(
            curve.name,
            {"title": f"against {curve.of}", "x": curve.of, "y": curve.unit, "lines": {},
             "fits": {}},
        )  # fmt: skip
        lines, fits = panel["lines"], panel["fits"]
        assert isinstance(lines, dict) and isinstance(fits, dict)
        lines[curve.line or "cost"] = curve.points
        fits[curve.line or "cost"] = f" {curve.growth}" if curve.growth else ""
    figures = {"kind": "curves", "title": "growth", "panels": list(panels.values())}
    try:
        chart.written(installed(chart.NEEDS, "charts"), figures, out)
    except (NotInstalledError, subprocess.CalledProcessError) as error:
        print(f"no chart: {error}", file=sys.stderr)
        return False
    return True
