"""The base of every bolt here: one micro-batch in, acked or failed exactly once."""

from abc import abstractmethod
from functools import cached_property
from typing import Any, ClassVar

from streamparse import Bolt

from stormwatch import codec, settings
from stormwatch.adapters.garbage import Collector
from stormwatch.adapters.multilang import StrictComponent
from stormwatch.adapters.outside import Outside
from stormwatch.cache import StateCache
from stormwatch.errors import InfrastructureError
from stormwatch.records import Fragment
from stormwatch.settings import Settings
from stormwatch.topology import TICK_EVERY_SECOND


class BatchBolt(StrictComponent, Bolt):
    """Decodes a batch's payload and hands it to `handle`.

    Guarantee: the tuple is acked once after `handle` returned, or failed once if it raised an
    InfrastructureError: then the same batch comes again. Any other exception ends the process with
    its traceback, for bad data is never an exception and going on would be wrong.
    """

    auto_ack = auto_anchor = auto_fail = False
    config: ClassVar[dict[str, Any]] = TICK_EVERY_SECOND
    payload: ClassVar[Any]
    """What arrives: the type that `codec.decoder` takes."""
    writes: ClassVar[tuple[str, ...]] = ()
    """Tables, and settings of topics, that it writes: for `./stormwatch draw`."""

    settings: Settings
    cache: StateCache | None = None
    """Of bolts that keep states; its size is reported."""

    def initialize(self, conf: dict[str, Any], ctx: dict[str, Any]) -> None:
        """Reads settings. Raises SettingsError."""
        self.settings = settings.load(conf=conf)
        self._decode = codec.decoder(self.payload)
        self._collect = Collector()

    @cached_property
    def outside(self) -> Outside:
        """Store, sink and meter; its first use begins to connect, in the background."""
        return Outside(self.settings, self.topology_name, self.component_name, self.task_id)

    @abstractmethod
    def handle(self, fragment: Fragment, payload: Any, tup: Any) -> None:
        """Do the work on one batch. Raises InfrastructureError to get the same batch again."""

    def send(self, stream: str, fragment: Fragment, payload: object, tup: Any) -> None:
        """Emit a payload on `stream`, anchored to the batch it came of."""
        self.emit(codec.to_values(fragment, payload), stream=stream, anchors=[tup])

    def process(self, tup: Any) -> None:
        """One batch."""
        fragment = codec.to_fragment(tup.values)
        try:
            self.handle(fragment, self._decode(tup.values[-1]), tup)
        except InfrastructureError as error:
            if self._meets_outside():
                self.outside.meter.failed += 1
            self.logger.warning("%s will be tried again: %s", fragment, error)
            self.fail(tup)
        else:
            self.ack(tup)
        self._collect()

    def process_tick(self, tup: Any) -> None:
        """Once a second: the meter. Storm keeps each tick in memory until it is acked, too."""
        if self._meets_outside():
            self.outside.report(len(self.cache or ()))
        self.ack(tup)

    def _meets_outside(self) -> bool:
        return "outside" in vars(self)
