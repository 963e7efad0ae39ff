"""JSON that is not one object a line, and files in bounded memory."""

import gzip
import json
import os
import threading
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.data import event_json, text_files
from apps.data.event_files import read
from apps.data.publish import Event
from apps.data.text_files import FileError, Text

PAYMENTS = [{"id": f"t-{n}", "customer": f"c-{n}", "note": 'a "]}, {[" ü' * n} for n in range(1000)]


@pytest.fixture
def publish(tmp_path: Path):
    def events(text: str | bytes, name: str = "events.json") -> list[Event]:
        path = tmp_path / name
        data = text.encode() if isinstance(text, str) else text
        path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        return list(read([path], "transactions", "r9"))

    return events


@pytest.mark.parametrize("name", ["events.json", "events.json.gz"])
@pytest.mark.parametrize(
    "text",
    [
        json.dumps(PAYMENTS, indent=2),
        json.dumps(PAYMENTS),
        "[" + ",\n".join(map(json.dumps, PAYMENTS)) + "]\n",
        "\n".join(json.dumps(one, indent=2, ensure_ascii=False) for one in PAYMENTS),
        "\ufeff" + json.dumps(PAYMENTS[:400]) + "\r\n" + json.dumps(PAYMENTS[400:], indent="\t"),
        "\n".join(map(json.dumps, PAYMENTS)),
    ],
    ids=["pretty", "one line", "one a line", "objects", "two arrays", "lines"],
)
def test_an_array_is_its_values_however_it_is_laid_out(publish, name: str, text: str) -> None:
    got = publish(text, name)
    assert [json.loads(event.value) for event in got] == PAYMENTS
    assert [event.key for event in got] == [one["customer"].encode() for one in PAYMENTS]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=80)
@given(
    st.lists(VALUES, min_size=1, max_size=6),
    st.sampled_from([None, 0, 3]),
    st.booleans(),
    st.integers(1, 99),
)
def test_values_are_cut_where_json_cuts_them(values, indent, ascii_only, piece) -> None:
    """Whatever the values, and wherever the pieces that are read end."""
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    pieces = iter([text[at : at + piece] for at in range(0, len(text), piece)])

    class Cut(Text):
        def pieces(self):
            return pieces

    got = event_json.JsonValues("transactions")(Cut(Path("x")))
    assert [json.loads(event.value.decode(errors="surrogatepass")) for event in got] == values


def test_the_bytes_are_sent_as_they_are(publish) -> None:
    first, second = publish(b'[ {"customer": "c", "x": 1.50e2, "x": 1}, {"customer":"\xff"} ]')
    assert first == Event(b"c", b'{"customer": "c", "x": 1.50e2, "x": 1}')
    assert second == Event(None, b'{"customer":"\xff"}')  # refused as not_utf8


@pytest.mark.parametrize(
    ("text", "before", "says"),
    [
        ('[{"customer": "a"},\n\n{"customer": b}]', 1, "Line 3 of .* not JSON.*Expecting value"),
        ('[{"customer": "a"},\n{"customer": "b', 1, "Line 2 of .* not JSON"),
        ('[{"customer": "a"},\n{"customer": "b"}\n', 2, "Line 3 of .* ends inside the array"),
        ("[" * 100_000, 0, "Line 1 of .* nested too deeply"),
    ],
)
def test_what_is_no_json_says_where(tmp_path: Path, text: str, before: int, says: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    events = read([path], "transactions", "r9")
    for _ in range(before):
        next(events)
    with pytest.raises(FileError, match=says):
        next(events)


def test_a_long_array_in_one_line_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    path.write_text("[" + ",".join(json.dumps(PAYMENTS[50]) for _ in range(20_000)) + "]")
    assert path.stat().st_size > 10_000_000
    tracemalloc.start()
    try:
        assert sum(1 for _ in read([path], "transactions", "r9")) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "start", [b'{"customer": "c"}\n', b"id,customer,terminal,time,amount,currency\n"]
)
def test_a_line_that_kafka_cannot_take_is_named_and_takes_little_memory(
    tmp_path: Path, start: bytes
) -> None:
    """300 MB in a line, in a small file."""
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(start + b'{"customer": "c"}\n')
        for _ in range(300):
            file.write(b"x" * (1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(FileError, match=r"Line 3 of .*bomb.gz is longer than 12 MB"):
            list(read([path], "transactions", "r9"))
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


def test_a_pipe_that_nobody_writes_to_ends_when_told_to() -> None:
    reading, writing = os.pipe()
    os.write(writing, b'{"customer": "c"}\n{"customer": "d"}\n')
    stop = threading.Event()
    try:
        events = read([Path(f"/dev/fd/{reading}")], "transactions", "r9", stop.is_set)
        assert [next(events).key, next(events).key] == [b"c", b"d"]
        threading.Timer(0.1, stop.set).start()
        begun = time.monotonic()
        assert list(events) == []
        assert time.monotonic() - begun < 5
    finally:
        os.close(reading)
        os.close(writing)


def test_many_files_are_not_open_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.jsonl" for n in range(50)]
    for path in paths:
        path.write_text('{"customer": "c"}\n')
    before = len(os.listdir("/proc/self/fd"))
    events = read(paths, "transactions", "r9")
    next(events)
    assert len(os.listdir("/proc/self/fd")) <= before + 2
    assert len(list(events)) == 49
    assert len(os.listdir("/proc/self/fd")) == before
    assert text_files.LOOK_PIECES < 1000
