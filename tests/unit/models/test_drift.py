"""While it runs: whether what is decided is like what the model was trained on."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from stormwatch.models import NoModel, distribution
from stormwatch.models.distribution import Flags, Floats
from stormwatch.models.drift import EVERY, SCORE, Drift

NAMES = ("amount", "seen")
WINDOW = 400
ROWS = 4 * WINDOW * EVERY


def rows(seed: int, count: int = ROWS) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.lognormal(3, 1, count), rng.integers(0, 100, count)])


CARD = msgspec.structs.replace(
    NoModel.card, version="m-1", feature_names=NAMES,
    distribution=distribution.describe(rows(1), rows(1)[:, 0]),
)  # fmt: skip


def bodies(data: NDArray[np.float64], model: str = "m-1") -> list[bytes]:
    return [
        msgspec.json.encode({"features": row, "model": model, "score": row[0]})
        for row in data.tolist()
    ]


def drift(settled: object = None) -> Drift:
    trained_on = distribution.of(CARD)
    assert trained_on is not None
    return Drift(CARD, trained_on, settled, window=WINDOW)


def looked(watch: Drift, all_bodies: list[bytes], batch: int = 137) -> list[dict[str, object]]:
    found = [watch.look(all_bodies[at : at + batch]) for at in range(0, len(all_bodies), batch)]
    return [one._asdict() for one in found if one is not None]


def test_nothing_is_told_of_what_is_as_in_the_training() -> None:
    found = looked(drift(), bodies(rows(2)))
    assert len(found) == 4
    for one in found:
        assert one["told"] == ""
        assert set(one["indices"]) == {*NAMES, SCORE}  # type: ignore[call-overload]
        assert max(one["indices"].values()) < 0.2  # type: ignore[attr-defined]


def test_what_lasts_for_two_windows_is_told_while_it_does_and_named() -> None:
    found = looked(drift(), bodies(rows(2) * [9, 1]))
    told = [one["told"] for one in found]
    assert told[0] == ""
    assert "amount" in str(told[1])
    assert "m-1" in str(told[1])
    assert told[2] and told[3]


def test_what_another_model_decided_is_not_compared() -> None:
    assert looked(drift(), bodies(rows(2), "none")) == []


def test_entities_that_are_new_are_not_compared() -> None:
    def settled(data: Floats) -> Flags:
        kept: Flags = data[:, 1] >= 50
        return kept

    new = rows(2) * [9, 0]
    assert looked(drift(settled), bodies(new)) == []


def test_any_size_of_batch_gives_the_same() -> None:
    one, other = drift(), drift()
    assert looked(one, bodies(rows(3)), 137) == looked(other, bodies(rows(3)), 500)
