"""All machines at once, or all users: each as of its newest decision, for whoever plans."""

import logging
import time
from statistics import median
from threading import Lock, Thread
from typing import NamedTuple

import msgspec

from apps.serve import answers
from apps.serve.reader import Domain, known, summary, worked
from stormwatch.archive import Archive
from stormwatch.errors import StoreUnavailable

_log = logging.getLogger(__name__)
MACHINES = 2_000
"""In an answer at most."""
ALERTS = 500
"""Newest alerts among which a machine's own is looked for."""
FRESH_S, SHARE = 2.0, 10.0
"""An answer is kept so long, and at least so many times as long as it took to find. Then it is
found anew behind the next question, which is still answered with the old one."""
STALE_S = 60.0
"""An older one is no answer: nobody asked for a while."""
_NO_LIFE = frozenset({"life_unknown", "failure_probability"})
"""Reasons of decisions whose score is something else."""


class ListFleet(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of the list of machines."""

    domain: Domain = "maintenance"


class _Kept(NamedTuple):
    found: answers.Fleet
    at: float
    took: float

    def age(self, now: float) -> float:
        """Seconds, beyond those for which it is fresh."""
        return now - self.at - max(FRESH_S, SHARE * self.took)


class FleetReader:
    """Asks the store, for one domain at a time; questions share what was found."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._lock = Lock()
        self._kept: dict[str, _Kept] = {}
        self._behind: set[str] = set()  # domains that are being asked for behind a question

    def fleet(self, asked: ListFleet) -> answers.Fleet:
        """Machines, or what else the domain decides of. Raises StoreUnavailable, NotFound."""
        known(asked.domain)
        kept = self._kept.get(asked.domain)
        age = STALE_S if kept is None else kept.age(time.monotonic())
        if kept is None or age >= STALE_S:
            return self._found(asked.domain)
        if age >= 0 and asked.domain not in self._behind:
            self._behind.add(asked.domain)
            Thread(target=self._find_behind, args=(asked.domain,), daemon=True).start()
        return kept.found

    def _find_behind(self, domain: str) -> None:
        try:
            self._found(domain)
        except StoreUnavailable:  # whoever asks once it is stale is told
            _log.warning("the fleet of %s stays as it was: the store does not answer", domain)
        finally:
            self._behind.discard(domain)

    def _found(self, domain: str) -> answers.Fleet:
        waited = time.monotonic()
        with self._lock:
            kept = self._kept.get(domain)
            if kept is not None and kept.at >= waited:  # somebody else asked meanwhile
                return kept.found
            began = time.monotonic()
            found = self._asked(domain)
            now = time.monotonic()
            self._kept[domain] = _Kept(found, now, now - began)
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
