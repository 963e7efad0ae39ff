"""Several turbofans at once: the same operations on a row a unit in place of a call a unit."""

from stormwatch.domains.maintenance.together.readings import advance_all

__all__ = ["advance_all"]
