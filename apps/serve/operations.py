"""For whoever is on call: the components that run, what each costs, and the settings in force."""

from pathlib import Path
from typing import NamedTuple

import msgspec

from apps.data.streams import Stream
from apps.serve import answers
from apps.serve.route import Nothing
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.metrics import Snapshot, quantiles
from stormwatch.ports import Store
from stormwatch.settings import explain

FRESH_MS = 30_000
"""A task that has not written its figures for longer is told as silent."""
FORGOTTEN_MS = 3_600_000
"""One that was silent for longer is of a run before, and told no more."""
_snapshot = msgspec.json.Decoder(Snapshot).decode


class Operations(NamedTuple):
    """Asks the store for the figures of all tasks."""

    store: Store
    streams: list[Stream]
    root: Path

    def operations(self, _: Nothing) -> answers.Operations:
        """The tasks and the settings. Raises StoreUnavailable, SettingsError."""
        now = now_ms()
        tasks = [
            _task(stream.topology, component, task, snapshot, now)
            for stream in self.streams
            for (component, task), body in sorted(self.store.meters(stream.topology).items())
            if (snapshot := _read(body)) is not None and now - snapshot.at < FORGOTTEN_MS
        ]
        settings = [
            answers.Setting(value.key, str(value.value), value.source, value.help)
            for value in explain(root=self.root)
        ]
        return answers.Operations(now, tasks, settings)


def _read(body: bytes) -> Snapshot | None:
    try:
        return _snapshot(body)
    except msgspec.MsgspecError:  # written by another version
        return None


def _task(domain: str, component: str, task: str, of: Snapshot, now: int) -> answers.Task:
    p50, p99 = quantiles([of.latency], (0.5, 0.99))
    return answers.Task(
        domain, component, task, of.host, of.pid, of.at, now - of.at < FRESH_MS,
        sum(n for state, n in of.ends.items() if ":" not in state), of.batches, of.failed,
        of.cached, of.degraded, p50, p99,
    )  # fmt: skip
