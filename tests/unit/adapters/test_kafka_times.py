"""Kafka's times as the adapters give them."""

from types import SimpleNamespace

import pytest

from stormwatch.adapters.kafka.pure.source import _record


@pytest.mark.parametrize(("told", "time"), [(None, -1), (-1, -1), (1_796_000_000_000_000_000,) * 2])
def test_a_message_of_the_oldest_format_has_no_time(told: int | None, time: int) -> None:
    assert (
        _record(SimpleNamespace(offset=7, timestamp=told, key=b"k", value=None)).timestamp == time
    )
