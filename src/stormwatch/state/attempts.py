"""Tries that come after their successors: a batch that waited somewhere while it was tried again.

After a repartition two tries at one event may decide it otherwise, for batches of other partitions
come between. So what commits has to be what was tried last: an older try is not worked on.
"""

from stormwatch.errors import Overtaken
from stormwatch.records import Fragment


class Tries:
    """The last try of each partition in each bucket that this process worked on."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, int, int], Fragment] = {}

    def begin(self, fragment: Fragment, bucket: int) -> None:
        """Raises Overtaken where a later try at some of these offsets was begun before."""
        last = self._last.get((fragment.topic, fragment.partition, bucket))
        if last is not None and _nth(fragment) < _nth(last):
            if fragment.first <= last.last and last.first <= fragment.last:
                raise Overtaken(
                    f"offsets {fragment.first} to {fragment.last} of partition "
                    f"{fragment.partition} were tried again before this try came"
                )
            return
        self._last[fragment.topic, fragment.partition, bucket] = fragment


def _nth(fragment: Fragment) -> tuple[int, int, int]:
    return fragment.epoch, fragment.generation, fragment.attempt
