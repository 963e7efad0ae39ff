"""A bolt's chain of steps without Storm, on a store and a sink that a test gives."""

import logging
from types import SimpleNamespace
from typing import Any

from bolts.base import Work
from bolts.chain import ChainBolt, through
from stormwatch.metrics import Metrics
from stormwatch.ports import Sink, Store
from stormwatch.records import Fragment
from stormwatch.settings import Settings


class Host:
    """A bolt's steps, in a bolt that no Storm started."""

    def __init__(self, bolt: type[ChainBolt], settings: Settings, store: Store, sink: Sink) -> None:
        self.settings = settings
        made: Any = bolt.__new__(bolt)  # not begun: there is no Storm to greet
        made.settings, made.component_name, made._read = settings, "host", frozenset()
        made.topology_name, made.task_id = "host", 1
        made.logger = logging.getLogger("host")
        made.connections = SimpleNamespace(
            store=lambda: store, sink=lambda: sink, metrics=Metrics(), settings=settings
        )
        self._links = [make(made) for make in bolt.steps]

    def decide(self, fragment: Fragment, payload: object) -> None:
        """One batch, as the first step takes it, through the steps. Raises what they raise."""
        through(self._links, [Work(fragment, payload, None)], _nowhere)


def _nowhere(*sent: object) -> None:
    """What is handed on is of no interest."""
