"""The campaigns by name. Rows are those of docs/faults.md."""

from collections.abc import Mapping
from functools import partial

from apps.prove.chaos import components, edge_cases, faults, load, traffic, versions
from apps.prove.chaos.campaign import SMALL, Campaign
from apps.prove.chaos.errors import ChaosFailed

IMPATIENT: Mapping[str, object] = {**SMALL, "cassandra_request_timeout_s": 3.0}
FLOODED: Mapping[str, object] = {"batch_max_records": 200}
HASTY: Mapping[str, object] = {
    **IMPATIENT,
    "work_timeout_s": 8.0,
    "message_timeout_s": 15,
    "subprocess_timeout_s": 40,
}
"""Time-outs that a pause of 20 s passes in part and one of 60 s in all."""


CAMPAIGNS = (
    Campaign("kill-bolt", (1, 2), "kill -9 of a bolt", faults.kill_bolt),
    Campaign("kill-spout", (3,), "kill -9 of a spout with a batch in flight", faults.kill_spout),
    Campaign("kill-jvm", (4,), "kill -9 of Storm's worker JVM", faults.kill_jvm),
    Campaign("kill-three", (1, 3, 4), "three kills -9 of any process of Storm", faults.kill_three),
    Campaign(
        "kafka-killed", (9,), "kill -9 of Kafka, three times",
        partial(faults.kill_kafka, seconds=2, times=3), settings=IMPATIENT,
    ),
    Campaign(
        "kafka-down", (10,), "Kafka killed and down for 70 s",
        partial(faults.kill_kafka, seconds=70),
        settings=IMPATIENT,
    ),
    Campaign(
        "cassandra-stopped", (21,), "Cassandra stopped for 60 s",
        partial(faults.stop_cassandra, seconds=60), settings=IMPATIENT,
    ),
    Campaign(
        "cassandra-killed", (21,), "kill -9 of Cassandra, three times",
        partial(faults.kill_cassandra, times=3), settings=IMPATIENT,
    ),
    Campaign(
        "cassandra-hung", (23,), "Cassandra hung (SIGSTOP) for 20 s",
        partial(faults.hang_cassandra, seconds=20), settings=IMPATIENT,
    ),
    Campaign(
        "cassandra-slow", (23, 24), "Cassandra 300 ms slower, then connections cut, then silent",
        faults.slow_cassandra, settings=IMPATIENT, stage=faults.behind_a_proxy,
    ),
    Campaign(
        "burst", (7,), "30 kills -9 for 20,000 records, 0.1 to 1 s apart", faults.burst,
        count=20_000,
        settings={**SMALL, "quarantine_after": 1000},
    ),
    Campaign(
        "pause-bolt-20", (8, 18), "a bolt stands still for 20 s",
        partial(faults.pause_bolt, seconds=20), settings=HASTY,
    ),
    Campaign(
        "pause-bolt-60", (8, 18), "a bolt stands still for 60 s, over every time-out",
        partial(faults.pause_bolt, seconds=60), settings=HASTY,
    ),
    Campaign(
        "poison", (28,), "one record in 500 raises; and kill -9 of a bolt", faults.kill_bolt,
        records=traffic.poisoned, stage=components.poison,
    ),
    Campaign(
        "oversized", (30,), "records of 1 and 10 MiB and 100,000 fields; and kill -9 of a bolt",
        faults.kill_bolt, records=traffic.oversized,
    ),
    Campaign(
        "hot-key", (36,), "one customer with half the traffic, the others' p99; kill -9 of a bolt",
        load.hot_key, count=2000,
    ),
    Campaign(
        "flood", (37,), "ten times what can be decided, for five minutes",
        partial(load.flood, seconds=300), count=2000, settings=FLOODED,
        stage=faults.behind_a_proxy,
    ),
    Campaign(
        "many-states", (38,), "a bolt that keeps 100,000 customers restarts", faults.kill_late,
        count=300_000, settings={"batch_max_records": 500},
        records=partial(traffic.mixed, customers=120_000),
    ),
    Campaign(
        "version-change", (39,), "other rules and another model, and the first ones again",
        versions.change, settings=SMALL,
    ),
    Campaign(
        "state-version", (39,), "states of a newer version; the older code refuses them",
        versions.there_and_back, records=partial(traffic.mixed, customers=5000),
    ),
    Campaign(
        "disk-full", (26,), "the disk of Cassandra is full for 15 s",
        partial(faults.fill, service="cassandra"), settings=IMPATIENT,
        stage=partial(faults.small, service="cassandra"),
    ),
    Campaign(
        "disk-full-kafka", (26,), "the disk of Kafka is full for 15 s",
        partial(faults.fill, service="kafka"), settings=IMPATIENT,
        stage=partial(faults.small, service="kafka"),
    ),
    Campaign(
        "model-slow", (35,), "the model takes 2 s a record for a while", components.become_slow,
        settings=HASTY, stage=components.slowed,
    ),
    Campaign(
        "model-truncated", (34,), "the model's file is cut off and the bolt that held it killed",
        components.be_cut_off, stage=components.own_model,
    ),
    Campaign(
        "idle", (13,), "nothing comes for ten minutes, then one record",
        partial(load.idle, seconds=600), count=2000,
    ),
    Campaign(
        "retention-cut", (14,), "Kafka deletes half of the log unread while nothing runs",
        edge_cases.cut_log,
    ),
    Campaign(
        "clock-ahead", (27,), "a bolt's clock is an hour ahead; and kill -9 of a bolt",
        faults.kill_bolt, stage=partial(components.clock, hours=1),
    ),
    Campaign(
        "clock-behind", (27,), "a bolt's clock is an hour behind; and kill -9 of a bolt",
        faults.kill_bolt, stage=partial(components.clock, hours=-1),
    ),
    Campaign(
        "motley", (27, 28, 30, 36), "a hot key, poison, huge records, a clock ahead; a bolt killed",
        faults.kill_bolt, records=traffic.motley, stage=components.motley,
    ),
    Campaign(
        "gauntlet", (1, 3, 4, 8, 9, 21, 23), "seven of these faults in one run, as chance has it",
        faults.gauntlet, count=8000, settings=IMPATIENT,
    ),
    Campaign(
        "twins", (), "the topology runs twice for 20 s, on one group", edge_cases.twins,
        count=100_000
    ),
    Campaign(
        "late-riser", (), "a whole run sleeps, another goes on in its place, the first one wakes",
        edge_cases.late_riser, count=100_000,
    ),
    Campaign(
        "frozen-jvm", (), "Storm stands still for 40 s and a bolt dies meanwhile",
        edge_cases.frozen_jvm, count=30_000,
    ),
    Campaign("ledger-emptied", (), "the ledger is emptied by hand", edge_cases.truncate_ledger),
    Campaign("offsets-back", (), "the group's offsets are set back to 0", edge_cases.offsets_back),
)  # fmt: skip


def named(name: str) -> Campaign:
    """The campaign of that name. Raises ChaosFailed with the names that there are."""
    for each in CAMPAIGNS:
        if each.name == name:
            return each
    raise ChaosFailed(
        f"There is no campaign {name!r}. Choose one of: {', '.join(c.name for c in CAMPAIGNS)}."
    )
