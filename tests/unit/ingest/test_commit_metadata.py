"""What is kept in the metadata of a commit, and how it is read whatever client wrote it."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.ingest.commit_metadata import Mark, metadata_text, read_mark, topic_id

TEXT = Mark(generation=3, log="l", offset=7).text()


@pytest.mark.parametrize("behind", [b"", b"\0", b"\0\0", b"\xff\xfe", b"}", b'{"v":1}', b"\0x\x80"])
def test_what_stands_behind_the_json_is_cut(behind: bytes) -> None:
    assert metadata_text(TEXT.encode() + behind) == TEXT
    mark = read_mark(metadata_text(TEXT.encode() + behind))
    assert mark is not None and (mark.generation, mark.offset) == (3, 7)


@given(st.binary(max_size=60))
def test_any_bytes_are_read(raw: bytes) -> None:
    text = metadata_text(raw)
    assert "\0" not in text or text.startswith("{")
    assert metadata_text(None) == metadata_text("") == ""


@given(st.uuids())
def test_a_topic_has_one_id_however_it_is_spelled(of: UUID) -> None:
    from base64 import b64encode, urlsafe_b64encode

    spelled = {
        str(of),
        *(enc(of.bytes).decode().rstrip("=") for enc in (b64encode, urlsafe_b64encode)),
    }
    assert {topic_id(each) for each in spelled} == {
        urlsafe_b64encode(of.bytes).decode().rstrip("=")
    }
