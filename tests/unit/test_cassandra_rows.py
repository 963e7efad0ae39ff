"""How rows become requests."""

import pytest

from stormwatch.adapters.cassandra_rows import SHARED_BYTES, SHARED_BYTES_MAX, shared_bytes


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("5KiB", 4608),
        ("1MiB", SHARED_BYTES_MAX),
        ("2048B", 1843),
        (None, SHARED_BYTES),
        ("5", SHARED_BYTES),
        ("null", SHARED_BYTES),
    ],
)
def test_shared_batches_stay_below_what_the_server_warns_of(
    told: str | None, expected: int
) -> None:
    assert shared_bytes(told) == expected
