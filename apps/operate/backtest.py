"""What other rules would have done with the payments that are stored: alerts gained and lost.

Rules are asked again of the stored features and the stored score; nothing is computed anew, so a
whole month takes a minute. A rule that asks for what decisions do not keep (the details of a
payment) is not asked again: it counts where the reasons of a decision say that it fired then, by
its id. `replay --rules` decides from the records again. Labels tell how many of the alerts gained
and lost were deserved.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import msgspec
import numpy as np
from numpy.typing import NDArray

from stormwatch.domains.fraud import ALERT_OUTCOMES, Fraud
from stormwatch.domains.fraud.details import NUMBERS, TEXTS
from stormwatch.errors import SettingsError
from stormwatch.records import DAY_MS, Decision
from stormwatch.rules.combined import combined
from stormwatch.rules.document import RuleSet

_BATCH = 2_000
_KEPT_NOT = frozenset({*NUMBERS, *TEXTS})
_decode = msgspec.json.Decoder(Decision).decode


class Backtest(msgspec.Struct, kw_only=True):
    """Of all stored payments that have the features of this version."""

    decisions: int = 0
    left_out: int = 0  # of other features, learned only, or that cannot be read
    days: float = 0.0  # from the first event to the last
    alerts: int = 0  # as they were decided
    alerts_then: int = 0  # as they would be
    gained: int = 0
    gained_true: int = 0  # of those gained, labelled as deserved
    gained_false: int = 0  # labelled as not deserved
    lost: int = 0
    lost_true: int = 0
    lost_false: int = 0
    by_rule: dict[str, int] = {}  # id of a live or shadow rule -> payments on which it fires
    not_asked: dict[str, list[str]] = {}
    """Id of a rule that could not be asked again -> what it asks for that decisions do not keep."""

    def a_day(self, count: int) -> float:
        """Of a count, how many a day."""
        return count / max(self.days, 1.0)


def not_asked(rules: RuleSet) -> dict[str, list[str]]:
    """Ids of rules that ask for what decisions do not keep, and what that is. Raises SettingsError
    where all do."""
    active = [rule for rule in rules.rules if rule.state != "off"]
    asking = {rule.id: sorted(rule.predicate.names & _KEPT_NOT) for rule in active}
    found = {name: asked for name, asked in asking.items() if asked}
    if found and len(found) == len(active):
        each = "; ".join(f"{name!r} for {', '.join(asked)}" for name, asked in found.items())
        raise SettingsError(
            f"No rule can be backtested: each asks for what decisions do not keep ({each}). Have "
            "the records decided again: ./stormwatch replay fraud --rules FILE"
        )
    return found


def run(
    bodies: Iterable[bytes], rules: RuleSet, review: float, judge: Fraud | None = None
) -> Backtest:
    """Over the JSON of stored decisions and labels, in any order.

    `judge`: the domain, where it has features of a user. `review`: the model's score from which it
    alone has a payment reviewed (of a payment that was out of distribution it did not: that stays).
    Raises SettingsError where no rule can be asked.
    """
    made = Backtest(
        by_rule={rule.id: 0 for rule in rules.rules if rule.state != "off"},
        not_asked=not_asked(rules),
    )
    labels: dict[tuple[str, str], bool] = {}
    changed: dict[tuple[str, str], bool] = {}  # whether an alert was gained
    times: list[int] = []
    judge = judge or Fraud()
    payments = _payments(bodies, made, labels, judge.feature_set)
    while some := list(islice(payments, _BATCH)):
        before = np.array([one.outcome in ALERT_OUTCOMES for one in some])
        after = _alerts(some, judge.feature_names, rules, review, made)
        made.decisions += len(some)
        made.alerts += int(before.sum())
        made.alerts_then += int(after.sum())
        times += [min(one.time for one in some), max(one.time for one in some)]
        for at in np.flatnonzero(before != after).tolist():
            changed[some[at].entity, some[at].id] = bool(after[at])
    if times:
        made.days = (max(times) - min(times)) / DAY_MS
    _count(made, changed, labels)
    return made


def _payments(
    bodies: Iterable[bytes],
    made: Backtest,
    labels: dict[tuple[str, str], bool],
    feature_set: str,
) -> Iterator[Decision]:
    """Those that rules can be asked of; labels are put aside."""
    for body in bodies:
        try:
            one = _decode(body)
        except msgspec.MsgspecError:
            made.left_out += 1
            continue
        if one.learned is not msgspec.UNSET:
            labels[one.entity, one.learned.id] = one.learned.positive
        elif one.feature_set == feature_set and one.outcome in (*ALERT_OUTCOMES, "approve"):
            yield one
        else:
            made.left_out += 1


def _alerts(
    some: Sequence[Decision],
    names: Sequence[str],
    rules: RuleSet,
    review: float,
    made: Backtest,
) -> NDArray[np.bool_]:
    columns = dict(zip(names, np.array([d.features for d in some]).T, strict=True))
    fired = [
        (r, _as_then(some, r.id) if r.id in made.not_asked else r.predicate.holds(columns))
        for r in rules.rules if r.state != "off"
    ]  # fmt: skip
    for rule, hits in fired:
        made.by_rule[rule.id] += int(hits.sum())
    ruled = combined(rules, fired, len(some))
    held = np.array([any(r.code == "out_of_distribution" for r in d.reasons) for d in some])
    by_model = (np.array([d.score for d in some]) >= review) & ~held
    alerts: NDArray[np.bool_] = (by_model & ~ruled.approve) | ruled.review
    return alerts


def _as_then(some: Sequence[Decision], rule: str) -> NDArray[np.bool_]:
    """Of which the reasons say that it fired, also where it was in shadow, capped or snoozed."""
    return np.array([any(r.code.rpartition(":")[2] == rule for r in d.reasons) for d in some])


def _count(
    made: Backtest, changed: dict[tuple[str, str], bool], labels: dict[tuple[str, str], bool]
) -> None:
    counts: Counter[tuple[bool, bool | None]] = Counter(
        (gained, labels.get(key)) for key, gained in changed.items()
    )
    made.gained = sum(n for (gained, _), n in counts.items() if gained)
    made.lost = sum(n for (gained, _), n in counts.items() if not gained)
    made.gained_true, made.gained_false = counts[True, True], counts[True, False]
    made.lost_true, made.lost_false = counts[False, True], counts[False, False]
