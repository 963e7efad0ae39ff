"""`model`: bring a model of one's own."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli import app as shared
from stormwatch.errors import StormwatchError
from stormwatch.features import names

if TYPE_CHECKING:
    from apps.build.own_model import add as adding
    from stormwatch.own_features import OwnFeatures

app = typer.Typer(
    help="Models: bring one of your own, and what features it takes.",
    epilog=shared.example("model add model.txt --domain fraud --name mine", "model rows fraud"),
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Domain(StrEnum):
    """Domains that take models."""

    FRAUD = "fraud"
    MAINTENANCE = "maintenance"


@app.command(
    epilog=shared.example(
        "model add model.txt --domain fraud --name a --sample rows.csv",
        "model add load.py --domain fraud --name a --sample rows.csv",
    )
)
def add(
    place: Annotated[
        str, typer.Argument(metavar="PATH", help="A model file, or FILE.py[:FUNCTION].")
    ],
    domain: Annotated[Domain, typer.Option(help="Whose records it scores.")],
    name: Annotated[str, typer.Option(help="What it is called; its version begins so.")],
    features: Annotated[
        str,
        typer.Option(
            metavar="NAMES", help="Of a file without names: a,b,c or a file of them, or `domain`."
        ),
    ] = "",
    window: Annotated[
        int | None, typer.Option(min=2, max=64, help="Rows of a sequence, where it is not told.")
    ] = None,
    sample: Annotated[
        Path | None,
        typer.Option(metavar="CSV", help="Training rows; also columns label, score, entity."),
    ] = None,
    threshold: Annotated[
        list[str] | None, typer.Option(metavar="NAME=SCORE", help="review, decline, …; repeat.")
    ] = None,
    reviews: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of all payments it may send to people."),
    ] = None,
    most_us: Annotated[float, typer.Option(help="µs a record, in batches of 500.")] = 200.0,
    most_mb: Annotated[float, typer.Option(help="Memory it may add to a process.")] = 60.0,
    equipment: Annotated[
        str, typer.Option(metavar="FILE", help="maintenance: the type of your machines.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder to write: models/NAME.")
    ] = None,
) -> None:
    """Make a model folder of a model that you trained.

    Its features are held against the domain's, its scores against the original's on rows made to
    hurt, and time and memory are measured; what does not hold is refused with the reason.
    """
    from apps.build.own_model import add as adding

    wanted = adding.Wanted(
        place, _named(name), features, window, sample, _thresholds(threshold or []), reviews,
        most_us, most_mb,
    )  # fmt: skip
    folder = out or Path("models") / name
    target = _target(domain, equipment)
    made = adding.add(wanted, target, folder)
    card, told = made.card, made.card.measured
    print(f"{card.version}: {card.framework}; {made.how}")
    if told["rows_compared"]:
        print(
            f"  compared with the original on {told['rows_compared']:,.0f} rows: differs by "
            f"{told['greatest_difference']:.1e} at most"
        )
    print(
        f"  {told['us_a_record_alone']:,.1f} µs a record alone, {told['us_a_record_of_500']:,.2f} "
        f"in batches of 500; adds {told['adds_mb']:,.1f} MB to a process"
    )
    print("  thresholds: " + ", ".join(f"{k} {v:g}" for k, v in card.thresholds.items()))
    for warning in made.warnings:
        print(f"  warning: {warning}")
    if equipment:
        print(f"{folder} is written. To use it, in {equipment}:\n")
        print(f'[failure]\nmodel = "{folder}"')
    else:
        print(f"{folder} is written. To use it, in stormwatch.toml:\n")
        print(f'[{domain.value}]\nmodel = "{folder}"')


@app.command(epilog=shared.example("model features fraud"))
def features(
    domain: Annotated[Domain, typer.Argument(help="Whose features.")],
    equipment: Annotated[
        str, typer.Option(metavar="FILE", help="maintenance: the type of your machines.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the features that a model of a domain takes, one a line, in their order."""
    if as_json:
        return shared.print_json(list(_target(domain, equipment).feature_names))
    for name in _target(domain, equipment).feature_names:
        print(name)


