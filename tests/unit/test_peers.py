"""What `bench peers` makes of its runs, and that its contenders are held to the right answer."""

from itertools import islice

from apps.data.generate.transactions import Transactions
from benchmarks.contenders.core import Core, Taken, differing, reference
from benchmarks.peers import Run, chart, table
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.records import Fragment
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry
from stormwatch.state.processor import Contract, Policy

MS = 1_950_000_000_000


def taken() -> list[Taken]:
    made = islice(Transactions(1, run="peers", customers=30), 400)
    return [Taken("t", 0, nth, MS, one.value) for nth, one in enumerate(made)]


def test_the_contenders_make_the_bytes_that_the_project_makes() -> None:
    records, domain = taken(), Fraud.load()
    events = [(one.offset, MS, domain.parse(one.value, MS)) for one in records]
    contract = Contract(domain, Policy.of(Settings()), "decide")
    states = {event.entity: Entry(0, b"") for _, _, event in events}
    fragment = Fragment("t", 0, 2048, 0, len(records) - 1, 1, 0)
    rows = contract.apply(fragment, Parsed(events, [], []), states, MS).decisions
    assert [bytes(row.body) for row in rows] == [body for _, body in Core().decide(records)]


def test_wrong_decisions_are_told() -> None:
    want = reference(taken())
    right = list(want.values())
    assert differing(want, right) == ""
    assert differing(want, right[1:]) == "1 missing"
    assert differing(want, [*right, right[0]]) == "1 twice"
    assert differing(want, [right[0].replace(b"approve", b"decline"), *right[1:]]) == "1 differ"


def test_a_contender_that_failed_is_a_row_and_ratios_are_of_the_same_round() -> None:
    found = {
        "lean loop": [Run(100, 10, 50), Run(200, 10, 60)],
        "other": [Run(50, 20, 70), Run(50, 20, 70)],
        "broken": [Run(0, 0, 0, "cannot be installed: no such package")] * 2,
        "wrong": [Run(999, 1, 1, "3 differ"), Run(80, 30, 10)],
    }
    rows = table(found)[2:]
    assert rows[0] == "| lean loop | 150 | 100 to 200 | 1.00 | 10 | 60 | equal |"
    assert rows[1] == "| other | 50 | 50 to 50 | 0.38 | 20 | 70 | equal |"
    assert rows[2] == "| broken | – | – | – | – | – | cannot be installed: no such package |"
    assert rows[3] == "| wrong | 80 | 80 to 80 | 0.40 | 30 | 10 | equal, 1 of 2 runs: 3 differ |"
    assert chart(found).count("<rect") == 4  # the ground and a bar for each that was right once
