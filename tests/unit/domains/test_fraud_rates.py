"""Reference rates: read whole or refused, shipped to workers, and what is done without one."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from stormwatch.adapters.storm.config import storm_config
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.domain import SHIPPED
from stormwatch.domains.fraud.event import Label, Transaction
from stormwatch.domains.fraud.features import FEATURE_NAMES, OF_AMOUNT
from stormwatch.domains.fraud.rates import chosen, parse, shipped
from stormwatch.domains.fraud.state import BITS, CustomerState
from stormwatch.domains.fraud.terminals import NAMES, learn, new_state, values, visit_of
from stormwatch.errors import SettingsError
from stormwatch.settings import Settings, load
from stormwatch.state.judge import Verdict

DAY = 86_400_000
NOON = 20_000 * DAY + DAY // 2
OURS = """date = 2026-10-01
source = "our treasury"
[units_per_euro]
USD = 1.1
JPY = { units_per_euro = 200, date = 2026-10-02, source = "central bank" }
"""
RATES = parse(OURS, "ours.toml")


def payment(nth: int, amount: int, currency: str = "EUR") -> Transaction:
    return Transaction(f"p{nth}", "c", "t", NOON + nth * DAY, amount, currency)


def told(
    domain: Fraud, state: CustomerState, event: Transaction
) -> tuple[Mapping[str, float], Verdict]:
    row, carry = domain.advance(state, event)
    (verdict,) = domain.decide([event], [row], [carry])
    return dict(zip(FEATURE_NAMES, row, strict=True)), verdict


def test_a_file_of_rates_is_read_and_named() -> None:
    assert RATES.version.startswith("rates-2026-10-01#")
    assert RATES.version != parse(OURS.replace("1.1", "1.2"), "").version
    assert RATES.points(200, "JPY", "EUR") == 100
    assert RATES.knows("EUR") and RATES.knows("JPY") and not RATES.knows("XAF")
    assert RATES.common == {"EUR", "USD"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("date = x", "contains no rates"),
        (OURS.replace("date = 2026-10-01", ""), "contains no rates"),
        (OURS + 'EUX = 1.0\n', "'EUX' is no ISO 4217 code"),
        (OURS + "XAF = 0.0\n", "XAF is 0 units for a euro"),
        (OURS + "XAF = nan\n", "XAF is nan units"),
        (OURS + "EUR = 1.1\n", "it has to be 1"),
        (OURS + 'XAF = "many"\n', "contains no rates"),
    ],
)  # fmt: skip
def test_a_file_with_a_mistake_is_refused_whole(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says) as error:
        parse(text, "ours.toml")
    assert "ours.toml" in str(error.value)


def test_the_setting_s_file_travels_to_workers_as_text(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(OURS)
    assert chosen(Settings()) is shipped()
    here = chosen(Settings(fraud_rates=str(path)))
    there = load(environ={}, conf=storm_config(Settings(fraud_rates=str(path))))
    path.unlink()
    assert here.version == chosen(there).version == RATES.version
    with pytest.raises(SettingsError, match="contains no rates"):
        chosen(Settings(fraud_rates=str(path)))


def test_only_a_decision_that_needed_a_rate_names_it() -> None:
    domain, state = Fraud.load(SHIPPED, rates=RATES), Fraud().new_state()
    assert told(domain, state, payment(0, 1_000))[1].rates == ""
    assert told(domain, state, payment(1, 1_000, "USD"))[1].rates == ""
    assert told(domain, state, payment(2, 2_000, "JPY"))[1].rates == RATES.version


def test_without_a_rate_no_amount_is_compared_and_the_model_declines_nothing() -> None:
    domain, state = Fraud.load(SHIPPED, rates=RATES), Fraud().new_state()
    for nth in range(20):
        told(domain, state, payment(nth, 4_000))
    plain, _ = told(domain, msgspec.convert(msgspec.to_builtins(state), CustomerState),
                    payment(20, 4_000))  # fmt: skip
    before = [sum(state.month), state.seen]
    found, verdict = told(domain, state, payment(20, 9_000_000_000, "XAF"))
    defaults = {"amount": 0, "z_30d": 0, "usual_z": 0}
    assert {name: found[name] for name in OF_AMOUNT} == {
        name: defaults.get(name, 1) for name in OF_AMOUNT
    }
    others = [name for name in FEATURE_NAMES if name not in OF_AMOUNT]
    assert [found[name] for name in others] == [plain[name] for name in others]
    assert verdict.outcome != "decline"
    assert (verdict.noted, verdict.rates) == ("no_rate", RATES.version)
    assert "no reference rate for XAF: nothing compares 9000000000 XAF" in verdict.reasons[-1].text
    after, _ = told(domain, state, payment(21, 4_000))
    assert after["mean_30d"] == 4_000, "counted at the customer's own mean"
    assert after["count_30d"] == (before[0] >> BITS) + 1
    assert after["seen"] == before[1] + 1


def test_of_a_customer_without_a_month_it_is_not_learned() -> None:
    domain, state = Fraud.load(SHIPPED, rates=RATES), Fraud().new_state()
    _, verdict = told(domain, state, payment(0, 5_000, "XAF"))
    assert verdict.noted == "no_rate"
    assert state == Fraud().new_state()


def test_a_terminal_counts_its_frauds_whatever_their_amount_was() -> None:
    state = new_state()
    paid = payment(0, 5_000, "XAF")
    label = msgspec.structs.replace(
        paid, id="l", time=paid.time + DAY, label=Label(paid.id, paid.time, "fraud")
    )
    for event in (paid, label):
        visit = visit_of(event, RATES)
        assert visit is not None and visit.points == 0
        learn(state, visit)
    found = dict(zip(NAMES, values(state, payment(9, 1_000)), strict=True))
    assert (found["terminal_frauds"], found["terminal_risk_7d"]) == (1, 1.0)
    assert (found["terminal_fraud_amount"], found["terminal_fraud_least"]) == (0, 0)
    assert found["terminal_frauds_small"] == 0
