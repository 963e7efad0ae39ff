"""Each decision made again by the versions that it names, where these were changed while it ran.

Which version decided is believed, as it is known by no log; with it each decision has to be, byte
for byte, what the core makes of the record.
"""

from collections.abc import Sequence
from typing import Any

from apps.operate.rollout.versions import Names, Resolve
from stormwatch.models import NONE
from stormwatch.records import Shadow
from stormwatch.state.judge import Verdict
from stormwatch.state.recorded import Find


class Named:
    """A domain that decides an event by the model and rules that its stored decision names."""

    def __init__(self, domain: Any, find: Find, resolve: Resolve, alone: bool = False) -> None:
        """`alone`: by rules alone, as where the model had no score."""
        self._domain, self._find, self._resolve, self._alone = domain, find, resolve, alone
        self._own = (domain.model_version, domain.rules_version)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._domain, name)

    @property
    def settle(self) -> Any:
        """The last word, of versions that have caps, too."""
        own = getattr(self._domain, "settle", None)
        return own or getattr(self._domain, "settle_capped", None)

    def by_rules(self) -> "Named":
        """The same without a model."""
        return Named(self._domain, self._find, self._resolve, alone=True)

    def decide(
        self,
        events: Sequence[Any],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[Any],
    ) -> list[Verdict]:
        """See the port."""
        rows = events, features, carries
        places: dict[tuple[Names, bool], list[int]] = {}
        shadows: dict[Names, list[int]] = {}
        for at, event in enumerate(events):
            told = self._find(event)
            names = (told.model, told.rules) if told else self._own
            alone = self._alone or (told is not None and told.degraded)
            places.setdefault((names, alone), []).append(at)
            for other in told.shadow if told else ():
                shadows.setdefault((other.model, other.rules), []).append(at)
        found: dict[int, Verdict] = {}
        for (names, alone), some in places.items():
            found.update(zip(some, self._decided(names, some, rows, alone), strict=True))
        noted: dict[int, dict[Names, Shadow]] = {}
        for names, some in shadows.items():
            for at, v in zip(some, self._decided(names, some, rows, names[0] == NONE), strict=True):
                noted.setdefault(at, {})[names] = Shadow(*names, v.outcome, v.score)
        for at, made in noted.items():
            told = self._find(events[at])
            assert told is not None
            order = tuple(made[one.model, one.rules] for one in told.shadow)
            found[at] = found[at]._replace(shadow=order)
        return [found[at] for at in range(len(events))]

    def _decided(
        self, names: Names, some: Sequence[int], rows: tuple[Sequence[Any], ...], alone: bool
    ) -> list[Verdict]:
        judge = self._resolve(names) or self._domain
        if alone:
            judge = judge.by_rules()
        found = judge.decide(*([column[at] for at in some] for column in rows))
        by = (judge.feature_set, judge.model_version, judge.rules_version)
        return [
            v if v.by else v._replace(by=(by[0], NONE, by[2]) if v.degraded else by) for v in found
        ]
