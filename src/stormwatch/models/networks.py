"""Small feed-forward networks as plain arrays, scored by numpy, and their mean with trees.

Sums of floats depend on their order, and the order in which a matrix product adds depends on the
size of the batch and on the machine. Here it cannot: inputs and what goes from layer to layer are
cut to a range and rounded to multiples of STEP, weights are multiples of GRAIN, and a network is
refused whose sums could leave the range in which such products add exactly in float64. So every
order gives the same bits.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stormwatch.models.card import Card
from stormwatch.models.trees import Trees, TreesModel
from stormwatch.models.trees import encode as encode_trees

if TYPE_CHECKING:
    from stormwatch.models.contributions import Parts

Floats = NDArray[np.float64]

STEP = 2.0**-12
"""Inputs and hidden values are multiples of it."""
GRAIN = 2.0**-20
"""Weights and biases are multiples of it."""
INPUT_MAX, HIDDEN_MAX = 8.0, 256.0
"""Standardised inputs, and hidden values, are cut here."""
POINTS = 32
"""Of the way on which a row's contributions are summed."""
_SUM_MAX = 2.0**20  # multiples of STEP * GRAIN below it are exact: 20 + 12 + 20 bits


class Layer(msgspec.Struct, frozen=True, array_like=True):
    """`inputs @ weights + bias`; then, but for the last layer, what is below 0 becomes 0."""

    weights: list[list[float]]  # a row an input
    bias: list[float]


class Blend(msgspec.Struct, frozen=True, array_like=True):
    """`share` of the trees and the rest of the networks' mean, each cut to `low` and `high`, less
    `early`."""

    trees: Trees
    centre: list[float]  # of each input: taken off before it is divided by `scale`
    scale: list[float]
    networks: list[list[Layer]]  # each with one output, a multiple of `unit`
    unit: float
    share: float
    low: float
    high: float
    early: float = 0.0  # taken off the mean: by so much it errs early rather than late


class BlendModel:
    """Scores a blend. Raises ValueError for one that is not sound or whose sums could round."""

    def __init__(self, card: Card, blend: Blend) -> None:
        self.card = card
        self._trees = TreesModel(card, blend.trees)
        width = blend.trees.features
        self._centre, self._scale = np.array(blend.centre), np.array(blend.scale)
        sound = (
            self._centre.shape == self._scale.shape == (width,)
            and bool(np.isfinite(self._centre).all())
            and bool((self._scale > 0).all() and np.isfinite(self._scale).all())
            and len(blend.networks) > 0
            and 0 <= blend.share <= 1
            and blend.low < blend.high
        )
        if not sound:
            raise ValueError("the parts of the blend do not fit together")
        self._networks = [_arrays(layers, width) for layers in blend.networks]
        self._alike = _stacked(self._networks)
        self._unit, self._share = blend.unit, blend.share
        self._low, self._high, self._early = blend.low, blend.high, blend.early
        self._compiled: Any = None

    def hasten(self, core: Any) -> None:
        """Score by the compiled core (`stormwatch.compiled`), to the same bits."""
        self._compiled = core.Blend(
            self._trees.hasten(core), self._centre.tolist(), self._scale.tolist(),
            [[(weights.ravel().tolist(), bias.tolist()) for weights, bias in layers]
             for layers in self._networks],
            self._unit, self._share, self._low, self._high, self._early,
        )  # fmt: skip

    def predict(self, rows: Sequence[tuple[float, ...]] | Floats) -> list[float]:
        """One score a row, in order; each depends on its own row alone. NaN counts as 0.

        Raises ValueError where a row has another number of values.
        """
        if not len(rows):
            return []
        if self._compiled is not None and len(rows[0]) == len(self._centre):
            hastened: list[float] = self._compiled.predict(rows)
            return hastened
        found = np.asarray(rows, dtype=np.float64)
        if not np.isfinite(found).all():
            found = np.nan_to_num(found)
        grown = np.clip(self._trees.predict(found), self._low, self._high)
        found = self._share * grown + (1.0 - self._share) * self._mean(found) - self._early
        scores: list[float] = np.maximum(found, self._low).tolist()
        return scores

    def _mean(self, found: Floats) -> Floats:
        """Of the networks."""
        inputs = _stepped((found - self._centre) / self._scale, -INPUT_MAX, INPUT_MAX)
        total = np.zeros(len(found))
        for layers in self._alike:
            for one in _cut(_run(inputs, layers) * self._unit, self._low, self._high):
                total += one
        mean: Floats = total / len(self._networks)
        return mean

    def explain(self, row: Sequence[float]) -> "Parts":
        """What each feature adds to a row's score: of the trees by `tree_contributions`, of the
        networks by integrated gradients (Sundararajan, Taly and Yan, "Axiomatic attribution for
        deep networks", 2017): the way from the mean row of the training, straight, in POINTS steps;
        what the steps leave open is shared out by size. What is cut off at either end is taken from
        all amounts in proportion."""
        x = np.nan_to_num(np.asarray(row, dtype=np.float64))
        grown = self._trees.explain(x)
        grown = grown.moved_to(grown.base, min(max(grown.total, self._low), self._high))
        base, total = self._mean(np.array([self._centre, x])).tolist()
        apart = (x - self._centre) / self._scale
        ways = (np.arange(POINTS)[:, None] + 0.5) / POINTS * apart
        slopes = sum(self._slopes(ways, layers) for layers in self._networks)
        amounts = apart * slopes / (POINTS * len(self._networks))
        sizes = np.abs(amounts)
        if whole := float(sizes.sum()):
            amounts += (total - base - float(amounts.sum())) * sizes / whole
        rest = 1.0 - self._share
        parts = grown._replace(
            base=self._share * grown.base + rest * base - self._early,
            amounts=self._share * grown.amounts + rest * amounts,
            total=self._share * grown.total + rest * total - self._early,
        )
        return parts.moved_to(parts.base, max(parts.total, self._low))

    def _slopes(self, inputs: Floats, layers: "_Arrays") -> Floats:
        """How a network's output changes with each input, summed over rows."""
        known = np.abs(inputs) <= INPUT_MAX
        values, passed = np.clip(inputs, -INPUT_MAX, INPUT_MAX), list[Floats]()
        for weights, bias in layers[:-1]:
            values = values @ weights + bias
            passed.append(((values > 0.0) & (values < HIDDEN_MAX)).astype(np.float64))
            values = np.clip(values, 0.0, HIDDEN_MAX)
        weights, bias = layers[-1]
        out = (values @ weights + bias) * self._unit
        back = np.where((out > self._low) & (out < self._high), self._unit, 0.0) @ weights.T
        for (before, _), gate in zip(reversed(layers[:-1]), reversed(passed), strict=True):
            back = (back * gate) @ before.T
        slopes: Floats = (back * known).sum(axis=0)
        return slopes


