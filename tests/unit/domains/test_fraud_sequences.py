"""Models of sequences: the last rows of a customer are kept, bounded, and seen by the model."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.features import FEATURE_NAMES, FEATURE_SET
from stormwatch.domains.fraud.state import CustomerState
from stormwatch.models.window import push, unrolled, windows
from stormwatch.state.envelope import Envelope, EnvelopeCodec
from tests.models.card import card

START, STEP = 1_700_000_000_000, 3_600_000
WIDTH = len(FEATURE_NAMES)


class Remembering:
    """In place of a sequence model; its score says how often the window's first step was seen."""

    def __init__(self, window: int) -> None:
        self.card = card(
            version="seq-1", feature_set=FEATURE_SET, feature_names=FEATURE_NAMES, window=window,
            thresholds={"review": 0.5, "decline": 0.9},
        )  # fmt: skip
        self.seen: list[np.ndarray] = []

    def predict(self, rows: Any) -> list[float]:
        found = np.asarray(rows)
        self.seen += list(found)
        return [0.1 if np.isfinite(row).all() else float("nan") for row in found]


def fraud(tmp_path: Path, model: Remembering) -> Fraud:
    (tmp_path / "card.json").write_bytes(msgspec.json.encode(model.card))
    return Fraud(tmp_path, supply=lambda _: model)


def payment(number: int) -> Transaction:
    return Transaction(f"t{number}", "c", "pos", START + number * STEP, 1_000 + number, "EUR")


def stored(state: CustomerState) -> CustomerState:
    codec = EnvelopeCodec(CustomerState)
    return codec.decode(codec.encode(Envelope(1, 0, [], 0, b"", state)), "c").body


def test_the_model_sees_the_last_rows_the_newest_last_whatever_the_batches(tmp_path: Path) -> None:
    domain = fraud(tmp_path, model := Remembering(3))
    state, rows, carries = domain.new_state(), [], []
    events = [payment(number) for number in range(6)]
    for event in events:
        state = stored(state)  # a window goes through storage like all of a state
        row, carry = domain.advance(state, event)
        rows.append(row)
        carries.append(carry)
    verdicts = domain.decide(events, rows, carries)
    assert [verdict.score for verdict in verdicts] == [0.1] * 6
    for at, seen in enumerate(model.seen):
        known = [rows[one] for one in range(max(0, at - 2), at + 1)]
        padded = [(0.0,) * WIDTH] * (3 - len(known)) + known
        assert np.array_equal(seen.reshape(3, WIDTH), np.float32(padded))
    assert domain.decide(events[4:], rows[4:], carries[4:]) == verdicts[4:]
    assert state.rows is not None and len(state.rows) == 3 * WIDTH * 4


def test_without_such_a_model_nothing_is_kept_and_a_state_has_its_bytes(tmp_path: Path) -> None:
    domain = Fraud()
    state = domain.new_state()
    domain.advance(state, payment(1))
    assert state.rows is None
    codec = EnvelopeCodec(CustomerState)
    blob = codec.encode(Envelope(1, 0, [], 0, b"", state))
    whole = msgspec.structs.astuple(state)
    assert blob == msgspec.msgpack.encode((1, 0, [], 0, b"", whole[:-3]))
    before = msgspec.structs.replace(state, habits=None)
    blob = codec.encode(Envelope(1, 0, [], 0, b"", before))
    assert blob == msgspec.msgpack.encode((1, 0, [], 0, b"", whole[:-4]))
    assert codec.decode(blob, "c").body == before
    carried = fraud(tmp_path, Remembering(2))  # a customer of before starts with none
    row, carry = carried.advance(stored(state), payment(2))
    assert carried.decide([payment(2)], [row], [carry])[0].score == 0.1


def test_a_payment_whose_rows_were_not_kept_has_no_score_and_is_decided_by_rules(
    tmp_path: Path,
) -> None:
    plain, sequenced = Fraud(), fraud(tmp_path, Remembering(2))
    row, carry = plain.advance(plain.new_state(), payment(1))
    verdict = sequenced.decide([payment(1)], [row], [carry])[0]
    assert verdict.degraded and verdict.score == -1.0


def test_a_model_of_another_window_than_the_process_began_with_is_refused(tmp_path: Path) -> None:
    import lightgbm

    from apps.build.training.export import from_lightgbm, save
    from stormwatch.errors import ModelError

    x = np.random.default_rng(1).normal(size=(200, WIDTH))
    options = {"objective": "binary", "num_threads": 1, "verbose": -1}
    booster = lightgbm.train(options, lightgbm.Dataset(x, x[:, 0] > 0), 2)
    domain = fraud(tmp_path, Remembering(3))
    domain.advance(domain.new_state(), payment(1))
    kept = dict.fromkeys(("framework", "target", "split", "data", "data_hash"), "")
    save(
        tmp_path, from_lightgbm(booster, "logistic"), name="m", feature_set=FEATURE_SET,
        feature_names=FEATURE_NAMES, thresholds={"review": 0.5, "decline": 0.9}, seed=0,
        parameters={}, libraries={}, metrics={}, **kept,
    )  # fmt: skip
    with pytest.raises(ModelError, match=r"takes sequences of 1 payments, and .* takes 3: restart"):
        domain._load()


@given(
    st.lists(
        st.lists(
            st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=2
        ),
        max_size=9,
    ),
    st.integers(1, 5),
)
def test_a_window_is_the_last_rows_behind_zeros(rows: list[list[float]], size: int) -> None:
    kept = b""
    for row in rows:
        kept = push(kept, row, size)
    assert len(kept) <= size * 8
    last = rows[-size:]
    assert unrolled(kept, 2, size).reshape(size, 2).tolist() == (
        [[0.0, 0.0]] * (size - len(last)) + last
    )
    assert (
        push(kept, [1.0, 2.0, 3.0], size) == push(b"", [1.0, 2.0, 3.0], size) or not len(kept) % 12
    )


def test_windows_of_a_table_are_those_of_each_entity() -> None:
    rows = np.arange(8.0).reshape(4, 2)
    made = windows(rows, ["a", "b", "a", "a"], 2).reshape(4, 2, 2)
    assert made[0].tolist() == [[0, 0], [0, 1]] and made[1].tolist() == [[0, 0], [2, 3]]
    assert made[3].tolist() == [[4, 5], [6, 7]]
