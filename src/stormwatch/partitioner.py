"""The hash that chose a record's Kafka partition, and with it the stripe of its entity.

MurmurHash2, 32 bit, seed 0x9747b28c: `org.apache.kafka.common.utils.Utils.murmur2` of Java's
client, librdkafka's `murmur2_random`. Stripes use the same hash, so that the entities of one
partition live in few stripes: all of them if one number of the two divides the other.
"""

from struct import Struct

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_WORDS = [Struct(f"<{n}I").unpack_from for n in range(17)]


def murmur2(data: bytes) -> int:
    """The hash as an unsigned 32-bit number (Java shows the same bits as a signed one)."""
    length = len(data)
    words = length >> 2
    unpack = _WORDS[words] if words < 17 else Struct(f"<{words}I").unpack_from
    h = _SEED ^ length
    for k in unpack(data):
        k = k * _M & _MASK  # noqa: PLW2901 - a hot loop
        h = (h * _M ^ (k ^ k >> 24) * _M) & _MASK
    if length & 3:
        h = (h ^ int.from_bytes(data[words << 2 :], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that Kafka's producers choose for a record with this key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def stripe_of(entity: str, stripes: int) -> int:
    """The stripe of Cassandra's tables that holds this entity; its key in Kafka is UTF-8."""
    return (murmur2(entity.encode()) & 0x7FFFFFFF) % stripes
