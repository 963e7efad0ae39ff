"""Kafka's times as people read them."""

from datetime import UTC, datetime


def moment(ms: int, form: str = "%Y-%m-%d %H:%M:%S.%f") -> str:
    """The UTC time; what no calendar has (a producer dated in nanoseconds) as the number it is."""
    try:
        text = datetime.fromtimestamp(ms / 1000, UTC).strftime(form)
    except (ValueError, OverflowError, OSError):
        return f"{ms} ms"
    return text[:-3] if form.endswith("%f") else text
