"""The store's CQL: one prepared statement for each thing it does."""

from typing import Any

from cassandra.cluster import Session

from stormwatch.settings import Settings

DAY_S = 86_400
DAYS_MARGIN = 2
"""Days that the index of days outlives what it points to."""
METER_TTL_S = DAY_S


class Statements:
    """Every statement the store needs, prepared. Raises the driver's errors."""

    def __init__(self, session: Session, settings: Settings, keyspace: str) -> None:
        def insert(table: str, columns: str, ttl_s: int) -> Any:
            marks = ", ".join("?" * (columns.count(",") + 1))
            return prepare(
                f"INSERT INTO {keyspace}.{table} ({columns}) VALUES ({marks}) "
                f"USING TIMESTAMP ? AND TTL {ttl_s}"
            )

        def prepare(text: str) -> Any:
            statement = session.prepare(text)
            statement.is_idempotent = True
            return statement

        def select(columns: str, table: str, where: str) -> Any:
            return prepare(f"SELECT {columns} FROM {keyspace}.{table} WHERE {where}")

        days = {
            "decisions": settings.ttl_decisions_d,
            "dead_letters": settings.ttl_dead_letters_d,
            "ledger": settings.ttl_ledger_d,
        }
        decision = "outcome, score, body, ktime"
        aside = "code, reason, component, key, raw"
        day = "domain = ? AND day = ? AND topic = ? AND partition = ?"
        self.decision = insert(
            "decisions", f"domain, stripe, period, entity, time, id, {decision}, alert",
            days["decisions"] * DAY_S,
        )  # fmt: skip
        self.alert = insert(
            "alerts", f"domain, day, topic, partition, stripe, entity, time, id, {decision}",
            days["decisions"] * DAY_S,
        )  # fmt: skip
        self.decided = insert(
            "decided",
            "domain, quarter, topic, partition, slot, epoch, first, last, part, generation, "
            "attempt, body",
            days["decisions"] * DAY_S,
        )
        self.state = insert(
            "states", "domain, stripe, entity, state", settings.ttl_states_d * DAY_S
        )
        self.aside = insert(
            "dead_letters",
            f"domain, day, topic, partition, state, epoch, offset, ktime, {aside}",
            days["dead_letters"] * DAY_S,
        )
        self.day = {
            kind: insert(
                "days", "kind, domain, day, topic, partition", (ttl + DAYS_MARGIN) * DAY_S
            )
            for kind, ttl in (
                ("alerts", days["decisions"]), ("dead_letters", days["dead_letters"]),
                ("decided", days["decisions"]),
            )
        }  # fmt: skip
        self.ledger = insert(
            "ledger",
            "topic, partition, epoch, block, first, last, part, bitmaps, age, generation, attempt, "
            "fingerprint",
            days["ledger"] * DAY_S,
        )
        self.start = insert(
            "ledger_starts", "topic, partition, epoch, first", days["ledger"] * DAY_S
        )
        self.meter = prepare(
            f"INSERT INTO {keyspace}.meters (topology, component, instance, body) "
            f"VALUES (?, ?, ?, ?) USING TTL {METER_TTL_S}"
        )
        self.load = select("entity, state", "states", "domain = ? AND stripe = ? AND entity IN ?")
        self.find = select(
            f"stripe, entity, time, id, {decision}, alert", "decisions",
            "domain = ? AND stripe = ? AND period = ? AND (entity, time, id) IN ?",
        )  # fmt: skip
        self.days = select("day, topic, partition", "days", "kind = ? AND domain = ?")
        self.alerts = select(f"stripe, entity, time, id, {decision}", "alerts", f"{day} LIMIT ?")
        self.asides = select(
            f"epoch, offset, ktime, state, {aside}", "dead_letters", f"{day} AND state = ? LIMIT ?"
        )
        self.read_ledger = select(
            "first, last, part, bitmaps, age, generation, attempt, fingerprint", "ledger",
            "topic = ? AND partition = ? AND epoch = ? AND block = ? AND first <= ?",
        )  # fmt: skip
        self.starts = select("partition, epoch, first", "ledger_starts", "topic = ?")
        self.meters = select("component, instance, body", "meters", "topology = ?")
