"""A one-pass detector of spikes in a count per bucket of time, in integers alone.

Level and mean absolute deviation are exponential averages with the weights 1/1024 and 1/4096 (a
plain mean until so many buckets are learned), in 1/65,536 of a count. A count's surprise is its
distance above the level in deviations, where the deviation counts as at least a sixteenth of the
level and half a mention more than it is. A surprise is *told* only if it is half as great again as
any told within a day: one spike, one alert, unless it grows.
"""

import msgspec

ONE = 1 << 16
"""A count of 1 in `level` and `spread`."""
LEVEL_SHIFT, SPREAD_SHIFT, FLOOR_SHIFT = 10, 12, 4
HOLD = 288
"""Buckets for which a surprise that was told keeps lesser ones quiet: a day of five minutes."""
WARM = 12
"""Buckets to be learned before anything is a surprise: an hour."""
GAP = 2 * 288
"""Empty buckets learned at most between two counts: silence of a week is two days of silence."""


class Rate(msgspec.Struct, array_like=True):
    """What is remembered of a key's counts."""

    seen: int = 0  # buckets learned
    next: int = 0  # the bucket after the last one learned
    level: int = 0
    spread: int = 0
    peak: int = 0  # the last surprise told, thousandths of a deviation
    peak_at: int = 0  # its bucket


def learn(rate: Rate, bucket: int, count: int) -> None:
    """Take in a bucket that is over; the empty ones since the last are taken in before it."""
    if rate.seen:
        for _ in range(min(bucket - rate.next, GAP)):
            _learn(rate, 0)
    _learn(rate, count * ONE)
    rate.next = bucket + 1


def surprise(rate: Rate, bucket: int, count: int) -> int:
    """How far `count` so far in `bucket` is above what is usual, thousandths; 0 if not told."""
    if rate.seen < WARM:
        return 0
    scale = rate.spread + (rate.level >> FLOOR_SHIFT) + ONE // 2
    found = (count * ONE - rate.level) * 1000 // scale
    held = rate.peak if bucket - rate.peak_at < HOLD else 0
    if found <= 0 or 2 * found <= 3 * held:
        return 0
    rate.peak, rate.peak_at = found, bucket
    return found


def _learn(rate: Rate, value: int) -> None:
    if not rate.seen:
        rate.level, rate.spread = value, value >> 3
    rate.seen += 1
    error = value - rate.level
    rate.level += error // min(rate.seen, 1 << LEVEL_SHIFT)
    rate.spread += (abs(error) - rate.spread) // min(rate.seen, 1 << SPREAD_SHIFT)
