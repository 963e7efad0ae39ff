"""What is kept for how long, checked against what depends on it."""

from collections.abc import Iterator

from stormwatch.settings import Settings

DAY_S = 86_400
FEATURE_HORIZON_S = 30 * DAY_S
"""The longest window of the features shipped here."""
REPLAY_WINDOW_S = 7 * DAY_S
"""How far back records may be read again: Kafka's own default retention."""
MOST_DAYS = 7_300
"""Cassandra refuses a TTL over 20 years."""
MOST_STRIPES = 64
"""Of one Kafka partition. Measured: 16 read 15,000 keys/s cold, 256 only 500."""


def settings_findings(settings: Settings) -> list[str]:
    """One sentence for each setting that will hurt later, with what to set. Empty: all is well."""
    return [*_ttls(settings), *_layout(settings)]


def _ttls(s: Settings) -> Iterator[str]:
    horizon = max(FEATURE_HORIZON_S, s.dedup_horizon_s)
    needed = _days(horizon + s.lateness_s + REPLAY_WINDOW_S)
    if s.ttl_states_d < needed:
        yield (
            f"ttl.states_d is {s.ttl_states_d}: a state must outlive what is remembered "
            f"({_days(horizon)} d), lateness ({_days(s.lateness_s)} d) and what may be replayed "
            f"({_days(REPLAY_WINDOW_S)} d), else an entity is forgotten while its ids still count. "
            f"Set it to {needed} or more."
        )
    for key, days, why in (
        ("ttl.decisions_d", s.ttl_decisions_d, "a replay publishes the alerts of stored decisions"),
        ("ttl.ledger_d", s.ttl_ledger_d, "the ledger proves what became of every kept record"),
    ):
        if days < _days(REPLAY_WINDOW_S):
            yield (
                f"{key} is {days}, shorter than records may be replayed "
                f"({_days(REPLAY_WINDOW_S)} d): {why}. Set it to {_days(REPLAY_WINDOW_S)} or more."
            )
    for key, days in (
        ("ttl.states_d", s.ttl_states_d),
        ("ttl.decisions_d", s.ttl_decisions_d),
        ("ttl.dead_letters_d", s.ttl_dead_letters_d),
        ("ttl.ledger_d", s.ttl_ledger_d),
    ):
        if days > MOST_DAYS:
            yield f"{key} is {days}; Cassandra keeps a row for {MOST_DAYS} days at most. Lower it."


def _layout(s: Settings) -> Iterator[str]:
    stripes, partitions = s.layout_stripes, s.kafka_partitions
    if stripes % partitions and partitions % stripes:
        yield (
            f"layout.stripes is {stripes} and kafka.partitions {partitions}: where neither divides "
            "the other, a batch meets every stripe and writes slow down. Use a multiple, such as "
            f"layout.stripes = {4 * partitions}."
        )
    elif stripes > MOST_STRIPES * partitions:
        yield (
            f"layout.stripes is {stripes}, {stripes // partitions} for each of {partitions} Kafka "
            f"partitions: above {MOST_STRIPES} reads and writes of a batch fall apart into single "
            f"rows. Use more partitions or layout.stripes = {4 * partitions}."
        )


def _days(seconds: int) -> int:
    return -(-seconds // DAY_S)
