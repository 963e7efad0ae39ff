"""Whether a fleet is still like the one that its model was trained on: counted while it runs.

A unit counts by one reading a phase of its life (`stormwatch.models.phases`). Each full window
gives the stability index of every feature, of the score and of the share of units that have an
alert, as far as it is above what so few units have by chance.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
import numpy as np

from stormwatch.models import distribution, phases
from stormwatch.models.card import Card
from stormwatch.models.distribution import Floats
from stormwatch.models.drift import SCORE, Drift, Found, Lasting
from stormwatch.models.phases import Counted, Phases

WINDOW = 50
"""So many readings make a window, if they are of FEWEST units: then the next one begins."""
FEWEST = 10
"""A fleet of fewer units is not compared: there is nothing to be said of so few."""
GIVEN_UP = 10 * WINDOW
"""Readings of fewer units than that, with which a window begins again."""
ALERTS = "alerts"
"""The name of the share of units that have an alert, among the indices."""


class Sampling(Protocol):
    """Of a domain: which of its decisions count."""

    marks: Sequence[bytes]
    """Each decision that counts has one of these in its JSON: others are not read at all."""

    def phases(self, rows: Floats) -> Sequence[int]:
        """Of rows of features the phase of the unit's life; below 0: the row does not count."""


class _Sampled(msgspec.Struct):
    entity: str
    outcome: str
    features: tuple[float, ...]
    model: str
    score: float


_decode = msgspec.json.Decoder(_Sampled).decode


class FleetDrift:
    """Of one model in one process. Observes only: no decision depends on it."""

    def __init__(
        self, card: Card, trained_on: Phases, sampling: Sampling, alerts: frozenset[str],
        *, window: int = WINDOW,
    ) -> None:  # fmt: skip
        """`alerts`: outcomes of a unit that has one."""
        self._card, self._trained_on, self._sampling = card, trained_on, sampling
        self._alerts, self._window = alerts, window
        self._counted: Counted | None = None
        self._units: set[str] = set()
        self._lasting = Lasting(card.version)

    def look(self, bodies: Sequence[bytes]) -> Found | None:
        """Of the stored decisions of one batch; what was found where they fill a window.

        What is kept are counts, and the names of a window's units.
        """
        marks, found = self._sampling.marks, None
        for body in bodies:
            if any(mark in body for mark in marks):
                found = self._take(_decode(body)) or found
        return found

    def _take(self, one: _Sampled) -> Found | None:
        if one.model != self._card.version or one.score < 0:
            return None
        row = np.array(one.features)[None]
        phase = self._sampling.phases(row)
        if not self._trained_on.knows(phase[0]):
            return None
        told = row[:, : len(self._card.feature_names)]
        columns = np.column_stack([told, [one.score], [one.outcome in self._alerts]])
        counted = self._trained_on.counted(columns, phase)
        self._counted = counted if self._counted is None else self._counted.plus(counted)
        self._units.add(one.entity)
        if self._counted.rows < self._window:
            return None
        if len(self._units) < FEWEST:
            if self._counted.rows >= GIVEN_UP:
                self._begin()
            return None
        return self._compare(self._counted)

    def _compare(self, counted: Counted) -> Found:
        above = phases.indices(counted, len(self._units))
        names = (*self._card.feature_names, SCORE, ALERTS)
        indices = dict(zip(names, (round(one, 4) for one in above), strict=True))
        said = f"{len(self._units)} units, compared with the training's of their age"
        self._begin()
        return Found(indices, self._lasting.told(indices, said))

    def _begin(self) -> None:
        self._counted, self._units = None, set()


def of(domain: Any) -> Drift | FleetDrift | None:
    """Of a domain whose model tells what it was trained on; else None. Raises ModelError."""
    card = getattr(domain, "card", None)
    trained_on = distribution.of(card) if card is not None else None
    if card is None or trained_on is None:
        return None
    sampling = getattr(domain, "sampling", None)
    if sampling is None:
        return Drift(card, trained_on, getattr(domain, "settled", None))
    if trained_on.phases is None:
        return None
    return FleetDrift(card, trained_on.phases, sampling, domain.alert_outcomes)
