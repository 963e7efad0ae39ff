"""Record values to typed events; what is not one goes aside with a code and a sentence."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from streamparse import Stream

from bolts.base import METERS, REJECTED, PassingBolt
from stormwatch import codec
from stormwatch.adapters import connect
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.codec import BATCH_FIELDS, RECORDS, Asides, Parsed
from stormwatch.dead_letters import redaction
from stormwatch.domains.fraud import rates
from stormwatch.domains.fraud.parse import TARGET as TRANSACTION
from stormwatch.domains.fraud.parse import parse as parse_transaction
from stormwatch.domains.fraud.second import TERMINALS, Terminals
from stormwatch.domains.maintenance.equipment import chosen as chosen_equipment
from stormwatch.domains.maintenance.parse import Readings
from stormwatch.domains.maintenance.parse import parse as parse_reading
from stormwatch.parsing.batch import ParsedBatch, parse_batch
from stormwatch.parsing.mapping import Target, chosen
from stormwatch.parsing.misfits import Misfits
from stormwatch.records import Fragment, LedgerRow, Record
from stormwatch.state.judge import check_storable
from stormwatch.state.second_key import PART, SecondKey, visits_of

VISITS = "visits"
"""The stream of what events tell their second keys."""


def _check_sendable(event: Any) -> None:
    check_storable(event)
    codec.encode(event)


class ParseBolt(PassingBolt):
    """Parses micro-batches by `parse_one`; set aside rows go to the stream `rejected`.

    The default stream gets every fragment, if need be without events: there its absent offsets
    are written to the ledger. Payloads: `codec.Parsed` and `codec.Asides`.

    With a `second` key there is the stream `visits`, of `codec.Parsed` of its visits, by bucket:
    one for each task of the bolt that keeps its states (`bolts.second_key`).
    """

    payload = RECORDS
    parse_one: ClassVar[Callable[..., Any]]
    target: ClassVar[Target | None] = None
    """What a mapping has to find in a record, where the setting `mapping.<events>` may name one."""
    second: ClassVar[SecondKey[Any, Any, Any] | None] = None
    bounded: ClassVar[bool] = False
    """Whether `parse_one` bounds ids, entity and time to what the tables can hold; else each
    event is looked at again (`check_storable`). Another `parse_one` in a subclass says so anew."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "parse_one" in vars(cls) and "bounded" not in vars(cls):
            cls.bounded = False

    def initialize(self, conf: dict[str, Any], ctx: dict[str, Any]) -> None:
        """Reads settings. Raises SettingsError, also for a mapping that cannot be used."""
        super().initialize(conf, ctx)
        self._native, target = self._by_settings()
        schemas = connect.schemas(self.settings)
        mapped = chosen(self.settings, target, schemas) if target else {}
        self._mapped = {topic: one.parse for topic, one in mapped.items()}
        self._marks = {topic: one.mark for topic, one in mapped.items()}
        self._misfits = Misfits()
        self._tells = self._second() if self.is_read(VISITS) else None

    def _by_settings(self) -> tuple[Callable[..., Any], Target | None]:
        """What parses records of our own format, and `target`, as the settings say.

        Raises SettingsError.
        """
        return type(self).parse_one, self.target

    def _second(self) -> SecondKey[Any, Any, Any] | None:
        """The second key, as the settings say. Raises SettingsError."""
        return self.second

    def handle(self, fragment: Fragment, payload: list[Record], tup: Any) -> None:
        parse_one = self._mapped.get(fragment.topic, self._native)
        parse = partial(
            parse_batch,
            fragment,
            payload,
            partial(parse_one, future_skew_ms=self.settings.future_skew_s * 1000),
            component=self.component_name,
            record_max_bytes=self.settings.record_max_bytes,
            masked=redaction.names(self.settings.mask_fields),
            now=now_ms(),
        )
        batch = parse(check=None if self.bounded else check_storable)
        try:
            with self.timed("encode"):
                values = codec.to_values(fragment, batch.parsed)
        except Exception:  # some event cannot be sent: found one by one, and set aside alone
            batch = parse(check=_check_sendable)
            values = codec.to_values(fragment, batch.parsed)
        if fragment.topic in self._marks:
            self._tell_misfits(fragment.topic, len(payload), batch)
        if batch.rejected is not None:
            self.send(REJECTED, fragment, batch.rejected, tup)
        if self._tells is not None:
            self._tell_second(self._tells, fragment, batch.parsed, tup)
        self.emit(values, stream="default", anchors=[tup])

    def _tell_second(
        self, second: SecondKey[Any, Any, Any], fragment: Fragment, parsed: Parsed[Any], tup: Any
    ) -> None:
        buckets = max(1, self.settings.topology_terminals)
        found = visits_of(parsed, second, buckets, self.component_name)
        for bucket, visits in found.by_bucket:
            values = codec.to_values(fragment, visits, bucket)
            self.emit(values, stream=VISITS, anchors=[tup])
        if found.aside:
            aside = Asides(found.aside, LedgerRow(fragment, PART, {}, 0))
            self.send(REJECTED, fragment, aside, tup)

    def _tell_misfits(self, topic: str, count: int, batch: ParsedBatch) -> None:
        """`run` and `dev` show what a component warns of."""
        rows = batch.rejected.rows if batch.rejected is not None else ()
        said = self._misfits.look(topic, self._marks[topic], count, rows, now_ms() / 1000)
        if said:
            self.logger.warning("%s", said)


class ParseTransactions(ParseBolt):
    """schema/transactions.md"""

    parse_one = staticmethod(parse_transaction)
    target = TRANSACTION
    bounded = True
    second = TERMINALS
    outputs: ClassVar = [*ParseBolt.outputs, Stream(list(BATCH_FIELDS), name=VISITS)]
    optional_streams = frozenset({METERS, VISITS})

    def _second(self) -> SecondKey[Any, Any, Any] | None:
        return Terminals(rates.chosen(self.settings))


class ParseReadings(ParseBolt):
    """schema/readings.md"""

    parse_one = staticmethod(parse_reading)
    bounded = True

    def _by_settings(self) -> tuple[Callable[..., Any], Target | None]:
        readings = Readings(chosen_equipment(self.settings))
        return readings.parse, readings.target
