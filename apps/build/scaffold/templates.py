"""The files that `new` writes: short, and as a reviewer would accept them."""

EVENTS_BOLT = '''"""{sentence}"""

from typing import Any

from bolts.base import BatchBolt
from stormwatch import Fragment, Parsed
from {event_module} import {event}


class {cls}(BatchBolt):
    """Logs every event. Guarantee: at least once."""

    payload = Parsed[{event}]

    def handle(self, fragment: Fragment, payload: Parsed[{event}], tup: Any) -> None:
        for offset, _, event in payload.events:
            self.logger.debug("offset %d: %s", offset, event.id)
'''

STATEFUL_BOLT = '''"""{sentence}"""

import msgspec

from bolts.stateful import StatefulBolt
from stormwatch import Parsed, Reason, Verdict
from {event_module} import {event}


class {cls}State(msgspec.Struct, array_like=True):
    """What is remembered for each key. Every field needs a default."""

    seen: int = 0


class {cls}(StatefulBolt):
    """Counts a key's events and alerts at the third. Guarantee: effects once."""

    payload = Parsed[{event}]
    domain = "{name}"
    state = {cls}State
    alerts = frozenset({{"third"}})

    @staticmethod
    def judge(state: {cls}State, event: {event}) -> Verdict:
        state.seen += 1
        if state.seen == 3:
            return Verdict("third", 3, (Reason("third", f"{{event.id}} is the third"),))
        return Verdict("noted", state.seen)
'''

RECORDS_BOLT = '''"""{sentence}"""

from typing import Any

from bolts.base import BatchBolt
from stormwatch import RECORDS, Fragment, Record


class {cls}(BatchBolt):
    """Logs every record. Guarantee: at least once."""

    payload = RECORDS

    def handle(self, fragment: Fragment, payload: list[Record], tup: Any) -> None:
        for record in payload:
            self.logger.debug("offset %d: %d bytes", record.offset, len(record.value or b""))
'''

REJECT = '''

class Reject{cls}({base}):
    """What the spout set aside."""

    domain = "{name}"
'''

BOLT_TEST = '''"""{cls} over Storm's protocol, and the contract tests."""

from bolts.{name} import {cls}
from stormwatch.testing import assert_laws, batch, drive, fragment, payload


def test_a_batch_is_logged_and_acked() -> None:
    whole = fragment(10, 12)
    message = batch(whole, payload({cls}.payload, whole))
    result = drive({cls}, message, conf={{"topology.debug": True}})
    assert result.acks == ["1"]
    assert "offset 12" in result.log


def test_it_passes_the_contract_tests() -> None:
    assert_laws({cls})
'''

STATEFUL_TEST = '''"""{cls}: decisions, what is stored, and the contract tests."""

from bolts.{name} import {cls}, {cls}State
from stormwatch.adapters.memory.store import MemoryStore
from {event_module} import {event}
from stormwatch.testing import assert_laws, batch, decisions, drive, example, fragment, payload


def test_the_third_event_of_a_key_is_an_alert() -> None:
    state = {cls}State()
    verdicts = [{cls}.judge(state, example({event}, n)) for n in range(4)]
    assert [verdict.outcome for verdict in verdicts] == ["noted", "noted", "third", "noted"]


def test_decisions_are_stored(store: MemoryStore) -> None:
    whole = fragment(10, 12)
    result = drive({cls}, batch(whole, payload({cls}.payload, whole)))
    assert result.acks == ["1"], result.log
    assert [one.outcome for one in decisions(store, "{name}")] == ["noted"] * 3


def test_it_passes_the_contract_tests() -> None:
    assert_laws({cls})
'''

SPOUT = '''"""Records of the topic `{topic}`."""

from typing import ClassVar

from spouts.kafka_batch import KafkaBatchSpout


class {cls}Spout(KafkaBatchSpout):
    """Reads the topic of the setting `topic.{name}`."""

    topic_setting: ClassVar[str] = "topic_{name}"
'''

