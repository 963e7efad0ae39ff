"""`demo` and `dev` as a person types them, and what they are made of."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from apps.data.generate import posts as talk
from apps.data.generate import transactions
from apps.data.generate.transactions import DAY
from apps.local.dev import once, places, reload
from apps.local.dev.colours import wrapped
from apps.local.dev.demo import CALM_MS, IDS, POST_EVERY_MS, WEEK, Options, dated, demo
from apps.local.dev.load import names, topology
from stormwatch.adapters import connect
from stormwatch.errors import SettingsError, StormwatchError
from stormwatch.settings import Settings, load
from tests.e2e.project import ROOT


def test_the_demo_catches_what_is_planted_and_accounts_for_everything() -> None:
    said: list[str] = []
    assert demo(Options(seconds=6, seed=7), ROOT, said.append) == 0
    text = "\n".join(said)
    assert "[planted: " in text
    assert "first planted event caught after " in text
    for topic in ("transactions", "readings", "posts", "behaviour"):
        (line,) = [line for line in said if line.startswith(f"ledger of {topic}")]
        assert line.endswith("in flight 0, conflicting 0, unaccounted 0")
    (share,) = re.findall(r"of all transactions (\S+)% are frauds", text)
    assert float(share) < 1.5, "as in real life: few"
    hidden = sum(line.count("were not shown") for line in said)
    assert not hidden or re.search(r"Shown were \d+ of \d+ alerts", text)
    assert "Next: `./stormwatch run`" in said[-2]


def test_of_a_simulated_day_of_posts_no_id_is_forgotten() -> None:
    posts = talk.posts(7, run="t", start=0, step=POST_EVERY_MS, quiet=CALM_MS)
    times = [
        datetime.fromisoformat(msgspec.json.decode(one.value)["time"]) for one in islice(posts, IDS)
    ]
    assert (times[-1] - times[0]).total_seconds() * 1000 > DAY, "more than a day has room"
    assert Settings().dedup_max_ids < IDS < 1 << 16


def test_dev_tries_the_events_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is decided, and of what is refused why; nothing is published."""
    path = tmp_path / "payments.csv"
    path.write_text(
        "id;customer;terminal;time;amount;currency\n"
        "t1;c1;p1;2026-11-21T09:15:30Z;1250;EUR\n"
        "t2;c1;p1;2026-11-21T09:16:30Z;12,50;EUR\n"
        "t3;c2;p1;2026-11-21T09:16:30Z;99900000;EUR\n"
    )
    monkeypatch.setattr(once.places, "find", lambda *_: places.Places(True, "said to be there"))
    said: list[str] = []
    assert once.once("fraud", 3.0, False, said.append, path) == 0
    text = "\n".join(said)
    assert said[0] == f"fraud: the events of {path}; Kafka and the store are in memory"
    assert (
        'REJECTED wrong_type: `amount` cannot be used, expected `int`, got `str`: "12,50"' in text
    )
    assert "REVIEW c2 t3: " in text, "of a customer never seen the model alone declines nothing"
    (end,) = [line for line in said if "are decided" in line]
    assert f"all 3 events of {path} are decided: " in end
    assert end.endswith("approve 1, rejected 1, review 1")
    assert said[-1] == end, "sums are told when they change"


def test_dev_refuses_a_file_that_it_cannot_use(tmp_path: Path) -> None:
    path = tmp_path / "payments.csv"
    path.write_text("id,customer\n1,2\n")
    with pytest.raises(StormwatchError, match="no column terminal"):
        once.once("fraud", 1.0, False, lambda _: None, path)
    with pytest.raises(SettingsError, match=r"Remove --processes, or publish"):
        once.once("fraud", 1.0, True, lambda _: None, path)


def test_every_topology_can_be_loaded() -> None:
    for name in names(ROOT):
        assert topology(ROOT, name).specs
    with pytest.raises(SettingsError, match=r"no topologies/nope\.py\. Choose one of: .*fraud"):
        topology(ROOT, "nope")


def test_a_password_of_the_file_reaches_components(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "stormwatch.toml").write_text('[kafka]\npassword = "of the file"\n')
    for name in [name for name in os.environ if name.startswith("STORMWATCH_")]:
        monkeypatch.delenv(name)
    seen: list[str] = []
    monkeypatch.setattr(once, "load", lambda root: load(root=tmp_path))
    monkeypatch.setattr(once, "check", lambda *_: None)
    monkeypatch.setattr(once.places, "find", lambda *_: places.Places(True, "said to be there"))

    def components(*_: object) -> None:
        seen.append(load(conf={}).kafka_password)
        raise KeyboardInterrupt

    monkeypatch.setattr(once, "_outside", components)
    with pytest.raises(KeyboardInterrupt):
        once.once("fraud", 1.0, False, lambda _: None)
    assert seen == ["of the file"]
    assert "STORMWATCH_KAFKA_PASSWORD" not in os.environ


