"""`profile`: what a record costs in a running topology, and what to change first."""

from typing import Annotated

import typer

from apps.cli import app as shared

_SAMPLE = 2_000


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example("profile fraud", "profile maintenance --seconds 30 --json"),
        short_help="What a record costs in a running topology, hop by hop.",
    )(profile)


def profile(
    topology: Annotated[str, typer.Argument(help="fraud, maintenance …")],
    seconds: Annotated[float, typer.Option(min=2.0, help="How long to look.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Look at a running topology for a while: microseconds a record by hop and by what they go for.

    Beside that, what the newest records of its topic cost in the core by stage (parse, features,
    model and rules, …), measured here, in batches like the topology's and in full ones. The last
    line says what to change first.
    """
    import time

    import msgspec

    from apps.cli.connect import connected
    from apps.data.streams import streams
    from apps.operate import core_cost
    from apps.operate import profile as operate
    from apps.operate.figures import measured

    settings = shared.settings()
    (stream,) = streams(settings, topology)
    with connected(settings) as (_, archive):

        def look() -> operate.Meters:
            return dict(measured(archive.meters(stream.topology)))

        before = look()
        time.sleep(seconds)
        after = look()
    found = operate.hops(before, after)
    batch = max(1, round(max((hop.batch for hop in found), default=1)))
    core = core_cost.measured(settings, stream, _SAMPLE, (batch, settings.batch_max_records))
    said = operate.advice(found)
    if as_json:
        told = {"hops": [hop._asdict() for hop in found], "core": core, "advice": said}
        print(msgspec.json.format(msgspec.json.encode(told)).decode())
        return
    print("\n".join((*operate.lines(found), "", *core_cost.lines(core), "", said)))
