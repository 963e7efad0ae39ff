"""Why a payment is an alert: what the model's features and the rules add to it, in sentences."""

from collections.abc import Mapping, Sequence

from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.features import FEATURE_NAMES, FEATURES
from stormwatch.features import Feature
from stormwatch.models.contributions import Parts
from stormwatch.reasons.catalogue import meaning, texts
from stormwatch.reasons.explain import Told, explanation
from stormwatch.records import Contribution, Explanation, Reason
from stormwatch.rules.document import Rule

Words = Mapping[str, int | float | str]

_COLUMN = {name: at for at, name in enumerate(FEATURE_NAMES)}
_LIKE_AMOUNTS = frozenset({"amount", "mean_1h", "mean_1d", "mean_7d", "mean_30d", "usual_mean"})
_MS_A_MINUTE = 60_000


def by_model(
    parts: Parts, row: Sequence[float], known: Words, features: Sequence[Feature] = FEATURES
) -> Explanation:
    """What each feature adds to the log-odds of the model's probability. `features`: those of the
    row, the domain's first; the model takes as many as there are amounts."""
    row, features = row[: len(parts.amounts)], features[: len(parts.amounts)]
    called = [feature.name for feature in features]
    values = dict(zip(called, row, strict=True))
    usual = _usual(row)
    catalogue = texts("fraud")

    def told(at: int) -> Told:
        feature = features[at]
        text = catalogue.get(feature.name)
        if text is None:
            return Told(feature.name, meaning(feature, row[at]))
        said = text.of(row[at], values).format_map(known)
        normal = None
        if usual is not None and feature.name in _LIKE_AMOUNTS:
            normal = usual
        elif usual is not None and feature.name == "usual_ratio":
            mean = values["usual_mean"]
            normal = round(usual[0] / mean, 4), round(usual[1] / mean, 4)
        return Told(text.about, said, normal)

    return explanation("log-odds", parts.in_log_odds(), called, row, told)


def by_rules(rules: Sequence[Rule], reasons: Sequence[Reason]) -> Explanation:
    """What each rule that fired adds to the sum of weights; `reasons` are theirs."""
    parts = [
        Contribution(rule.id, rule.weight, reason.text)
        for rule, reason in zip(rules, reasons, strict=True)
    ]
    parts.sort(key=lambda part: -abs(part.amount))
    return Explanation("rules", "weight", 0.0, tuple(parts))


def matter(feature: str) -> str:
    """What a feature is about: what is said of one of these is not said of another."""
    text = texts("fraud").get(feature)
    return text.about if text else feature


def more_words(event: Transaction, row: Sequence[float]) -> dict[str, int | float | str]:
    """What sentences name besides features, but for money: see the head of the catalogue."""
    values = dict(zip(FEATURE_NAMES, row, strict=False))  # a user's own come after them
    minutes = (event.time // _MS_A_MINUTE + event.utc_offset) % 1440
    days = min(max(values["known_days"], 1.0), 30.0)
    a_day = values["count_30d"] / days
    return {
        "clock": f"{minutes // 60}:{minutes % 60:02}",
        "since": duration(values["since_last"]),
        "age": duration(values["terminal_fraud_age_h"] * 3600),
        "a_day": a_day,
        "a_week": 7 * a_day,
    }


def usual_ends(row: Sequence[float]) -> tuple[float, float]:
    """One standard deviation about the customer's usual mean, points."""
    mean, apart = row[_COLUMN["usual_mean"]], row[_COLUMN["usual_std"]]
    return max(mean - apart, 0.0), mean + apart


def duration(seconds: float) -> str:
    """In the largest unit of which there are two or more."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _usual(row: Sequence[float]) -> tuple[float, float] | None:
    if row[_COLUMN["usual_count"]] < 3:
        return None
    low, high = usual_ends(row)
    return round(low, 2), round(high, 2)
