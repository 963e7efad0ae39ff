"""Decisions of tables that were read whole, as what they recorded (`stormwatch.state.recorded`)."""

from typing import Any

from apps.prove.verdict.tables import Tables
from stormwatch.state.recorded import Recorded, read


class Stored:
    """Decisions of tables that were read whole, by their events."""

    def __init__(self, domain: str, found: Tables) -> None:
        self._bodies = {
            key[3:6]: cells[2] for key, cells in found.decisions.items() if key[0] == domain
        }

    def __call__(self, event: Any) -> Recorded | None:
        """See `stormwatch.state.recorded.Find`."""
        body = self._bodies.get((event.entity, event.time, event.id))
        return None if body is None else read(body)
