"""The test kit's own parts: builders, clock, ports, and that a driven component leaves no trace."""

import gc
import logging
import os
import re
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from streamparse import Bolt

from bolts.parse import ParseTransactions
from stormwatch.adapters import connect
from stormwatch.adapters.memory.store import Fault, MemoryStore
from stormwatch.adapters.storm.component import StrictComponent
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.codec import RECORDS, Asides, Parsed, decoder, encode
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.maintenance.event import Reading
from stormwatch.errors import StoreUnavailable
from stormwatch.records import Outcomes, StateRow
from stormwatch.settings import Settings, to_conf
from stormwatch.testing import (
    LAWS,
    SPOUT_LAWS,
    Clock,
    drive,
    example,
    fragment,
    memory_ports,
    payload,
    tup,
)
from stormwatch.testing.clock import START_MS
from stormwatch.testing.examples import odd


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Wide(msgspec.Struct, array_like=True):
    id: str
    flag: bool
    share: Annotated[float, msgspec.Meta(ge=0, le=1)]
    few: Annotated[int, msgspec.Meta(gt=2, lt=5)]
    code: Annotated[str, msgspec.Meta(min_length=12, max_length=12)]
    kind: Literal["a", "b"]
    colour: Colour
    maybe: int | None
    many: list[tuple[str, bytes]]
    table: dict[str, frozenset[int]]
    tail: tuple[int, ...]


def test_a_type_may_name_its_own_examples() -> None:
    assert {example(Reading, n).equipment for n in range(5)} == {"any"}, "which every place knows"
    assert example(Reading).event is None


@pytest.mark.parametrize("kind", [Wide, Transaction, Reading], ids=lambda kind: kind.__name__)
def test_an_example_is_of_its_type_and_no_two_are_alike(kind: type) -> None:
    made = [example(kind, n) for n in range(5)]
    assert [msgspec.convert(msgspec.to_builtins(m), kind) for m in made] == made
    assert len({m.id for m in made}) == 5


def test_fields_of_an_example_are_set() -> None:
    made = example(Transaction, 3, amount=5_00)
    assert (made.amount, made.customer, made.time) == (500, "customer-3", START_MS + 3000)


def test_odd_values_are_of_the_type_and_empty_ones_are_among_them() -> None:
    made = odd(Transaction)
    assert "" in {event.customer for event in made}
    assert {event.amount for event in made} & {0, -1}


@pytest.mark.parametrize("kind", [RECORDS, Parsed[Transaction], Asides, Outcomes, Wide])
def test_a_payload_survives_the_hop_between_components(kind: type) -> None:
    made = payload(kind, fragment(3, 9))
    assert decoder(kind)(encode(made)) == made


def test_the_clock_is_that_of_components(clock: Clock) -> None:
    assert now_ms() == START_MS
    clock.advance(2.5)
    assert now_ms() == START_MS + 2500


def test_ports_are_what_components_connect_to_and_can_fail(store: MemoryStore) -> None:
    class Stores(StrictComponent, Bolt):
        def initialize(self, conf, ctx):
            from stormwatch.adapters.storm.resources import Connections, Meter

            self.connections = Connections(Settings(), Meter("t", "c", 1))

        def process(self, tup):
            self.connections.store().write_states("toy", [StateRow(0, tup.values[0], b"s", 1)])

    drive(Stores, tup("a"))
    assert store.load_states("toy", {0: ["a"]}) == {"a": b"s"}
    store.faults = [Fault()]
    said = drive(Stores, tup("b"))
    assert (said.fails, said.exit_code) == (["1"], 1)
    assert StoreUnavailable.__name__ in said.log


def test_ports_are_given_back() -> None:
    mine = connect.Doubles(lambda settings, topic: None, object, object, object)
    before = connect.use(mine)
    try:
        with memory_ports() as ports:
            assert connect.store(Settings()) is ports.store
        assert connect.use(before) is mine
    finally:
        connect.use(before)


class Nosy(StrictComponent, Bolt):
    outputs = ("home",)

    def process(self, tup):
        self.emit([os.environ.get("STORMWATCH_RUN_DIR", "unset")])


def test_a_driven_component_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORMWATCH_RUN_DIR", "elsewhere")

    def traces() -> tuple[object, ...]:
        handlers = list(logging.getLogger().handlers)
        return handlers, gc.get_threshold(), sys.stdout, dict(os.environ)

    before = traces()
    said = drive(Nosy, tup("x"), conf=to_conf(Settings()))
    assert said.emits[0]["tuple"] == ["unset"]
    assert traces() == before
    assert gc.get_freeze_count() == 0


def test_the_document_names_every_law_and_fixture_and_builds_as_it_says() -> None:
    text = (Path(__file__).parents[3] / "docs" / "testing.md").read_text()
    for name in (*LAWS, *SPOUT_LAWS, "ports", "store", "broker", "clock"):
        assert f"`{name}`" in text, name
    (block,) = re.findall(r"```python\n(.*?)```", text, re.S)
    scope = {"MyBolt": ParseTransactions}
    exec(block, scope)
    assert scope["result"].acks == ["1"]
