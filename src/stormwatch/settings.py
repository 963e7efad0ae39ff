"""The one typed reader of settings: environment, else file, else running services, else default.

A setting `kafka.bootstrap` is `STORMWATCH_KAFKA_BOOTSTRAP` in the environment and
`bootstrap = "…"` under `[kafka]` in `stormwatch.toml`. On workers the file's place is taken by the
topology's configuration (`stormwatch.kafka.bootstrap`), into which everything but secrets was put
when the topology was submitted; secrets come from the worker's own environment only.
"""

import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from stormwatch import addresses, named_texts
from stormwatch.errors import SettingsError

PREFIX = "stormwatch."
CASSANDRA, SPANNER = "cassandra", "spanner"
"""Stores."""
KAFKA, KINESIS = "kafka", "kinesis"
"""Where events are read."""
SERVICES_FILE = "services.json"
"""Under the run directory: settings of the services that `./stormwatch up` started."""


def _option(  # a dataclass field that knows its key
    key: str,
    default: Any,
    help: str,  # noqa: A002
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
    named: bool = False,
    many: bool = False,
    moment: bool = False,
    sent: bool = False,
) -> Any:
    """`named`: a text that must not be empty. `many`: a list of texts is accepted, too. `moment`: a
    time in RFC 3339 with an offset from UTC, or nothing. `sent`: names files, relative to
    the project's folder, whose text goes to workers with the topology; there it counts, whatever
    files their environment names."""
    meta = {
        "key": key, "help": help, "low": low, "high": high, "choices": choices,
        "secret": secret, "named": named, "many": many, "moment": moment,
        "sent": sent,
    }  # fmt: skip
    return field(default=default, metadata=meta)


_TTL_MAX_D = 7300
"""Cassandra accepts no TTL above 20 years."""


