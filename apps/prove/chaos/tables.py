"""A topology's tables in the one form of `apps.prove.verdict`, for campaigns and tests."""

from apps.prove.verdict.tables import (
    EXAMPLES,
    Table,
    Tables,
    differences,
    of_cassandra,
    of_memory,
    stored,
)

__all__ = ["EXAMPLES", "Table", "Tables", "differences", "of_cassandra", "of_memory", "stored"]
