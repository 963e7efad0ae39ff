"""Migrations on a real Cassandra: again, two at once, after a crash, and what is refused."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cassandra.cluster import Session

from stormwatch.adapters.cassandra import migrations, schema
from stormwatch.adapters.cassandra import session as cassandra_session
from stormwatch.adapters.cassandra import store as adapter
from stormwatch.adapters.cassandra.locks import Lock
from stormwatch.errors import SchemaError, SettingsError, StoreUnavailable
from stormwatch.settings import Settings

ROOT = Path(__file__).parents[2]
FILES = ROOT / "schema" / "cql"


def silent(step: str, said: str) -> None:
    """Progress for nobody."""


ALL = list(range(1, schema.VERSION + 1))
"""Versions of our own migrations."""


@pytest.fixture
def fresh(cassandra: Settings, unique: Callable[[str], str]) -> Settings:
    """Settings of a keyspace that is not there."""
    return replace(cassandra, cassandra_keyspace=unique("schema"))


@pytest.fixture
def session(cassandra: Settings) -> Iterator[Session]:
    session = cassandra_session.open_session(cassandra)
    yield session
    session.cluster.shutdown()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A directory of two short migrations."""
    folder = tmp_path / "cql"
    folder.mkdir()
    (folder / "0001_one.cql").write_text(
        "-- layout; as in the real one\n"
        "CREATE TABLE IF NOT EXISTS layout (name text PRIMARY KEY, stripes int, period_h int);\n"
    )
    (folder / "0002_two.cql").write_text("CREATE TABLE IF NOT EXISTS two (a int PRIMARY KEY);\n")
    return folder


def test_the_code_needs_the_newest_file() -> None:
    assert migrations.read(FILES)[-1].version == schema.VERSION


@pytest.mark.integration
def test_refused_until_applied_then_again_and_again(fresh: Settings) -> None:
    with pytest.raises(SchemaError, match=r"no Stormwatch tables.*stormwatch up.*schema apply"):
        adapter.connect(fresh)
    assert {state for _, state in adapter.status(fresh, FILES)} == {"missing"}
    said: list[str] = []
    assert adapter.apply(fresh, FILES, lambda step, line: said.append(line)) == ALL
    assert any("0001" in line for line in said)
    adapter.connect(fresh).close()
    assert adapter.apply(fresh, FILES) == []
    names = [path.name for path in sorted(FILES.glob("*.cql"))]
    assert adapter.status(fresh, FILES) == [(name, "applied") for name in names]


@pytest.mark.integration
def test_two_processes_at_once(fresh: Settings) -> None:
    code = (
        "import sys; from pathlib import Path; from stormwatch import settings\n"
        "from stormwatch.adapters.cassandra import migrations\n"
        "found = settings.load(conf={'stormwatch.cassandra.keyspace': sys.argv[1],\n"
        "    'stormwatch.cassandra.port': int(sys.argv[2])}, environ={})\n"
        "print(migrations.apply(found, Path(sys.argv[3])))\n"
    )
    port = str(fresh.cassandra_port)
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, fresh.cassandra_keyspace, port, str(FILES)],
            env={"PYTHONPATH": str(ROOT / "src")}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]  # fmt: skip
    told = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], told
    assert sorted(out.decode().strip() for out, _ in told) == [str(ALL), "[]", "[]"]
    adapter.connect(fresh).close()


@pytest.mark.integration
def test_a_crashed_migrators_lock_expires(fresh: Settings, session: Session, small: Path) -> None:
    adapter.apply(fresh, small)
    session.set_keyspace(fresh.cassandra_keyspace)
    said: list[str] = []
    Lock(session, 3, silent).__enter__()  # and it dies here
    began = time.monotonic()
    adapter.apply(fresh, small, lambda step, line: said.append(line), lock_expiry_s=3)
    assert 1.5 < time.monotonic() - began < 6
    assert len(said) == 1
    assert "locked by" in said[0]


