"""`lint`: what is wrong with a topology before it is started."""

from typing import Annotated

import typer

from apps.cli import app as shared


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog=shared.example("lint", "lint fraud", "lint --json"))(lint)


def lint(
    topologies: Annotated[
        list[str] | None, typer.Argument(metavar="[TOPOLOGY]...", help="All by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check the wiring, sources and requirements of topologies.

    Each finding says what would happen at run time and how to fix it. Exit code 1 if one is an
    error; errors also keep `run`, `sparse run` and `sparse submit` from starting.
    """
    from apps.build.lint import Severity
    from apps.build.lint import lint as check

    found = check(shared.ROOT, topologies)
    if as_json:
        shared.print_json([finding._asdict() for finding in found])
    else:
        for finding in found:
            print(finding)
        print(f"{len(found)} findings" if found else "no findings")
    if any(finding.severity is Severity.ERROR for finding in found):
        raise typer.Exit(1)
