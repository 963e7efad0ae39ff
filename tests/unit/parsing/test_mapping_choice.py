"""Which mapping is whose: one a topic, named in decisions by version and hash."""

from pathlib import Path

import pytest

from stormwatch.adapters.storm.config import storm_config
from stormwatch.domains.fraud.parse import TARGET
from stormwatch.errors import SettingsError
from stormwatch.parsing.mapping import (
    MappingError,
    chosen,
    is_rekeyed,
    marks,
    text_of,
    topics,
)
from stormwatch.settings import Settings, load

PAYSIM = text_of("preset:paysim")


def named(folder: Path, **texts: str) -> str:
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    return ", ".join(str(folder / f"{name}.toml") for name in texts)


def test_several_topics_with_a_mapping_each(tmp_path: Path) -> None:
    both = named(tmp_path, own=PAYSIM, mobile='topic = "mobile"\n' + PAYSIM)
    settings = Settings(mapping_transactions=both)
    assert topics(settings, "transactions") == ("transactions", "mobile", "labels")
    assert list(chosen(settings, TARGET)) == ["transactions", "mobile"]
    travelled = Settings(mapping_transactions=text_of(both))
    assert marks(travelled) == marks(settings) and len(set(marks(settings).values())) == 2
    assert topics(Settings(), "posts") == ("posts",)


def test_a_list_in_the_settings_file_is_taken(tmp_path: Path) -> None:
    listed = [
        one.strip() for one in named(tmp_path, a=PAYSIM, b='topic = "b"\n' + PAYSIM).split(",")
    ]
    (tmp_path / "stormwatch.toml").write_text(f"[mapping]\ntransactions = {listed}\n")
    assert topics(load({}, root=tmp_path), "transactions") == ("transactions", "b", "labels")


def test_a_mark_is_the_version_and_a_hash_of_the_text() -> None:
    (mark,) = marks(Settings(mapping_transactions="preset:paysim")).values()
    assert mark.startswith("paysim-1#") and len(mark) == len("paysim-1#") + 8
    (other,) = marks(Settings(mapping_transactions=PAYSIM + "# seen\n")).values()
    assert other.startswith("paysim-1#") and other != mark


def test_two_mappings_of_one_topic_are_refused(tmp_path: Path) -> None:
    settings = Settings(mapping_transactions=named(tmp_path, a=PAYSIM, b=PAYSIM))
    with pytest.raises(
        MappingError, match=r"a\.toml and .*b\.toml both map the topic transactions"
    ):
        chosen(settings, TARGET)


def test_what_shares_entities_between_partitions_needs_the_chain(tmp_path: Path) -> None:
    two = Settings(
        mapping_transactions=named(tmp_path, a='topic = "b"\n' + PAYSIM), topology_chain=False
    )
    with pytest.raises(SettingsError, match=r"Set topology\.chain = true"):
        topics(two, "transactions")
    hop = Settings(mapping_transactions="rekey = true\n" + PAYSIM)
    assert is_rekeyed(hop, "transactions") and not is_rekeyed(Settings(), "transactions")
    with pytest.raises(SettingsError, match=r"Set topology\.chain = true"):
        is_rekeyed(
            Settings(mapping_transactions="rekey = true\n" + PAYSIM, topology_chain=False),
            "transactions",
        )


def test_the_text_travels_of_a_file_beside_the_settings_wherever_the_process_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for folder in (project, elsewhere):
        folder.mkdir()
    (project / "own.toml").write_text(PAYSIM)
    (project / "stormwatch.toml").write_text('[mapping]\ntransactions = "own.toml"\n')
    monkeypatch.chdir(elsewhere)
    found = load({}, root=project)
    assert text_of(found.mapping_transactions) == PAYSIM
    assert storm_config(found)["stormwatch.mapping.transactions"] == PAYSIM
