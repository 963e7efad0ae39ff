"""A time that a mapping reads as a number of seconds is checked as one that is written out."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from stormwatch.domains.fraud import parse as payments
from stormwatch.domains.maintenance import parse as readings
from stormwatch.parsing.mapping import made
from stormwatch.records import Rejection

FORMS = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_ns": 10**9}
PAYMENT = """
event = "transactions"
[fields]
id = { path = "no" }
customer = { path = "who" }
terminal = { constant = "t" }
time = { path = "at", form = "%s" }
amount = { path = "paid", unit = "minor" }
currency = { constant = "EUR" }
"""
WINDOW = """
event = "readings"
[fields]
id = { path = "no" }
unit = { path = "who" }
event = { constant = "window" }
time = { path = "at", form = "%s" }
until = { path = "end", form = "%s" }
"""
KAFKA = datetime(2026, 3, 1, tzinfo=UTC)
NOW_MS = int(KAFKA.timestamp()) * 1000


def told(toml: str, target: object, **row: object) -> object:
    value = msgspec.json.encode({"no": "1", "who": "a", "paid": "7"} | row)
    return made(toml, target).parse(value, NOW_MS, future_skew_ms=60_000)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", [str, int])
@pytest.mark.parametrize(
    "time",
    [
        KAFKA, KAFKA + timedelta(seconds=60), KAFKA + timedelta(seconds=61),
        datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC),
    ],
)  # fmt: skip
def test_a_number_is_the_time_that_it_stands_for(form: str, text: type, time: datetime) -> None:
    number = text(int(time.timestamp()) * FORMS[form])
    found = told(PAYMENT % form, payments.TARGET, at=number)
    written = told(PAYMENT % "rfc3339", payments.TARGET, at=time.isoformat())
    assert found == written
    assert isinstance(found, Rejection) == (time > KAFKA + timedelta(seconds=60) or
                                            time.year < 2000)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_window_s_end_may_be_a_number_too(form: str) -> None:
    end = KAFKA + timedelta(hours=1)
    numbers = [str(int(each.timestamp()) * FORMS[form]) for each in (KAFKA, end)]
    found = told(WINDOW % (form, form), readings.TARGET, at=numbers[0], end=numbers[1])
    written = told(
        WINDOW % ("rfc3339", "rfc3339"), readings.TARGET, at=KAFKA.isoformat(), end=end.isoformat()
    )
    assert found == written and not isinstance(found, Rejection)
