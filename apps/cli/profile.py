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
    import socket
    import time
    from contextlib import suppress

    import msgspec
    import psutil

    from apps.cli.connect import connected
    from apps.data.streams import streams
    from apps.operate import core_cost
    from apps.operate import profile as operate
    from apps.operate.figures import measured

    settings = shared.settings()
    (stream,) = streams(settings, topology)
    with connected(settings) as (_, archive):

        def look() -> tuple[operate.Meters, dict[tuple[str, str], float]]:
            meters, cpu = dict(measured(archive.meters(stream.topology))), {}
            for name, one in meters.items():
                with suppress(psutil.Error):
                    if one.host == socket.gethostname():
                        times = psutil.Process(one.pid).cpu_times()
                        cpu[name] = times.user + times.system
            return meters, cpu

        before, cpu_before = look()
        time.sleep(seconds)
        after, cpu_after = look()
    spent = {name: cpu_after[name] - cpu_before[name] for name in cpu_before if name in cpu_after}
    found = operate.hops(before, after, spent)
    batch = max(1, round(max((hop.batch for hop in found), default=1)))
    core = core_cost.measured(settings, stream, _SAMPLE, (batch, settings.batch_max_records))
    said = operate.advice(found)
    if as_json:
        told = {"hops": [hop._asdict() for hop in found], "core": core, "advice": said}
        print(msgspec.json.format(msgspec.json.encode(told)).decode())
        return
    print("\n".join((*operate.lines(found), "", *core_cost.lines(core), "", said)))