@pytest.mark.integration
def test_a_lock_is_held_through_renewal_and_its_loss_is_noticed(
    fresh: Settings, session: Session, small: Path
) -> None:
    adapter.apply(fresh, small)
    session.set_keyspace(fresh.cassandra_keyspace)
    entered: list[float] = []

    def second() -> None:
        with Lock(session, 2, silent):
            entered.append(time.monotonic())

    with Lock(session, 2, silent) as lock:
        other = threading.Thread(target=second)
        other.start()
        for _ in range(8):
            time.sleep(0.5)
            lock.renew()
        assert not entered
    other.join(10)
    assert entered
    with Lock(session, 1, silent) as lock:
        time.sleep(1.5)
        with Lock(session, 5, silent), pytest.raises(StoreUnavailable, match="expired"):
            lock.renew()


@pytest.mark.integration
def test_a_lock_that_stays_is_told_with_its_holder(
    fresh: Settings, session: Session, small: Path
) -> None:
    adapter.apply(fresh, small)
    session.set_keyspace(fresh.cassandra_keyspace)
    with Lock(session, 30, silent) as held, pytest.raises(StoreUnavailable, match=held.owner):
        Lock(session, 0, silent).__enter__()


@pytest.mark.integration
def test_a_file_changed_after_it_was_applied_is_refused(fresh: Settings, small: Path) -> None:
    adapter.apply(fresh, small)
    file = small / "0002_two.cql"
    file.write_text(file.read_text() + "\n-- a remark\n")
    assert adapter.status(fresh, small)[1] == ("0002_two.cql", "changed")
    with pytest.raises(SchemaError, match=r"0002_two\.cql was changed.*0003_"):
        adapter.apply(fresh, small)


@pytest.mark.integration
def test_tables_newer_or_older_than_the_program(
    fresh: Settings, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "VERSION", 1)
    adapter.apply(fresh, small)  # two migrations; the program knows one
    with pytest.raises(SchemaError, match="newer than this program"):
        adapter.connect(fresh)
    (small / "0002_two.cql").unlink()
    with pytest.raises(SchemaError, match="newer than these files"):
        adapter.apply(fresh, small)


@pytest.mark.integration
def test_older_tables_are_refused_then_brought_up(
    fresh: Settings, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = (small / "0002_two.cql").read_text()
    (small / "0002_two.cql").unlink()
    adapter.apply(fresh, small)
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    with pytest.raises(SchemaError, match=r"of version \d, this program needs \d.*schema apply"):
        adapter.connect(fresh)
    (small / "0002_two.cql").write_text(two)
    assert adapter.apply(fresh, small) == [2]


@pytest.mark.integration
def test_a_migration_that_died_half_way_is_applied_again(
    fresh: Settings, session: Session, small: Path
) -> None:
    (small / "0002_two.cql").write_text(
        "CREATE TABLE IF NOT EXISTS two (a int PRIMARY KEY);\nCREATE TABLE IF NOT EXISTS three (;\n"
    )
    with pytest.raises(SchemaError):
        adapter.apply(fresh, small)
    (small / "0002_two.cql").write_text(
        "CREATE TABLE IF NOT EXISTS two (a int PRIMARY KEY);\n"
        "CREATE TABLE IF NOT EXISTS three (a int PRIMARY KEY);\n"
    )
    assert adapter.apply(fresh, small) == [2]
    session.execute(f"SELECT a FROM {fresh.cassandra_keyspace}.three")


@pytest.mark.integration
def test_another_layout_is_refused_with_the_settings_to_use(fresh: Settings) -> None:
    adapter.apply(fresh, FILES)
    for other in (replace(fresh, layout_stripes=32), replace(fresh, layout_period_h=1)):
        for refused in (adapter.connect, lambda s: adapter.apply(s, FILES)):
            with pytest.raises(
                SchemaError, match=r"STORMWATCH_LAYOUT_STRIPES=16.*_PERIOD_H=24.*schema apply"
            ):
                refused(other)


@pytest.mark.integration
def test_a_datacenter_that_is_not_there_is_refused(fresh: Settings) -> None:
    with pytest.raises(SettingsError, match="this cluster has datacenter1"):
        adapter.apply(replace(fresh, cassandra_datacenter="elsewhere"), FILES)


@pytest.mark.parametrize("name", ["0004_gap.cql", "0001_again.cql", "tables.cql"])
def test_a_directory_with_a_gap_is_refused(small: Path, name: str) -> None:
    (small / name).write_text("")
    with pytest.raises(SchemaError):
        migrations.read(small)


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="Restore schema/cql"):
        migrations.read(tmp_path)
