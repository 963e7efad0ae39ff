"""Documents that are carried out: files to write, commands to run, and what is said to come out.

A block behind a line that ends with "`a/path.py`:" is that file, also one of CSV or TOML. A `sh`
block is commands; a `text` block behind it is what they print, line by line, with … for what may be
anything.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
_COPIED = ("src", "apps", "topologies", "virtualenvs", "pyproject.toml", "docs")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)
_PLACE = re.compile(r"`([\w/]+\.\w+)`:\s*\Z")


def copy_of_the_project(to: Path) -> Path:
    """The project without its tests, but for what new ones need.

    Byte code goes along, for each command would compile all of it again: it is valid while its
    source has the time that the copy keeps.
    """
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name)
        else:
            shutil.copy(source, to / name)
    for name in ("tests/components", "tests/topologies"):
        (to / name).mkdir(parents=True)
    for name in ("tests/__init__.py", "tests/components/__init__.py", "tests/conftest.py"):
        shutil.copy(ROOT / name, to / name)
    return to


def python(copy: Path, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    """`python -m …` in a copy, without settings from outside."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("STORMWATCH_")}
    environ["PYTHONPATH"] = f"{copy}{os.pathsep}{copy / 'src'}"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *arguments], cwd=copy, env=environ, check=False,
        input=answer, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@dataclass
class Step:
    """A file to write, or commands with what they print."""

    path: str = ""
    text: str = ""
    commands: list[str] = field(default_factory=list)
    prints: list[str] = field(default_factory=list)


def steps(document: Path) -> list[Step]:
    """What the document says to do, in order."""
    found: list[Step] = []
    text = document.read_text()
    for block in _BLOCK.finditer(text):
        language, body = block.groups()
        place = _PLACE.search(text, 0, block.start())
        if language == "sh":
            found.append(Step(commands=body.splitlines()))
        elif language == "text":
            assert found and found[-1].commands, f"nothing is run that prints: {body}"
            found[-1].prints += body.splitlines()
        elif place:
            found.append(Step(path=place[1], text=body))
    return found


def words(command: str) -> list[str]:
    """A command without its comment."""
    return shlex.split(command, comments=True)


def is_printed(line: str, output: str) -> bool:
    """Whether a line of a document, with … for anything, is within the output."""
    return re.search(re.escape(line).replace("…", ".*"), output) is not None
