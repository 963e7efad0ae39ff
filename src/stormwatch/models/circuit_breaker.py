"""When something that failed is tried again: after a pause that doubles. Pure."""

PAUSE_MAX_S = 300.0


class Breaker:
    """Closed until `failed`, then open for a pause; then one try at a time. Times: seconds."""

    def __init__(self, pause_s: float) -> None:
        self._first = self._pause_s = pause_s
        self._until: float | None = None

    @property
    def closed(self) -> bool:
        """Whether the last try went well."""
        return self._until is None

    def ready(self, now: float) -> bool:
        """Whether a try may be made."""
        return self._until is None or now >= self._until

    def failed(self, now: float) -> float:
        """A try failed; how long to pause, s."""
        pause = self._pause_s
        self._until = now + pause
        self._pause_s = max(self._first, min(2 * pause, PAUSE_MAX_S))
        return pause

    def passed(self) -> None:
        """A try went well."""
        self._until, self._pause_s = None, self._first
