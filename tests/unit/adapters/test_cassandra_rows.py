"""How rows become requests."""

import pytest

from stormwatch.adapters.cassandra.rows import (
    SHARED_BYTES,
    SHARED_BYTES_MAX,
    SHARED_PARTITIONS,
    SHARED_PARTITIONS_MAX,
    SHARED_PARTITIONS_SYNCED,
    shared,
)


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
def test_shared_batches_stay_below_the_bytes_that_the_server_warns_of(
    told: str | None, expected: int
) -> None:
    assert shared(told, None, None).bytes == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("10", 10),
        ("40", 40),
        ("100000", SHARED_PARTITIONS_MAX),
        ("0", 1),
        (None, SHARED_PARTITIONS),
        ("-1", SHARED_PARTITIONS),
    ],
)
def test_and_below_the_partitions_that_it_warns_of(told: str | None, expected: int) -> None:
    assert shared(None, told, "periodic").partitions == expected


@pytest.mark.parametrize("sync", ["group", "batch"])
def test_where_each_write_waits_for_the_disk_few_share_a_batch(sync: str) -> None:
    assert shared(None, "64", sync).partitions == SHARED_PARTITIONS_SYNCED
    assert shared(None, "3", sync).partitions == 3