def test_memory_is_refused_outside_of_the_runner() -> None:
    with pytest.raises(SettingsError, match="lives only inside"):
        connect.admin(Settings(kafka_client="memory"))


def test_without_services_a_run_is_in_memory_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORMWATCH_RUN_DIR", str(tmp_path))
    assert places.find(Settings(), tmp_path) == (
        False, "no setting names Kafka: Kafka and the store are in memory",
    )  # fmt: skip
    monkeypatch.setenv("STORMWATCH_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    found = places.find(Settings(kafka_bootstrap="127.0.0.1:1"), tmp_path)
    assert not found.real
    assert "Kafka at 127.0.0.1:1" in found.why
    assert "STORMWATCH_KAFKA_BOOTSTRAP" in found.why


def test_a_change_of_a_file_begins_the_run_again(tmp_path: Path) -> None:
    """A run that ended with an error waits for the change; one that ended well ends it all."""
    for folder in reload.FOLDERS:
        (tmp_path / folder).mkdir()
    source = tmp_path / "src" / "part.py"
    source.write_text("raise SystemExit(3)")
    script = (
        "import sys; from pathlib import Path; from apps.local.dev.reload import keep_running\n"
        f"root = Path({str(tmp_path)!r})\n"
        "say = lambda line: print(line, flush=True)\n"
        f"sys.exit(keep_running([{sys.executable!r}, 'src/part.py'], root, say))\n"
    )
    environ = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
    child = subprocess.Popen(
        [sys.executable, "-c", script], env=environ, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert "ended with code 3; waiting for a change" in child.stdout.readline()
    source.write_text("")
    os.utime(source, (1, 1))
    assert "src/part.py changed: reloading" in child.stdout.readline()
    assert child.wait(10) == 0
    child.stdout.close()


def test_a_run_of_a_given_length_that_fails_ends_with_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'src'}")
    for folder in reload.FOLDERS:
        (tmp_path / folder).mkdir()
    (tmp_path / "part.py").write_text("raise SystemExit(3)")
    said: list[str] = []
    command = [sys.executable, "part.py"]
    assert reload.keep_running(command, tmp_path, said.append, wait=False) == 3
    assert not said


def test_a_run_is_linted_first_and_an_error_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`reload` begins a run at each change, so each change is linted."""
    (tmp_path / "topologies").mkdir()
    (tmp_path / "topologies" / "t.py").write_text(
        "from streamparse import Topology\nfrom spouts.readings import ReadingSpout\n"
        "class T(Topology):\n    readings = ReadingSpout.spec()\n"
    )
    monkeypatch.setattr(once, "ROOT", tmp_path)
    assert once.main(["t", "1", "threads"]) == 1
    said = capsys.readouterr()
    assert "error SW105 t.readings: nobody reads 'default', 'notices' of it" in said.out
    assert "error: 1 error(s) in topology t: not started" in said.err


def test_dev_runs_in_memory_until_ctrl_c(tmp_path: Path) -> None:
    environ = os.environ | {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "STORMWATCH_RUN_DIR": str(tmp_path),
        "STORMWATCH_MAPPING_READINGS": "preset:nab",  # of a file of one's own, not of these
    }  # fmt: skip
    command = [sys.executable, "-m", "apps.cli", "dev", "maintenance"]
    child = subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert child.stdout is not None
    end, said = time.monotonic() + 60, ""
    while "healthy" not in (line := child.stdout.readline()):
        assert line and time.monotonic() < end, line
        said += line
    assert "so no mapping is applied to them" in said and "REJECTED" not in said
    child.send_signal(signal.SIGINT)
    rest = child.communicate(timeout=30)[0]
    assert child.returncode == 130, rest
    assert "Traceback" not in rest


def test_on_a_terminal_the_demo_is_wrapped_and_coloured() -> None:
    out = io.StringIO()
    console = Console(file=out, width=60, force_terminal=True, color_system="standard")
    say = wrapped(colours=True, console=console)
    say(" 0:02 fraud       DECLINE  C0000052  score 0.59  [planted: leaked card]")
    say(f"{'':>18}the model gives a fraud probability of 59.0% (limit 36.3%)")
    plain = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue())
    assert max(map(len, plain.splitlines())) <= 60
    assert all(line.startswith(" " * 18) for line in plain.splitlines()[1:])
    assert "\x1b[1;31mDECLINE" in out.getvalue()


def test_the_demo_is_dated_now_at_the_same_hours_and_days_of_the_week() -> None:
    today, length = 1_780_000_000_000, 12.5 * DAY
    start = dated(transactions.START, today, length)
    assert today - 8 * DAY < start + length <= today and (start - transactions.START) % WEEK == 0
