"""What is Spanner's alone: one commit for all of a batch, a kill campaign, what errors say."""

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from stormwatch.adapters import connect
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.archive import Archive
from stormwatch.errors import SchemaError, SettingsError, StoreUnavailable
from stormwatch.ledger.bitmap import offsets
from stormwatch.ports import AtomicStore
from stormwatch.records import DecisionKey
from stormwatch.settings import Settings
from tests.contracts.store_rows import aside, decision, fragment, ledger_row, outcomes, state
from tests.models import spanner_writer

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
NOBODY = "127.0.0.1:1"


@pytest.fixture
def fresh(spanner: Settings) -> Settings:
    """A database that nobody has made."""
    return replace(spanner, spanner_database=f"d{uuid.uuid4().hex[:12]}", layout_stripes=4)


def apply(settings: Settings) -> list[int]:
    tables = connect.tables(settings)
    return tables.apply(settings, ROOT / tables.files, lambda step, said: None)


@pytest.fixture
def store(fresh: Settings) -> Iterator[Archive]:
    apply(fresh)
    found = connect.archive(fresh)
    yield found
    found.close()


def test_of_equal_stamps_the_one_written_later_stays(store: Archive) -> None:
    for blob in (b"z", b"a", b"m"):
        store.write_states("d", [state(blob=blob, stamp=5)])
    assert store.load_states("d", {0: ["entity-0"]}) == {"entity-0": b"m"}


def test_a_commit_writes_all_of_a_batch_or_nothing(store: Archive) -> None:
    assert isinstance(store, AtomicStore)
    batch = outcomes("d", [decision(i) for i in range(5)], set_aside=[aside(9)])
    batch.states[:] = [state(i, b"of 5", stamp=5) for i in range(5)]
    store.commit([batch])
    store.commit([batch])  # not confirmed, and so again
    assert len(list(store.all_decisions("d"))) == 5
    assert len(store.load_states("d", {i: [f"entity-{i}"] for i in range(4)})) == 4
    huge = outcomes("d", [decision(i, body=b"x" * (11 << 20)) for i in range(10, 12)])
    huge.states[:] = [state(0, b"of 9", stamp=9)]
    with pytest.raises(SchemaError, match="value is too large"):
        store.commit([huge])
    assert store.load_states("d", {0: ["entity-0"]}) == {"entity-0": b"of 5"}
    assert len(list(store.all_decisions("d"))) == 5


def test_a_zombies_commit_takes_nothing_back(store: Archive) -> None:
    assert isinstance(store, AtomicStore)
    late = outcomes("d", [decision(0, outcome="approve", body=b"late")], stamp=3)
    late.states[:] = [state(0, b"late", stamp=3), state(1, b"only", stamp=3)]
    stands = outcomes("d", [decision(0, outcome="decline", body=b"stands")], stamp=4)
    stands.states[:] = [state(0, b"stands", stamp=4)]
    store.commit([stands])
    store.commit([late])
    [row] = store.find_decisions("d", [DecisionKey(0, "entity-0", decision(0).time, "id-0")])
    assert row.body == b"stands"
    found = store.load_states("d", {0: ["entity-0"], 1: ["entity-1"]})
    assert found == {"entity-0": b"stands", "entity-1": b"only"}


