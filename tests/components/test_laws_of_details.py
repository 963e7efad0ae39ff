"""The laws of bolts, over payments that have details: refunds, retries, places, history."""

from bolts.fraud import FraudBolt
from stormwatch.codec import Parsed
from stormwatch.domains.fraud.event import KINDS, Details, Transaction
from stormwatch.testing import batch, fragment
from stormwatch.testing.laws import assert_laws

START = 1_796_040_000_000


def paid(n: int) -> Transaction:
    more = Details(
        kind=KINDS[n % len(KINDS)], original="x", channel="pos", place=(float(n % 80), 10.0)
    )
    return Transaction(
        f"i{n}", f"c{n % 3}", "p", START + n * 20_000, 1000 + n % 4, "EUR", more=more,
        learn_only=n % 5 == 0,
    )  # fmt: skip


def test_a_bolt_that_decides_payments_with_details_keeps_the_laws() -> None:
    inputs = [
        batch(fragment(at, at + 4), Parsed([(n, START + n, paid(n)) for n in range(at, at + 5)],
                                           [], []))
        for at in range(0, 20, 5)
    ]  # fmt: skip
    assert_laws(FraudBolt, inputs=inputs)
