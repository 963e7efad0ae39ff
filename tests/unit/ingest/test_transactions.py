"""An open transaction is told when it is there at two looks, not when it is an ordinary one."""

import logging

import pytest

from stormwatch.adapters.memory.kafka import MemoryBroker, MemorySource
from stormwatch.ingest.transactions import SAY_AGAIN_LOOKS, TransactionWatch
from stormwatch.ports import Held


class Holding(MemorySource):
    """A source whose partitions are held as the test says."""

    now: dict[int, Held] = {}  # noqa: RUF012

    def held(self, positions):
        return {p: held for p, held in self.now.items() if p in positions}


@pytest.fixture
def source() -> Holding:
    return Holding(MemoryBroker(), "t")


def test_it_is_told_with_offset_and_producer_and_again_seldom(
    source: Holding, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "stormwatch")
    watch = TransactionWatch("t")
    source.now = {1: Held(6, 3, "producer 4000")}
    watch.look(source, {0: 1, 1: 6})
    assert not caplog.text
    watch.look(source, {0: 1, 1: 6})
    assert "t[1]: a transaction that is open since offset 6 holds back 3 offsets" in caplog.text
    assert "Its producer 4000 has to commit or abort it" in caplog.text
    assert "--topic t --partition 1 --start-offset 6" in caplog.text
    for _ in range(SAY_AGAIN_LOOKS):
        watch.look(source, {1: 6})
    assert caplog.text.count("is open since") == 2
    source.now = {}
    watch.look(source, {1: 6})
    watch.look(source, {1: 6})
    assert caplog.text.count("t[1]: the open transaction has ended") == 1


def test_one_after_the_other_is_an_ordinary_stream(
    source: Holding, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "stormwatch")
    watch = TransactionWatch("t")
    for offset in range(0, 60, 2):
        source.now = {0: Held(offset, 2, "")}
        watch.look(source, {0: offset})
    watch.look(source, {})
    assert not caplog.text
