"""Each lint rule: a topology that breaks it, and one that does not; the project's own are clean."""

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from ruamel.yaml import YAML
from ruamel.yaml.events import AliasEvent
from streamparse.dsl.topology import TopologyType

from apps.build.lint import Severity, check, lint, load
from apps.local.dev.load import names
from apps.local.storm.sparse import named
from stormwatch.adapters.storm.wiring import Checked, TopologyRefused
from stormwatch.errors import StormwatchError

ROOT = Path(__file__).parents[4]

PARTS = '''
from streamparse import Bolt, BatchingBolt, Spout, Stream
from spouts.kafka_batch import KafkaBatchSpout
from stormwatch.adapters.storm.component import StrictComponent

class Source(StrictComponent, Spout):
    outputs = ["bucket", "word"]

class Topic(KafkaBatchSpout):
    topic_setting = "topic_transactions"

class Count(StrictComponent, Bolt):
    """Reads; emits nothing."""

class Keeps(StrictComponent, Bolt):
    state_key = ("bucket",)

class Batches(StrictComponent, BatchingBolt):
    config = {"topology.tick.tuple.freq.secs": 10}

class Ticks(StrictComponent, Bolt):
    config = {"topology.tick.tuple.freq.secs": 60}

class Emits(StrictComponent, Bolt):
    outputs = [Stream(["word"], name="more")]

class PlainEmits(Bolt):
    outputs = ["word"]

class Told(StrictComponent, Spout):
    outputs = [Stream(["word"], name="told", direct=True)]

class Wide(StrictComponent, Bolt):
    outputs = [Stream(["word"])]
'''

TOPOLOGY = """
from streamparse import Grouping, Topology
from bolts.lintable import *

class Linted(Topology):
    config = {config}
    source = Source.spec()
"""


