"""Payments as a model of sequences sees them: the last rows of a customer, kept in its state.

They are kept only where such a model is in use, from its first payment on; a customer who was known
before starts with none.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from stormwatch.domains.fraud.details import Carry
from stormwatch.domains.fraud.state import CustomerState
from stormwatch.models import Card
from stormwatch.models.window import push, unrolled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Sequenced(NamedTuple):
    """The carry of a payment, and the rows up to it."""

    carry: Carry
    rows: bytes


def learn(state: CustomerState, row: tuple[float, ...], carry: Carry, card: Card) -> Sequenced:
    """Keep what a model with that card sees of the row; give it on with those before it."""
    state.rows = push(state.rows or b"", row[: len(card.feature_names)], card.window)
    return Sequenced(carry, state.rows)


def rows(carries: Sequence[Carry | Sequenced], card: Card) -> "NDArray[np.float64]":
    """A row for the model of each payment; nan, which has no score, where no rows were kept."""
    import numpy as np

    width = len(card.feature_names)
    made = np.full((len(carries), width * card.window), np.nan)
    for at, one in enumerate(carries):
        if isinstance(one, Sequenced):
            made[at] = unrolled(one.rows, width, card.window)
    return made
