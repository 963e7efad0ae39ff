"""From a source to a model folder: named, compared, measured and loaded, or refused with why."""

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
import numpy as np

from apps.build.own_model import compared, measured
from apps.build.own_model.files import installed, read
from apps.build.own_model.sample import Sample
from apps.build.own_model.sample import read as read_sample
from apps.build.own_model.source import Candidate, Floats, Source
from apps.build.own_model.thresholds import chosen
from stormwatch.domains.maintenance.equipment import Equipment
from stormwatch.errors import ModelError, SettingsError
from stormwatch.models import Card, Model, differing, load
from stormwatch.models.conditions import Conditions
from stormwatch.models.distribution import describe
from stormwatch.own_features import OwnFeatures

DOMAIN = "domain"
"""As the features of a model that does not name them: those of the domain, in their order."""


class Target(NamedTuple):
    """What a domain asks of its models."""

    name: str
    feature_set: str
    feature_names: tuple[str, ...]
    words: str
    thresholds: tuple[str, str]
    check: Callable[[Path], object]  # loads the domain with that folder. Raises ModelError
    conditions: Conditions | None = None
    probability: bool = True
    """Whether a score is one."""
    sequences: bool = True
    """Whether states keep rows for models of sequences."""
    others: "Target | None" = None
    """What a model that was trained without features of a person's own asks."""


class Wanted(NamedTuple):
    """What a person says of the model that they bring."""

    place: str
    name: str
    features: str = ""
    window: int | None = None
    sample: Path | None = None
    thresholds: Mapping[str, float] = {}
    reviews: float | None = None  # share of all events that the model alone may send to people
    most_us: float = 200.0
    most_mb: float = 60.0


class Added(NamedTuple):
    """What was made."""

    card: Card
    how: str
    warnings: tuple[str, ...]


def fraud(own: OwnFeatures | None = None) -> Target:
    """Of payments. `own`: features of a person's own that a model may take after the domain's; the
    hash of their text is in the name of the set, so that no other file is taken for it."""
    from stormwatch.domains.fraud import Fraud

    domain = Fraud(own=own)
    return Target(
        "fraud", domain.feature_set, domain.feature_names, "probability of fraud",
        ("review", "decline"), partial(Fraud.load, own=own), others=_without(own),
    )  # fmt: skip


def _without(own: OwnFeatures | None) -> "Target | None":
    return None if own is None else fraud()


def maintenance(folder: Path | None) -> Target:
    """Of readings; the working conditions are those of the model in `folder`, or the shipped one's,
    for features are distances from what is normal there."""
    from stormwatch.domains.maintenance import Maintenance
    from stormwatch.domains.maintenance.domain import SHIPPED
    from stormwatch.domains.maintenance.features import FEATURE_SET, MODEL_FEATURES
    from stormwatch.models import card_of

    return Target(
        "maintenance", FEATURE_SET, MODEL_FEATURES, "remaining life, operating cycles",
        ("service", "watch"), Maintenance.load, card_of(folder or SHIPPED).conditions,
        probability=False, sequences=False,
    )  # fmt: skip


def failures(kind: Equipment) -> Target:
    """Of the failures of an equipment type of a person's own. Raises SettingsError for one that
    does not say what a model sees."""
    from stormwatch.domains.maintenance.failures import Failures, feature_set
    from stormwatch.features import names
    from stormwatch.models import now

    if kind.failure is None:
        raise SettingsError(
            f'The equipment type {kind.name} has no model of failures: set model = "failure", and '
            "[failure] with features and model (docs/equipment-types.md)."
        )
    own = kind.failure

    def check(folder: Path) -> object:
        failure = msgspec.structs.replace(own, model=str(folder))
        return Failures.load(msgspec.structs.replace(kind, failure=failure), now)

    return Target(
        "maintenance", feature_set(kind), names(kind.failure_features),
        "probability that the unit fails", ("service", "watch"), check, sequences=not own.over,
    )  # fmt: skip


