"""Mappings: how a record of somebody else's format becomes an event of ours. See docs/your-data.md.

`read` checks the TOML of a mapping, `compiled` makes the function that a parse bolt calls.
"""

from stormwatch.parsing.mapping.apply import Mapped, Target, compiled
from stormwatch.parsing.mapping.document import Mapping, MappingError, read

__all__ = ["Mapped", "Mapping", "MappingError", "Target", "compiled", "read"]
