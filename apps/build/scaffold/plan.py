"""What `new` would change, before anything is written."""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from apps.build.scaffold import documents, names, templates
from apps.build.scaffold.topology import source_of, with_component
from stormwatch.errors import StormwatchError

KINDS = ("bolt", "spout", "topology", "feature", *documents.DOCUMENTS)

_LOOKS = ("nothing yet", "at least once; a replay sees the same batch again")
_REMEMBERS = (
    "decisions, states and alerts, under its own name",
    "effects once: a replay or a crash counts no event twice",
)
_WIDTH = 101  # of a line with its end
_SETTINGS = "src/stormwatch/settings.py"


@dataclass(frozen=True)
class ScaffoldPlan:
    """File -> its new text, from the root; what to do next."""

    root: Path
    files: dict[str, str]
    next: str

    def diff(self) -> str:
        """What changes in existing files, as unified diff, and which files are new."""
        parts: list[str] = []
        for name, text in self.files.items():
            path = self.root / name
            before = path.read_text().splitlines(True) if path.exists() else []
            origin = f"a/{name}" if before else "/dev/null"
            parts += difflib.unified_diff(before, text.splitlines(True), origin, f"b/{name}")
        return "".join(parts)

    def write(self) -> None:
        """Write every file."""
        for name, text in self.files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def plan(
    kind: str, name: str, root: Path, topology: str | None = None, state: bool = False
) -> ScaffoldPlan:
    """The files of a new component. Raises NameRefused, StormwatchError."""
    if state and (kind != "bolt" or topology is None):
        raise StormwatchError(
            "--state is for bolts in a topology: states are kept by the key of its events. "
            f"Run: ./stormwatch new bolt {name} --topology fraud --state"
        )
    if kind == "bolt":
        names.check(kind, name, root, topology)
        return _bolt(name, root, topology, state)
    if kind == "feature":
        return _feature(name, root, topology)
    if topology is not None:
        raise StormwatchError(
            f"--topology is for bolts: a {kind} is read by one, so write the bolt's line. "
            f"Run: ./stormwatch new {kind} {name}"
        )
    if kind in documents.DOCUMENTS:
        return ScaffoldPlan(root, *documents.written(kind, name, root))
    names.check(kind, name, root)
    return _spout(name, root) if kind == "spout" else _topology(name, root)


def _feature(name: str, root: Path, topology: str | None) -> ScaffoldPlan:
    path = f"features/{name}.py"
    if topology not in (None, "fraud"):
        raise StormwatchError(
            f"Features of a user's own are of payments. Run: ./stormwatch new feature {name}"
        )
    if (root / path).exists():
        raise StormwatchError(f"{path} exists already. Take another name.")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise StormwatchError(
            f"{name!r} cannot be the name of a feature: lower case, words joined by _, at most 40 "
            "characters."
        )
    files = {
        path: templates.FEATURE.format(name=name),
        f"tests/features/test_{name}.py": templates.FEATURE_TEST.format(name=name),
    }
    then = (
        f"Next: ./stormwatch test tests/features/test_{name}.py; then in stormwatch.toml, under "
        f'[fraud]: features = "{path}" (docs/own-features.md)'
    )
    return ScaffoldPlan(root, files, then)


def _bolt(name: str, root: Path, topology: str | None, state: bool) -> ScaffoldPlan:
    cls = names.class_name(name)
    files = {}
    bolt, test, told = templates.RECORDS_BOLT, templates.BOLT_TEST, _LOOKS
    event, module, reads = "", "", "records of a spout"
    if topology is not None:
        path = f"topologies/{topology}.py"
        source = source_of(root / path)
        bolt, event, module = templates.EVENTS_BOLT, source.event, source.module
        reads = f"`{source.component}` of {topology}, payload `Parsed[{event}]`"
        text = (root / path).read_text()
        files[path] = with_component(text, name, f"bolts.{name}", cls, source.component)
    if state:
        bolt, test, told = templates.STATEFUL_BOLT, templates.STATEFUL_TEST, _REMEMBERS
    words = {"cls": cls, "name": name, "event": event, "event_module": module}
    sentence = f"What {cls} is for, in one sentence."
    files |= {
        f"src/bolts/{name}.py": _sorted_imports(bolt.format(**words, sentence=sentence)),
        f"tests/components/test_{name}.py": _sorted_imports(test.format(**words)),
        f"docs/components/{name}.md": _page(cls, f"src/bolts/{name}.py", name, reads, *told),
    }
    then = (
        f"./stormwatch dev {topology}" if topology else "its line in a topology: `spec(inputs=…)`"
    )
    return ScaffoldPlan(root, files, _next(name, then))


