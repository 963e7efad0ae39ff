"""All machines at once: each as of its newest reading, for whoever plans the next stop."""

import time
from statistics import median
from threading import Lock

import msgspec

from apps.serve import answers
from apps.serve.reader import Domain, NotFound, summary, worked
from stormwatch.archive import Archive

MACHINES = 2_000
"""In an answer at most."""
ALERTS = 500
"""Newest alerts among which a machine's own is looked for."""
FRESH_S, SHARE = 2.0, 10.0
"""An answer is kept so long, and at least so many times as long as it took to find."""
_NO_LIFE = frozenset({"life_unknown", "failure_probability"})
"""Reasons of decisions whose score is something else."""


class ListFleet(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of the list of machines."""

    domain: Domain = "maintenance"


class FleetReader:
    """Asks the store, one at a time; whoever asks soon after another has the same answer."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._lock = Lock()
        self._kept: answers.Fleet | None = None
        self._until = 0.0

    def fleet(self, asked: ListFleet) -> answers.Fleet:
        """The machines. Raises StoreUnavailable, NotFound."""
        if asked.domain != "maintenance":
            raise NotFound(f"Machines are of the domain maintenance, not of {asked.domain!r}.")
        with self._lock:
            began = time.monotonic()
            if self._kept is None or began >= self._until:
                self._kept = self._asked(asked.domain)
                took = time.monotonic() - began
                self._until = began + took + max(FRESH_S, SHARE * took)
            return self._kept

    def _asked(self, domain: str) -> answers.Fleet:
        found = self._archive.newest_decisions(domain, 2, MACHINES)
        alerts: dict[str, answers.Summary] = {}
        newest = self._archive.alerts(domain, ALERTS)
        for alert in worked(self._archive, domain, [summary(domain, row) for row in newest]):
            alerts.setdefault(alert.entity, alert)
        machines = []
        for entity, rows in found.items():
            decision = summary(domain, rows[0])
            pace = rows[0].time - rows[1].time if len(rows) > 1 else None
            codes = {reason.code for reason in decision.reasons}
            is_life = decision.score >= 0 and decision.outcome != "anomaly" and not codes & _NO_LIFE
            machines.append(answers.Machine(decision, is_life, pace or None, alerts.get(entity)))
        paces = [each.pace for each in machines if each.pace]
        return answers.Fleet(
            machines, round(median(paces)) if paces else None, len(machines) < MACHINES
        )
