"""Equipment types: what a kind of machine measures and how it is judged. See docs/your-machines.md.

`read` checks the TOML of a type, `Types` are those that a process knows, `chosen` reads the ones
that the settings name.
"""

from stormwatch.domains.maintenance.equipment.choice import (
    Types,
    chosen,
    default_types,
    shipped,
    shipped_names,
    texts_of,
)
from stormwatch.domains.maintenance.equipment.document import (
    EVENTS,
    Costs,
    Equipment,
    EquipmentError,
    Sensor,
    read,
)

__all__ = [
    "EVENTS", "Costs", "Equipment", "EquipmentError", "Sensor", "Types", "chosen", "default_types",
    "read", "shipped", "shipped_names", "texts_of",
]  # fmt: skip
