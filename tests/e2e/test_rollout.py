"""Rules and a model changed under load: a process for each task, real Kafka and Cassandra."""

import json
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from apps.data.kinds import BY_TOPOLOGY, FeedOptions
from apps.local.services.home import Home
from apps.operate.rollout import changing, models, rules
from apps.operate.rollout.changing import Who
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.domains.fraud.domain import SHIPPED
from stormwatch.metrics import Snapshot, quantiles, since
from stormwatch.ports import Store
from stormwatch.settings import Settings, to_environ
from tests.e2e.ground import SEED, Ground
from tests.e2e.started import Started

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(500)]

A_SECOND = 100
"""Events: a busy machine decides so many with all its processes."""
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
START_S, DRAIN_S = 240.0, 120.0
MINE = """
[[rule]]
id = "large"
when = "amount >= 5000"
outcome = "review"
reason = "{amount}"
"""


@contextmanager
def publishing(ground: Ground, sent: list[int]) -> Iterator[Callable[[], None]]:
    """Events of the generator at a steady rate, beside the test, until the end is asked for."""
    done = threading.Event()

    def send() -> None:
        made = ground.kind.feed(FeedOptions(SEED, "rollout", None, customers=200, units=10))
        began = time.monotonic()
        with closing(connect.sink(ground.settings, linger_ms=5)) as sink:
            for number, one in enumerate(made):
                if done.is_set():
                    break
                time.sleep(max(0.0, began + number / A_SECOND - time.monotonic()))
                sink.send(ground.topic, one.key, one.value)
                sent[0] = number + 1
            sink.flush(30)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()

    def end() -> None:
        done.set()
        thread.join(60)

    yield end
    end()


def latencies(store: Store) -> dict[int, int]:
    """Of all that was decided so far."""
    total: Counter[int] = Counter()
    for body in store.meters("fraud").values():
        of = msgspec.json.decode(body, type=Snapshot)
        if of.follows:
            total.update(of.latency)
    return dict(total)


def test_rules_and_a_model_pushed_under_load_are_in_force_on_all_tasks(
    services: Settings,
    services_home: Home,
    runs: list[Started],
    unique: Callable[[str], str],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    ground = Ground(services, BY_TOPOLOGY["fraud"], unique("rollout"))
    settings = ground.settings
    told = to_environ(replace(settings, batch_max_records=200))
    told.pop("STORMWATCH_RUN_DIR", None)
    run = Started(services_home.run_dir, "fraud", "--processes", command="dev", **told)
    runs.append(run)
    other = tmp_path / "other"
    shutil.copytree(SHIPPED, other)
    card = json.loads((SHIPPED / "card.json").read_text()) | {"version": "fraud-other"}
    (other / "card.json").write_text(json.dumps(card))

    def reached(condition: Callable[[], object], limit_s: float) -> None:
        end = time.monotonic() + limit_s
        while not condition():
            assert run.process.poll() is None and time.monotonic() < end, run.text
            time.sleep(0.1)

    sent = [0]
    seconds: dict[str, float] = {}
    with (
        closing(cassandra.connect(settings)) as store,
        ground.looking() as look,
        publishing(ground, sent) as end,
    ):
        now = lambda: time.time_ns() // 1_000_000  # noqa: E731
        reached(lambda: look()[0] > 100, START_S)
        reached(lambda: len(changing.tasks(store, "fraud", "rules", now())) == 2, 30)

        def taken(change: changing.Change, name: str) -> None:
            began = time.monotonic()
            changing.announce(settings, change)
            found = changing.wait(store, change, 30)
            assert (found.tasks, found.by, found.refused) == (2, 2, 0), (found, run.text)
            seconds[name] = time.monotonic() - began

        who = Who("the test", "a test", now())
        time.sleep(15)  # warm
        at = [latencies(store)]
        time.sleep(10)
        at.append(latencies(store))
        taken(rules.push(settings, store, MINE, "the test", who), "rules")
        taken(rules.snooze(settings, store, "large", "c-1", NOON, NOON, who), "snooze")
        taken(models.push(settings, store, "fraud", other, who, "canary", 0.3), "model")
        taken(models.promote(store, "fraud", "fraud-other", who), "promoted")
        at.append(latencies(store))
        end()
        reached(lambda: look() == (sent[0], sent[0]), DRAIN_S)
    p99 = [quantiles([since(late, early)], [0.99])[0] for early, late in pairwise(at)]
    record_property("p99 before and during the changes, ms", p99)
    run.process.send_signal(signal.SIGINT)
    assert run.wait(30) == 130, run.text
    assert "Traceback" not in run.text
    record_property("in force on all tasks after, s", seconds)
    ground.passes()  # none lost, doubled or otherwise than its versions decide
