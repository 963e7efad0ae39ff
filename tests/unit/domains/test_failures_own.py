"""What a model of failures sees of a unit's last readings, and what its state keeps for it."""

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.equipment import Equipment, Types, read, shipped
from stormwatch.domains.maintenance.event import Reading
from stormwatch.domains.maintenance.failures import Failures, feature_set
from stormwatch.domains.maintenance.inputs import Inputs
from stormwatch.domains.maintenance.state import Life, UnitState
from stormwatch.errors import ModelError
from stormwatch.features import names
from stormwatch.models import NoModel
from stormwatch.records import OUT_OF_DISTRIBUTION
from stormwatch.state.envelope import Envelope, EnvelopeCodec
from stormwatch.state.judge import Verdict
from tests.models.card import card

PLAIN = """name = "press"
model = "failure"
[sensors.a]
words = "force"
unit = "kN"
[sensors.b]
[failure]
features = ["a", "b"]
model = "somewhere"
"""
OVER = PLAIN.replace('features = ["a", "b"]', 'features = ["a", "b"]\nover = [2, 5]')
PRESS, WITH_OVER = read(PLAIN, "press.toml"), read(OVER, "press.toml")
values = st.lists(
    st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 2), min_size=1, max_size=12
)  # fmt: skip


@given(values)
def test_means_and_spreads_are_those_of_the_last_readings(readings: list[Any]) -> None:
    look, kept = Inputs(WITH_OVER).look, b""
    for at, (a, b) in enumerate(readings):
        seen = look(kept, {"a": a, "b": b, "c": 1.0})
        assert seen is not None
        kept = seen.kept
        assert len(kept) == 4 * 2 * min(at + 1, 5)
        wanted = [a, b]
        for size in (2, 5):
            for own in np.array(readings[: at + 1][-size:]).T:
                wanted += [own.mean(), own.std()]
        assert seen.row == pytest.approx(wanted, rel=1e-9, abs=1e-3)
    assert len(seen.row) == len(names(WITH_OVER.failure_features))


def test_without_all_values_nothing_is_seen_and_nothing_changes() -> None:
    assert Inputs(WITH_OVER).look(b"", {"a": 1.0}) is None
    seen = Inputs(PRESS).look(b"", {"a": 1.0, "b": 2.0})
    assert seen is not None and seen == ((1.0, 2.0), b"")


class Remembering:
    """In place of a model of sequences: knows what it was asked."""

    def __init__(self, kind: Equipment, window: int) -> None:
        self.card = card(
            version="seq-1", feature_set=feature_set(kind), window=window,
            feature_names=names(kind.failure_features), thresholds={"service": 0.9, "watch": 0.5},
        )  # fmt: skip
        self.seen: list[np.ndarray] = []
        self.score = 0.6

    def predict(self, rows: Any) -> list[float]:
        self.seen += list(np.asarray(rows))
        return [self.score if np.isfinite(row).all() else math.nan for row in np.asarray(rows)]


def domain(kind: Equipment, model: Any, window: int) -> Maintenance:
    types = Types(kind, {kind.name: kind, "turbofan": shipped("turbofan")})
    return Maintenance(NoModel(), types=types, failures={kind.name: Failures(kind, model, window)})


def reading(own: Maintenance, nth: int, **event: Any) -> Reading:
    value = {
        "id": f"{nth}-{event}", "unit": "u", "time": f"2026-11-01T{nth:02}:00:00Z",
        "equipment": "press",
    }  # fmt: skip
    value |= {"type": "event"} | event if event else {"sensors": {"a": 1.0 + nth, "b": 2.0}}
    made = own.parse(json.dumps(value).encode(), 10**13)
    assert isinstance(made, Reading), made
    return made


def stored(state: UnitState) -> UnitState:
    codec = EnvelopeCodec(UnitState)
    return codec.decode(codec.encode(Envelope(1, 0, [], 0, b"", state)), "u").body


def test_a_model_of_sequences_sees_the_last_readings_whatever_the_batches() -> None:
    model = Remembering(PRESS, 3)
    own = domain(PRESS, model, 3)
    state, rows, carries = own.new_state(), [], []
    events = [reading(own, nth) for nth in range(6)]
    for event in events:
        state = stored(state)  # it goes through storage like all of a state
        row, carry = own.advance(state, event)
        rows.append(row)
        carries.append(carry)
    verdicts = own.decide(events, rows, carries)
    assert [(one.outcome, one.score) for one in verdicts] == [("watch", 0.6)] * 6
    asked, model.seen = model.seen, []
    for at, seen in enumerate(asked):
        known = [rows[one] for one in range(max(0, at - 2), at + 1)]
        padded = [(0.0, 0.0)] * (3 - len(known)) + known
        assert np.array_equal(seen.reshape(3, 2), np.float32(padded))
    assert own.decide(events[4:], rows[4:], carries[4:]) == verdicts[4:]
    assert isinstance(state.body, Life) and len(state.body.kept) == 3 * 2 * 4
    late = reading(own, 3)
    before = state.body.kept
    own.advance(state, msgspec.structs.replace(late, id="late"))
    assert state.body.kept == before  # not learned: it is not of the last
    why = verdicts[-1].why
    assert why is not None and why()[1][0].unit == "log-odds"


def test_an_overhaul_begins_the_last_readings_again() -> None:
    own = domain(PRESS, Remembering(PRESS, 3), 3)
    state = own.new_state()
    for nth in range(4):
        own.advance(state, reading(own, nth))
    own.advance(state, reading(own, 5, event="overhaul"))
    assert isinstance(state.body, Life) and state.body.kept == b""


def test_without_such_a_model_a_unit_keeps_nothing_more_and_old_states_are_read() -> None:
    own = domain(PRESS, NoModel(), 1)
    state = own.new_state()
    own.advance(state, reading(own, 1))
    assert isinstance(state.body, Life) and state.body.kept == b""
    before = msgspec.msgpack.encode(("press", b"x", 1, 2, 3.0, 4))  # as it was written without
    assert msgspec.msgpack.decode(before, type=Life) == Life("press", b"x", 1, 2, 3.0, 4, b"")


def test_of_what_is_unlike_the_training_any_alone_decides() -> None:
    """A type that declares no limits has nothing else to say of it."""
    from stormwatch.models.distribution import describe

    draw = np.random.default_rng(3).normal(size=(1_000, 2))
    model = Remembering(PRESS, 1)
    model.card = msgspec.structs.replace(model.card, distribution=describe(draw, draw[:, 0]))
    judge = Failures(PRESS, model)
    base = [Verdict("anomaly"), Verdict("anomaly")]
    near, far = judge.judge([(0.0, 0.0), (900.0, 0.0)], [{"a": 0.0, "b": 0.0}] * 2, base)
    assert (near.outcome, near.noted) == ("watch", "")
    assert (far.outcome, far.noted) == ("anomaly", OUT_OF_DISTRIBUTION)


def test_a_model_of_sequences_is_refused_where_the_type_has_means_of_its_own(
    tmp_path: Path,
) -> None:
    model = Remembering(WITH_OVER, 3)
    (tmp_path / "card.json").write_bytes(msgspec.json.encode(model.card))
    failure = msgspec.structs.replace(WITH_OVER.failure, model=str(tmp_path))
    kind = msgspec.structs.replace(WITH_OVER, failure=failure)
    with pytest.raises(ModelError, match="takes 3 readings at once, as they are: leave `over` out"):
        Failures.load(kind, lambda load: load())
