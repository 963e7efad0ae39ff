"""What a campaign that does not hold raises."""

from stormwatch.errors import StormwatchError


class ChaosFailed(StormwatchError):
    """A law does not hold, or something did not come in time; the text has the evidence."""


class Invalid(ChaosFailed):
    """Nothing was tested: the fault fell after the last record."""


def expect(holds: object, why: object) -> None:
    """Raises ChaosFailed with `why` unless `holds`."""
    if not holds:
        raise ChaosFailed(str(why))
