"""What a spout has in hand of one partition: a micro-batch or a notice, and its attempts."""

from dataclasses import dataclass
from random import Random

from msgspec.structs import replace

from stormwatch.records import Fragment, Record, fingerprint_of

BATCHES, NOTICES = "default", "notices"
"""The spout's output streams. Payloads: `codec.RECORDS` and `codec.Asides`."""
BACKOFF_S, BACKOFF_MAX_S = 0.1, 10.0


@dataclass(slots=True)
class InFlight:
    """To be sent, in flight, or waiting to be sent again. Times: seconds, the caller's clock."""

    stream: str
    fragment: Fragment
    payload: object
    records: int = 0
    probe: bool = False  # one record that may kill its process
    alone: bool = False  # goes out while nothing else of its task is in flight
    guarded: bool = False  # announced in the commit's metadata
    most: int = 1 << 30  # longer keys and values were read in part
    sent_at: float | None = None  # None while it is not in flight
    due_at: float = 0.0

    @property
    def tup_id(self) -> str:
        """Storm's message id of this attempt."""
        f = self.fragment
        return f"{f.partition}:{f.generation}:{f.attempt}:{f.first}-{f.last}:{self.stream}"

    @property
    def begun(self) -> bool:
        """Whether it was sent at least once."""
        return self.sent_at is not None or self.fragment.attempt > 0

    @property
    def empty(self) -> bool:
        """Whether it covers no offset: the start notice, the first batch after an unclean stop."""
        return self.fragment.last < self.fragment.first

    def due(self, now: float) -> bool:
        """Whether it may be sent now."""
        return self.sent_at is None and now >= self.due_at

    def again(self, due_at: float) -> None:
        """The present attempt is void; the next may be sent at `due_at`."""
        self.fragment = replace(self.fragment, attempt=self.fragment.attempt + 1)
        self.sent_at, self.due_at = None, due_at

    def keep(self, count: int) -> list[Record]:
        """Cut a batch to its first `count` records; the rest. States allow a cut anywhere."""
        assert isinstance(self.payload, list)
        kept, rest = self.payload[:count], self.payload[count:]
        self.payload, self.records = kept, count
        fingerprint = fingerprint_of(kept[-1], self.most)
        self.fragment = replace(self.fragment, last=kept[-1].offset, fingerprint=fingerprint)
        return rest


def backoff(attempt: int, random: Random, most: float = BACKOFF_MAX_S) -> float:
    """Seconds to wait after `attempt` failed: doubling up to `most`, with jitter of a half."""
    return min(BACKOFF_S * 2.0 ** min(attempt, 10), most) * random.uniform(0.5, 1.0)
