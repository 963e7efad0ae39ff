"""Networks score the same bits whatever the batch, and blends are sound or refused."""

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.domains.maintenance.domain import SHIPPED
from stormwatch.models.interval import Interval
from stormwatch.models.networks import Blend, BlendModel, Layer, decode, encode
from stormwatch.models.trees import Tree, Trees
from tests.models.card import card

WIDTH = 30


def layers(rng: np.random.Generator, *sizes: int) -> list[Layer]:
    return [
        Layer(rng.normal(size=(a, b)).tolist(), rng.normal(size=b).tolist())
        for a, b in pairwise(sizes)
    ]


def blend(seed: int = 0, **changes: object) -> Blend:
    rng = np.random.default_rng(seed)
    tree = Tree([2], [0.5], [-1], [-2], [10.0, 90.0])
    made = Blend(
        Trees("identity", 0.0, WIDTH, [tree]), rng.normal(size=WIDTH).tolist(),
        rng.uniform(0.5, 2, WIDTH).tolist(),
        [layers(rng, WIDTH, 16, 8, 1), layers(rng, WIDTH, 5, 1)], 2.0, 0.5, 0.0, 125.0,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


ROWS = np.random.default_rng(5).normal(size=(300, WIDTH)) * 3


@given(st.sets(st.integers(1, 299)), st.integers(0, 5))
def test_batches_cut_anywhere_give_the_same_bits(cuts: set[int], seed: int) -> None:
    model = BlendModel(card(), blend(seed))
    edges = [0, *sorted(cuts), 300]
    parts = [score for a, b in pairwise(edges) for score in model.predict(ROWS[a:b])]
    assert parts == model.predict(ROWS)
    order = np.random.default_rng(seed).permutation(300)
    shuffled = model.predict(np.asfortranarray(ROWS[order]))
    assert shuffled == [parts[i] for i in order]


def test_a_score_is_what_it_is_by_hand() -> None:
    """One hidden unit: relu((x - 1) / 2 * 3 - 0.5) * 4 + 7; the mean of that and the tree's 10."""
    one = Blend(
        Trees("identity", 0.0, 1, [Tree([0], [100.0], [-1], [-2], [10.0, 90.0])]),
        [1.0], [2.0], [[Layer([[3.0]], [-0.5]), Layer([[4.0]], [7.0])]], 1.0, 0.5, 0.0, 125.0,
    )  # fmt: skip
    model = BlendModel(card(), one)
    assert model.predict([(3.0,), (0.0,), (-500.0,)]) == [0.5 * 10 + 0.5 * 17, 8.5, 8.5]
    far = 0.5 * 90 + 0.5 * (4 * (8 * 3 - 0.5) + 7)  # inputs are cut at 8
    assert model.predict([(1e9,)]) == [far]
    assert model.predict([(float("nan"),)]) == model.predict([(0.0,)])
    assert model.predict([]) == []
    earlier = BlendModel(card(), msgspec.structs.replace(one, early=2.0))
    assert earlier.predict([(3.0,), (0.0,)]) == [11.5, 6.5]
    assert BlendModel(card(), msgspec.structs.replace(one, early=20.0)).predict([(3.0,)]) == [0.0]


def test_weights_are_kept_bit_for_bit() -> None:
    made = blend()
    again = decode(encode(made))
    assert BlendModel(card(), again).predict(ROWS) == BlendModel(card(), made).predict(ROWS)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"centre": [0.0]}, "do not fit together"),
        ({"scale": [0.0] * WIDTH}, "do not fit together"),
        ({"networks": []}, "do not fit together"),
        ({"share": 1.5}, "do not fit together"),
        ({"networks": [[Layer([[1.0]], [0.0])]]}, "a layer of 30 inputs"),
        ({"networks": [[Layer([[1.0, 2.0]] * WIDTH, [0.0, 0.0])]]}, "has 2 outputs"),
        ({"networks": [[Layer([[1e6]] * WIDTH, [0.0])]]}, "sums reach"),
        ({"networks": [[Layer([[float("nan")]] * WIDTH, [0.0])]]}, "sums reach"),
    ],
)
def test_what_is_not_sound_is_refused(changes: dict, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        BlendModel(card(), blend(**changes))


def test_an_interval_is_straight_between_its_knots_and_holds_the_estimate() -> None:
    ends = Interval(0.9, (10.0, 20.0, 100.0), (5.0, 12.0, 90.0), (14.0, 30.0, 125.0))
    assert ends.around(10.0) == (5.0, 14.0)
    assert ends.around(15.0) == (8.5, 22.0)
    assert ends.around(60.0) == (51.0, 77.5)
    assert ends.around(0.0) == (0.0, 14.0)
    assert ends.around(125.0) == (90.0, 125.0)


def test_a_blend_is_written_as_it_was_before_trees_knew_missing_values() -> None:
    """So the same training has the same version."""
    shipped = (SHIPPED / "blend.msgpack").read_bytes()
    assert encode(decode(shipped)) == shipped
