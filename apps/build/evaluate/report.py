"""Results as a table for a terminal, or in Markdown."""

from collections.abc import Iterable

from apps.build.evaluate.case import Figure
from apps.build.evaluate.session import Result

_HEAD = ("figure", "ours", "spread", "runs", "baseline", "published", "wanted", "")


def lines(result: Result) -> list[str]:
    """For a terminal."""
    if result.skipped:
        return [f"{result.case}: skipped: {result.skipped}"]
    rows = [_HEAD, *(_cells(one) for one in result.figures)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    out = [f"{result.case}: {result.title} ({result.seconds:.0f} s)"]
    for row in rows:
        first, *rest = (cell.ljust(w) if not at else cell.rjust(w)
                        for at, (cell, w) in enumerate(zip(row, widths, strict=True)))  # fmt: skip
        out.append(f"  {first}  {'  '.join(rest)}".rstrip())
    out += [f"  {one.metric}: {one.note}" for one in result.figures if one.note]
    return out


def markdown(results: Iterable[Result]) -> str:
    """A section a case, for docs/reports."""
    parts = []
    for result in results:
        parts.append(f"## {result.title}\n")
        if result.skipped:
            parts.append(f"Skipped: {result.skipped}.\n")
            continue
        parts.append(f"| {' | '.join(_HEAD[:-1])} | reached |\n|{'---|' * len(_HEAD)}")
        parts += [f"| {' | '.join(_cells(one))} |" for one in result.figures]
        parts += [f"\n{one.metric}: {one.note}." for one in result.figures if one.note]
        parts.append("")
    return "\n".join(parts)


def _cells(one: Figure) -> tuple[str, ...]:
    reached = {None: "", True: "yes", False: "NO"}[one.reached]
    wanted = "" if one.reach is None else f"{'>=' if one.up else '<='} {_number(one.reach)}"
    return (
        one.metric, _number(one.ours), _number(one.spread) if one.runs > 1 else "", str(one.runs),
        _number(one.baseline), _number(one.published), wanted, reached,
    )  # fmt: skip


def _number(value: float | None) -> str:
    """Four digits that count."""
    return "" if value is None else f"{value:.4g}"
