"""Record values to typed events; what is not one goes aside with a code and a sentence."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from streamparse import Stream

from bolts.base import BatchBolt
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.codec import BATCH_FIELDS, RECORDS
from stormwatch.dead_letters import redaction
from stormwatch.domains.fraud.parse import parse as parse_transaction
from stormwatch.domains.maintenance.parse import parse as parse_reading
from stormwatch.parsing.batch import parse_batch
from stormwatch.records import Fragment, Record

REJECTED = "rejected"


class ParseBolt(BatchBolt):
    """Parses micro-batches by `parse_one`; set aside rows go to the stream `rejected`.

    The default stream gets every fragment, if need be without events: there its absent offsets
    are written to the ledger. Payloads: `codec.Parsed` and `codec.Asides`.
    """

    config: ClassVar[dict[str, Any]] = {}
    payload = RECORDS
    outputs: ClassVar = [Stream(list(BATCH_FIELDS)), Stream(list(BATCH_FIELDS), name=REJECTED)]
    parse_one: ClassVar[Callable[..., Any]]

    def handle(self, fragment: Fragment, payload: list[Record], tup: Any) -> None:
        batch = parse_batch(
            fragment,
            payload,
            partial(type(self).parse_one, future_skew_ms=self.settings.future_skew_s * 1000),
            component=self.component_name,
            record_max_bytes=self.settings.record_max_bytes,
            masked=redaction.names(self.settings.mask_fields),
            now=now_ms(),
        )
        if batch.rejected is not None:
            self.send(REJECTED, fragment, batch.rejected, tup)
        self.send("default", fragment, batch.parsed, tup)


class ParseTransactions(ParseBolt):
    """schema/transactions.md"""

    parse_one = staticmethod(parse_transaction)


class ParseReadings(ParseBolt):
    """schema/readings.md"""

    parse_one = staticmethod(parse_reading)
