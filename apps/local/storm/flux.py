"""What we need to know of a Flux topology file."""

from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from apps.local.services.errors import ServiceError


@dataclass(frozen=True)
class Topology:
    """Name, number of component processes, and which components are spouts."""

    name: str
    processes: int
    spouts: frozenset[str] = frozenset()


def read(path: Path) -> Topology:
    """Raises ServiceError when it is not a Flux file."""
    try:
        document = YAML(typ="safe", pure=True).load(path)
        spouts = document.get("spouts", [])
        components = [*spouts, *document.get("bolts", [])]
        shells = [c for c in components if ".wrappers." in c["className"]]
        return Topology(
            document["name"],
            sum(int(c.get("parallelism") or 1) for c in shells),
            frozenset(c["id"] for c in spouts if c in shells),
        )
    except (OSError, YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ServiceError(
            f"{path} is not a Flux topology ({error!r}). `sparse run` writes it: start with that."
        ) from error
