"""The page of features is what the code declares."""

from pathlib import Path

from apps.build.feature_page import page

ROOT = Path(__file__).resolve().parents[4]


def test_the_page_is_what_the_code_declares() -> None:
    written = (ROOT / "docs" / "features.md").read_text()
    assert written == page(), "write it again: ./stormwatch schema features"


def test_each_feature_has_a_meaning() -> None:
    rows = [line.split("|") for line in page().splitlines() if line.startswith("| `")]
    assert len(rows) > 100
    assert all(row[2].strip() for row in rows)
