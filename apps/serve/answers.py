"""What the API answers, as types; its OpenAPI document is made of them.

Times are milliseconds since the epoch, UTC. Places of records are `topic/partition/offset`.
"""

from typing import Any

import msgspec

from stormwatch.people import Audit, Work
from stormwatch.reasons.flip import Flip
from stormwatch.records import Explanation, Reason


class Stream(msgspec.Struct):
    """A topology: the topic that it reads, and which of its outcomes are alerts."""

    domain: str
    topic: str
    events: str
    alert_outcomes: list[str]


class Summary(msgspec.Struct):
    """A decision as it stands in a list."""

    domain: str
    entity: str  # the customer, or the machine
    id: str
    time: int  # of the event
    outcome: str
    score: float  # fraud: a probability; maintenance: remaining life, cycles; -1: by rules alone
    alert: bool
    reasons: list[Reason]  # most weighty first
    degraded: bool  # by rules alone: the model had no score
    timestamp: int  # Kafka's, of the record
    record: str  # topic/partition/offset
    said: str = ""  # the record in a few words, where it is known
    features: dict[str, float] = {}  # those that were asked for
    interval: tuple[float, float] | None = None  # nine of ten cases, of what `score` estimates
    model: str = ""  # its version
    key: str = ""  # names it in paths: /v1/alerts/{key}/…
    work: Work | None = None  # what people did about it; None: nothing yet
    explanations: list[Explanation] = []  # of an alert: how its scores came about


class Page(msgspec.Struct):
    """Decisions, newest first; `next` is to be given as `after` for the next page."""

    decisions: list[Summary]
    next: str | None


class Machine(msgspec.Struct):
    """A machine as of its newest reading."""

    decision: Summary
    is_life: bool  # whether the score is its remaining life, cycles
    pace: int | None  # ms from the reading before
    alert: Summary | None  # its newest, where that is among the newest of all


class Fleet(msgspec.Struct):
    """The machines that are known, in no order; of another domain its customers, brands, users."""

    machines: list[Machine]
    pace: int | None  # ms that a cycle takes: the median of all
    whole: bool  # whether these are all


class Written(msgspec.Struct):
    """What one component wrote to the ledger about a record."""

    part: str
    state: str
    first: int  # offsets of the batch
    last: int
    epoch: int
    generation: int
    attempt: int
    age: int  # ms from the oldest record of the batch to this write


class Whole(msgspec.Struct):
    """All that is known of one decision."""

    decision: Summary
    features: dict[str, float]
    feature_set: str
    model: str
    rules: str
    ledger: list[Written]
    value: str | None  # the record, masked; None where Kafka has it no more


class Cleared(msgspec.Struct):
    """What would have cleared an alert."""

    flips: list[Flip]
    """Changes of one field, each scored again."""
    why_none: str = ""


class Aside(msgspec.Struct):
    """A record that was not decided: rejected, late, conflict or dead_lettered."""

    domain: str
    state: str
    code: str
    reason: str
    component: str
    timestamp: int
    record: str
    value: str | None  # masked


class Asides(msgspec.Struct):
    """The newest, newest first."""

    records: list[Aside]


class Latency(msgspec.Struct):
    """ms from a record's Kafka timestamp to its committed decision; None where nothing was."""

    p50: int | None
    p95: int | None
    p99: int | None
    max: int | None


class Figures(msgspec.Struct):
    """A topology over the last seconds."""

    domain: str
    incoming: float  # records/s written to the topic
    outgoing: float  # records/s decided
    latency: Latency
    waiting: int  # records that are not committed
    alerts: int  # since its processes began, as the next five
    decided: int
    degraded: int
    ends: dict[str, int]  # end state -> records
    rejected: dict[str, int]  # rejection code -> records
    noted: dict[str, int]  # what a person should know -> how often
    precision: float | None  # of the alerts of labelled events, the share that deserved one
    recall: float | None  # of the labelled events that deserved an alert, the share that had one
    drift: dict[str, float]  # feature, or "score" -> stability index against the training
    alarms: dict[str, str]  # what is wrong with the predictions now -> a sentence
    running: bool  # whether a component wrote its figures of late


