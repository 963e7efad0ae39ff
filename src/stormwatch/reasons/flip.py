"""What would have cleared an alert."""

import msgspec


class Flip(msgspec.Struct, frozen=True):
    """A change of one field that clears the alert: verified, by deciding again."""

    field: str
    was: str
    now: str
    text: str
    score: float  # of the model then
