"""How long the records of others take beside a hot key."""

import time
from bisect import bisect_right
from collections.abc import Iterator

from apps.data.generate.transactions import Transactions
from apps.prove.chaos import faults
from apps.prove.chaos.campaign import START_S, Play
from apps.prove.chaos.tables import stored
from apps.prove.chaos.traffic import KeyValue, hot

RATE, SECONDS, WARM = 400, 30, 5
"""Records a second, for how long, and seconds at the start of which nothing is counted."""


def hot_key(play: Play) -> None:
    """The others' p99 with and without a hot key at the same rate; then a kill among the hot."""
    play.scene.drain(play.count, START_S)
    beside, alone = _measure(play, True), _measure(play, False)
    note = (
        f"At {RATE} records/s the other keys took at most {beside} ms (p99) with half of the "
        f"traffic on one key, {alone} ms without it: {beside / max(1, alone):.1f} times."
    )
    play.scene.tell(note)
    play.notes.append(note)
    play.more(hot(20_000, play.random.randrange(1 << 30)))
    faults.kill_bolt(play)


def _measure(play: Play, with_hot: bool) -> int:
    """p99 of the others, ms from publishing to the decision: at most so much, for a record is taken
    to be as old as the oldest of its batch."""
    run = f"{'hot' if with_hot else 'even'}-phase"
    others = play.later(RATE * SECONDS, run)
    one = iter(Transactions(8, run=f"{run}-one", customers=1))
    is_hot = [with_hot and number % 2 == 0 for number in range(RATE * SECONDS)]

    def paced() -> Iterator[KeyValue]:
        began = time.monotonic()
        for number, hot_now in enumerate(is_hot):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            yield next(one)[:2] if hot_now else next(others)

    half = "half" if with_hot else "none"
    play.scene.tell(f"{RATE} records/s for {SECONDS} s, {half} of them of one key")
    places = play.more(paced())
    play.scene.drain(play.count, START_S)
    spans = sorted(
        (each.partition, each.first, each.last, each.age)
        for each in stored(play.scene.settings).written
        if each.part.startswith("score")
    )
    took = []
    for (partition, offset), hot_now in list(zip(places, is_hot, strict=True))[WARM * RATE :]:
        span = spans[bisect_right(spans, (partition, offset, 1 << 62, 0)) - 1]
        if not hot_now and span[0] == partition and span[1] <= offset <= span[2]:
            took.append(span[3])
    return sorted(took)[int(0.99 * len(took))]