class Strip(msgspec.Struct):
    """A partition from the first offset that was read to its end."""

    partition: int
    first: int
    end: int  # exclusive
    committed: int  # the next offset to read
    unaccounted: int
    gaps: list[tuple[int, int]]  # some of those without an end state, or with two: first and last


class Ledger(msgspec.Struct):
    """A topic's reconciliation: each offset has exactly one end state, or is told here."""

    domain: str
    topic: str
    states: dict[str, int]
    unaccounted: int
    in_flight: int
    conflicting: int
    sound: bool
    partitions: list[Strip] = []


class Setting(msgspec.Struct):
    """A setting of this server; secrets masked."""

    key: str
    value: str
    source: str
    help: str


class Trouble(msgspec.Struct):
    """What does not answer, in a sentence, since when: all else is then as it was before. Empty
    where all is well."""

    said: str = ""
    since: int = 0


class Rates(msgspec.Struct):
    """The figures of all topologies."""

    at: int
    figures: list[Figures]


class Alerts(msgspec.Struct):
    """The newest alerts of all domains, newest first."""

    alerts: list[Summary]


class Ledgers(msgspec.Struct):
    """The ledgers of all topics that exist."""

    ledgers: list[Ledger]


class Now(msgspec.Struct):
    """The newest state of all that runs."""

    rates: Rates
    alerts: Alerts
    ledgers: Ledgers
    trouble: Trouble


class Point(msgspec.Struct, array_like=True):
    """Of one topology at one time, for curves: [at, incoming, outgoing, p50, p99, waiting]."""

    at: int
    incoming: float
    outgoing: float
    p50: int | None
    p99: int | None
    waiting: int


class History(msgspec.Struct):
    """The last hour, one point every few seconds."""

    points: dict[str, list[Point]]  # domain ->


class Component(msgspec.Struct):
    """A spout or bolt of a topology."""

    name: str
    kind: str  # "spout" or "bolt"
    tasks: str  # a number, or one for each environment
    inputs: dict[str, str]  # component, or component:stream -> grouping


class Topology(msgspec.Struct):
    """A topology's wiring, from its class."""

    domain: str
    components: list[Component]


class Sent(msgspec.Struct):
    """Where a record stands now."""

    record: str  # topic/partition/offset: ask /v1/record what became of it


class Became(msgspec.Struct):
    """What became of one record; nothing yet while all three lists are empty."""

    record: str
    timestamp: int
    value: str  # masked
    ledger: list[Written]
    decisions: list[Summary]
    set_aside: list[Aside]


class LetterActed(msgspec.Struct):
    """What was done about a dead letter."""

    act: str
    at: int
    who: str
    note: str
    copy: str | None


class Letter(msgspec.Struct):
    """A dead letter; masked."""

    record: str  # topic/partition/epoch/offset
    topology: str
    status: str  # open, redriving, redriven, discarded
    state: str
    code: str
    reason: str
    component: str
    timestamp: int
    key: str | None
    value: str | None
    acts: list[LetterActed]


class Letters(msgspec.Struct):
    """Newest first."""

    letters: list[Letter]


class RedrivenOne(msgspec.Struct):
    """What became of one record: an act, or `left` with the reason."""

    record: str
    done: str
    told: str


class Redriven(msgspec.Struct):
    """What became of each."""

    results: list[RedrivenOne]


class Profile(msgspec.Struct):
    """One customer or machine."""

    domain: str
    entity: str
    newest: int  # event time, ms
    state_bytes: int
    state: dict[str, Any]  # as the domain keeps it
    outcomes: dict[str, int]  # of the decisions of those days
    alerts: int
    more: bool  # whether there are more decisions than were counted
    decisions: list[Summary]  # the newest


class Audits(msgspec.Struct):
    """Rows of the audit log."""

    rows: list[Audit]


class Forgotten(msgspec.Struct):
    """What was erased of an entity."""

    states: int
    decisions: int
    set_aside: int
    audit: int  # rows of the audit log that no longer name it
    running: bool  # bolts run: what they hold in memory is stored again with its next event


