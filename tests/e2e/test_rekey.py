"""A topic that is not keyed by its entity, by `sparse run`: decided as one that is keyed by it."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import msgspec
import pytest

from apps.data.kinds import BY_TOPOLOGY
from apps.data.mappings import ready
from apps.local.services.home import Home
from apps.operate import ledger as ledgers
from apps.prove.chaos.run import Run
from apps.prove.verdict.tables import of_cassandra
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.domains.fraud import Fraud, terminals
from stormwatch.records import Decision
from stormwatch.settings import Settings
from tests.e2e.ground import Ground
from tests.models.in_turn import in_turn

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

MAPPING = """
event = "transactions"
rekey = true
[fields]
id = { path = "no" }
customer = { path = "who" }
terminal = { path = "where" }
time = { path = "at", form = "epoch_s" }
amount = { path = "paid", unit = "major" }
currency = { constant = "EUR" }
"""
BEGIN = 1_767_225_600
CUSTOMERS, WAVES = 30, 6
START_S, WAVE_S = 240.0, 60.0


def wave(nth: int, chance: Random) -> list[bytes]:
    """One payment of each customer."""
    return [
        msgspec.json.encode({
            "no": f"{who}-{nth}", "who": f"c{who}", "where": f"t{chance.randrange(5)}",
            "at": str(BEGIN + 900 * nth + who), "paid": f"{chance.randrange(1, 900)}.50",
        })
        for who in range(CUSTOMERS)
    ]  # fmt: skip


@pytest.fixture
def run(services: Settings, services_home: Home, tmp_path: Path) -> Iterator[Run]:
    """A project of its own with our sources."""
    made = Run(tmp_path, services_home.jars, services)
    yield made
    made.project.end()


def test_customers_whose_payments_lie_in_all_partitions_are_decided_as_in_one(
    run: Run, services: Settings, unique: Callable[[str], str], tmp_path: Path
) -> None:
    ground = Ground(services, BY_TOPOLOGY["fraud"], unique("rekey"))
    (tmp_path / "shop.toml").write_text(MAPPING)
    run.settings = replace(
        ground.settings, run_dir=".stormwatch", mapping_transactions=str(tmp_path / "shop.toml")
    )
    chance = Random(5)
    values = [wave(nth, chance) for nth in range(WAVES)]
    run.start("fraud")
    with closing(connect.sink(services)) as sink, ground.looking() as look:
        for nth, some in enumerate(values, start=1):  # partitions have no order among them
            for value in some:
                sink.send(ground.topic, chance.randbytes(4), value)
            sink.flush(30)
            count = nth * CUSTOMERS
            run.until(
                lambda count=count: look() == (count, count),
                f"wave {nth}", START_S if nth == 1 else WAVE_S,
            )  # fmt: skip
    run.stop()
    assert "restarting" not in run.said(), run.said()

    rows = of_cassandra(ground.settings).decisions.values()
    found = [msgspec.json.decode(bytes(body), type=Decision) for _, _, body, _, _ in rows]
    domain = Fraud.from_settings(run.settings)
    first = domain.feature_names.index(terminals.NAMES[0])
    told = {one.id: one.features[first : first + len(terminals.NAMES)] for one in found}
    mapped, _ = ready(MAPPING)
    keyed = [mapped.parse(value, -1, future_skew_ms=0) for some in values for value in some]
    expected = {
        event.id: (event.entity, row, verdict.outcome, verdict.score, verdict.reasons)
        for event, row, verdict in in_turn(domain, keyed, told)
    }
    assert {
        one.id: (one.entity, one.features, one.outcome, one.score, one.reasons) for one in found
    } == expected
    spread = Counter(who for who, _ in {(one.entity, one.partition) for one in found})
    assert spread["c1"] > 1 and not any(one.misplaced for one in found)
    with (
        closing(connect.admin(services)) as admin,
        closing(cassandra.connect(ground.settings)) as store,
    ):
        ledger = ledgers.topic(ground.settings, admin, store, ground.topic)
    assert ledger.sound and ledger.states == {"scored": CUSTOMERS * WAVES}
