"""What there is to be said of a reading of the judge `any`."""

from typing import NamedTuple

from stormwatch.domains.maintenance.health import KINDS
from stormwatch.domains.maintenance.surprise import Distances
from stormwatch.features import Feature, names

LIMIT = 4.2
"""Decades of surprise at which a reading is an anomaly."""
STAYS = (1.0, 3.0)
"""Near and far distances at which a unit stays far off, surprising or not."""
BROKEN = ("implausible", "sentinel", "stuck", *KINDS[1:])
"""Kinds of findings of sensors that do not measure."""
FAR_OFF = ("near", "off", "beyond")
"""Kinds of findings of sensors that make a reading surprising."""

FEATURE_SET = "any-2"
FEATURES = (
    Feature("score", "decades of how surprising the reading is", "", "all readings"),
    Feature("judged", "sensors that were judged"),
    Feature("learning", "sensors whose normal is still learned", "", "12 readings"),
    Feature("odd", "sensors at least 5 sigmas from their normal", "", "140 readings"),
    Feature("broken", "sensors that do not measure"),
    Feature("silent_s", "time since the reading before, -1 for the first", "s"),
    Feature("near", "distance of the newest readings, the largest", "", "4 readings"),
    Feature("far", "the same of more readings", "", "48 readings"),
    Feature("beyond", "how far outside all that was seen, in shares of it", "", "all readings"),
)  # fmt: skip
NAMES = names(FEATURES)
FEATURES_BEFORE = {"any-1": NAMES[:6]}
"""Of decisions that earlier versions made; their score was the sigmas of the oddest sensor."""

_NOWHERE = (0.0, 0.0, 0.0)


class Finding(NamedTuple):
    """What is to be said of one sensor of a reading."""

    kind: str  # "odd", "learning", one of BROKEN, one of FAR_OFF
    name: str
    value: float
    centre: float = 0.0  # of "beyond" the lowest value seen
    sigma: float = 0.0  # of "near" and "off" the mean distance from normal; the highest value seen
    score: float = 0.0  # in these; of "beyond" the share of what was seen
    known: int = 0  # readings learned; of a stuck sensor: values in a row; of `health` since when
    about: str = ""  # of "unit" which, of "swapped" the other sensor


class Findings(NamedTuple):
    """All that is to be said of a reading."""

    score: float  # decades of surprise, 6 decimals
    judged: int
    found: tuple[Finding, ...]
    learned: bool
    distances: Distances = _NOWHERE
    """The largest: near, far, beyond."""
    parts: tuple[tuple[float, Finding], ...] = ()
    """Of an anomaly: how many decades each of these adds to the score, and by which sensor."""
