"""The guides for own data are carried out word for word, as far as they need no Java."""

import re
import time
from pathlib import Path

import pytest

from tests.documents import ROOT, copy_of_the_project, is_printed, python, steps, words

WITHOUT_JAVA = {"map", "dev"}
WITHIN_S = 600


@pytest.mark.parametrize("guide", ["your-data.md", "your-machines.md"])
def test_a_file_of_one_s_own_is_decided_as_the_guide_says(guide: str, tmp_path: Path) -> None:
    copy = copy_of_the_project(tmp_path)
    part = tmp_path / "part.md"  # what comes behind the ten minutes is reference
    part.write_text(re.split(r"^## ", (ROOT / "docs" / guide).read_text(), flags=re.M)[0])
    start, done = time.monotonic(), []
    for step in steps(part):
        if step.path:
            (copy / step.path).write_text(step.text)
        output = ""
        for program, *arguments in map(words, step.commands):
            if program == "git":  # the copy stands for it
                continue
            assert program == "./stormwatch" and arguments[0] in WITHOUT_JAVA
            ran = python(copy, "apps.cli", *arguments)
            assert ran.returncode == 0, f"{arguments}: {ran.stdout}{ran.stderr}"
            output += ran.stdout
            done.append(arguments[0])
        missing = [line for line in step.prints if not is_printed(line, output)]
        assert not missing, f"{step.commands} did not print {missing}: {output}"
    assert done[0] == "map" and done[-1] == "dev"
    assert time.monotonic() - start < WITHIN_S
