"""The partitioner agrees with Java's, bit for bit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.partitioner import murmur2, partition_of, stripe_of

# org.apache.kafka.common.utils.UtilsTest.testMurmur2: key -> Java's signed int
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
# librdkafka's unittest_murmur2 adds these.
LIBRDKAFKA = {b"kafka": 0xD067CF64, b"giberish123456789": 0x8F552B0C, b"": 0x106E08D9}


def signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


def reference(data: bytes) -> int:
    """Java's source, line for line."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    for i in range(len(data) // 4):
        k = data[4 * i] | data[4 * i + 1] << 8 | data[4 * i + 2] << 16 | data[4 * i + 3] << 24
        k = k * m & mask
        k ^= k >> 24
        k = k * m & mask
        h = h * m & mask
        h ^= k
    end = len(data) & ~3
    rest = len(data) % 4
    if rest == 3:
        h ^= data[end + 2] << 16
    if rest >= 2:
        h ^= data[end + 1] << 8
    if rest >= 1:
        h ^= data[end]
        h = h * m & mask
    h ^= h >> 13
    h = h * m & mask
    return h ^ h >> 15


@pytest.mark.parametrize(("key", "value"), JAVA.items())
def test_javas_vectors(key: bytes, value: int) -> None:
    assert signed(murmur2(key)) == value


@pytest.mark.parametrize(("key", "value"), LIBRDKAFKA.items())
def test_librdkafkas_vectors(key: bytes, value: int) -> None:
    assert murmur2(key) == value


@given(st.binary(max_size=200))
def test_equals_the_reference(data: bytes) -> None:
    assert murmur2(data) == reference(data)


@given(st.binary(max_size=40), st.integers(1, 1000))
def test_partition_is_in_range(key: bytes, partitions: int) -> None:
    assert partition_of(key, partitions) == (reference(key) & 0x7FFFFFFF) % partitions


@given(st.text(max_size=20), st.sampled_from([1, 2, 4, 8]))
def test_entities_of_a_partition_share_few_stripes(entity: str, partitions: int) -> None:
    assert stripe_of(entity, 64) % partitions == partition_of(entity.encode(), partitions)
