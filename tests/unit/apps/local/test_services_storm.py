"""Storm's log read for what it says of the components, and the number of restarts."""

import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.local.services.errors import ServiceError
from apps.local.storm import flux, sparse, supervise
from apps.local.storm.journal import Follower, Journal
from apps.local.storm.restarts import EXCUSED, LIMIT, WINDOW_S, Restarts
from stormwatch.errors import SUSPECTED

LAUNCHED = (
    "2026-11-21 09:02:04.234 INFO  ShellBolt [Thread-41-count-executor[2, 2]] "
    "Launched subprocess with pid 77"
)
DIED = (
    "2026-11-21 09:02:06.311 ERROR ShellBolt [Thread-43] Halting process: ShellBolt died. "
    "Command: [streamparse_run, -s json bolts.count.Count], ProcessInfo pid:77, name:count "
    "exitCode:{code}, errorString: "
)
JAVA = [
    "java.lang.RuntimeException: Pipe to subprocess seems to be broken!",
    "\tat org.apache.storm.utils.ShellProcess.readShellMsg(ShellProcess.java:121)",
]
PYTHON = [
    "Traceback (most recent call last):",
    '  File "count.py", line 10, in process',
    "ValueError: boom",
]


def journal(*lines: str) -> Journal:
    out = Journal()
    out.read(lines)
    out.flush()
    return out


def test_components_are_known_by_pid() -> None:
    assert journal(LAUNCHED).components == {77: "count"}


def test_the_phase_is_known() -> None:
    starting = "2026-11-21 09:01:59.339 INFO  LocalCluster [main] "
    assert not journal(starting, "", "\t\tSTARTING LOCAL MODE CLUSTER", "").running
    assert journal(starting, "", "\t\tRUNNING LOCAL CLUSTER for 5 seconds.", "").running


def test_a_reported_exception_is_a_traceback_without_java_frames() -> None:
    error = "2026-11-21 09:03:39.011 ERROR ReportError [Thread-43] Error"
    shell = "java.lang.Exception: Shell Process Exception: Python ValueError raised while …"
    found = journal(LAUNCHED, error, shell, *PYTHON, "", "\tat org.apache.storm.X(X.java:1)")
    assert found.traceback("") == "\n".join(PYTHON)


def test_a_death_at_import_is_told_by_its_error_string() -> None:
    found = journal(LAUNCHED, DIED.format(code=1) + PYTHON[0], *PYTHON[1:], *JAVA[1:])
    assert found.traceback("count") == "\n".join(PYTHON)
    assert found.traceback("other") == ""
    assert found.exit_codes == {77: 1}


def test_the_traceback_of_a_component_is_told_from_one_without_a_name() -> None:
    said = (
        "2026-11-21 09:03:39.010 ERROR ShellBolt [Thread-43] ShellLog pid:77, name:count "
        "2026-11-21 09:03:39,007 - pystorm.component.count - Exception in Count.run()"
    )
    error = "2026-11-21 09:03:39.011 ERROR ReportError [Thread-43] Error"
    other = [line.replace("boom", "another") for line in PYTHON]
    found = journal(LAUNCHED, said, *PYTHON, error, *other)
    assert found.traceback("count") == "\n".join(PYTHON)
    assert found.traceback("") == "\n".join(other)
    assert found.traceback("ticks") == ""


def test_an_exit_code_that_storm_does_not_know_yet_is_not_one() -> None:
    assert journal(DIED.format(code=-1)).exit_codes == {}
    assert journal(DIED.format(code=-1), *JAVA, DIED.format(code=137)).exit_codes == {77: 137}


def test_of_those_that_died_together_the_one_that_said_why_is_named() -> None:
    other = LAUNCHED.replace("77", "76").replace("count", "ticks")
    found = journal(other, LAUNCHED, DIED.format(code=1) + PYTHON[0], *PYTHON[1:])
    assert found.blame([76, 77]) == 77
    assert found.blame([76]) == 76


@pytest.mark.parametrize("code", [137, -1])
def test_of_those_that_storm_ended_with_itself_none_is_blamed(code: int) -> None:
    other = LAUNCHED.replace("77", "76").replace("count", "ticks")
    found = journal(other, LAUNCHED, DIED.format(code=code), *JAVA)
    assert found.blame([76, 77]) == 77