def add(wanted: Wanted, target: Target, out: Path) -> Added:
    """Write the folder `out`, which must not be there. Raises ModelError; then nothing is there."""
    if out.exists():
        raise ModelError(f"{out} is there already: name another with --out, or remove it.")
    source = read(wanted.place, wanted.window)
    if target.others is not None and _takes(source, wanted.features, target.others):
        target = target.others
    _check_features(source, target, wanted.features)
    if source.window > 1 and not target.sequences:
        raise ModelError(
            f"The model takes sequences of {source.window} rows; of {target.feature_set!r} states "
            "keep none. Sequence models are for payments, and for equipment types of your own "
            "whose [failure] has no `over`."
        )
    if target.probability and source.probability is False:
        raise ModelError(
            f"The model gives no probability, and a score of {target.name} is one. Train with a "
            "logistic objective, or a classifier."
        )
    sample = read_sample(wanted.sample, target.feature_names) if wanted.sample else None
    windows = _rows(sample, source) if sample else None
    rows = compared.rows_for(source, windows)
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as work:
        made = _first_good(source, target, wanted, Path(work), rows)
        card, model, how, apart = made
        card, warnings = _judged(card, model, sample, windows, target, wanted)
        if sample is not None and sample.score is not None and windows is not None:
            try:
                stated = compared.against(model, windows, sample.score, target.feature_names)
            except ValueError as error:
                raise ModelError(f"{wanted.sample} states other scores: {error}.") from error
            apart = max(apart, stated, key=lambda one: one.rows)
        elif source.original is None:
            warnings += (
                "there is only the file, so its scores were compared with nothing: give --sample a "
                "column `score` with what the original gives",
            )
        if apart.left_out:
            warnings += (f"rows that the original does not take were left out: {apart.left_out}",)
        np.save(Path(work) / "rows.npy", np.nan_to_num(rows[-2_000:]))
        _write(Path(work) / "model", card, (Path(work) / "model" / card.artefact).read_bytes())
        cost = measured.of(Path(work) / "model", Path(work) / "rows.npy")
        _check_cost(cost, wanted)
        card = msgspec.structs.replace(
            card,
            measured={
                "us_a_record_alone": cost.us_1, "us_a_record_of_500": cost.us_500,
                "adds_mb": cost.mb, "rows_compared": float(apart.rows),
                "greatest_difference": float(f"{apart.worst:.3g}"),
            },
        )  # fmt: skip
        _write(Path(work) / "model", card, (Path(work) / "model" / card.artefact).read_bytes())
        target.check(Path(work) / "model")
        shutil.move(str(Path(work) / "model"), out)
    return Added(card, how, warnings)


def _takes(source: Source, told: str, target: Target) -> bool:
    """Whether the model takes the features of `target`, by their names, and no more."""
    names = source.names or (_told(told, target) if told else ())
    return names == target.feature_names and source.width == len(names)


def _check_features(source: Source, target: Target, told: str) -> None:
    """Raises ModelError with the first difference."""
    names = source.names
    if names is None and not told:
        raise ModelError(
            f"The model takes {source.width} features and names none. Say which they are, in "
            f"order: --features a,b,c or --features FILE, or --features {DOMAIN} where they are "
            f"the {len(target.feature_names)} of {target.feature_set!r}: ./stormwatch model "
            f"features {target.name}"
        )
    if told and names is None:
        names = _told(told, target)
    names = names or ()
    if names != target.feature_names or source.width != len(names):
        at = next(
            (at for at, (one, other) in enumerate(zip(names, target.feature_names, strict=False))
             if one != other),
            min(len(names), len(target.feature_names)),
        )  # fmt: skip
        own = repr(names[at]) if at < len(names) else "nothing more"
        wants = repr(target.feature_names[at]) if at < len(target.feature_names) else "no more"
        raise ModelError(
            f"The model is for {source.width} features, {target.feature_set!r} has "
            f"{len(target.feature_names)}; the first difference is feature {at + 1}: the model "
            f"takes {own}, the domain gives {wants}{differing(names, target.feature_names)}. Train "
            f"it on the domain's features in their order: ./stormwatch model rows {target.name}"
        )


def _told(told: str, target: Target) -> tuple[str, ...]:
    if told == DOMAIN:
        return target.feature_names
    path = Path(told)
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else told
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} cannot be read: {error}.") from error
    return tuple(name for name in text.replace(",", " ").split() if name)