@dataclass(frozen=True)
class Settings:
    """Every setting, typed. Times are in the unit that the name ends with."""

    kafka_bootstrap: str = _option(
        "kafka.bootstrap", "127.0.0.1:9092", "brokers as host:port, separated by commas", many=True
    )
    kafka_client: str = _option(
        "kafka.client", "auto", "auto: confluent if it is installed; memory: only for dev",
        choices=("auto", "confluent", "kafka-python", "memory"),
    )  # fmt: skip
    kafka_group: str = _option(
        "kafka.group", "stormwatch", "consumer group of committed offsets", named=True
    )
    kafka_security_protocol: str = _option(
        "kafka.security_protocol", "PLAINTEXT", "protocol of connections to brokers",
        choices=("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    )  # fmt: skip
    kafka_sasl_mechanism: str = _option(
        "kafka.sasl_mechanism", "PLAIN", "how the user authenticates",
        choices=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"),
    )  # fmt: skip
    kafka_username: str = _option("kafka.username", "", "SASL user")
    kafka_password: str = _option("kafka.password", "", "SASL password", secret=True)
    kafka_ssl_ca: str = _option("kafka.ssl_ca", "", "certificate authority, a PEM file")
    kafka_request_timeout_s: float = _option(
        "kafka.request_timeout_s", 10.0, "time limit of one request", low=0.5
    )
    kafka_partitions: int = _option("kafka.partitions", 4, "of new topics", low=1)
    kafka_replication: int = _option("kafka.replication", 1, "of new topics", low=1)

    source: str = _option(
        "source", KAFKA, "where topics of events are read: Kafka, or Amazon Kinesis streams of "
        "the same names; alerts and dead letters go to Kafka all the same",
        choices=(KAFKA, KINESIS),
    )  # fmt: skip
    kinesis_region: str = _option("kinesis.region", "us-east-1", "AWS region", named=True)
    kinesis_endpoint: str = _option(
        "kinesis.endpoint", "", "URL of another server than AWS's, for tests"
    )
    kinesis_reads_per_s: float = _option(
        "kinesis.reads_per_s", 5.0, "reads of a shard; AWS allows 5, to all readers together",
        low=0.1,
    )  # fmt: skip

    topic_transactions: str = _option(
        "topic.transactions", "transactions", "topic that fraud reads", named=True
    )
    topic_labels: str = _option(
        "topic.labels", "labels", 'topic of labels of payments, that fraud reads beside; none: ""'
    )
    topic_readings: str = _option(
        "topic.readings", "readings", "topic that maintenance reads", named=True
    )
    topic_behaviour: str = _option(
        "topic.behaviour", "behaviour", "topic that recommend reads", named=True
    )
    topic_posts: str = _option("topic.posts", "posts", "topic that social reads", named=True)
    topic_alerts: str = _option(
        "topic.alerts", "alerts", "topic of decisions that need a person", named=True
    )
    topic_decisions: str = _option(
        "topic.decisions", "", "topic that all decisions go to, as alerts do; by default none"
    )
    topic_dead_letters: str = _option(
        "topic.dead_letters",
        "dead-letters",
        "topic of the dead-letter queue",
        named=True,
    )

    topic_control: str = _option(
        "topic.control", "stormwatch-control", "compacted topic that keeps epochs", named=True
    )

    mapping_transactions: str = _option(
        "mapping.transactions", "", "TOML files or preset:NAME that map other formats, one a topic",
        many=True, sent=True,
    )  # fmt: skip
    mapping_readings: str = _option(
        "mapping.readings", "", "TOML files or preset:NAME that map other formats, one a topic",
        many=True, sent=True,
    )  # fmt: skip

    registry_url: str = _option("registry.url", "", "schema registry, for mappings of Avro")
    registry_username: str = _option("registry.username", "", "user of the schema registry")
    registry_password: str = _option(
        "registry.password", "", "password at the schema registry", secret=True
    )

    store: str = _option(
        "store", CASSANDRA, "where decisions are stored; memory: only for dev",
        choices=(CASSANDRA, SPANNER, "memory"),
    )  # fmt: skip
    cassandra_contact_points: str = _option(
        "cassandra.contact_points", "127.0.0.1", "hosts, separated by commas", many=True
    )
    cassandra_port: int = _option(
        "cassandra.port", 9042, "port of the native protocol", low=1, high=65_535
    )
    cassandra_keyspace: str = _option(
        "cassandra.keyspace", "stormwatch", "created if missing", named=True
    )
    cassandra_datacenter: str = _option(
        "cassandra.datacenter", "datacenter1", "local datacenter", named=True
    )
    cassandra_replication: int = _option("cassandra.replication", 1, "of a new keyspace", low=1)
    cassandra_username: str = _option("cassandra.username", "", "Cassandra user")
    cassandra_password: str = _option("cassandra.password", "", "Cassandra password", secret=True)
    cassandra_ssl_ca: str = _option("cassandra.ssl_ca", "", "certificate authority, a PEM file")
    cassandra_request_timeout_s: float = _option(
        "cassandra.request_timeout_s", 5.0, "time limit of one request", low=0.1
    )

    spanner_project: str = _option("spanner.project", "", "Google Cloud project")
    spanner_instance: str = _option("spanner.instance", "", "Spanner instance")
    spanner_database: str = _option(
        "spanner.database", "stormwatch", "created if missing", named=True
    )
    spanner_emulator: str = _option(
        "spanner.emulator", "", "host:port of an emulator in the place of Google's, for tests"
    )
    spanner_request_timeout_s: float = _option(
        "spanner.request_timeout_s", 5.0, "time limit of one request", low=0.1
    )

    cassandra_java_home: str = _option(
        "cassandra.java_home", "", "folder of a Java 17 to 23 for the Cassandra of `up`"
    )

    layout_stripes: int = _option(
        "layout.stripes", 16, "hash buckets of states and decisions; fixed at creation", low=1
    )
    layout_period_h: int = _option(
        "layout.period_h", 24, "hours of event time in a partition of decisions; fixed at creation",
        low=1,
    )  # fmt: skip
    ttl_states_d: int = _option(
        "ttl.states_d",
        90,
        "days that an entity without events is remembered",
        low=1,
        high=_TTL_MAX_D,
    )
    ttl_decisions_d: int = _option(
        "ttl.decisions_d", 365, "days that decisions are kept", low=1, high=_TTL_MAX_D
    )
    ttl_dead_letters_d: int = _option(
        "ttl.dead_letters_d", 90, "days that dead letters are kept", low=1, high=_TTL_MAX_D
    )
    ttl_ledger_d: int = _option(
        "ttl.ledger_d", 365, "days that the ledger is kept", low=1, high=_TTL_MAX_D
    )

    batch_max_records: int = _option("batch.max_records", 1000, "records in a micro-batch", low=1)
    batch_max_bytes: int = _option("batch.max_bytes", 2_000_000, "bytes in a micro-batch", low=1000)
    record_max_bytes: int = _option(
        "record.max_bytes", 65_536, "a larger record is rejected as too_large", low=100
    )
    quarantine_after: int = _option(
        "quarantine.after", 2, "process deaths on one record before it is set aside", low=1
    )
    expired: str = _option(
        "expired", "resume", "if Kafka deleted unread records: resume and count them, or stop",
        choices=("resume", "stop"),
    )  # fmt: skip

    lateness_s: int = _option(
        "lateness_s", 86_400, "allowed lateness, relative to the entity's newest event", low=0
    )
    future_skew_s: int = _option(
        "future_skew_s", 300, "how far an event may be ahead of its Kafka timestamp", low=0
    )
    dedup_horizon_s: int = _option("dedup.horizon_s", 86_400, "how long ids are known", low=0)
    dedup_max_ids: int = _option(
        "dedup.max_ids", 1024, "ids remembered for an entity, 16 bytes each", low=1
    )
    notify_url: str = _option("notify.url", "", "where `./stormwatch notify` posts alerts")
    notify_hosts: str = _option(
        "notify.hosts", "", "hosts that alerts may go to, separated by commas", many=True
    )
    notify_secret: str = _option("notify.secret", "", "signs what is posted", secret=True)

    mask_fields: str = _option(
        "mask.fields",
        "",
        "JSON fields masked in dead letters, separated by commas",
        many=True,
    )
    core: str = _option(
        "core", "compiled", "python: decide in Python also where the compiled core is installed "
        "(docs/native-core.md)", choices=("compiled", "python"),
    )  # fmt: skip
    trace_endpoint: str = _option(
        "trace.endpoint", "", "where traces of batches go, as OTLP over HTTP: "
        "http://HOST:4318/v1/traces; empty: nowhere (docs/debug.md)",
    )  # fmt: skip
    trace_every: int = _option("trace.every", 100, "of so many batches one is traced", low=1)
    cache_mb: int = _option("cache_mb", 64, "size of the state cache of one process", low=1)

    model_deadline_s: float = _option(
        "model.deadline_s", 2.0, "time of a model for a batch, then the rules decide; 0: no limit",
        low=0,
    )  # fmt: skip
    model_probe_s: float = _option(
        "model.probe_s", 10.0, "pause before a failed model is retried; doubles up to 5 minutes",
        low=0.1,
    )  # fmt: skip
    model_unusable: str = _option(
        "model.unusable", "stop", "if a model is missing or broken at the start: stop, or decide "
        "by rules until it can be read", choices=("stop", "rules"),
    )  # fmt: skip
    fraud_model: str = _option("fraud.model", "", "folder of another fraud model; none: rules only")
    fraud_rules: str = _option(
        "fraud.rules", "", "file of other fraud rules (./stormwatch rules check FILE)", sent=True
    )
    fraud_features: str = _option(
        "fraud.features", "", "file of more features of payments (docs/own-features.md)", sent=True
    )
    fraud_rates: str = _option(
        "fraud.rates", "", "file of other reference rates of currencies (schema/rates.md)",
        sent=True,
    )  # fmt: skip
    fraud_retry_s: int = _option(
        "fraud.retry_s", 120, "the same payment with another id within this time is a retry; 0: "
        "none is; only of payments with details (schema/transactions.md)", low=0, high=86_400,
    )  # fmt: skip
    fraud_live_from: str = _option(
        "fraud.live_from", "", "RFC 3339: payments before it are learned and not judged",
        moment=True,
    )  # fmt: skip
    maintenance_model: str = _option(
        "maintenance.model", "", "folder of another remaining-life model; none: rules only"
    )
    maintenance_live_from: str = _option(
        "maintenance.live_from", "", "RFC 3339: readings before it are learned and not judged",
        moment=True,
    )  # fmt: skip
    maintenance_equipment: str = _option(
        "maintenance.equipment", "turbofan", "type of readings that name none, and files of "
        "others, separated by commas", named=True, many=True, sent=True,
    )  # fmt: skip

    topology_spouts: int = _option("topology.spouts", 1, "tasks that read Kafka", low=1)
    topology_parsers: int = _option("topology.parsers", 1, "tasks that parse", low=1)
    topology_scorers: int = _option("topology.scorers", 2, "tasks that score and store", low=1)
    topology_terminals: int = _option(
        "topology.terminals", 1, "tasks that keep what is known of terminals for the payments "
        "there; 0: nothing is kept or read", low=0,
    )  # fmt: skip
    topology_chain: bool = _option("topology.chain", True, "score and store in the same process")
    message_timeout_s: int = _option(
        "topology.message_timeout_s", 60, "Storm's time-out of a tuple tree", low=5
    )
    subprocess_timeout_s: int = _option(
        "topology.subprocess_timeout_s", 120, "Storm's time-out of a component's heartbeat", low=10
    )
    work_timeout_s: float = _option(
        "topology.work_timeout_s", 30.0, "time limit of one batch in a bolt", low=1
    )

    run_dir: str = _option("run_dir", ".stormwatch", "folder for data and logs", named=True)

    def __post_init__(self) -> None:
        chain = (
            self._store_timeout(),
            ("topology.work_timeout_s", self.work_timeout_s),
            ("topology.message_timeout_s", self.message_timeout_s),
            ("topology.subprocess_timeout_s", self.subprocess_timeout_s),
        )
        for (low_key, low), (high_key, high) in pairwise(chain):
            if low >= high:
                raise SettingsError(
                    f"{low_key} ({low:g}) must be below {high_key} ({high:g}): "
                    "the inner time limit must end before the outer one. Change one of them."
                )
        if self.model_deadline_s + self.work_timeout_s > self.message_timeout_s:
            raise SettingsError(
                f"model.deadline_s ({self.model_deadline_s:g}) and topology.work_timeout_s "
                f"({self.work_timeout_s:g}) together must be at most topology.message_timeout_s "
                f"({self.message_timeout_s:g}): one batch may wait for both. Change one of them."
            )
        # A batch sends twice: what was set aside before the commit, alerts after it.
        longest = self.model_deadline_s + self.work_timeout_s + 2 * self.kafka_request_timeout_s
        if not longest < self.subprocess_timeout_s:
            raise SettingsError(
                f"kafka.request_timeout_s ({self.kafka_request_timeout_s:g}), twice, with "
                f"topology.work_timeout_s ({self.work_timeout_s:g}) and model.deadline_s "
                f"({self.model_deadline_s:g}) must be below topology.subprocess_timeout_s "
                f"({self.subprocess_timeout_s:g}): one batch may wait for all of them, and Storm "
                "kills a component that is silent for so long. Change one of them."
            )

    def _store_timeout(self) -> tuple[str, float]:
        if self.store == SPANNER:
            return "spanner.request_timeout_s", self.spanner_request_timeout_s
        return "cassandra.request_timeout_s", self.cassandra_request_timeout_s


class Value(NamedTuple):
    """A setting with where it came from, for `./stormwatch config`."""

    key: str
    value: object
    source: str
    help: str


def load(
    environ: Mapping[str, str] | None = None,
    conf: Mapping[str, Any] | None = None,
    root: Path | None = None,
) -> Settings:
    """Settings from the environment and, on a worker, `conf` (Storm's), else the project's files.

    Raises SettingsError naming the key and what is allowed.
    """
    values: dict[str, Any] = {n: v.value for n, v in _resolve(environ, conf, root).items()}
    return Settings(**values)


def explain(environ: Mapping[str, str] | None = None, root: Path | None = None) -> list[Value]:
    """Every setting with its source; secrets masked."""
    resolved = _resolve(environ, None, root)
    secret = {f.name for f in fields(Settings) if f.metadata["secret"]}
    return [
        v._replace(value="********") if name in secret and v.value else v
        for name, v in resolved.items()
    ]


def to_conf(settings: Settings) -> dict[str, Any]:
    """What travels to workers inside the topology's configuration: all but secrets."""
    return {
        PREFIX + f.metadata["key"]: getattr(settings, f.name)
        for f in fields(Settings)
        if not f.metadata["secret"]
    }


def to_environ(settings: Settings) -> dict[str, str]:
    """The environment that leads another process to these settings: what is not the default."""
    plain = Settings()
    return {
        variable(f.metadata["key"]): str(value)
        for f in fields(Settings)
        if (value := getattr(settings, f.name)) != getattr(plain, f.name)
    }


def variable(key: str) -> str:
    """The environment variable of a setting's key."""
    return "STORMWATCH_" + key.upper().replace(".", "_")


def _resolve(
    environ: Mapping[str, str] | None, conf: Mapping[str, Any] | None, root: Path | None
) -> dict[str, Value]:
    env = os.environ if environ is None else environ
    if conf is not None:
        layers = [("topology", {k[len(PREFIX) :]: v for k, v in conf.items()
                                if isinstance(k, str) and k.startswith(PREFIX)})]  # fmt: skip
    else:
        root = (root or Path.cwd()).absolute()
        layers = _files(root, env)
    out = {f.name: _found(f, layers, env) for f in fields(Settings)}
    if conf is None and root is not None:
        for f in (f for f in fields(Settings) if f.metadata["sent"]):
            value = named_texts.in_folder(str(out[f.name].value), root)
            out[f.name] = out[f.name]._replace(value=value)
    protocol = str(out["kafka_security_protocol"].value)
    _normalise(out, "kafka_bootstrap", lambda text: addresses.brokers(text, protocol))
    _normalise(
        out, "cassandra_contact_points", lambda text: addresses.hosts(text, "cassandra.port")
    )
    return out


_Layers = list[tuple[str, dict[str, Any]]]
"""Where values may come from; a later layer wins."""


def _found(f: Any, layers: _Layers, env: Mapping[str, str]) -> Value:
    """One setting, checked. Raises SettingsError."""
    key = f.metadata["key"]
    raw, source = f.default, "default"
    for name, layer in reversed(layers):
        if key in layer:
            raw, source = layer[key], name
    is_sent = f.metadata["sent"] and source == "topology"
    if variable(key) in env and not is_sent:
        raw, source = env[variable(key)], variable(key)
    return Value(key, _checked(f, raw, source), source, f.metadata["help"])


def _normalise(out: dict[str, Value], name: str, written: Callable[[str], str]) -> None:
    key, value, source, _ = out[name]
    try:
        out[name] = out[name]._replace(value=written(str(value)))
    except ValueError as error:
        raise SettingsError(f"{key} (from {source}) is {value!r}, but {error}.") from error


def _files(root: Path, env: Mapping[str, str]) -> _Layers:
    layers: _Layers = []
    toml = root / "stormwatch.toml"
    if toml.exists():
        try:
            layers.append((toml.name, _flat(tomllib.loads(toml.read_text(encoding="utf-8")))))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{toml} is not valid TOML: {error}. Correct that line.") from error
        except OSError as error:
            raise SettingsError(
                f"{toml} cannot be read: {error.strerror}. Make it a readable file, or remove it."
            ) from error
        known = {f.metadata["key"] for f in fields(Settings)}
        for key in layers[0][1]:
            if key not in known:
                raise SettingsError(
                    f"{toml.name} has an unknown setting {key!r}. "
                    "See `./stormwatch config` for all of them."
                )
    run_dir = next(f for f in fields(Settings) if f.name == "run_dir")
    services = root / str(_found(run_dir, layers, env).value) / SERVICES_FILE
    if services.exists():
        layers.append(("running services", _services(services)))
    return layers


def _services(path: Path) -> dict[str, Any]:
    """The settings that lead to what `./stormwatch up` started."""
    try:
        found = json.loads(path.read_text(encoding="utf-8")).get("settings", {})
        if not isinstance(found, dict):
            raise TypeError("its `settings` are no object")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise SettingsError(
            f"{path}, the record of what `./stormwatch up` started, cannot be read ({error}). See "
            "with `ps` that no Kafka, Cassandra or Storm of this project runs, then delete it."
        ) from error
    return found


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[prefix + key] = value
    return out


_WORDS = {"yes": True, "no": False}
"""Taken for true and false beside what msgspec takes: true, false, 1, 0."""
_WANTED = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def _checked(f: Any, raw: Any, source: str) -> object:
    """`raw` as the field's type, or a SettingsError that says what is allowed."""
    meta = f.metadata
    try:
        value = _converted(f.type, raw, many=meta["many"])
        problem = _problem(value, meta)
    except msgspec.ValidationError:
        value, problem = raw, f"it must be {_WANTED[f.type]}"
        if meta["many"]:
            problem += " or a list of texts"
    if problem:
        shown = "********" if meta["secret"] else repr(raw)
        raise SettingsError(f"{meta['key']} (from {source}) is {shown}; {problem}.")
    return value


def _converted(kind: type, raw: Any, *, many: bool) -> Any:
    """Raises msgspec.ValidationError."""
    if isinstance(raw, datetime):  # TOML has times of its own
        raw = raw.isoformat()
    if kind is str:
        if many and isinstance(raw, list):
            return ",".join(msgspec.convert(raw, list[str]))
        return msgspec.convert(raw, str)
    text = raw.strip() if isinstance(raw, str) else raw
    if kind is bool and isinstance(text, str):
        text = _WORDS.get(text.lower(), text)
    return msgspec.convert(text, kind, strict=False)


def _is_moment(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _problem(value: Any, meta: Mapping[str, Any]) -> str:
    """What is wrong with a value of the right type; "" if nothing is."""
    choices = meta["choices"]
    if choices and value not in choices:
        return f"allowed: {', '.join(choices)}"
    if meta["named"] and not value.strip():
        return "it must not be empty"
    if meta["moment"] and value and not _is_moment(value):
        return "it must be a time in RFC 3339 with an offset from UTC, as 2026-01-31T00:00:00Z"
    return _beyond(value, meta["low"], meta["high"])


def _beyond(value: Any, low: float | None, high: float | None) -> str:
    if isinstance(value, float) and not isfinite(value):
        return "it must be a finite number"
    if low is not None and value < low:
        return f"it must be at least {low:g}"
    if high is not None and value > high:
        return f"it must be at most {high:g}"
    return ""
