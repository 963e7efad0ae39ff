"""All machines at once, or all users: each as of its newest decision, for whoever plans."""

from statistics import median

import msgspec

from apps.serve import answers
from apps.serve.kept import Kept
from apps.serve.reader import Domain, known, summary, worked
from stormwatch.archive import Archive

MACHINES = 2_000
"""In an answer at most."""
ALERTS = 500
"""Newest alerts among which a machine's own is looked for."""
_NO_LIFE = frozenset({"life_unknown", "failure_probability"})
"""Reasons of decisions whose score is something else."""


class ListFleet(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of the list of machines."""

    domain: Domain = "maintenance"


class FleetReader:
    """Asks the store; questions share what was found."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._kept: Kept[str, answers.Fleet] = Kept(self._asked)

    def fleet(self, asked: ListFleet) -> answers.Fleet:
        """Machines, or what else the domain decides of. Raises StoreUnavailable, NotFound."""
        known(asked.domain)
        return self._kept.of(asked.domain)

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
