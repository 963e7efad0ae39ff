"""Features of a user's own: in the stream, in rules, through storage, to workers; and the laws."""

from pathlib import Path

import msgspec
import pytest

from apps.build.training.fraud import train_fraud
from stormwatch.adapters.storm.config import storm_config
from stormwatch.domains.fraud import Fraud, own
from stormwatch.domains.fraud.event import Details, Transaction
from stormwatch.domains.fraud.features import FEATURE_NAMES, FEATURE_SET
from stormwatch.domains.fraud.state import CustomerState
from stormwatch.errors import SettingsError
from stormwatch.settings import Settings, load
from stormwatch.state.envelope import Envelope, EnvelopeCodec

ROOT = Path(__file__).parents[3]
ADVANCE = "def advance(s, e):\n    "
HEAD = """from stormwatch.features import Feature
FEATURES = (Feature("mine", "of mine"),)
"""
RULES = """
[[rule]]
id = "new_shop"
when = "same_shop = 0 AND amount > 20000"
reason = "{amount} at a shop that is new ({same_shop} of 20 payments)"
weight = 0.6
"""


def guide() -> str:
    """The example of docs/own-features.md."""
    text = (ROOT / "docs" / "own-features.md").read_text()
    return text.partition("```python\n")[2].partition("```")[0]


def payment(nth: int, merchant: str = "a shop", amount: int = 1_000) -> Transaction:
    return Transaction(f"p{nth}", "c", "t", nth * 3_600_000, amount, "EUR", merchant)


def test_they_are_features_like_any_other_and_rules_use_them(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(guide())
    (tmp_path / "rules.toml").write_text(RULES)
    here = Settings(
        fraud_features=str(tmp_path / "mine.py"), fraud_rules=str(tmp_path / "rules.toml")
    )
    there = load(environ={}, conf=storm_config(here))
    (tmp_path / "mine.py").unlink()
    domain = Fraud.from_settings(there)
    assert domain.feature_names == (*FEATURE_NAMES, "same_shop")
    assert domain.feature_set.startswith(f"{FEATURE_SET}+")
    codec, state = EnvelopeCodec(CustomerState, domain.new_state), domain.new_state()
    plain, known = Fraud(), Fraud().new_state()
    for nth in range(30):
        event = payment(nth, "a shop" if nth % 3 else "another")
        row, _ = domain.advance(state, event)
        assert row[:-1] == plain.advance(known, event)[0]
        assert row[-1] == sum(m % 3 != 0 for m in range(max(0, nth - 20), nth)) if nth % 3 else True
        blob = codec.encode(Envelope(1, 0, [], 0, b"", state))
        state = codec.decode(blob, "c").body
    event = payment(30, "a third", 30_000)
    row, carry = domain.advance(state, event)
    (verdict,) = domain.decide([event], [row], [carry])
    assert verdict.reasons[0].text == "300.00 EUR at a shop that is new (0 of 20 payments)"
    assert domain.model_version == Fraud.load().model_version, "it takes the features it knows"


def test_a_refund_is_told_and_remembers_nothing() -> None:
    mine = own._parsed(guide(), "guide")
    domain, state = Fraud(own=mine), Fraud().new_state()
    domain.advance(state, payment(0))
    refund = msgspec.structs.replace(payment(1), more=Details(kind="refund"))
    assert [domain.advance(state, one)[0][-1] for one in (refund, payment(2))] == [1, 1]


def test_what_another_file_kept_is_nothing_to_this_one() -> None:
    state = Fraud().new_state()
    one, other = (own._parsed(guide() + end, "guide") for end in ("", "# another\n"))
    assert [Fraud(own=one).advance(state, payment(n))[0][-1] for n in range(2)] == [0, 1]
    assert Fraud(own=other).advance(state, payment(2))[0][-1] == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FEATURES = 1\n", "no FEATURES, a tuple of Feature"),
        (HEAD, "no function advance"),
        ("import no_such_module\n\n", "No module named 'no_such_module'.*line 1"),
        (HEAD + ADVANCE + "return (1.0, 2.0)\n", "gives 2 numbers, and FEATURES has"),
        (HEAD + ADVANCE + "return (float('nan'),)\n", "gives nan for mine"),
        (HEAD + ADVANCE + "return (e.nothing,)\n", "no attribute 'nothing'.*line 4"),
        (
            HEAD + ADVANCE + "s.setdefault('ids', []).append(e.id)\n    return (1,)\n",
            r"event \d+ of one entity.*the state takes \d+ bytes, more than 2048",
        ),
        (
            "import random\n" + HEAD + ADVANCE + "return (random.random(),)\n",
            "other numbers the second time, from event 1",
        ),
        (
            HEAD + "SEEN = []\ndef advance(s, e):\n    SEEN.append(1)\n    return (len(SEEN),)\n",
            "nothing remembered outside of the state",
        ),
        (HEAD + ADVANCE + "s['x'] = object()\n    return (1,)\n", "TypeError"),
        (HEAD.replace('"mine"', '"amount"') + ADVANCE + "return (1,)\n", "amount"),
        (HEAD.replace('"mine"', '"My-one"') + ADVANCE + "return (1,)\n", "lower case"),
    ],
)  # fmt: skip
def test_a_file_that_breaks_a_law_is_refused_whole(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=f"(?s){says}") as error:
        own._parsed(text, "mine.py")
    assert "mine.py" in str(error.value)


@pytest.mark.slow
def test_a_model_is_trained_with_them_and_taken(tmp_path: Path) -> None:
    mine = own._parsed(guide(), "guide")
    card = train_fraud(tmp_path / "model", 3, customers=60, own=mine)
    assert card.feature_names[-1] == "same_shop"
    (tmp_path / "mine.py").write_text(guide())
    settings = Settings(
        fraud_features=str(tmp_path / "mine.py"), fraud_model=str(tmp_path / "model")
    )
    domain = Fraud.from_settings(settings)
    state = domain.new_state()
    row, carry = domain.advance(state, payment(0))
    (verdict,) = domain.decide([payment(0)], [row], [carry])
    assert verdict.score >= 0
    assert domain.model_version == card.version
    with pytest.raises(Exception, match="is for 51 features"):
        Fraud.load(tmp_path / "model")
