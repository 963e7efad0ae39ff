"""The names that tests written before the kit use; new ones import stormwatch.testing."""

from pathlib import Path
from typing import Any

from stormwatch.records import Fragment
from stormwatch.testing import HEARTBEAT, TICK, Said
from stormwatch.testing import batch as made
from stormwatch.testing import drive as driven

__all__ = ["HEARTBEAT", "TICK", "Said", "batch", "drive"]


def batch(fragment: Fragment, payload: object, tup_id: str = "7") -> dict[str, Any]:
    return made(fragment, payload, tup_id)


def drive(component: type, folder: Path, *messages: dict[str, Any], **settings: Any) -> Said:
    conf = {"topology.name": "fraud"} | {f"stormwatch.{k}": v for k, v in settings.items()}
    return driven(component, *messages, conf=conf)
