"""What is asked for and is not there."""

from stormwatch.errors import StormwatchError


class NotFound(StormwatchError):
    """There is no such thing here; the sentence says what to look for instead."""
