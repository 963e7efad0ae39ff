"""Storm's pipe: whatever pieces it brings, messages come whole, and waiting is told truly."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.adapters.storm.pipe import Pipe

LINES = st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")), max_size=6)


@given(LINES, st.lists(st.integers(1, 30), max_size=20))
def test_lines_are_as_they_were_written_however_they_arrive(
    lines: list[bytes], cuts: list[int]
) -> None:
    wire = b"".join(line + b"\n" for line in lines)
    read, write = os.pipe()
    try:
        pipe, got, at = Pipe(read), list[bytes](), 0
        for cut in [*cuts, len(wire) + 1]:
            os.write(write, wire[at : at + cut])
            at += cut
            pipe.waiting()  # takes in what is there
        os.close(write)
        while line := pipe.readline():
            got.append(line)
        assert got == [line + b"\n" for line in lines]
        assert not pipe.waiting()
    finally:
        os.close(read)


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def test_a_message_waits_once_its_end_is_there(ends: tuple[int, int]) -> None:
    read, write = ends
    pipe = Pipe(read)
    assert not pipe.waiting()
    os.write(write, b'{"id": "1"}\nen')
    assert not pipe.waiting(), "reading it would wait for the rest"
    os.write(write, b"d\n")
    assert pipe.waiting()
    assert (pipe.readline(), pipe.readline()) == (b'{"id": "1"}\n', b"end\n")
    assert not pipe.waiting()


def test_two_messages_in_one_piece_both_wait(ends: tuple[int, int]) -> None:
    read, write = ends
    pipe = Pipe(read)
    os.write(write, b"[1]\nend\n[2]\nend\n")
    assert [pipe.readline() for _ in range(2)] == [b"[1]\n", b"end\n"]
    assert pipe.waiting()


def test_a_message_larger_than_the_pipe_is_read_whole(ends: tuple[int, int]) -> None:
    read, write = ends
    pipe, large = Pipe(read), b"x" * 60_000 + b"\n"
    for _ in range(3):
        os.write(write, large)
        assert pipe.readline() == large
