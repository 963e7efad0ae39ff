"""Storm's side of a bolt under test: the handshake, tuples in, commands out."""

import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stormwatch.codec import to_values
from stormwatch.records import Fragment

HEARTBEAT = {"id": "h", "comp": "__system", "stream": "__heartbeat", "task": -1, "tuple": []}
TICK = {"id": "k", "comp": "__system", "stream": "__tick", "task": -1, "tuple": [1]}


class Said(NamedTuple):
    """All that a component wrote until it ended."""

    exit_code: int
    messages: list[dict[str, Any]]

    def of(self, *commands: str) -> list[dict[str, Any]]:
        return [m for m in self.messages if m.get("command") in commands]

    @property
    def log(self) -> str:
        return "\n".join(m["msg"] for m in self.of("log", "error"))


def batch(fragment: Fragment, payload: object, tup_id: str = "7") -> dict[str, Any]:
    """A batch as it reaches a bolt."""
    values = to_values(fragment, payload)
    return {"id": tup_id, "comp": "before", "stream": "default", "task": 2, "tuple": values}


def drive(component: type, folder: Path, *messages: dict[str, Any], **settings: Any) -> Said:
    """Run a component over these messages; then Storm goes away (exit code 2)."""
    conf = {"topology.name": "fraud"} | {f"stormwatch.{k}": v for k, v in settings.items()}
    context = {"taskid": 1, "componentid": "here", "task->component": {"1": "here"}}
    hello = {"pidDir": str(folder), "conf": conf, "context": context}
    wire = b"".join(json.dumps(m).encode() + b"\nend\n" for m in (hello, *messages))
    out = io.BytesIO()
    with pytest.raises(SystemExit) as stop:
        component(io.BytesIO(wire), out, rdb_signal=None).run()
    sent = [json.loads(part) for part in out.getvalue().split(b"\nend\n") if part]
    return Said(int(stop.value.code or 0), sent)