_Arrays = list[tuple[Floats, Floats]]


def _stacked(networks: list[_Arrays]) -> list[_Arrays]:
    """Networks of one shape, one behind the other, as one of arrays with a dimension more: few
    rows cost a call a layer in place of one a network."""
    alike = groupby(networks, lambda layers: [weights.shape for weights, _ in layers])
    return [[_stack(each) for each in zip(*some, strict=True)] for _, some in alike]


def _stack(layers: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    weights, biases = zip(*layers, strict=True)
    return np.stack(weights), np.stack(biases)[:, None]


def _run(inputs: Floats, layers: _Arrays) -> Floats:
    """Of networks that are stacked: a row a network."""
    for weights, bias in layers[:-1]:
        inputs = _stepped(inputs @ weights + bias, 0.0, HIDDEN_MAX)
    weights, bias = layers[-1]
    return (inputs @ weights + bias)[:, :, 0]


def _cut(values: Floats, low: float, high: float) -> Floats:
    """As np.clip, which takes several times as long for few values."""
    return np.minimum(np.maximum(values, low), high)


def _stepped(values: Floats, low: float, high: float) -> Floats:
    return np.rint(_cut(values, low, high) / STEP) * STEP


def _arrays(layers: list[Layer], width: int) -> _Arrays:
    made: _Arrays = []
    bound = INPUT_MAX
    for layer in layers:
        weights, bias = np.array(layer.weights), np.array(layer.bias)
        if weights.shape != (width, len(bias)):
            raise ValueError(f"a layer of {width} inputs has weights of the shape {weights.shape}")
        weights, bias = np.rint(weights / GRAIN) * GRAIN, np.rint(bias / GRAIN) * GRAIN
        most = float((np.abs(weights).sum(axis=0) * bound + np.abs(bias)).max())
        if not most < _SUM_MAX:
            raise ValueError(f"a layer's sums reach {most:g}; must be below {_SUM_MAX:g}")
        made.append((weights, bias))
        width, bound = len(bias), HIDDEN_MAX
    if width != 1:
        raise ValueError(f"a network has {width} outputs; must be 1")
    return made


def decode(artefact: bytes) -> Blend:
    """A blend from an artefact's bytes. Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(artefact, type=Blend)


def encode(blend: Blend) -> bytes:
    """A blend as an artefact's bytes; its trees as `encode_trees` has them."""
    values = list(msgspec.structs.astuple(blend))
    values[0] = msgspec.Raw(encode_trees(blend.trees))
    return msgspec.msgpack.encode(values)
