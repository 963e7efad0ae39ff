"""Progress told in steps: each once, and again only every five seconds while it lasts."""

from collections.abc import Callable
from time import monotonic

REPEAT_S = 5.0


class Steps:
    """A `Progress` that passes on to `say` what is new."""

    def __init__(
        self, say: Callable[[str, str], None], clock: Callable[[], float] = monotonic
    ) -> None:
        self._say = say
        self._clock = clock
        self._said: dict[str, tuple[str, float]] = {}

    def __call__(self, step: str, detail: str) -> None:
        # "waiting for its port, 3 s" and "waiting for its port, 4 s" are the same step.
        kind, now = detail.split(",", maxsplit=1)[0], self._clock()
        said, at = self._said.get(step, ("", 0.0))
        if kind != said or now - at >= REPEAT_S:
            self._said[step] = (kind, now)
            self._say(step, detail)