def test_warnings_of_components_are_for_the_screen() -> None:
    said = (
        "2026-11-21 09:02:04.242 {level} ShellBolt [Thread-43] ShellLog pid:77, name:count "
        "2026-11-21 09:02:04,238 - pystorm.component.count - Cassandra is down"
    )
    out = Journal()
    assert out.read([said.format(level="WARN ")]) == []
    assert out.flush() == ["count: Cassandra is down"]
    assert out.read([said.format(level="INFO ")]) + out.flush() == []


def test_the_last_word_before_a_silence_is_said() -> None:
    said = (
        "2026-11-21 18:57:31.973 WARN  ShellSpout [Thread-39] ShellLog pid:6611, name:transactions "
        "2026-11-21 18:57:31,973 - stormwatch.ingest.retry - Kafka answers again"
    )
    out = Journal()
    assert out.read([said]) == []  # it may still grow
    assert out.read([]) == ["transactions: Kafka answers again"]
    assert out.read([]) == []


def test_a_log_is_followed_by_whole_lines_and_across_a_roll(tmp_path: Path) -> None:
    log = tmp_path / "storm.log"
    log.write_text("before\n")
    follower = Follower(log)
    assert follower.lines() == []
    with log.open("a") as file:
        file.write("one\ntw")
        file.flush()
        assert follower.lines() == ["one"]
        file.write("o\n")
    assert follower.lines() == ["two"]
    log.write_text("new\n")
    assert follower.lines() == ["new"]
    assert Follower(tmp_path / "absent.log").lines() == []


@given(st.lists(st.integers(0, int(3 * WINDOW_S)), max_size=30).map(sorted))
def test_restarts_are_bounded_in_every_window(times: list[int]) -> None:
    restarts = Restarts()
    allowed = [time for time in times if restarts.allow(time)]
    for time in allowed:
        assert len([t for t in allowed if time - WINDOW_S < t <= time]) <= LIMIT
    assert allowed[:LIMIT] == times[:LIMIT]


@given(st.lists(st.sets(st.integers(0, 6), max_size=3), min_size=1, max_size=20))
def test_a_reason_excuses_one_restart(heard: list[set[int]]) -> None:
    """What is said again and again, or two at once, excuses no other."""
    restarts, known, excused = Restarts(), set(), 0
    for count, reasons in enumerate(heard):
        if not restarts.allow(float(count)):
            break
        used = restarts.used
        fits = bool(reasons - known) and excused < EXCUSED
        assert restarts.excuse(map(str, reasons)) == fits
        assert not restarts.excuse(map(str, reasons))
        assert restarts.used == used - fits
        excused += fits
        known |= reasons


def test_when_every_record_kills_its_process_the_run_ends() -> None:
    restarts, deaths = Restarts(), 0
    while restarts.allow(float(deaths)):
        restarts.excuse([f"death {deaths}"])
        deaths += 1
    assert deaths == EXCUSED + LIMIT
    assert restarts.allow(deaths + WINDOW_S)
    assert restarts.excuse(["much later"])


def test_a_record_that_kills_its_process_leaves_restarts_to_spare() -> None:
    """Not first in line it takes four: two counted ones until it is alone, two that are excused."""
    restarts = Restarts()
    excused = []
    for count in range(4):
        assert restarts.allow(float(count))
        excused.append(restarts.excuse([f"death {count}"] if count > 1 else []))
    assert excused == [False, False, True, True]
    assert restarts.used == 2


def test_what_was_heard_before_the_first_restart_excuses_none() -> None:
    restarts = Restarts()
    assert not restarts.excuse(["of the run before"])
    assert restarts.allow(0.0)
    assert not restarts.excuse(["of the run before"])


def test_a_spout_that_suspects_a_record_is_heard() -> None:
    said = (
        "2026-11-21 09:02:04.242 WARN  ShellSpout [Thread-43] ShellLog pid:77, name:spout "
        "2026-11-21 09:02:04,238 - stormwatch.ingest.poller - transactions[0]: the first record "
        "from offset "
        f"7 on {SUSPECTED} (death 1 of 2, then it is set aside)"
    )
    found = journal(said)
    assert found.suspicions == [f"spout: {said.rpartition(' - ')[2]}"]


