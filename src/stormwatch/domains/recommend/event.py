"""What a user did with an item, as it travels between components. Format: schema/behaviour.md."""

from typing import Final, Literal

import msgspec

Kind = Literal["view", "buy", "rate"]
VIEW: Final = "view"
BUY: Final = "buy"
RATE: Final = "rate"


class Behaviour(msgspec.Struct, frozen=True, array_like=True):
    """One view, purchase or rating."""

    id: str
    user: str  # also the record's Kafka key
    time: int  # ms since the epoch, UTC
    kind: Kind
    item: str
    rating: int = 0  # of a rate: 1 to 5 stars; else 0

    @property
    def entity(self) -> str:
        return self.user

    @property
    def strength(self) -> int:
        """How much it says for the item: 0 (a rating of one or two stars) to 4 (bought)."""
        if self.kind == VIEW:
            return 1
        return 4 if self.kind == BUY else max(self.rating - 2, 0)
