"""A record that kills its process, whatever reads it: set aside, and the rest goes on."""

import pytest

from apps.prove.chaos.environment import Environment
from apps.prove.chaos.traffic import mixed
from stormwatch.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(500)]

POISON = "C-poison"
AFTER = Settings().quarantine_after
BOLT = f"""
import os
import signal

from bolts.fraud import FraudBolt


class Poisoned(FraudBolt):
    def prepare(self, fragment, payload):
        if any(event.customer == {POISON!r} for _, _, event in payload.events):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().prepare(fragment, payload)
"""
RECORD = (
    b'{"id":"p-1","customer":"C-poison","terminal":"T1","time":"2010-01-02T00:00:00Z",'
    b'"amount":100,"currency":"EUR"}'
)


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 700], ids=["first in line", "amid others"])
def test_a_record_that_kills_its_process_is_set_aside(environment: Environment, place: int) -> None:
    """In one run, wherever it stands: `sparse run` restarts often enough to find it."""
    (environment.project.root / "src/bolts/poison.py").write_text(BOLT)
    wiring = environment.project.root / "topologies/fraud.py"
    text = wiring.read_text()
    begin = "from bolts.parse import ParseTransactions\n"
    assert begin in text
    mended = f"{begin}from bolts.poison import Poisoned as FraudBolt\n"
    wiring.write_text(text.replace(begin, mended))
    environment.prepare()
    records = list(mixed(1500))
    records.insert(place, (POISON.encode(), RECORD))
    environment.publish(records)
    environment.start(batch_max_records=200)
    environment.drain(len(records), 300)
    environment.stop()
    want = environment.check(kills=lambda record: record.key == POISON.encode())
    killed = [key for key, cells in want.dead_letters.items() if cells[1] == "kills_process"]
    assert [(key[3], want.dead_letters[key][4]) for key in killed] == [("dead_lettered", RECORD)]
    deaths = environment.said().count("killed by signal 9")
    assert AFTER <= deaths <= AFTER + 2, environment.said()
