"""The thresholds of a model that was brought: said, or chosen by a budget on a sample."""

from collections.abc import Mapping

from apps.build.own_model.source import Floats
from apps.build.training.budget import GENUINE_DECLINED, REVIEW_SHARE, VISITS, WATCHED, above
from stormwatch.errors import ModelError

MACHINE = ("service", "watch")
_CYCLES = {"service": 20.0, "watch": 50.0}
"""Remaining lives at which units are due for service or watched, as in the shipped model."""


def chosen(
    names: tuple[str, str], told: Mapping[str, float], reviews: float | None,
    scores: Floats | None, label: Floats | None, *, probability: bool,
) -> dict[str, float]:  # fmt: skip
    """Of each name its threshold. Raises ModelError where there is nothing to choose them by."""
    strange = [name for name in told if name not in names]
    if strange:
        raise ModelError(f"There is no threshold {strange[0]!r}; there are {', '.join(names)}.")
    if all(name in told for name in names):
        return {name: float(told[name]) for name in names}
    if not probability:
        return _CYCLES | {name: float(value) for name, value in told.items()}
    if scores is None:
        lacking = [name for name in names if name not in told]
        raise ModelError(
            f"From which score on is an event for {' and '.join(lacking)}? Say --threshold "
            f"{lacking[0]}=0.5, or give --sample, and they are chosen so that "
            f"{VISITS if names == MACHINE else REVIEW_SHARE:.1%} of all are (--reviews)."
        )
    if names == MACHINE:
        share = VISITS if reviews is None else reviews
        service = told.get("service", above(scores, share))
        watch = told.get("watch", min(service, above(scores, WATCHED * share)))
        return {"service": float(service), "watch": float(watch)}
    review = told.get(names[0], above(scores, REVIEW_SHARE if reviews is None else reviews))
    genuine = scores if label is None else scores[label == 0]
    decline = told.get(names[1], max(review, above(genuine, GENUINE_DECLINED)))
    return {names[0]: float(review), names[1]: float(decline)}
