"""A log of transactions, the tables that it leads to, and what a verdict says of them."""

from random import Random

from apps.data.generate.transactions import Transactions
from apps.prove.verdict import oracle
from apps.prove.verdict.judge import FAIL, KINDS, Judgement
from apps.prove.verdict.oracle import Span, cut
from apps.prove.verdict.tables import Tables, of_memory
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.parse import parse
from stormwatch.records import Record
from stormwatch.settings import Settings

SETTINGS = Settings()

COUNT = 600

KTIME = 1_900_000_000_000

SPAN = Span("t", 0, 3, 0, COUNT + 5)

DOMAIN = Fraud()

SEED = 7


def log() -> list[Record]:
    """Good ones, with some sent twice, changed, or broken; some offsets hold none."""
    made, values = iter(Transactions(1, run="a", customers=20)), list[tuple[bytes, bytes]]()
    for i in range(COUNT):
        if i % 29 == 28:
            values.append(values[i - 7])
        elif i % 31 == 30:
            key, value = values[i - 3]
            values.append((key, value.replace(b'"amount":', b'"amount":1')))
        elif i % 37 == 36:
            values.append((b"k", b"{"))
        else:
            key, value, _ = next(made)
            values.append((key or b"", value))
    return [Record(i + (i > 50) * 5, KTIME, key, value) for i, (key, value) in enumerate(values)]


RECORDS = log()


def tables(records: list[Record] = RECORDS, seed: int = 1, most: int = 90) -> Tables:
    random = Random(seed)
    batches = cut(SPAN, [records], lambda: random.randint(1, most), lambda record: False)
    return of_memory(oracle.expected(SETTINGS, batches, DOMAIN, parse))


def events(entity: str) -> list[tuple[int, object]]:
    parsed = ((r.offset, parse(r.value or b"", KTIME, future_skew_ms=0)) for r in RECORDS)
    return [(offset, e) for offset, e in parsed if getattr(e, "entity", "") == entity]


def only(verdict: Judgement, **counts: int) -> None:
    assert verdict.status == FAIL
    assert verdict.counts == {kind: counts.get(kind, 0) for kind in KINDS}
