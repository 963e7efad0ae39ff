"""Progress: lines where it is read later, one line that renews itself where somebody watches."""

import io

from apps.local.steps import Steps, bar, renewing


class Seen:
    """What was said, and what the renewed line was."""

    def __init__(self, terminal: bool) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.renewed: list[str] = []
        say = lambda step, detail: self.said.append(f"{step}: {detail}")  # noqa: E731
        self.steps = Steps(say, lambda: self.now, self.renewed.append if terminal else None)


def test_144_jars_are_a_few_lines_in_a_log() -> None:
    seen = Seen(terminal=False)
    for done in range(1, 145):
        seen.steps("jars", f"{done} of 144 downloaded")
        seen.now += 0.1
    assert len(seen.said) == 3
    assert seen.said[0] == "jars: 1 of 144 downloaded"


def test_144_jars_are_one_bar_on_a_terminal() -> None:
    seen = Seen(terminal=True)
    seen.steps("jars", "asking Maven")
    for done in range(1, 145):
        seen.steps("jars", f"{done} of 144 downloaded")
    seen.steps("cassandra", "starting")
    assert seen.said == ["jars: asking Maven", "cassandra: starting"]
    assert len(seen.renewed) == 145
    assert seen.renewed[71] == f"jars: {'█' * 10}{'░' * 10} 72 of 144 downloaded"
    assert seen.renewed[-1] == "", "the bar does not stay"


def test_what_is_waited_for_is_one_line_for_all() -> None:
    seen = Seen(terminal=True)
    for second in range(3):
        seen.steps("cassandra", f"waiting for CQL on port 9042, {second} s")
        seen.steps("kafka", f"waiting for the broker on port 9092, {second} s")
    assert "CQL on port 9042, 2 s  kafka: waiting for the broker" in seen.renewed[-1]
    seen.steps("kafka", "ready on port 9092")
    assert seen.said == ["kafka: ready on port 9092"]


def test_a_bar_is_drawn_for_any_number() -> None:
    assert bar("0 of 0 downloaded") == "0 of 0 downloaded"
    assert bar("9 of 7 downloaded").startswith("█" * 20 + " ")
    assert bar("starting") == "starting"


def test_the_line_fits_and_its_bar_can_be_written_in_ascii() -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii", write_through=True) as stream:
        renewing(stream, lambda: 12)("██░░ 12 of 144")
        assert raw.getvalue() == b"\r\033[K##.. 12 of "
