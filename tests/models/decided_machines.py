"""Machines that were decided, added to a world of payments: what the fleet is asked about."""

import msgspec

from stormwatch.domains.maintenance import Maintenance
from stormwatch.ledger.bitmap import bitmap_of
from stormwatch.partitioner import stripe_of
from stormwatch.records import (
    Decision,
    DecisionRow,
    Fragment,
    LedgerRow,
    Outcomes,
    Reason,
    StateRow,
)
from stormwatch.state.envelope import Envelope
from stormwatch.state.write_timestamps import outcome_stamp
from tests.models.decided_payments import SETTINGS, T0, Decided

HOUR = 3_600_000
READINGS = 40
LIVES = {"pump-17": 9.0, "pump-03": 80.0, "=cmd|'/c calc'!A1": 60.0}
"""Machine -> cycles left at its newest reading."""


def add(world: Decided) -> None:
    """READINGS hourly readings of each of LIVES; what wears drifts in its last ten, and alarms in
    the newest."""
    world.admin.ensure_topic(SETTINGS.topic_readings, 1, {})
    names = Maintenance.feature_names
    rows = [_row(unit, left, i, names) for unit, left in LIVES.items() for i in range(READINGS)]
    newest = T0 + (READINGS - 1) * HOUR
    blob = msgspec.msgpack.encode(Envelope(1, 1, [(0, 0, READINGS)], newest, b"", []))
    states = [StateRow(stripe_of(u, SETTINGS.layout_stripes), u, blob, 1) for u in LIVES]
    of = Fragment(SETTINGS.topic_readings, 0, 0, 0, len(rows) - 1, 1, 0)
    ledger = LedgerRow(of, "score:cd.1", {"scored": bitmap_of(range(len(rows)), 0)}, 12)
    world.store.write_outcomes(
        Outcomes(of, "maintenance", outcome_stamp(of), rows, states, [], ledger, [], [])
    )
    world.store.write_states("maintenance", states)


def _row(unit: str, left: float, i: int, names: tuple[str, ...]) -> DecisionRow:
    wears = left < 20
    drift = max(0.0, i - 29.0) if wears else 0.1
    life = left + (READINGS - 1 - i)
    alarm = wears and i == READINGS - 1
    reasons = (Reason("life", f"about {life:.0f} operating cycles left", life),) if alarm else ()
    decision = Decision(
        f"{unit}-{i}", unit, T0 + i * HOUR, "service" if alarm else "healthy", life, reasons,
        tuple(drift if name.startswith("drift_") else 1.0 for name in names),
        Maintenance.feature_set, "m1", "r1", SETTINGS.topic_readings, 0, i, T0 + i * HOUR + 500,
        interval=(max(life - 4, 0.0), life + 5),
    )  # fmt: skip
    return DecisionRow(
        stripe_of(unit, SETTINGS.layout_stripes), unit, decision.time, decision.id,
        decision.outcome, life, msgspec.json.encode(decision), decision.timestamp, alarm,
    )  # fmt: skip