class Measured(msgspec.Struct):
    """What a process says of itself."""

    domain: str
    component: str
    instance: str
    silent: int  # ms since it said so
    host: str
    pid: int
    batches: int
    failed: int
    cached: int
    hits: int
    misses: int
    resident: int  # bytes
    started: int  # ms
    spent: dict[str, int]  # microseconds
    sizes: dict[int, int]  # at most so many records -> batches


class Hop(msgspec.Struct):
    """What a record costs in one component, all of its tasks together."""

    component: str
    tasks: int
    records: int
    batches: int
    us: dict[str, float]  # microseconds a record, by what they go into
    busy: float  # share of the time that its busiest task did not wait for Storm
    cpu_us: float | None  # of processor time a record
    most: float | None  # records/s that its tasks could do, each with a core of its own


class Costs(msgspec.Struct):
    """What a record costs in a running topology, as `./stormwatch profile` tells it."""

    domain: str
    ms: int  # that were looked at
    hops: list[Hop]
    advice: str  # what to change first


class Threshold(msgspec.Struct, array_like=True):
    """What alerting from a score on would do: [score, precision, recall, alerts a day]."""

    score: float
    precision: float
    recall: float
    alerts: float


class Bin(msgspec.Struct, array_like=True):
    """Scores of one range: [how many, their mean, the share of them that were frauds]."""

    count: int
    score: float
    share: float


class Curves(msgspec.Struct):
    """What labels say of the scores of the newest decisions. A payment without a label counts as
    none that deserved an alert, once labels of later ones have come."""

    domain: str
    judged: int  # decisions that labels can have come of
    positive: int  # of them labelled as deserving an alert
    since: int  # event time, ms: the oldest and the newest of them
    until: int
    thresholds: list[Threshold]  # from the highest score on
    bins: list[Bin]


class MappedTopic(msgspec.Struct):
    """A topic whose records a mapping makes events of."""

    topic: str
    events: str
    version: str  # `#` and a hash of its text behind it, as decisions have it


class Mappings(msgspec.Struct):
    """The mappings of this server's settings, and those of public formats that are shipped."""

    in_force: list[MappedTopic]
    presets: list[str]


class Mapping(msgspec.Struct):
    """One mapping."""

    name: str
    text: str  # TOML


class EquipmentType(msgspec.Struct):
    """A kind of machines."""

    name: str
    version: str
    words: str
    sensors: int  # 0: whatever there are
    default: bool  # of readings that name none


class RuleLists(msgspec.Struct):
    """The lists of the rules in force."""

    revision: int  # 0: those of the settings
    lists: dict[str, int]  # name -> how many stand in it


class RuleList(msgspec.Struct):
    """One list of the rules in force."""

    name: str
    revision: int
    values: list[str]


class RulesText(msgspec.Struct):
    """The rules in force as a file, to change and push again."""

    revision: int  # 0: those of the settings
    text: str


class RulesDifference(msgspec.Struct):
    """What a file would change of the rules in force."""

    revision: int  # of those in force
    said: str


class Changed(msgspec.Struct):
    """A change of rules or model that is kept."""

    revision: int
    told: bool  # whether running tasks were told; else they take it within a minute


class RunningTopology(msgspec.Struct):
    """A topology on a Storm cluster."""

    name: str
    status: str
    uptime_s: int
    workers: int
    executors: int
    tasks: int


class Cluster(msgspec.Struct):
    """What Nimbus says."""

    nimbus: str  # host:port
    answers: bool  # else nothing below is known: no cluster runs there
    leader: bool
    supervisors: int
    topologies: list[RunningTopology]


class Session(msgspec.Struct):
    """Who asks. Without a name: nobody, and a token is needed."""

    name: str
    role: str
    needed: bool  # whether anybody needs a token
    expires: int  # ms; 0: never


class Problem(msgspec.Struct, omit_defaults=True):
    """Why there is no answer, and what to do."""

    error: str
    field: str = ""  # the parameter that cannot be used
    work: Work | None = None  # 412: what stands now