def _rows(sample: Sample, source: Source) -> Floats:
    """As the model takes them."""
    if source.window == 1:
        return sample.rows
    if sample.entity is None:
        raise ModelError("A sample for a model of sequences needs a column `entity`.")
    from stormwatch.models.window import windows

    return windows(sample.rows, sample.entity, source.window)


def _first_good(
    source: Source, target: Target, wanted: Wanted, work: Path, rows: Floats
) -> tuple[Card, Model, str, compared.Compared]:
    """The first way of scoring that gives the original's scores."""
    problems = []
    for candidate in source.candidates:
        try:
            artefact = candidate.make()
            card = _card(source, target, wanted, candidate, artefact)
            _write(work / "model", card, artefact)
            model = load(work / "model")
            return (
                card,
                model,
                candidate.words,
                compared.compare(source, model, rows, target.feature_names),
            )
        except ValueError as error:
            problems.append(f"as {candidate.words}: {error}")
    raise ModelError("The model cannot be scored as it is. " + "; ".join(problems) + ".")


def _card(
    source: Source, target: Target, wanted: Wanted, candidate: Candidate, artefact: bytes
) -> Card:
    digest = sha256(artefact).hexdigest()
    suffix = "onnx" if candidate.kind == "onnx" else "msgpack"
    return Card(
        name=wanted.name, version=f"{wanted.name}-{digest[:8]}", framework=source.framework,
        kind=candidate.kind, artefact=f"model.{suffix}", sha256=digest, target=target.words,
        feature_set=target.feature_set, feature_names=target.feature_names, thresholds={},
        split="brought from outside: see where it was trained", metrics={},
        data="not told: the model was brought", data_hash="", seed=0, parameters={},
        libraries=installed(("numpy", *source.libraries)), notes=source.notes,
        conditions=target.conditions, window=source.window,
    )  # fmt: skip


def _judged(
    card: Card, model: Model, sample: Sample | None, windows: Floats | None, target: Target,
    wanted: Wanted,
) -> tuple[Card, tuple[str, ...]]:  # fmt: skip
    """With thresholds, and what the sample tells."""
    warnings: tuple[str, ...] = ()
    scores = np.array(model.predict(windows)) if windows is not None else None
    if scores is not None:
        if not np.isfinite(scores).all():
            at = int(np.flatnonzero(~np.isfinite(scores))[0])
            raise ModelError(f"The model gives {scores[at]} for line {at + 2} of {wanted.sample}.")
        if target.probability and not ((scores >= 0) & (scores <= 1)).all():
            raise ModelError(
                f"The model gives scores from {scores.min():g} to {scores.max():g} for rows of "
                f"{wanted.sample}; a {target.words} lies from 0 to 1."
            )
    thresholds = chosen(
        target.thresholds, wanted.thresholds, wanted.reviews, scores,
        None if sample is None else sample.label, probability=target.probability,
    )  # fmt: skip
    distribution = b""
    if sample is None:
        warnings += (
            "no --sample of the training rows: no record is ever marked as unlike them, and no "
            "drift is seen",
        )
    elif len(sample.rows) < 1_000:
        warnings += (
            f"the sample has {len(sample.rows)} rows; from 1,000 on the card describes them",
        )
    else:
        assert scores is not None
        rare = None
        if sample.label is not None and (sample.label > 0).any() and target.probability:
            rare = sample.label > 0
        distribution = describe(sample.rows, scores, rare=rare)
    return msgspec.structs.replace(card, thresholds=thresholds, distribution=distribution), warnings


def _check_cost(cost: measured.Cost, wanted: Wanted) -> None:
    if cost.us_500 > wanted.most_us:
        raise ModelError(
            f"The model takes {cost.us_500:,.0f} µs a record in batches of 500; at most "
            f"{wanted.most_us:g} are allowed (--most-us). Train a smaller one."
        )
    if cost.mb > wanted.most_mb:
        raise ModelError(
            f"The model adds {cost.mb:,.0f} MB to each scoring process; at most "
            f"{wanted.most_mb:g} are allowed (--most-mb). Train a smaller one."
        )


def _write(folder: Path, card: Card, artefact: bytes) -> Any:
    folder.mkdir(exist_ok=True)
    (folder / card.artefact).write_bytes(artefact)
    text = msgspec.json.format(msgspec.json.encode(card), indent=2)
    (folder / "card.json").write_bytes(text + b"\n")