def test_the_number_of_processes_is_that_of_the_flux_file(tmp_path: Path) -> None:
    file = tmp_path / "flux.yaml"
    file.write_text(
        "name: tiny\nspouts:\n- {id: a, parallelism: 1, "
        "className: org.apache.storm.flux.wrappers.spouts.FluxShellSpout}\n"
        "bolts:\n- {id: b, parallelism: 3, "
        "className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt}\n"
        "- {id: c, parallelism: 2, className: com.example.JavaBolt}\n"
    )
    assert flux.read(file) == flux.Topology("tiny", 4, frozenset("a"))


@pytest.mark.parametrize("text", ["", "- a list", "name: tiny\nbolts: [{id: b}]", "{"])
def test_what_is_not_a_flux_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "flux.yaml"
    file.write_text(text)
    with pytest.raises(ServiceError, match="is not a Flux topology"):
        flux.read(file)


def test_sparse_tells_that_it_is_of_another_project(tmp_path: Path) -> None:
    """As after a copy of a virtualenv, whose `activate` leads to where it came from."""
    own = tmp_path / ".venv" / "bin" / "sparse"
    assert sparse.of_another(tmp_path) == "", "a project without one is run with this one"
    own.parent.mkdir(parents=True)
    own.touch()
    assert "the virtualenv was copied or moved: delete .venv" in sparse.of_another(tmp_path)
    assert sparse.of_another(Path(__file__).parents[4]) == ""


# Who is to blame


UNBORN = (
    "2026-11-30 03:46:16.456 ERROR Utils [Thread-40-count-executor[2, 2]] Async loop died!",
    "java.lang.RuntimeException: org.apache.storm.multilang.NoOutputException: Pipe to subprocess",
    "\tat org.apache.storm.utils.ShellProcess.launch(ShellProcess.java:90)",
)


class Ended:
    """A local cluster that is over."""

    def __init__(self, code: int, zookeeper: bool = False) -> None:
        self._code, self._zookeeper = code, zookeeper

    def exit_code(self) -> int:
        return self._code

    def zookeeper_ended(self) -> bool:
        return self._zookeeper

    def stderr(self, pid: int) -> str:
        return ""


@pytest.mark.parametrize(
    ("ended", "lines", "said"),
    [
        (Ended(-9), (), "Storm's JVM died: killed by signal 9"),
        (Ended(-9, zookeeper=True), (), "the ZooKeeper of this run died: killed by signal 9"),
        (Ended(1, zookeeper=True), (), "the ZooKeeper of this run died with code 1"),
        (Ended(1), (), "Storm's JVM ended with code 1"),
        (Ended(1), UNBORN, "component count ended before it had told Storm its pid"),
        (Ended(1), (LAUNCHED.replace("count", "ticks"), *UNBORN), "component count ended before"),
        (Ended(137), (LAUNCHED, DIED.format(code=137)), "component count (pid 77) died: killed by"),
        (
            Ended(137),
            (LAUNCHED, DIED.format(code=-1)),
            "component count (pid 77) died: Storm did not learn its exit code",
        ),
    ],
)
def test_the_one_that_died_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: Any, lines: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr(supervise, "alive", lambda _: False)
    supervisor = supervise.Supervisor(
        flux.Topology("tiny", 2), lambda: ended, tmp_path / "log", tmp_path / "out"
    )
    incident = supervisor._look(ended, journal(*lines), 1.0)
    assert incident is not None
    assert incident.what.startswith(said)


def test_what_a_restart_cannot_mend_ends_the_run_at_once_with_its_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    launched: list[Ended] = []

    def launch() -> Any:
        launched.append(Ended(1))
        return launched[-1]

    sentence = "all incarnations of this keyspace are given out. Continue with another one."
    why = f"Traceback (most recent call last):\n  File x\nstormwatch.errors.TopicError: {sentence}"
    monkeypatch.setattr(Ended, "stop", lambda self: None, raising=False)
    supervisor = supervise.Supervisor(
        flux.Topology("tiny", 2), launch, tmp_path / "log", tmp_path / "out"
    )
    incident = supervise.Incident("component ticks (pid 7) died with code 1", why)
    monkeypatch.setattr(supervisor, "_look", lambda *_: incident)
    monkeypatch.setattr(supervisor, "_finish", lambda *_: None)
    before = {number: signal.getsignal(number) for number in (2, 15, 1)}
    try:
        assert supervisor.run(10) == 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    said = capsys.readouterr().err
    assert len(launched) == 1 and "Traceback" not in said
    assert f"tiny: component ticks (pid 7) died with code 1: {sentence}\n" in said
    assert "a restart would not mend that; giving up" in said
