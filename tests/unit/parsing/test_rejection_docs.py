"""The wire formats on paper are those in force."""

import json
import re
from pathlib import Path

import pytest

from stormwatch.domains.fraud import parse as fraud
from stormwatch.domains.maintenance import parse as maintenance
from stormwatch.domains.maintenance.sensors import ALL, SENTINELS
from stormwatch.domains.recommend import parse as recommend
from stormwatch.domains.social import parse as social
from stormwatch.parsing.batch import CODES
from stormwatch.records import Decision, Rejection
from tests import corpus

SCHEMA = Path(__file__).parents[3] / "schema"


def text(name: str) -> str:
    return (SCHEMA / f"{name}.md").read_text()


def example(name: str) -> dict:
    block, *_ = re.findall(r"```json\n(.*?)```", text(name), re.DOTALL)
    return json.loads(block)


def fields(name: str) -> set[str]:
    cells = re.findall(r"^\| (`[^|]+`) \|", text(name), re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`(\w+)`", cell)}


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("transactions", fraud),
        ("readings", maintenance),
        ("behaviour", recommend),
        ("posts", social),
    ],
)
def test_the_example_is_an_event_and_its_fields_are_explained(name, domain):
    value = json.dumps(example(name), ensure_ascii=False).encode()
    event = domain.parse(value, corpus.TIME, future_skew_ms=1000)
    assert not isinstance(event, Rejection), event
    assert set(example(name)) == set(domain._Wire.__struct_fields__) <= fields(name)


def test_every_detail_of_a_payment_is_explained():
    assert set(fraud._Rest.__struct_fields__) <= fields("transactions")


def test_every_code_is_explained():
    page = text("dead-letters")
    for code, meaning in CODES.items():
        assert f"| `{code}` | {meaning} |" in page


def test_every_sensor_is_listed_with_its_unit_and_range():
    page = text("readings")
    for sensor in ALL:
        low, high = sensor.possible
        assert f"| `{sensor.name}` | {sensor.words} | {sensor.unit} | {low:g} to {high:g} |" in page
    for sentinel in SENTINELS:
        assert f"{sentinel:g}" in page


def test_alerts_and_dead_letters_show_all_their_fields():
    every = {"domain", *Decision.__struct_fields__}
    assert every <= fields("alerts")
    assert set(example("alerts")) == every - {
        "degraded",
        "shadow",
        "explanations",
        "rates",
        "mapping",
        "after",
        "learned",
        "interval",
    }, "left out if empty"
    assert set(re.findall(r'"(\w+)":', text("dead-letters"))) <= fields("dead-letters")
