"""The native formats decide, bit for bit, as they did before mappings and equipment types came.

50,000 records of each generator, recorded then: a digest of the record values, and one of what they
come to (event, features, verdict). A change of the second is a change of what users' records come
to; of the first, of the generator.
"""

import json
from collections.abc import Callable
from hashlib import sha256
from itertools import islice
from typing import Any

import msgspec
import pytest

from apps.data.generate import readings, transactions
from apps.data.kinds import FeedOptions
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.maintenance import Maintenance
from tests.models.in_turn import in_turn

RECORDS = 50_000
WRITTEN = 4_102_444_800_000  # Kafka's time of each, ms: no event is in its future


def digest(domain: Any, values: list[bytes]) -> str:
    """Of the decisions of all records, one by one."""
    found = sha256()
    for event, row, verdict in in_turn(domain, [domain.parse(one, WRITTEN) for one in values]):
        told = [
            event.id, event.entity, event.time, row, verdict.outcome, verdict.score,
            [msgspec.to_builtins(one) for one in verdict.reasons],
            verdict.degraded, verdict.noted,
        ]  # fmt: skip
        found.update(json.dumps(told).encode())
    return found.hexdigest()[:16]


@pytest.mark.parametrize(
    ("domain", "feed", "given", "recorded"),
    [
        pytest.param(
            Fraud.load, transactions.feed, "94dacf47bb320d2d", "4159e364ef18d341", id="payments"
        ),
        pytest.param(
            Maintenance.load, readings.feed, "2b1349dfb6513b3d", "98fbad18fc3b1f42", id="readings"
        ),
    ],
)
def test_fifty_thousand_records_come_to_what_they_came_to(
    domain: Callable[[], Any], feed: Callable[[FeedOptions], Any], given: str, recorded: str
) -> None:
    feed_options = FeedOptions(seed=11, run="recorded", newest=None)
    values = [one.value for one in islice(feed(feed_options), RECORDS)]
    assert sha256(b"\n".join(values)).hexdigest()[:16] == given
    assert digest(domain(), values) == recorded