@app.command(epilog=shared.example("model rows fraud --out rows.csv.gz"))
def rows(
    domain: Annotated[Domain, typer.Argument(help="Whose features.")],
    out: Annotated[Path, typer.Option(metavar="CSV", help="To write; .csv or .csv.gz.")],
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your events; else generated payments.")
    ] = None,
    mapping: Annotated[str, typer.Option(metavar="FILE", help="How they become events.")] = "",
    labels: Annotated[
        str, typer.Option(metavar="NAME", help="Column of frauds or failures, or a CSV file.")
    ] = "",
    equipment: Annotated[
        str, typer.Option(metavar="FILE", help="maintenance: the type of your machines.")
    ] = "",
    within: Annotated[
        float, typer.Option(min=0.1, help="maintenance: hours before a failure; of a file.")
    ] = 24.0,
    customers: Annotated[int, typer.Option(min=1, help="Of generated payments.")] = 500,
    days: Annotated[int, typer.Option(min=1, help="Of generated payments.")] = 40,
    seed: Annotated[int, typer.Option(help="Of generated payments.")] = 7,
) -> None:
    """Write feature rows to train a model of your own on, computed as in the stream.

    A row an event, in order of time: whose it is, its time, its label, and the features in the
    order in which models take them. A fraud is known seven days after its payment.
    """
    if domain is Domain.MAINTENANCE:
        _rows_of_readings(out, data, mapping, labels, equipment, within)
        return
    if (data is None) != (not mapping and not labels) or bool(mapping) != bool(labels):
        raise StormwatchError("Give --data, --mapping and --labels together, or none of them.")
    from apps.build.training import own_data, payments, table
    from stormwatch.domains.fraud import Fraud

    source = (
        payments.simulated(seed, customers, days)
        if data is None
        else own_data.payments(data, mapping, labels)
    )
    made = table.write(out, source, Fraud(own=_own()))
    print(f"{out}: {made.rows:,} rows, {made.frauds:,} of them frauds")


def _own() -> "OwnFeatures | None":
    """Features of a person's own that the settings name. Raises SettingsError."""
    from stormwatch.domains.fraud import own

    return own.chosen(shared.settings())


def _rows_of_readings(
    out: Path, data: Path | None, mapping: str, labels: str, equipment: str, within: float
) -> None:
    if data is None or not (mapping and labels and equipment):
        raise StormwatchError(
            "Rows of readings are of your own machines: give --data, --mapping, --labels and "
            "--equipment."
        )
    from apps.build.training import own_machines, table

    types = shared.equipment(equipment)
    made = own_machines.rows(data, mapping, labels, types, within)
    told = table.write_readings(out, made, names(types.default.failure_features))
    print(f"{out}: {told.rows:,} rows, {told.frauds:,} of them speak of a failure")


def _target(domain: Domain, equipment: str) -> "adding.Target":
    from apps.build.own_model import add as adding

    if domain is Domain.FRAUD:
        if equipment:
            raise StormwatchError("--equipment is of the domain maintenance. Leave it out.")
        return adding.fraud(_own())
    if equipment:
        return adding.failures(shared.equipment(equipment).default)
    told = shared.settings().maintenance_model
    return adding.maintenance(Path(told) if told else None)


def _named(name: str) -> str:
    if not name or not all(c.isascii() and (c.isalnum() or c in "-_") for c in name):
        raise StormwatchError(
            f"A model cannot be called {name!r}: letters, digits, - and _ make its name."
        )
    return name


def _thresholds(told: list[str]) -> dict[str, float]:
    found = {}
    for one in told:
        name, _, value = one.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError as error:
            raise StormwatchError(
                f"--threshold {one} is no NAME=SCORE, such as review=0.5."
            ) from error
    return found
