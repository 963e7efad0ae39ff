"""What flows: records, fragments, rejections, decisions and the rows that keep them.

All times are integers: milliseconds since the Unix epoch, UTC.
"""

from collections.abc import Iterable
from enum import StrEnum
from zlib import crc32

import msgspec

DAY_MS = 86_400_000
_DAYS = (1 << 31) - 1  # of a column `int`


def day_of(timestamp: int) -> int:
    """The day, as the tables have it, of a Kafka time in ms.

    Kafka's time is any 64-bit number that a producer wrote: one that is no date at all goes to the
    first or the last day that a column can hold, for what is set aside must find its row.
    """
    return max(-_DAYS, min(timestamp // DAY_MS, _DAYS))


def age_of(timestamps: Iterable[int], now: int) -> int:
    """Milliseconds from the oldest of these Kafka times to `now`; those that are none left out."""
    return max(0, now - min((t for t in timestamps if t >= 0), default=now))


_CUT = -1


class EndState(StrEnum):
    """Where a Kafka offset ends. Exactly one of them; ABSENT never held a record."""

    SCORED = "scored"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    LATE = "late"
    DEAD_LETTERED = "dead_lettered"
    EXPIRED = "expired"
    ABSENT = "absent"
    IGNORED = "ignored"  # of another kind, which its topic's mapping says to pass over


class Record(msgspec.Struct, frozen=True, array_like=True):
    """One Kafka record of a known partition."""

    offset: int
    timestamp: int  # broker or producer time of the record, ms
    key: bytes | None
    value: bytes | None
    read: int | None = None
    """When it was first read, ms: where `timestamp` cannot be believed; see `ingest.dating`."""

    @property
    def dated(self) -> int:
        """The time that it is judged by, ms: Kafka's, or when it was read."""
        return self.timestamp if self.read is None else self.read


class Fingerprint(msgspec.Struct, frozen=True, array_like=True):
    """What tells a record from another one at its offset."""

    offset: int
    timestamp: int  # Kafka's, ms
    checksum: int  # of key and value; -1 of a record that was read in part only

    def fits(self, record: Record) -> bool:
        """Whether this may be the record that was taken."""
        other = fingerprint_of(record)
        whole = self.checksum in (_CUT, other.checksum)
        return whole and (self.offset, self.timestamp) == (other.offset, other.timestamp)


def fingerprint_of(record: Record, most: int | None = None) -> Fingerprint:
    """The fingerprint of a record; `most`: a longer key or value was read in part."""
    key, value = record.key or b"", record.value or b""
    if most is not None and max(len(key), len(value)) > most:
        return Fingerprint(record.offset, record.timestamp, _CUT)
    shape = b"%d %d " % (
        -1 if record.key is None else len(key), -1 if record.value is None else len(value),
    )  # fmt: skip
    return Fingerprint(record.offset, record.timestamp, crc32(value, crc32(key, crc32(shape))))


class Fragment(msgspec.Struct, frozen=True, array_like=True):
    """The identity of one micro-batch: offsets `first` to `last` of a partition, one try."""

    topic: str
    partition: int
    epoch: int  # rises when the topic is recreated or its partition count changes
    first: int
    last: int
    generation: int  # rises at each start of the spout
    attempt: int  # 0, 1, ... of this fragment in this generation
    believed: tuple[tuple[int, int, int], ...] = ()
    """(incarnation, from, to): whose marks also count for offsets `from` to `to` - 1, because they
    are of the same log; see `stormwatch.stretches`. Not stored."""
    fingerprint: Fingerprint | None = None  # of the last record in it


class Rejection(msgspec.Struct, frozen=True, array_like=True):
    """Why a record is not a valid event. `code` is one of `stormwatch.parsing.batch.CODES`."""

    code: str
    reason: str
    field: str = ""


IGNORED = Rejection("ignored", "the record is of a kind that its topic's mapping ignores")
"""Of a record that is no event and no fault: it is counted, and kept nowhere."""


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """One cause of a decision: a rule or a model contribution, in words."""

    code: str
    text: str
    weight: float = 0.0


class Contribution(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one feature, sensor or rule adds to a score."""

    of: str  # the feature's or sensor's name, or the rule's id
    amount: float  # in the unit of its explanation
    text: str  # a sentence, without its full stop: the value, and what is normal
    value: float | None = None
    normal: tuple[float, float] | None = None
    """Between which values it usually is of this very customer or machine, in the value's unit."""


class Explanation(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a score came about: `base`, the amounts of all `parts` and `rest` add up to it.

    One schema for models, rules and detectors. See docs/reasons.md.
    """

    by: str  # "model", "rules" or "surprise"
    unit: str
    """log-odds (of a probability), probability, cycles, decades (of surprise), weight (of rules)"""
    base: float  # what it would be if nothing were known
    parts: tuple[Contribution, ...]  # largest first
    rest: float = 0.0  # of all that is not among the parts

    @property
    def total(self) -> float:
        """What all adds up to: the score in `unit`, within 1e-6."""
        return self.base + sum(part.amount for part in self.parts) + self.rest


class Learned(msgspec.Struct, frozen=True):
    """What became known of an earlier event of the same entity."""

    id: str
    time: int  # its event time, ms
    positive: bool  # whether it deserved an alert


class Shadow(msgspec.Struct, frozen=True):
    """What a version in the state shadow says of an event: stored, and not acted on."""

    model: str
    rules: str
    outcome: str
    score: float


class Decision(msgspec.Struct, frozen=True):
    """The outcome for one event: all that is needed to explain and to replay it.

    Stored as JSON in `decisions.body`. `features` are in the order of the feature set's names.
    """

    id: str
    entity: str
    time: int  # event time, ms
    outcome: str
    """Fraud: approve review decline, labelled (a label); maintenance: healthy watch service
    sensor_fault unknown_regime; any domain `learned`: history that was learned, not judged."""
    score: float  # rounded to 6 decimals; fraud: probability; maintenance: remaining life, cycles
    reasons: tuple[Reason, ...]
    features: tuple[float, ...]
    feature_set: str
    model: str
    rules: str
    topic: str
    partition: int
    offset: int
    timestamp: int  # Kafka's time of the record, ms; if that was not to be believed: of its reading
    misplaced: bool = False  # the entity was last seen on another partition
    degraded: bool | msgspec.UnsetType = msgspec.UNSET
    """True: decided by rules alone, `score` -1 and `model` "none". Else left out: the bytes of
    all other decisions are what they were before there was this field."""
    mapping: str | msgspec.UnsetType = msgspec.UNSET
    """The mapping that made the event of the record: its version, `#` and eight digits of a hash of
    its text. Left out of what came in a format of ours."""
    after: tuple[tuple[int, int, int], ...] | msgspec.UnsetType = msgspec.UNSET
    """Of an event that comes by another log than its entity's others (`judge.Event.is_beside`):
    partition, epoch and offset of the last record of each other log that the entity's state had
    learned. Where it stands among them is known by nothing else. Left out of all others."""
    learned: Learned | msgspec.UnsetType = msgspec.UNSET
    """Of a label: what it says of which event. Left out of all else."""
    interval: tuple[float, float] | msgspec.UnsetType = msgspec.UNSET
    """Within which what `score` estimates lies in nine of ten cases, as the model's card was
    calibrated; in its unit. Left out where the model gives none."""
    shadow: tuple[Shadow, ...] | msgspec.UnsetType = msgspec.UNSET
    """What versions in the state shadow say of it. Left out where there is none."""
    explanations: tuple[Explanation, ...] | msgspec.UnsetType = msgspec.UNSET
    """Of an alert: how its scores came about. Left out of all else."""
    rates: str | msgspec.UnsetType = msgspec.UNSET
    """Version of the reference rates that amounts were compared by. Left out where none was
    needed, the currency being worth a euro or nearly."""


class DecisionRow(msgspec.Struct, frozen=True, array_like=True):
    """A row of `decisions`; with `alert`, also one of `alerts` and a record of the alerts topic."""

    stripe: int
    entity: str
    time: int
    id: str
    outcome: str
    score: float
    body: bytes  # JSON of a `Decision`
    timestamp: int  # Kafka's time: the alert's day
    alert: bool


class DecisionKey(msgspec.Struct, frozen=True, array_like=True):
    """Where a decision is found."""

    stripe: int
    entity: str
    time: int
    id: str


class StateRow(msgspec.Struct, frozen=True, array_like=True):
    """An entity's state after a batch. `stamp` is its Cassandra write timestamp."""

    stripe: int
    entity: str
    blob: bytes
    stamp: int


class SetAside(msgspec.Struct, frozen=True, array_like=True):
    """A record kept beside the decisions: rejected, late, conflict or dead_lettered."""

    offset: int
    timestamp: int
    state: str  # an EndState value
    code: str
    reason: str  # a sentence; for dead letters the traceback
    component: str
    key: bytes | None
    raw: bytes | None  # the value as read, cut at `dead_letters.max_bytes`


SHARED = "score/"
"""How the `part` of a ledger row begins that is written after a repartition; its bucket follows."""


class LedgerRow(msgspec.Struct, frozen=True, array_like=True):
    """What one component did to a fragment: end state -> bitmap of offsets from `first`.

    Bit i of a bitmap (byte i // 8, bit i % 8, least significant first) is offset `first + i`.
    `part` tells the writers of one fragment apart (`score:3f9a1c.7`, the eighth work of a process;
    `reject`, `spout`, `rekey`, `score/7`).
    """

    fragment: Fragment
    part: str
    bitmaps: dict[str, bytes]
    age: int  # ms from the oldest record's Kafka time to the write of this row


IDS_FORGOTTEN = "ids_forgotten"
NOT_LEARNED = "not_learned"
REORDERED = "reordered"
LEARNED_ONLY = "learned_only"
TAKEN_BACK, RETRY = "taken_back", "retry"
OUT_OF_DISTRIBUTION = "out_of_distribution"
SHADOW_RULE = "shadow_rule"
SNOOZED = "snoozed_rule"
CAPPED = "capped_rule"
LABELLED = "labelled"
NO_RATE = "no_rate"
NOTES = {
    LEARNED_ONLY: "learned without being judged: history from before the start, published with "
    "--learn-only or older than the setting <domain>.live_from",
    NOT_LEARNED: "decided by what was known before, for the state had learned a younger event "
    "of the entity: what comes out of order of time teaches it nothing",
    REORDERED: "came after younger events of the entity, and learned in their place by event time",
    TAKEN_BACK: "refunds and reversals: approved, and counted as no spending",
    RETRY: "payments tried once more within fraud.retry_s: counted as one payment",
    SNOOZED: "a rule fired that is snoozed for the entity: noted in the decision, and not acted on",
    CAPPED: "a rule fired more often than its cap for an entity: noted, and not acted on",
    SHADOW_RULE: "a rule in the state shadow fired: noted in the decision, and not acted on",
    OUT_OF_DISTRIBUTION: "events unlike what the model was trained on: it decides nothing of them "
    "alone. Where they are many, train a model on data of your own: ./stormwatch train",
    NO_RATE: "payments in a currency without a reference rate: their amounts are compared with "
    "nothing, and the model alone declines none. Add a rate to the file of the setting fraud.rates",
    LABELLED: "labels of payments (fraud, chargeback, cleared): learned, and not judged",
    IDS_FORGOTTEN: "ids forgotten before their time: an entity had more events than dedup.max_ids",
}
"""What is counted of batches beside end states, in words. None of it is an error."""


class Decided(msgspec.Struct, array_like=True):
    """Payload of the stream `decisions`: what of one batch is decided, in the order of its offsets.

    It comes after the commit, and at least once: after a crash or a failure further on the same
    decisions may come again, never others in their place.
    """

    domain: str
    bodies: list[bytes]  # each the JSON of a `Decision`, as it is stored

    @property
    def decisions(self) -> list[Decision]:
        """Decoded, at each call."""
        return [_decision_of(body) for body in self.bodies]


_decision_of = msgspec.json.Decoder(Decision).decode


class Outcomes(msgspec.Struct, array_like=True):
    """All that one batch leads to, as the score step hands it to the store step."""

    fragment: Fragment
    domain: str
    stamp: int  # Cassandra write timestamp of decisions, alerts, set-aside rows and ledger
    decisions: list[DecisionRow]
    states: list[StateRow]
    aside: list[SetAside]
    ledger: LedgerRow
    replayed: list[DecisionKey]  # already decided: their alerts are published again
    timestamps: list[int]  # Kafka times of the records decided now, for latency
    degraded: int = 0  # decisions among them that were made by rules alone
    noted: dict[str, int] = {}  # what a person should know -> how often; the words: `NOTES`
    fired: dict[str, int] = {}  # code of a reason -> decisions that have it