SPOUT_TEST = '''"""{cls}Spout over Storm's protocol, and the contract tests."""

from collections.abc import Iterator

from spouts.{name} import {cls}Spout
from stormwatch.adapters.memory.kafka import MemoryBroker
from stormwatch.testing import Conversation, assert_spout_laws, converse


def test_a_record_is_emitted_and_committed(broker: MemoryBroker) -> None:
    broker.append("{topic}", b"key", b"value")

    def script(storm: Conversation) -> Iterator[dict[str, object]]:
        for _ in range(2):  # where reading starts, then the record
            yield from storm.turns()
            yield {{"command": "ack", "id": storm.emits[-1]["id"]}}
        yield {{"command": "deactivate"}}

    storm = converse({cls}Spout, script)
    assert [m["stream"] for m in storm.emits] == ["notices", "default"], storm.log
    assert broker.commits["stormwatch", "{topic}"][0].offset == 1


def test_it_passes_the_contract_tests() -> None:
    assert_spout_laws({cls}Spout)
'''

TOPOLOGY = '''"""Records of the topic `{topic}` to {cls}."""

from streamparse import Grouping, Topology

from bolts.{name} import {both}
from spouts.{name} import {cls}Spout
from stormwatch.adapters.storm.config import storm_config
from stormwatch.adapters.storm.wiring import Checked
from stormwatch.settings import load

settings = load()


class {cls}Topology(Checked, Topology):
    """spout -> {name} (fields: bucket); what the spout sets aside goes to reject."""

    config = storm_config(settings)

    source = {cls}Spout.spec(par=settings.topology_spouts)
    {name} = {cls}.spec(
        inputs={{source: Grouping.fields("bucket")}},
        par=settings.topology_parsers,
    )
    reject = Reject{cls}.spec(inputs={{source["notices"]: Grouping.SHUFFLE}})
'''

TOPOLOGY_TEST = '''"""The topology {name} as Storm is given it."""

from pathlib import Path

from apps.build.lint import lint, load


def test_it_has_no_findings() -> None:
    root = Path(__file__).parents[2]
    assert lint(root, ["{name}"]) == []


def test_it_is_wired() -> None:
    topology = load(Path(__file__).parents[2] / "topologies" / "{name}.py")
    assert {{spec.name for spec in topology.specs}} == {{"source", "{name}", "reject"}}
'''

FEATURE = '''"""What a payment is told of the customer's payments before it."""

from typing import Any

from stormwatch.domains.fraud.event import Transaction
from stormwatch.features import Feature

FEATURES = (Feature("{name}", "payments at the same merchant", window="20 payments"),)


def advance(state: dict[str, Any], event: Transaction) -> tuple[float, ...]:
    """A number for each of FEATURES, of what came before the payment; then learn it."""
    shops = state.get("shops", [])
    row = (float(shops.count(event.merchant)),)
    state["shops"] = [*shops[-19:], event.merchant]
    return row
'''

FEATURE_TEST = '''"""{name}: what it gives, and the laws."""

from pathlib import Path

from stormwatch.domains.fraud import own
from stormwatch.domains.fraud.event import Transaction
from stormwatch.settings import Settings

FILE = Path(__file__).parents[2] / "features" / "{name}.py"


def test_it_passes_the_laws_and_counts_what_came_before() -> None:
    mine = own.chosen(Settings(fraud_features=str(FILE)))
    assert mine is not None
    assert mine.names == ("{name}",)
    kept, rows = b"", []
    for nth in range(3):
        payment = Transaction(f"p{{nth}}", "c", "t", nth * 60_000, 1_000, "EUR", "a shop")
        row, kept = mine.advance(kept, payment)
        rows.append(row)
    assert rows == [(0.0,), (1.0,), (2.0,)]
'''

PAGE = """# {title}

{what}

- Reads: {reads}
- Writes: {writes}
- Guarantee: {guarantee}
- Code: {code}; tests: {tests}
"""
