"""`publish --learn-only`: each record says that it is history, in our format and in any other."""

import msgspec
import pytest

from apps.cli.__main__ import main
from apps.data import history
from apps.data.publish import Event
from stormwatch.domains.fraud.parse import TARGET, parse
from stormwatch.parsing.mapping import Mapped, made

OURS = (
    b'{"id":"a","customer":"c","terminal":"p","time":"2026-01-01T00:00:00Z","amount":1,'
    b'"currency":"EUR"}'
)
THEIRS = b'{"tx_id":"7","t":"31","customer":"596","terminal":"3156","amount":"57.16"}'


LINE = """
event = "transactions"
format = "csv"
csv = { names = ["no", "who", "at", "paid"], delimiter = "%s" }
[fields]
id = { path = "no" }
customer = { path = "who" }
terminal = { constant = "t1" }
time = { path = "at", form = "epoch_s" }
amount = { path = "paid", unit = "major" }
currency = { constant = "EUR" }
"""


def marked(value: bytes, mapped: Mapped | None = None) -> bytes:
    (event,) = history.marked([Event(b"k", value)], mapped)
    assert event.key == b"k"
    return event.value


def test_a_record_of_ours_is_read_as_history() -> None:
    event, live = (parse(value, -1, future_skew_ms=0) for value in (marked(OURS), OURS))
    assert event.learn_only and event == msgspec.structs.replace(live, learn_only=True)


def test_a_row_of_another_format_is_read_as_history() -> None:
    mapped = made("preset:handbook", TARGET)
    event, live = (
        mapped.parse(value, -1, future_skew_ms=0) for value in (marked(THEIRS, mapped), THEIRS)
    )
    assert event.learn_only and event == msgspec.structs.replace(live, learn_only=True)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (b'{"a":1} ', b'{"a":1,"learn_only":true}'), (b"{ }", b'{ "learn_only":true}'),
        (b'{"learn_only":true,"a":1}', b'{"learn_only":true,"a":1}'),
        (b'{"learn_only":false,"a":1.50}', b'{"a":1.50,"learn_only":true}'),
        (b"[1]", b"[1]"), (b'{"a":', b'{"a":'), (b"", b""), (b"\xff", b"\xff"),
    ],
)  # fmt: skip
def test_what_else_a_record_says_stays(value: bytes, told: bytes) -> None:
    assert marked(value) == told


@pytest.mark.parametrize("delimiter", [",", ";", "space"])
def test_a_line_of_csv_is_read_as_history(delimiter: str) -> None:
    mapped = made(LINE % delimiter, TARGET)
    line = {"space": " "}.get(delimiter, delimiter).join(["7", "c1", "1767225600", "12.50"])
    event, live = (
        mapped.parse(value, -1, future_skew_ms=0)
        for value in (marked(line.encode() + b"\r\n", mapped), line.encode())
    )
    assert event.learn_only and event == msgspec.structs.replace(live, learn_only=True)
    short = mapped.parse(marked(line.encode()[:-6], mapped), -1, future_skew_ms=0)
    assert short.code == "wrong_type" and "3 cells" in short.reason, "the mark is no column"


@pytest.mark.parametrize("events", [["transactions"], ["posts", __file__]])
def test_only_files_of_the_main_domains_can_be_history(
    events: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["publish", *events, "--learn-only"])
    assert ended.value.code == 2
    assert "goes with a FILE of transactions or readings" in " ".join(
        capsys.readouterr().err.replace("│", " ").split()
    )
