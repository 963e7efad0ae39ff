"""What an event costs to generate, against writing the same bytes again from their objects.

    ./stormwatch bench generators --events 20000

For each kind of events: microseconds an event on one core, events/s, and how many times as much as
msgspec's decoding and encoding of the same values cost in the same run. The last figure is the one
to compare between machines.
"""

import argparse
import time
from collections.abc import Callable, Iterable
from itertools import islice

import msgspec

from apps.data.kinds import KINDS, FeedOptions, Kind

RUNS = 3


def best(work: Callable[[], object]) -> float:
    """Seconds of CPU of the quickest of some runs."""

    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return min(once() for _ in range(RUNS))


def again(values: Iterable[bytes]) -> None:
    """Decode and encode these."""
    decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
    for value in values:
        encode(decode(value))


def line(kind: Kind, events: int) -> str:
    """The figures of one kind."""

    def made() -> list[bytes]:
        return [one.value for one in islice(kind.feed(FeedOptions(1, "bench", None)), events)]

    values = made()
    cost, written = best(made), best(lambda: again(values))
    return (
        f"{kind.events:<14} {1e6 * cost / events:6.1f} us an event, {events / cost:9,.0f} a second,"
        f" {cost / written:5.1f} times decoding and encoding it"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=20_000)
    options = parser.parse_args()
    for kind in KINDS:
        print(line(kind, options.events))


if __name__ == "__main__":
    main()