class Project:
    """A project of its own, with one topology, `t`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("topologies", "virtualenvs", "src/bolts"):
            (root / folder).mkdir(parents=True)
        shutil.copy(ROOT / "project.clj", root)
        self.requires("streamparse==5.0.1", "msgspec", "orjson")

    def requires(self, *lines: str) -> None:
        (self.root / "virtualenvs" / "t.txt").write_text("\n".join(lines) + "\n")

    def codes(self, lines: str, parts: str = PARTS, **config: object) -> list[str]:
        """Codes and severities of the findings, with these lines in the topology's class."""
        return [f"{f.code} {f.severity}" for f in self.findings(lines, parts, **config)]

    def findings(self, lines: str, parts: str = PARTS, **config: object):
        path = self.root / "src" / "bolts" / "lintable.py"
        path.write_text(dedent(parts))
        sys.modules.pop("bolts.lintable", None)
        named = {key.replace("__", "."): value for key, value in config.items()}
        text = TOPOLOGY.format(config=named) + "".join(f"    {x}\n" for x in lines.splitlines())
        (self.root / "topologies" / "t.py").write_text(text)
        return lint(self.root, ["t"])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    import bolts

    made = Project(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # files change within a second
    monkeypatch.setattr(bolts, "__path__", [*bolts.__path__, str(tmp_path / "src" / "bolts")])
    yield made
    sys.modules.pop("bolts.lintable", None)
    sys.path[:] = [path for path in sys.path if path != str(tmp_path / "src")]


@pytest.mark.parametrize("chain", ["true", "false"])
def test_the_projects_own_topologies_are_clean(chain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORMWATCH_TOPOLOGY_CHAIN", chain)
    assert lint(ROOT) == []


def test_every_code_is_in_the_document() -> None:
    told = set(re.findall(r"SW\d+", (ROOT / "docs" / "testing.md").read_text()))
    folders = (
        ROOT / "apps" / "build" / "lint",
        ROOT / "src" / "stormwatch" / "adapters" / "storm" / "wiring",
    )
    sources = "".join(path.read_text() for folder in folders for path in folder.glob("*.py"))
    assert told == set(re.findall(r"SW\d+", sources))


FINE = "count = Count.spec(inputs=[source])"
CASES = {
    "SW101 error": (
        'count = Count.spec(inputs={source: Grouping.fields("nope")})',
        'count = Count.spec(inputs={source: Grouping.fields("word")})',
    ),
    "SW102 error": (
        "keeps = Keeps.spec(inputs=[source], par=2)",
        'keeps = Keeps.spec(inputs={source: Grouping.fields("bucket")}, par=2)',
    ),
    "SW102 warning": (
        'keeps = Keeps.spec(inputs={source: Grouping.fields("word")})',
        "keeps = Keeps.spec(inputs={source: Grouping.GLOBAL})",
    ),
    "SW103 warning": (
        'topic = Topic.spec(par=5)\ncount = Count.spec(inputs=[source, topic, topic["notices"]])',
        'topic = Topic.spec(par=4)\ncount = Count.spec(inputs=[source, topic, topic["notices"]])',
    ),
    "SW104 error": (
        'slow = Batches.spec(inputs=[source], config={"topology.tick.tuple.freq.secs": 15})',
        "quick = Batches.spec(inputs=[source])",
    ),
    "SW104 warning": (
        "slow = Ticks.spec(inputs=[source])",
        'quick = Ticks.spec(inputs=[source], config={"topology.tick.tuple.freq.secs": 1})',
    ),
    "SW105 error": (
        "emits = Emits.spec(inputs=[source])",
        'emits = Emits.spec(inputs=[source])\ncount = Count.spec(inputs=[emits["more"]])',
    ),
    "SW105 warning": (
        "emits = PlainEmits.spec(inputs=[source])",
        "emits = PlainEmits.spec(inputs=[source])\ncount = Count.spec(inputs=[emits])",
    ),
    "SW109 error": (
        'told = Told.spec()\ncount = Count.spec(inputs={source["default"]: Grouping.SHUFFLE, '
        'told["told"]: Grouping.DIRECT})',
        'told = Told.spec()\ncount = Count.spec(inputs={source["default"]: Grouping.SHUFFLE, '
        'told["told"]: Grouping.fields("word")})',
    ),
    "SW111 error": (
        "count = Count.spec(inputs=[source])\ncount = Count.spec(inputs=[source])",
        "count = Count.spec(inputs=[source])\nagain = Count.spec(inputs=[source])",
    ),
}


@pytest.mark.parametrize("told", CASES)
def test_wiring(told: str, project: Project) -> None:
    broken, mended = CASES[told]
    config = {"stormwatch__kafka__partitions": 4, "topology__message__timeout__secs": 30}
    assert project.codes(broken, **config) == [told]
    assert project.codes(mended, **config) == []


def test_an_undeclared_stream_and_a_file_that_breaks(project: Project) -> None:
    assert project.codes('count = Count.spec(inputs=[source["nope"]])') == ["SW101 error"]
    (found,) = project.findings("1 / 0")
    assert (found.code, found.where) == ("SW100", "topologies/t.py:8")
    broken = f"{PARTS}\ndef broken(:\n"
    (found,) = project.findings(FINE, broken)
    assert found.where == f"src/bolts/lintable.py:{len(broken.splitlines())}"


def test_a_component_read_after_its_name_was_given_away(project: Project) -> None:
    (found,) = project.findings(
        "count = Wide.spec(inputs=[source])\nreads = Count.spec(inputs=[count])\n"
        "count = Count.spec(inputs=[source])"
    )
    assert (found.code, found.what) == (
        "SW101", "an input reads a component that no attribute of the class holds",
    )  # fmt: skip


def wide(count: int) -> str:
    """So many components of a class with a Stream, each with a reader."""
    return "\n".join(
        f"w{n} = Wide.spec(inputs=[source])\nc{n} = Count.spec(inputs=[w{n}])" for n in range(count)
    )


def test_more_shared_lists_than_flux_reads(project: Project) -> None:
    """Counted as the YAML writer of `sparse run` writes them."""
    for count in (51, 52):
        codes = project.codes(wide(count))
        topology = load(project.root / "topologies" / "t.py")
        text = io.StringIO()
        YAML(typ="safe", pure=True).dump(topology.to_flux_dict("t"), text)
        aliases = [e for e in YAML().parse(text.getvalue()) if isinstance(e, AliasEvent)]
        assert len(aliases) == count - 1
        assert codes == (["SW110 error"] if len(aliases) > 50 else [])
    assert project.codes(wide(60), PARTS.replace('[Stream(["word"])]', '["word"]')) == []


def test_a_checked_class_refuses_to_be_made_and_lint_says_the_same(project: Project) -> None:
    lines = CASES["SW105 error"][0]
    plain = project.findings(lines)
    path = project.root / "topologies" / "t.py"
    text = path.read_text().replace("Linted(Topology)", "Linted(Checked, Topology)")
    path.write_text("from stormwatch.adapters.storm.wiring import Checked\n" + text)
    assert lint(project.root, ["t"]) == plain
    with pytest.raises(TopologyRefused, match="(?s)topology t has errors.*to fix it: give a bolt"):
        load(path)
    path.write_text(path.read_text().replace("Emits.spec", "PlainEmits.spec"))
    assert load(path).specs  # a warning does not stop it


def test_every_topology_is_checked_and_streamparse_takes_no_check_for_one() -> None:
    """`sparse` runs the first TopologyType in a file."""
    assert not isinstance(Checked, TopologyType)
    for name in names(ROOT):
        assert issubclass(load(ROOT / "topologies" / f"{name}.py"), Checked)


SOURCES = {
    "SW106 warning": (
        "class Count(StrictComponent, Bolt):\n    def process(self, tup):\n        print(tup)",
        "class Count(StrictComponent, Bolt):\n    def process(self, tup):\n"
        "        self.logger.info(tup)",
    ),
    "SW106 error": ("import sys\nsys.stdout.write('hello')", "import sys\nsys.stderr.write('')"),
    "SW109 error": (
        "class Count(StrictComponent, Bolt):\n    def process(self, tup):\n"
        "        self.emit([1], direct_task=tup.task)",
        "class Count(StrictComponent, Bolt):\n    def process(self, tup):\n"
        "        self.emit([1], None, [tup], None, need_task_ids=True)",
    ),
    "SW112 error": (
        "class Count(StrictComponent, Bolt):\n    make_judge = True\n    domain = 't'",
        "class Count(StrictComponent, Bolt):\n    make_judge = True\n    domain = 'count'",
    ),
    "SW107 warning": ("import numpy as np", "def late():\n    import numpy as np"),
}


@pytest.mark.parametrize("told", SOURCES)
def test_sources(told: str, project: Project) -> None:
    broken, mended = SOURCES[told]
    project.requires("streamparse", "msgspec", "orjson", "numpy")
    assert project.codes(FINE, f"{PARTS}\n{broken}\n") == [told]
    assert project.codes(FINE, f"{PARTS}\n{mended}\n") == []


def test_a_domain_that_a_bolt_of_another_topology_has(project: Project) -> None:
    bolt = "class {}(StrictComponent, Bolt):\n    make_judge = True\n    domain = 'visits'\n"
    other = project.root / "src" / "bolts" / "another.py"
    other.write_text(bolt.format("Another"))
    (found,) = project.findings(FINE, f"{PARTS}\n{bolt.format('Count')}")
    assert found.code == "SW112"
    assert "domain = 'visits', as Another does" in found.what


def test_print_in_a_plain_bolt_breaks_the_protocol(project: Project) -> None:
    plain = "class Count(Bolt):\n    def process(self, tup):\n        print(tup)"
    assert project.codes(FINE, f"{PARTS}\n{plain}\n") == ["SW106 error"]


def test_requirements(project: Project) -> None:
    late = f"{PARTS}\ndef late():\n    import lightgbm\n    import pystorm\n"
    (found,) = project.findings(FINE, late)
    assert (found.code, found.severity) == ("SW108", Severity.ERROR)
    assert "lacks lightgbm, which src/bolts/lintable.py imports" in found.what
    project.requires("streamparse", "LightGBM>=4", "# a word", "msgspec", "orjson")
    assert project.codes(FINE, late) == []  # pystorm comes with streamparse
    typed = "import typing\nif typing.TYPE_CHECKING:\n    from _typeshed import Incomplete\n"
    assert project.codes(FINE, f"{PARTS}\n{typed}") == []  # no worker imports it
    extra = (
        "    try:\n        import boto3\n    except ImportError as error:\n        raise error\n"
    )
    assert project.codes(FINE, f"{PARTS}\ndef late():\n{extra}") == []  # its absence is told
    more = "def more():\n    from boto3 import session\n"  # after it was found
    assert project.codes(FINE, f"{PARTS}\ndef late():\n{extra}\n{more}") == []
    other = extra.replace("ImportError", "ValueError")
    assert project.codes(FINE, f"{PARTS}\ndef late():\n{other}") == ["SW108 error"]
    (project.root / "virtualenvs" / "t.txt").unlink()
    assert project.codes(FINE) == ["SW108 warning"]


def test_a_finding_says_what_happens_and_how_to_mend_it(project: Project) -> None:
    (found,) = project.findings(CASES["SW105 error"][0])
    assert str(found).splitlines() == [
        "error SW105 t.emits: nobody reads 'more' of it",
        "  at run time: Storm acks what is emitted to no one: it is lost in silence",
        "  to fix it: give a bolt inputs=[emits['more']], or take the stream from `outputs`",
    ]


def test_errors_stop_a_start_and_warnings_are_told(project: Project) -> None:
    told: list[str] = []
    project.codes(CASES["SW105 warning"][0])
    check(project.root, ["t"], told.append)
    assert [line.split(":")[0] for line in told] == ["warning SW105 t.emits"]
    project.codes(CASES["SW105 error"][0])
    with pytest.raises(StormwatchError, match=r"1 error\(s\) in topology t: not started"):
        check(project.root, ["t"], told.append)


def test_a_topology_that_is_not_there(project: Project) -> None:
    with pytest.raises(StormwatchError, match="Topologies there are: none"):
        load(project.root / "topologies" / "other.py")


def test_sparse_does_not_start_what_has_errors(project: Project) -> None:
    alone = PARTS.replace("from spouts.kafka_batch import", "from streamparse import Spout as")
    assert project.codes(CASES["SW105 error"][0], alone) == ["SW105 error"]
    for command in ("run", "submit"):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "apps.local.storm.sparse", command, "-n", "t"],
            cwd=project.root, env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 1
        assert "error SW105 t.emits" in done.stderr
        assert "not started" in done.stderr


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["run", "-e", "local", "-n", "fraud"], "fraud"),
        (["submit", "--name=fraud", "-w"], "fraud"),
        (["run"], None),
        (["kill", "-n", "fraud"], None),
        ([], None),
    ],
)
def test_the_topology_that_sparse_would_start(argv: list[str], name: str | None) -> None:
    assert named(argv) == name


@pytest.mark.parametrize(
    ("setting", "name"),
    [("FRAUD_RULES", "fraud"), ("FRAUD_MODEL", "fraud"), ("MAINTENANCE_MODEL", "maintenance")],
)
def test_files_that_a_domain_cannot_use_are_told_before_a_start(
    setting: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"STORMWATCH_{setting}", str(tmp_path / "nowhere"))
    (found,) = [each for each in lint(ROOT, [name]) if each.code == "SW113"]
    assert found.severity is Severity.ERROR and str(tmp_path / "nowhere") in found.what
    told: list[str] = []
    with pytest.raises(StormwatchError, match="not started"):
        check(ROOT, [name], told.append)
    assert str(tmp_path / "nowhere") in told[0].splitlines()[0]
    assert not any("Traceback" in each for each in told)
