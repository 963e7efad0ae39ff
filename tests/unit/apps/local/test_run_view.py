"""The screen and the plain lines of a run."""

import io
import re

import msgspec
import pytest
from rich.console import Console

from apps.data.in_words import in_words
from apps.local.run.present import Presenter
from apps.local.run.view import RUNNING, Panel, Screen, clock, live, plain
from apps.operate.figures import Look, rates
from stormwatch.records import Decision, DecisionRow, Reason

ESCAPE = "\x1b"


def alert(entity: str, *reasons: Reason) -> DecisionRow:
    decision = Decision(
        "id1", entity, 1, "decline", 0.93, reasons, (), "fraud-1", "m", "r", "transactions", 0, 7,
        1_700_000_000_000,
    )  # fmt: skip
    body = msgspec.json.encode(decision)
    return DecisionRow(0, entity, 1, "id1", "decline", 0.93, body, decision.timestamp, True)


def screen(phase: str = RUNNING, trouble: str = "") -> Screen:
    ends = {"scored": 1_500, "rejected": 2, "rejected:not_json": 2}
    newest = [
        alert("C42", Reason("amount", "large amount", 0.2), Reason("speed", "two at once", 0.5))
    ]
    now = Look(2_000, 2_000, 2_000, 12, ends, {14: 1_500}, 3, 0, 2, newest)
    before = Look(1_000, 1_000, 1_400, 0, {"scored": 1_000}, {}, 0, 0, 2)
    panels = [Panel("fraud", now, rates(before, now), 1, 1_600), Panel("maintenance", None, None)]
    memory = {"kafka": {"kafka": 300.0, "total": 300.0}, "fraud": {"storm": 211.0, "total": 211.0}}
    return Screen("run-1", phase, 65.0, panels, memory, trouble)


