"""`verdict`, `replay`: proof from outside that what was stored is what the log leads to."""

from typing import Annotated

import typer

from apps.cli import app as shared

Json = Annotated[bool, typer.Option("--json", help="For other programs.")]
Name = Annotated[str, typer.Argument(metavar="TOPOLOGY", help="fraud or maintenance")]
EXIT_INVALID = 3


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        epilog=shared.example("verdict fraud", "verdict fraud --seed 7 --fault-at 1795252530123")
    )(verdict)


def verdict(
    name: Name,
    seed: Annotated[int | None, typer.Option(help="Of the cut into batches.")] = None,
    fault_at: Annotated[
        list[int] | None, typer.Option(metavar="MS", help="When a fault was made; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge the stored tables by a run of the pure core over the whole log.

    A checker of its own, which reads Kafka and Cassandra by their drivers. Needs the topology's
    settings, and the topology idle. Exit code: 0 PASS, 1 FAIL, 3 INVALID (nothing was proven).
    """
    from secrets import randbelow

    from apps.verdict import session
    from apps.verdict.judge import INVALID, PASS

    seed = randbelow(1 << 31) if seed is None else seed
    made = session.verdict(shared.settings(), name, seed, fault_at or ())
    if as_json:
        shared.print_json(made)
    else:
        counts = ", ".join(f"{kind.replace('_', ' ')} {n}" for kind, n in made.counts.items())
        print(f"{made.status}: {made.records:,} offsets, {made.decisions:,} decisions: {counts}")
        print(f"  seed {made.seed}, quarantined and believed {made.quarantined}")
        for why in made.why:
            print(f"  {why}")
        for finding in made.findings:
            print(f"  {finding.kind} in {finding.table}: {finding.key} {finding.told}".rstrip())
    if made.status != PASS:
        raise typer.Exit(EXIT_INVALID if made.status == INVALID else 1)
