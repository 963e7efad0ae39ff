"""Every command of docs/rollout.md, word for word and in its order, on services in memory."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from apps.cli.__main__ import main
from apps.local.services import manage
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.domains.fraud.domain import SHIPPED
from stormwatch.testing.ports import memory_ports
from tests.e2e.project import ROOT


def test_the_page_is_followed_word_for_word(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SHIPPED, tmp_path / "my-model")
    card = json.loads((SHIPPED / "card.json").read_text()) | {"version": "mine-2026.05"}
    (tmp_path / "my-model" / "card.json").write_text(json.dumps(card))
    page = (ROOT / "docs" / "rollout.md").read_text()
    done = []
    with memory_ports() as ports:
        monkeypatch.setattr(manage, "expect", lambda settings, root, names: None)
        monkeypatch.setattr(cassandra, "connect", lambda settings: ports.store)
        for kind, block in re.findall(r"```(sh|toml)\n(.*?)```", page, re.DOTALL):
            if kind == "toml":
                with (tmp_path / "my-rules.toml").open("a") as file:
                    file.write(block)
                continue
            for line in block.splitlines():
                program, *arguments = shlex.split(line)
                assert program == "./stormwatch"
                with pytest.raises(SystemExit) as ended:
                    raise SystemExit(main(arguments))
                assert not ended.value.code, line
                done.append(line)
        assert len(done) > 15
        assert len(ports.store.changes("fraud", "rules", 99)) == 6
        assert ports.store.changes("fraud", "model", 99)[0].act == "rollback"
