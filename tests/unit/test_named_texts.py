"""Names and texts of a setting: what a person gives, and what travels to workers."""

from pathlib import PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from stormwatch.named_texts import in_folder, is_text, joined, parts

WORDS = st.text("abz_09-", min_size=1)
TEXTS = st.text(st.characters(exclude_characters="\x1e"), min_size=1).map(lambda text: text + "\n")


@given(st.lists(WORDS | TEXTS))
def test_what_is_joined_is_parted_again(some: list[str]) -> None:
    assert parts(joined(some)) == some
    assert [is_text(part) for part in parts(joined(some))] == ["\n" in part for part in some]
    assert in_folder(joined(some), PurePosixPath("/x")) == joined(some)


def test_names_of_files_are_of_the_folder_and_words_are_not() -> None:
    found = in_folder("any, preset:nab ,pump.toml,a/b,/c.toml,,", PurePosixPath("/x"))
    assert parts(found) == ["any", "preset:nab", "/x/pump.toml", "/x/a/b", "/c.toml"]
    assert parts("") == [] and joined([]) == ""