def _spout(name: str, root: Path) -> ScaffoldPlan:
    return ScaffoldPlan(
        root, _spout_files(name, root), _next(f"{name}_spout", "its line in a topology: `spec()`")
    )


def _spout_files(name: str, root: Path) -> dict[str, str]:
    cls, topic = names.class_name(name), name.replace("_", "-")
    before = (root / _SETTINGS).read_text()
    anchor = next(line for line in before.splitlines(True) if line.startswith("    topic_alerts"))
    line = f'    topic_{name}: str = _option("topic.{name}", "{topic}", "read by its spout")\n'
    if len(line) > _WIDTH:
        line = line.replace("_option(", "_option(\n        ").replace('spout")', 'spout"\n    )')
    files = {
        f"src/spouts/{name}.py": templates.SPOUT.format(cls=cls, name=name, topic=topic),
        f"tests/components/test_{name}_spout.py": templates.SPOUT_TEST.format(
            cls=cls, name=name, topic=topic
        ),
        f"docs/components/{name}_spout.md": _page(
            f"{cls}Spout", f"src/spouts/{name}.py", f"{name}_spout", f"the Kafka topic `{topic}`"
        ),
    }
    if f"    topic_{name}:" not in before:
        files[_SETTINGS] = before.replace(anchor, line + anchor, 1)
    return files


def _topology(name: str, root: Path) -> ScaffoldPlan:
    cls, topic = names.class_name(name), name.replace("_", "-")
    files = _spout_files(name, root)
    bolt = templates.RECORDS_BOLT.format(cls=cls, sentence=f"What comes by the topic `{topic}`.")
    bolt = bolt.replace(
        "from bolts.base import BatchBolt\n",
        "from bolts.base import BatchBolt\nfrom bolts.reject import RejectBolt\n",
    )
    files |= {
        f"src/bolts/{name}.py": bolt + templates.REJECT.format(
            cls=cls, name=name, base="RejectBolt"
        ),
        f"topologies/{name}.py": templates.TOPOLOGY.format(
            cls=cls, name=name, topic=topic, both=_in_order(cls, f"Reject{cls}")
        ),
        f"virtualenvs/{name}.txt": (root / "virtualenvs" / "fraud.txt").read_text(),
        f"tests/components/test_{name}.py": templates.BOLT_TEST.format(cls=cls, name=name),
        f"tests/topologies/test_{name}_topology.py": templates.TOPOLOGY_TEST.format(name=name),
        f"docs/components/{name}.md": _page(
            cls, f"src/bolts/{name}.py", name, f"the spout of topologies/{name}.py"
        ),
    }  # fmt: skip
    return ScaffoldPlan(root, files, _next(name, f"./stormwatch dev {name}"))


def _page(
    title: str, code: str, test: str, reads: str, writes: str = _LOOKS[0],
    guarantee: str = _LOOKS[1],
) -> str:  # fmt: skip
    return templates.PAGE.format(
        title=title, what="What it is for, in one sentence.", reads=reads, code=f"`{code}`",
        tests=f"`tests/components/test_{test}.py`", writes=writes, guarantee=guarantee,
    )  # fmt: skip


def _next(test: str, then: str) -> str:
    return f"Next: ./stormwatch test tests/components/test_{test}.py; then {then}"


def _in_order(*names: str) -> str:
    """Names of one import in ruff's order: what looks like a constant first."""
    return ", ".join(sorted(names, key=lambda name: (not (name.isupper() and name[1:]), name)))


def _sorted_imports(text: str) -> str:
    """`text` with its `from` lines of first-party modules in ruff's order."""
    lines = text.splitlines(True)
    ours = [i for i, line in enumerate(lines) if line.startswith(("from bolts", "from stormwatch"))]
    for i, line in zip(ours, sorted(lines[i] for i in ours), strict=True):
        lines[i] = line
    return "".join(lines)
