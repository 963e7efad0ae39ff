"""All machines at once, or all users: each as of its newest decision, for whoever plans."""

import time
from statistics import median
from threading import Lock

import msgspec

from apps.serve import answers
from apps.serve.reader import Domain, known, summary, worked
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
        self._kept: dict[str, tuple[float, answers.Fleet]] = {}

    def fleet(self, asked: ListFleet) -> answers.Fleet:
        """Machines, or what else the domain decides of. Raises StoreUnavailable, NotFound."""
        known(asked.domain)
        with self._lock:
            began = time.monotonic()
            until, found = self._kept.get(asked.domain, (0.0, None))
            if found is None or began >= until:
                found = self._asked(asked.domain)
                took = time.monotonic() - began
                until = began + took + max(FRESH_S, SHARE * took)
                self._kept[asked.domain] = until, found
            return found

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
            is_life = (
                domain == "maintenance"
                and decision.score >= 0
                and decision.outcome != "anomaly"
                and not codes & _NO_LIFE
            )
            machines.append(answers.Machine(decision, is_life, pace or None, alerts.get(entity)))
        paces = [each.pace for each in machines if each.pace]
        return answers.Fleet(
            machines, round(median(paces)) if paces else None, len(machines) < MACHINES
        )
