"""What can go wrong with a service that we start or use."""

from stormwatch.errors import StormwatchError


class ServiceError(StormwatchError):
    """A service did not start, stop or answer. Says which, why and the next command."""
