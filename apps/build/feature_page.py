"""docs/features.md: what each feature means, from the declarations that compute with them. Pure."""

from stormwatch.domains.fraud import features as fraud
from stormwatch.domains.maintenance import features, findings
from stormwatch.domains.maintenance.equipment import shipped, shipped_names
from stormwatch.domains.maintenance.failures import feature_set
from stormwatch.features import Feature, table

_HEAD = """\
# Features

What a decision is made of: one number each, given what came before the event, computed in one pass
by one code for the stream, training, replay and evaluation. This page is written from the
declarations (`./stormwatch schema features`). A decision stores its features in this order, with
the name of the set.
"""


def page() -> str:
    """The whole page."""
    failing = (kind for kind in map(shipped, shipped_names()) if kind.failure is not None)
    sets: list[tuple[str, str, tuple[Feature, ...]]] = [
        ("Payments", fraud.FEATURE_SET, fraud.FEATURES),
        ("Turbofans", features.FEATURE_SET, features.FEATURES),
        ("Machines of any type", findings.FEATURE_SET, findings.FEATURES),
        *((kind.words.capitalize(), feature_set(kind), kind.failure_features) for kind in failing),
    ]
    parts = [f"## {title}: `{name}`\n\n{table(declared)}" for title, name, declared in sets]
    return "\n".join((_HEAD, *parts))