def test_whole_tables_are_read_by_pages(store: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    from stormwatch.adapters.spanner import archive

    monkeypatch.setattr(archive, "_PAGE", 3)
    same = {"stripe": 1, "entity": "e", "time": 5}
    rows = [decision(i) for i in range(9)]
    rows += [decision(i, **same) for i in range(20, 27)]
    rows += [decision(i, **same | {"time": -i}) for i in range(30, 35)]
    store.write_outcomes(outcomes("d", rows))
    found = [each.row for each in store.all_decisions("d")]
    assert sorted(found, key=lambda row: row.id) == sorted(rows, key=lambda row: row.id)


def test_more_than_one_commit_takes_is_cut_between_batches(store: Archive) -> None:
    assert isinstance(store, AtomicStore)
    batches = []
    for n in range(3):
        rows = [decision(i, body=b"b") for i in range(n * 2000, n * 2000 + 2000)]
        batches.append(outcomes("d", rows, of=fragment("t", n * 2000, n * 2000 + 1999)))
    store.commit(batches)
    assert sum(1 for _ in store.all_decisions("d")) == 6000


def test_tables_are_made_once_and_checked(fresh: Settings) -> None:
    tables = connect.tables(fresh)
    apply(replace(fresh, spanner_database="beside"))  # which makes the emulator's instance
    with pytest.raises(SchemaError, match=r"Database not found.*schema apply"):
        connect.archive(fresh)
    assert [state for _, state in tables.status(fresh, ROOT / tables.files)] == ["missing"]
    assert apply(fresh) == [1]
    assert apply(fresh) == []
    assert [state for _, state in tables.status(fresh, ROOT / tables.files)] == ["applied"]
    connect.archive(fresh).close()
    with pytest.raises(SchemaError, match="STORMWATCH_LAYOUT_STRIPES=4"):
        connect.archive(replace(fresh, layout_stripes=9))


def test_what_is_missing_is_named_with_the_next_step(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for change, kind, words in (
        ({"spanner_project": ""}, SettingsError, "Set STORMWATCH_SPANNER_PROJECT"),
        ({"spanner_instance": ""}, SettingsError, "Set STORMWATCH_SPANNER_INSTANCE"),
        ({"spanner_instance": "nowhere"}, SchemaError, "no instance 'nowhere'.*Create it"),
        ({"spanner_emulator": NOBODY}, StoreUnavailable, "127.0.0.1:1.*the emulator must run"),
    ):
        with pytest.raises(kind, match=words):
            connect.archive(replace(fresh, spanner_request_timeout_s=1.0, **change))  # type: ignore[arg-type]
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")
    with pytest.raises(SettingsError, match="gcloud auth application-default login"):
        connect.archive(replace(fresh, spanner_emulator=""))


def test_an_emulator_that_goes_away_is_told_within_the_time_limit(fresh: Settings) -> None:
    from tests.contracts import spanner_emulator

    binary = spanner_emulator.binary()
    assert binary is not None
    with spanner_emulator.running(binary) as address:
        mine = replace(fresh, spanner_emulator=address, spanner_request_timeout_s=1.0)
        apply(mine)
        store = connect.archive(mine)
        assert isinstance(store, AtomicStore)
        store.write_states("d", [state()])
    batch = outcomes("d", [decision(0)])
    batch.states[:] = [state()]
    for ask in (
        lambda: store.load_states("d", {0: ["entity-0"]}),
        lambda: store.commit([batch]),
        lambda: store.write_aside("d", [], ledger_row(fragment("t"), scored=[0]), 1),
        lambda: store.alerts("d", 5),
    ):
        with pytest.raises(StoreUnavailable, match="Spanner did not"):
            ask()
    store.close()


@pytest.mark.parametrize(
    ("records", "kills"), [(3_000, 3), pytest.param(100_000, 50, marks=pytest.mark.slow)]
)
@pytest.mark.timeout(1200)
def test_a_writer_killed_amid_its_commits_decides_each_record_once(
    fresh: Settings, tmp_path: Path, records: int, kills: int
) -> None:
    apply(fresh)
    chooser, note = random.Random(records), tmp_path / "position"
    struck = 0
    with subprocess.Popen(
        [sys.executable, "-m", spanner_writer.__name__, fresh.spanner_emulator,
         fresh.spanner_database, str(records), str(note)],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": f".{os.pathsep}src"}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as writers:  # fmt: skip
        assert writers.stdin is not None
        assert writers.stdout is not None
        ended = None
        while ended != 0:
            writers.stdin.write("\n")
            writers.stdin.flush()
            pid = int(writers.stdout.readline())
            if struck < kills:
                # From where it writes on: each of its steps is struck sooner or later.
                due = (struck + 1) * records // (kills + 4)
                until = time.monotonic() + 60
                while int(_read(note) or 0) < due and time.monotonic() < until:
                    time.sleep(0.005)
                time.sleep(chooser.uniform(0, 0.1))
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            ended = int(writers.stdout.readline())
            struck += ended == -signal.SIGKILL
        writers.stdin.close()
    assert struck == kills
    memory = MemoryStore()
    spanner_writer.decide(memory, 0, records, 1, None)
    store = connect.archive(fresh)
    try:
        found = sorted((each.row for each in store.all_decisions("toy")), key=lambda row: row.id)
        wanted = sorted((each.row for each in memory.all_decisions("toy")), key=lambda r: r.id)
        assert found == wanted
        everyone: dict[int, list[str]] = {}
        for _, stripe, name in memory.tables["states"]:
            everyone.setdefault(stripe, []).append(name)
        assert store.load_states("toy", everyone) == memory.load_states("toy", everyone)
        ledger = list(store.ledger("pings", 0, 0, 0, records))
    finally:
        store.close()
    scored = {
        offset
        for row in ledger
        for offset in offsets(row.bitmaps.get("scored", b""), row.fragment.first)
    }
    assert scored == set(range(records))


def _read(note: Path) -> str:
    return note.read_text() if note.exists() else ""