def rendered(value: Screen, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(live(value))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_screen_shows_rates_latency_states_memory_and_alerts_in_words() -> None:
    text = rendered(screen(trouble="Cassandra does not answer."))
    for expected in ("600", "502", "14", "1,500", "not_json", "511 MB", "C42", "decline",
                     "two at once", "1:05", "Cassandra does not answer.", "1,600"):  # fmt: skip
        assert expected in text, expected
    assert text.index("two at once") < text.index("large amount")
    assert max(map(len, text.splitlines())) <= 80


def test_decisions_by_rules_alone_are_shown_where_there_are_any() -> None:
    calm = screen()
    assert "degraded" not in rendered(calm) + "".join(plain(calm))
    row = alert("C1", Reason("a", "large"))
    body = row.body[:-1] + b',"degraded":true}'
    row = msgspec.structs.replace(row, body=body)
    now = Look(1, 1, 1, 0, {"scored": 9}, {}, 1, 0, 1, [row], degraded=4_321, noted={"a_b": 7_654})
    shown = Screen("r", RUNNING, 1, [Panel("fraud", now, None)], {})
    assert re.search(r"by rules alone \(degraded\) +4,321", rendered(shown))
    assert "degraded 4321" in plain(shown)[0]
    assert re.search(r"a b +7,654", rendered(shown)) and ", a b 7654" in plain(shown)[0]
    assert in_words(row) == "by rules alone; large"


def test_names_with_markup_or_escapes_stay_text() -> None:
    now = Look(1, 1, 1, 0, {"scored": 1}, {}, 1, 0, 1, [alert("[red]x[/red]", Reason("a", "[b]c"))])
    text = rendered(Screen("r", RUNNING, 1, [Panel("fraud", now, None)], {}))
    assert "[red]x[/red]" in text
    assert "[b]c" in text


def test_an_entity_that_alerts_on_and_on_hides_no_other() -> None:
    rows = [alert("sim/20260101T000000-abcd/17", Reason("a", "worn")) for _ in range(30)]
    rows.append(alert("C7", Reason("b", "far away")))
    text = rendered(
        Screen(
            "r", RUNNING, 1, [Panel("fraud", Look(1, 1, 1, 0, {}, {}, 31, 0, 1, rows), None)], {}
        )
    )
    assert text.count("worn") == 1
    assert "0000-abcd/17" in text
    assert "far away" in text


def test_plain_lines_are_one_a_topology_and_name_the_phase() -> None:
    fraud, maintenance = plain(screen("warming up"))
    assert fraud.startswith("1:05, warming up fraud: in 600/s, out 502/s, latency p50 14")
    assert "scored 1500" in fraud
    assert "restarts 1" in fraud
    assert maintenance == "1:05, warming up maintenance: nothing known yet"
    assert plain(screen())[0].startswith("1:05 fraud: ")


def test_before_the_first_decision_plain_lines_are_short() -> None:
    now = Look(1, 1, 30, 30, {}, {}, 0, 0, 0)
    panels = [Panel("fraud", now, rates(now, now), restarts=2)]
    (line,) = plain(Screen("r", "starting the topologies", 20, panels, {}))
    assert line == (
        "0:20, starting the topologies fraud: nothing decided yet, lag 30, 0 MB, restarts 2"
    )


def test_without_a_terminal_lines_come_every_five_seconds_and_without_escapes() -> None:
    now = 100.0
    out = io.StringIO()
    presenter = Presenter(Console(file=out, no_color=True, highlight=False), lambda: now)
    for _ in range(12):
        presenter.show(screen())
        now += 1.0
    presenter.words("fraud", "Traceback [bold]")
    presenter.close()
    text = out.getvalue()
    assert ESCAPE not in text
    assert len(re.findall(r"^1:05 fraud:", text, re.MULTILINE)) == 3
    assert "fraud: Traceback [bold]" in text


def test_a_decision_of_another_version_has_no_reasons_to_show() -> None:
    row = alert("C1")
    assert in_words(row) == ""
    assert in_words(msgspec.structs.replace(row, body=b'{"id":1}')) == ""


def test_clock() -> None:
    assert [clock(s) for s in (0, 9.9, 60, 3_661)] == ["0:00", "0:09", "1:00", "61:01"]


# One screen, whatever its size


def full(alerts: int) -> Screen:
    """Two topologies with many alerts, a record rejected and a reason that is long."""
    long = Reason("a", "17.3 times the mean of thirty days, at night, in another country " * 3, 1.0)
    paid = [alert(f"C{n}", long) for n in range(alerts)]
    worn = [
        msgspec.structs.replace(alert(f"FD001/r1/{n}", long), outcome="service", score=12.4)
        for n in range(alerts)
    ]
    ends = {"scored": 90, "rejected": 2, "late": 1, "rejected:not_json": 2}
    looks = [Look(1, 1, 1, 0, ends, {}, alerts, 0, 2, rows) for rows in (paid, worn)]
    words = {("C0", "id1"): "1250.00 EUR at Corner Shop", ("FD001/r1/0", "id1"): "cycle 182"}
    names = ("fraud", "maintenance")
    panels = [Panel(n, look, None, records=words) for n, look in zip(names, looks, strict=True)]
    memory = {name: {"total": 512.0} for name in ("kafka", "cassandra", *names, "run")}
    return Screen("20261130T031201-ab12", RUNNING, 65, panels, memory)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (110, 40)])
@pytest.mark.parametrize("alerts", [0, 1, 40])
def test_all_is_on_one_screen(width: int, height: int, alerts: int) -> None:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    console.print(live(full(alerts), height))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert lines[-1].startswith("Ctrl-C")
    if alerts:
        shown = [line for line in lines if " decline " in line or " service " in line]
        assert "decline" in shown[0], "fraud first"
        assert any("service 12 cycles left  cycle 182" in line for line in shown)
        assert "0.93  1250.00 EUR at Corner Shop  C0" in shown[0]
        assert len(shown) == (2 if alerts == 1 else {24: 2, 40: 10}[height])


def test_outcomes_have_colours_on_a_terminal() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    console.print(live(full(1)))
    assert isinstance(console.file, io.StringIO)
    assert f"{ESCAPE}[1;31mdecline{ESCAPE}[0m" in console.file.getvalue()


def test_meters_of_another_version_are_told() -> None:
    seen = screen()
    old = seen.panels[0]._replace(look=Look(1, 1, 1, 0, {"scored": 1}, {}, 0, 0, 1, unread=3))
    told = "3 meters of another version are not counted"
    assert told in rendered(seen._replace(panels=[old]))
    assert told in plain(seen._replace(panels=[old]))[0]
