"""`equipment`: kinds of machines."""

from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared

app = typer.Typer(
    help="Kinds of machines: which are known, and what is normal of one.",
    epilog=shared.example("equipment list", "equipment learn pumps.csv --name pump"),
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list", epilog=shared.example("equipment list"))
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the equipment types that the settings and this version know.

    A file of the setting maintenance.equipment that is wrong is refused with its line and key.
    """
    from stormwatch.domains.maintenance.equipment import chosen

    types = chosen(shared.settings())
    if as_json:
        return shared.print_json([
            {"name": name, "version": kind.version, "words": kind.words,
             "sensors": len(kind.sensors), "default": kind is types.default}
            for name, kind in sorted(types.by_name.items())
        ])  # fmt: skip
    for name, kind in sorted(types.by_name.items()):
        sensors = "any sensors" if not kind.sensors else f"{len(kind.sensors)} sensors"
        default = ", the default" if kind is types.default else ""
        print(f"{name:<12} {kind.version:<4} {sensors:<12} {kind.words}{default}")


@app.command(epilog=shared.example("equipment learn pumps.csv --name pump --out pump.toml"))
def learn(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="What the type is to be called.")],
    out: Annotated[
        Path | None, typer.Option(help="Where to write.", show_default="NAME.toml")
    ] = None,
) -> None:
    """Write an equipment type from a sample of readings: each sensor's normal for a cold start.

    The file is read by the mapping that the settings name (mapping.readings), or as readings of
    ours. Say in what is written what each sensor is, and name it in maintenance.equipment.
    """
    from itertools import islice

    from apps.data import fleet, mappings
    from stormwatch.domains.maintenance.equipment import chosen
    from stormwatch.domains.maintenance.event import Reading
    from stormwatch.domains.maintenance.parse import Readings

    place = out or Path(f"{name}.toml")
    if place.exists():
        raise typer.BadParameter(f"{place} exists; name another with --out.")
    settings = shared.settings()
    topic = settings.topic_readings
    mapped = mappings.of(settings, "readings", topic)
    parse = mapped.parse if mapped else Readings(chosen(settings)).parse
    events = mappings.events_of(settings, [file], "readings", "sample", topic=topic)
    made = (parse(event.value, -1, future_skew_ms=0) for event in islice(events, fleet.SAMPLE))
    text = fleet.learned(name, (one for one in made if isinstance(one, Reading)))
    place.write_text(text, encoding="utf-8")
    print(f"{place} is written. Next: maintenance.equipment = {place}")
