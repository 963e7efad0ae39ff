"""`./stormwatch map` on files, as a script calls it."""

import io
import sys
from pathlib import Path

import pytest

from apps.cli import mapping
from apps.cli.__main__ import main
from apps.data import mapped_rows, samples
from stormwatch.adapters.memory.kafka import MemoryBroker, MemorySource
from stormwatch.parsing.mapping import Csv

CSV = """timestamp,cc_num,merchant,amt,lat,long
2026-03-01 12:00:01,4111111111111111,Kling Inc,83.15,39.59,-75.65
2026-03-01 12:00:02,5500005555555559,"Raynor, Feest and Miller",115.77,39.59,-75.65
2026-03-01 12:00:05,4111111111111111,Kling Inc,3.15,39.59,-75.65
"""


@pytest.fixture
def payments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "payments.csv"
    path.write_text(CSV)
    return path


def called(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        code = main(["map", *map(str, arguments)])
        raise SystemExit(code)
    return int(ended.value.code or 0)


def test_a_mapping_is_proposed_written_and_tried(
    payments: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = ("--zone", "America/New_York", "--currency", "usd", "--yes")
    assert called(payments, *known) == 0
    said = capsys.readouterr().out
    assert "fields.amount: `amt`: 2 decimals, always > 0: amount in major units" in said
    assert "3 of 3 records are transactions." in said
    assert "time=2026-03-01T17:00:01.000+00:00 amount=8315 currency=USD" in said
    named = Path("payments.toml").resolve()
    assert f"STORMWATCH_MAPPING_TRANSACTIONS={named} ./stormwatch dev fraud" in said
    assert "4111" not in said + Path("payments.toml").read_text()
    assert called("--check", "payments.toml", payments) == 0
    payments.write_text(CSV.replace("83.15", "83,15"))
    assert called("--check", "payments.toml", payments) == 1
    assert "1 refused as wrong_type" in capsys.readouterr().out


def test_nothing_is_overwritten_and_nothing_unknown_is_guessed(
    payments: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(payments, "--yes") == 2
    said = capsys.readouterr().err
    assert "--zone:" in said and "--currency:" in said
    assert not Path("payments.toml").exists()
    Path("payments.toml").write_text("mine")
    assert called(payments, "--zone", "UTC", "--currency", "EUR", "--yes") == 2
    assert "--force" in capsys.readouterr().err
    assert Path("payments.toml").read_text() == "mine"
    assert called(payments, "--zone", "UTC", "--currency", "EUR", "--yes", "--force") == 0
    assert "mine" not in Path("payments.toml").read_text()


def test_a_wrong_call_is_told(payments: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called() == 2
    assert called(payments, "--topic", "t") == 2
    assert called(payments, "--zone", "Mars", "--currency", "EUR", "--yes") == 2
    assert "names the zone 'Mars'" in capsys.readouterr().err


def test_on_a_terminal_the_unknown_is_asked(
    payments: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = io.StringIO("Europe/Berlin\nEUR\ny\n")
    answers.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", answers)
    assert called(payments) == 0
    said = capsys.readouterr().out
    assert "whose clock is it?" in said and "which one is it (ISO 4217" in said
    written = Path("payments.toml").read_text()
    assert written.startswith(f"#:schema {mapping.shared.ROOT}/schema/mapping.schema.json\n")
    assert 'zone = "Europe/Berlin"' in written and 'constant = "EUR"' in written


def test_a_topic_that_is_not_keyed_by_its_entity_gets_rekey(
    payments: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = MemoryBroker()
    broker.create("mine", 2, {})
    for n, value in enumerate(mapped_rows.values(payments, Csv())):
        broker.append("mine", None, value, partition=n // 2)
    look = samples.of_topic(MemorySource(broker, "mine"), "mine")
    monkeypatch.setattr(mapping, "_of_topic", lambda topic: look)
    assert called("--topic", "mine", "--zone", "UTC", "--currency", "EUR", "--yes") == 0
    said = capsys.readouterr().out
    assert "The topic is not keyed by the entity: 1 of 2 entities have records in several" in said
    assert "sparse run -n fraud" in said
    written = Path("mine.toml").read_text()
    assert "rekey = true" in written and 'topic = "mine"' in written
    assert called("--check", "mine.toml", "--topic", "mine") == 0
