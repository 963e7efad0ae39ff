"""What a check of the machine found."""

from dataclasses import dataclass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True)
class Finding:
    """One check. `level` is ok, warn or fail; `next` is empty when nothing is to be done."""

    check: str
    level: str
    what: str
    why: str = ""
    next: str = ""

    @property
    def ok(self) -> bool:
        """Whether `./stormwatch run` can work as far as this goes."""
        return self.level != FAIL

    @property
    def detail(self) -> str:
        """The finding as one sentence or three."""
        return " ".join(part for part in (self.what, self.why, self.next) if part)
