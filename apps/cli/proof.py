"""`verdict`, `replay`: independent checks that what is stored follows from the log."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli import app as shared
from apps.data.printable import shown

if TYPE_CHECKING:
    from apps.prove.replay.compare import Change, Proof

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(metavar="TOPOLOGY", help="fraud or maintenance")]
EXIT_INVALID = 3


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(
        epilog=shared.example("verdict fraud", "verdict fraud --seed 7 --fault-at 1795252530123"),
        short_help="Decide the whole log again and compare all tables.",
    )(verdict)
    app.command(
        epilog=shared.example(
            "replay fraud --partition 0 --from 1000 --to 1999",
            "replay fraud --partition 0 --from 0 --to 9999 --model NEW_MODEL",
        ),
        short_help="Decide a range of offsets again and compare.",
    )(replay)


def verdict(
    name: Name,
    seed: Annotated[int | None, typer.Option(help="Seed of the batch boundaries.")] = None,
    fault_at: Annotated[
        list[int] | None, typer.Option(metavar="MS", help="Time of a fault; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Decide the whole log again by independent code and compare the stored tables.

    It reads Kafka and Cassandra directly by their drivers. It needs the topology's settings, and
    the topology must be idle. Exit code: 0 PASS, 1 FAIL, 3 INVALID (nothing was proven).
    """
    from secrets import randbelow

    from apps.operate.domains import provable
    from apps.prove.verdict import session
    from apps.prove.verdict.judge import INVALID, PASS

    seed = randbelow(1 << 31) if seed is None else seed
    provable(shared.settings(), name)
    made = session.verdict(shared.answered("kafka", "cassandra"), name, seed, fault_at or ())
    if as_json:
        shared.print_json(made)
    else:
        counts = ", ".join(f"{kind.replace('_', ' ')} {n}" for kind, n in made.counts.items())
        print(f"{made.status}: {made.records:,} offsets, {made.decisions:,} decisions: {counts}")
        believed = f"quarantined {made.quarantined}, without the model {made.degraded}"
        print(f"  seed {made.seed}; believed: {believed}")
        for why in made.why:
            print(f"  {shown(why)}")
        for finding in made.findings:
            told = f"{finding.kind} in {finding.table}: {finding.key} {finding.told}"
            print(f"  {shown(told.rstrip())}")
    if made.status != PASS:
        raise typer.Exit(EXIT_INVALID if made.status == INVALID else 1)


def replay(
    name: Name,
    partition: Annotated[int, typer.Option(min=0, help="A partition of the topic.")],
    first: Annotated[int, typer.Option("--from", min=0, help="First offset.")],
    last: Annotated[int, typer.Option("--to", min=0, help="Last offset, included.")],
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", file_okay=False, exists=True, help="Compare with this model instead."
        ),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", dir_okay=False, exists=True, help="Compare with these rules instead."
        ),
    ] = None,
    models: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            file_okay=False,
            exists=True,
            help="An older model that made stored decisions.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Decide a range of offsets again and compare all fields with what is stored.

    The states before the range are computed from the log, from where reading began. With --model or
    --rules it shows instead which decisions these would change. It refuses if records, rows or
    versions have expired. Exit code 1 if something differs.
    """
    from apps.cli.connect import stored
    from apps.operate.domains import provable
    from apps.prove.replay.session import opened

    provable(shared.settings(), name)  # before anything is connected to
    settings = shared.answered("kafka", "cassandra")
    with (
        stored(settings) as archive,
        opened(settings, archive, name, partition, first, last) as made,
    ):
        new = model or rules
        result = made.change(model, rules) if new else made.proof(models or ())
    if as_json:
        shared.print_json(result)
    else:
        for line in _told(result):
            print(shown(line))
    if not new and not getattr(result, "same", True):
        raise typer.Exit(1)


def _told(result: "Proof | Change") -> list[str]:
    from apps.prove.replay.compare import Proof

    where = f"partition {result.partition}, offsets {result.first:,} to {result.last:,}"
    if isinstance(result, Proof):
        ends = ", ".join(f"{count:,} {state}" for state, count in result.ends.items())
        lines = [
            f"{where}: {ends or 'no records'}",
            f"  {result.equal:,} of {result.decisions:,} decisions equal in all fields; "
            f"{result.different:,} offsets differ",
            f"  states from {result.before:,} records before; by {', '.join(result.versions)}",
        ]
        return lines + [
            f"  offset {d.offset} {d.entity} {d.id}: {d.fields}"
            + (f" ({d.because})" if d.because else "")
            for d in result.differences
        ]
    lines = [
        f"{where}: {result.changed:,} of {result.decisions:,} decisions change with "
        f"{result.model} {result.rules}",
        *(f"  {count:>8,} {change}" for change, count in result.outcomes.items()),
        f"  scores differ by {result.score_mean} on average, {result.score_max} at most",
    ]
    for word, reasons in (("gained", result.gained), ("lost", result.lost)):
        lines += [f"  {count:>8,} {word} the reason {code}" for code, count in reasons.items()]
    return lines + [f"  offset {d.offset} {d.entity} {d.id}: {d.fields}" for d in result.examples]
