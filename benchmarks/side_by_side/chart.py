"""Charts by matplotlib, in an environment of its own: a program that reads figures from a file.

    python chart.py FIGURES.json OUT.svg

FIGURES: {"title", "kind": "bars", "bars": [[name, least, median, most], …], "unit"} or
{"title", "kind": "curves", "panels": [{"title", "x", "y", "lines": {name: [[x, y], …]},
"fits": {name: exponent as text}}, …]}.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

NEEDS = "matplotlib==3.11.1"
_BLUE = "#1b6ca8"


def written(python: Path, figures: dict[str, Any], out: Path) -> None:
    """Draw figures by an interpreter that has matplotlib. Raises CalledProcessError."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(figures, file)
        file.flush()
        subprocess.run([str(python), __file__, file.name, str(out)], check=True)


def _bars(plt: Any, told: dict[str, Any]) -> Any:
    rows = list(reversed(told["bars"]))
    figure, axes = plt.subplots(figsize=(8.5, 0.36 * len(rows) + 1.2))
    middle = [row[2] for row in rows]
    spread = [[row[2] - row[1] for row in rows], [row[3] - row[2] for row in rows]]
    bars = axes.barh([row[0] for row in rows], middle, xerr=spread, color=_BLUE, ecolor="#777")
    axes.bar_label(bars, labels=[f"{each:,.0f}" for each in middle], padding=4, fontsize=8)
    axes.set_xlabel(told["unit"])
    axes.margins(x=0.15)
    axes.set_title(told["title"], fontsize=10, loc="left")
    return figure


def _curves(plt: Any, told: dict[str, Any]) -> Any:
    panels = told["panels"]
    rows = (len(panels) + 1) // 2
    figure, grid = plt.subplots(rows, 2, figsize=(10, 3.1 * rows), squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        for name, points in panel["lines"].items():
            label = f"{name}{panel['fits'].get(name, '')}".strip()
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=label)
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_title(panel["title"], fontsize=9, loc="left")
        axes.set_xlabel(panel["x"], fontsize=8)
        axes.set_ylabel(panel["y"], fontsize=8)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    return figure


def _draw(figures: str, out: str) -> None:
    import matplotlib  # type: ignore[import-not-found]

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    matplotlib.rcParams |= {"svg.hashsalt": "stormwatch", "svg.fonttype": "none"}
    told = json.loads(Path(figures).read_text(encoding="utf-8"))
    figure = {"bars": _bars, "curves": _curves}[told["kind"]](plt, told)
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    _draw(*sys.argv[1:])
