"""`evaluate`: how good the predictions are, by public protocols."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared
from apps.cli.quality import expect_lightgbm
from apps.cli.train import Model
from stormwatch.errors import StormwatchError


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example("evaluate fraud", "evaluate maintenance --data DIR --case fd001"),
        short_help="Measure the predictions by public protocols.",
    )(evaluate)


def evaluate(
    domain: Annotated[Model, typer.Argument(help="fraud or maintenance")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Public data sets; by default STORMWATCH_DATA."),
    ] = None,
    case: Annotated[str, typer.Option(metavar="NAME", help="Only this one.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the tables in Markdown.")
    ] = None,
) -> None:
    """Run each protocol through the code that decides in a stream, and compare the figures.

    Ours, its spread over folds or seeds, a simple baseline, the best published figure and what is
    wanted. A case whose data is not there is skipped with the reason; docs/evaluate.md says where
    the data comes from. Exit code: 0 if all that is wanted was reached, 1 if not.
    """
    from apps.build.evaluate import report, session

    if data is None and os.environ.get("STORMWATCH_DATA"):
        data = Path(os.environ["STORMWATCH_DATA"])
    if data is not None and not data.is_dir():
        raise StormwatchError(
            f"--data {data} is not a folder. Name the folder that holds the data sets."
        )
    wanted = session.chosen(domain.value, case)
    expect_lightgbm()
    results = []
    for result in session.run(wanted, data, lambda line: print(line, file=sys.stderr, flush=True)):
        results.append(result)
        if not as_json:
            print("\n".join(report.lines(result)), flush=True)
    if as_json:
        shared.print_json(results)
    if out is not None:
        out.write_text(report.markdown(results))
    if any(one.reached is False for result in results for one in result.figures):
        raise typer.Exit(1)
