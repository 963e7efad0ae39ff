"""A file of rules is taken whole or refused with its line."""

import pytest

from stormwatch.errors import SettingsError
from stormwatch.rules.document import Names, parse
from stormwatch.rules.predicate import Kind


def wrong_reason(text: str, asked: frozenset[str]) -> str:
    return (
        "shows {speed}, which may not be known" if "{speed" in text and "speed" not in asked else ""
    )


NAMES = Names(
    {"amount": Kind.NUMBER, "count_1h": Kind.NUMBER, "speed": Kind.NUMBER, "channel": Kind.TEXT},
    wrong_reason,
)
GOOD = """\
review_from = 0.5

[[rule]]
id = "burst"
when = "count_1h >= 4 AND amount >= 100"
weight = 0.5
reason = "{count_1h} payments, now {amount}"
owner = "cards"

[[rule.example]]
given = { count_1h = 4, amount = 100 }

[[rule.example]]
given = { count_1h = 4 }
fires = false

[[rule]]
id = "too_fast"
when = "speed > 1000 AND (channel IS NULL OR channel <> 'online')"
outcome = "decline"
reason = "{speed:.0f} km/h"
state = "shadow"
"""


def test_a_good_file_is_read() -> None:
    made = parse(GOOD, "rules.toml", NAMES, "fraud-rules")
    burst, fast = made.rules
    assert (burst.id, burst.weight, burst.outcome, burst.state) == ("burst", 0.5, "", "live")
    assert (fast.outcome, fast.state, fast.weight) == ("decline", "shadow", 0.0)
    assert (made.review_from, made.decline_from) == (0.5, 1.0)
    assert made.version.startswith("fraud-rules-")


def test_the_version_changes_with_what_is_decided_or_said_and_with_nothing_else() -> None:
    version = parse(GOOD, "a", NAMES, "r").version
    assert parse(f"# a comment\n{GOOD}", "b", NAMES, "r").version == version
    assert parse(GOOD.replace('owner = "cards"', 'owner = "x"'), "a", NAMES, "r").version == version
    for old, new in (
        ("0.5\n\n", "0.6\n\n"),
        ("4 AND", "5 AND"),
        ("now", "then"),
        ("shadow", "off"),
    ):
        changed = GOOD.replace(old, new).replace("count_1h = 4", "count_1h = 9")
        assert parse(changed, "a", NAMES, "r").version != version


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("count_1h >= 4", "count >= 4", "line 5: rule 'burst': when cannot be read: 'count' is"),
        ("speed > 1000", "speed > '1000'", "line 19: rule 'too_fast': when cannot be read"),
        ('id = "too_fast"', 'id = "burst"', "line 18: rule 'burst': id is there twice"),
        ('id = "burst"', 'id = "Burst 1"', "line 4: `rule.*id`"),
        ("weight = 0.5", 'weight = "much"', "weight"),
        ("weight = 0.5\n", "", "rule 'burst': weight or an outcome is needed"),
        ("weight = 0.5", 'weight = 0.5\noutcome = "review"', "one of the two"),
        ('outcome = "decline"', 'outcome = "refuse"', "line 20: `rule.*outcome`"),
        ("now {amount}", "now {speed}", "line 7: rule 'burst': reason shows {speed}"),
        ("count_1h = 4 }\nfires", "count_1h = 9, amount = 900 }\nfires", "example.1. says that"),
        ("given = { count_1h = 4, amount = 100 }", "given = { channel = 4 }", "it is a text"),
        ("review_from = 0.5", "review_from = 2.0", "decline_from"),
        ("review_from = 0.5", "review_form = 0.5", "review_form"),
        ("[[rule]]", "[[rule]", "is not TOML"),
    ],
)  # fmt: skip
def test_a_wrong_one_is_refused_whole_with_its_line(old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(SettingsError, match=told.replace("{", r"\{").replace("}", r"\}")):
        parse(GOOD.replace(old, new, 1), "rules.toml", NAMES, "r")
