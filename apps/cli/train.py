"""`train`: models of the project, and of a person's own data."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli import app as shared
from apps.cli.quality import expect_lightgbm
from stormwatch.errors import StormwatchError

if TYPE_CHECKING:
    from stormwatch.models import Card


class Model(StrEnum):
    """Models that can be trained here."""

    FRAUD = "fraud"
    MAINTENANCE = "maintenance"
    MILLING = "milling"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        epilog=shared.example(
            "train fraud",
            "train maintenance --data CMAPSS_FOLDER --seed 7",
            "train fraud --data a.csv --mapping m.toml --labels y --out m",
        ),
        short_help="Train a model.",
    )(train)


def train(
    model: Annotated[Model, typer.Argument(help="fraud, maintenance or milling")],
    data: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Public data, or a FILE of yours; else generated."),
    ] = None,
    cmapss: Annotated[
        str,
        typer.Option("--set", help="Of several C-MAPSS sets in --data, such as FD002."),
    ] = "",
    mapping: Annotated[
        str, typer.Option(metavar="FILE", help="How a FILE of yours becomes events.")
    ] = "",
    labels: Annotated[
        str,
        typer.Option(metavar="NAME", help="The column of frauds or failures, or a CSV file."),
    ] = "",
    equipment: Annotated[
        str, typer.Option(metavar="FILE", help="maintenance: the type of your machines.")
    ] = "",
    within: Annotated[
        float, typer.Option(min=0.1, help="maintenance: hours before a failure; of a file.")
    ] = 24.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 7,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="By default the folder that the bolts load.")
    ] = None,
    reviews_a_day: Annotated[
        float | None,
        typer.Option(min=0.0, help="Of your data: payments to review, or units to visit, a day."),
    ] = None,
    genuine_declined: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="fraud: share of the genuine payments that the model may decline.",
        ),
    ] = None,
) -> None:
    """Train a model and write it with a card: its features, metrics, seed and data.

    A FILE of your own payments or readings, with labels and a mapping, gives a model of them, with
    a report; of readings it is the model of failures that your equipment type names.
    """
    domains = shared.ROOT / "src" / "stormwatch" / "domains"
    shipped = domains / model.value / "model"
    if model is Model.MILLING:
        shipped = domains / "maintenance" / "equipment" / "models" / "milling"
    folder = out or shipped
    is_own = _of_own_file(model, data, mapping, labels, out)
    if reviews_a_day is not None and not (model is Model.FRAUD or is_own):
        raise StormwatchError("--reviews-a-day is of payments, or of readings of your own.")
    if genuine_declined is not None and model is not Model.FRAUD:
        raise StormwatchError("--genuine-declined is of the fraud model. Leave it out.")
    if equipment and not (model is Model.MAINTENANCE and is_own):
        raise StormwatchError("--equipment is of maintenance, with a FILE of your own readings.")
    print(f"training the {model.value} model with seed {seed}", file=sys.stderr)
    expect_lightgbm()
    if model is Model.FRAUD:
        card = _fraud(folder, seed, data, (reviews_a_day, genuine_declined), out,
                      (mapping, labels) if is_own else None)  # fmt: skip
    elif model is Model.MILLING:
        from apps.build.training.milling import train_milling

        card = train_milling(folder, seed)
    elif is_own and data is not None:
        card = _machines(folder, seed, data, (mapping, labels), equipment, within, reviews_a_day)
    else:
        from apps.build.training.maintenance import train_maintenance

        card = train_maintenance(folder, seed, data, cmapss)
    if is_own:
        print(f"{folder / 'report.md'} tells what each budget brings, with curves")
    print(f"{card.version} is in {folder}")
    for name, value in card.metrics.items():
        print(f"  {name:<24} {value:.4f}")


def _fraud(
    folder: Path, seed: int, data: Path | None, wanted: tuple[float | None, float | None],
    out: Path | None, own_file: tuple[str, str] | None,
) -> "Card":  # fmt: skip
    from apps.build.training.fraud import Budget, train_fraud
    from stormwatch.domains.fraud import own

    budget = Budget(wanted[0])
    if wanted[1] is not None:
        budget = budget._replace(genuine_declined=wanted[1])
    mine = own.chosen(shared.settings())
    if mine is not None and out is None:
        raise StormwatchError(
            "The setting fraud.features adds features of your own: name a folder for a model "
            "of them with --out DIR, and set fraud.model to it."
        )
    brought = None
    if own_file is not None and data is not None:
        from apps.build.training.own_data import payments

        brought = payments(data, *own_file)
    return train_fraud(folder, seed, data, budget=budget, own=mine, brought=brought)


def _machines(
    folder: Path, seed: int, data: Path, own_file: tuple[str, str], equipment: str, within: float,
    visits_a_day: float | None,
) -> "Card":  # fmt: skip
    from apps.build.training.failures import train_failures
    from apps.build.training.own_machines import rows

    types = shared.equipment(equipment)
    made = rows(data, *own_file, types, within)
    ahead = within if Path(own_file[1]).is_file() else 0.0
    words = f"readings of {data.name}"
    return train_failures(folder, types.default, made, words, seed, visits_a_day, ahead)


def _of_own_file(
    model: Model, data: Path | None, mapping: str, labels: str, out: Path | None
) -> bool:
    """Whether --data is a file of somebody's own. Raises StormwatchError for what does not fit."""
    if data is not None and model is Model.MILLING:
        raise StormwatchError(
            "The milling model is trained on generated products: leave out --data."
        )
    if data is not None and not data.exists():
        raise StormwatchError(f"--data {data} is not there.")
    is_own = data is not None and data.is_file()
    if is_own != bool(mapping and labels):
        raise StormwatchError(
            f"--data {data} is {'a file' if is_own else 'no file of yours'}: a file of payments "
            "or readings needs --mapping and --labels (./stormwatch map FILE makes a mapping), and "
            "a folder of public data takes neither."
        )
    if is_own and out is None:
        setting = "fraud.model" if model is Model.FRAUD else "`failure.model` of the equipment type"
        raise StormwatchError(
            f"Name a folder for a model of your own data with --out DIR, and set {setting} to it."
        )
    return is_own
