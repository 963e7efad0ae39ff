"""The topology's jar: src/ under resources/, where Storm looks for components. Nothing else: what
Storm needs is on the class path already.

The byte code that Python keeps beside the source goes along, where it is of this source: else each
component's process would compile all that it imports, at every start.
"""

import shutil
import struct
import zipfile
from collections.abc import Callable
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path

from apps.local.services import project_clj
from apps.local.services.errors import ServiceError
from apps.local.services.locks import BUILD, locked

_LEFT_OUT = ("__pycache__", ".DS_Store")
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""So that the same source gives the same jar."""


def builder(
    project: Path, streamparse: Callable[..., str], run_dir: Path, place: Path
) -> Callable[..., str]:
    """What streamparse calls for a jar; `streamparse` is its own, which needs Leiningen."""

    def build(simple_jar: bool = False) -> str:
        if plain(project):
            jar = pack(project / "src", place / "topology.jar")
            print(f"JAR created: {jar}", flush=True)
            return str(jar)
        if not shutil.which("lein"):
            raise ServiceError(
                "project.clj puts more into the topology's jar than src/, and Leiningen, which "
                "builds that, is not on PATH. Install it (Debian, Ubuntu: `apt-get install "
                "leiningen`), or write `:profiles {:uberjar {:dependencies ^:replace []}}`."
            )
        with locked(run_dir / BUILD):  # both write to _build and _resources of the project
            jar = Path(streamparse(simple_jar=simple_jar)).resolve()
            return str(jar if jar.parent == place else shutil.copy(jar, place / jar.name))

    return build


def plain(project: Path) -> bool:
    """Whether project.clj asks for no dependency inside the jar."""
    return project_clj.read(project).profiles.get("uberjar") == ()


def pack(source: Path, jar: Path) -> Path:
    """The files below `source` as a jar. Raises ServiceError where there is no such folder."""
    if not source.is_dir():
        raise ServiceError(f"There is no folder {source}: bolts and spouts are looked for there.")
    jar.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr(
            zipfile.ZipInfo("META-INF/MANIFEST.MF", _LONG_AGO), "Manifest-Version: 1.0\n"
        )
        for path in sorted(source.rglob("*")):
            inside = path.relative_to(source)
            if path.is_file() and not any(part in _LEFT_OUT for part in inside.parts):
                content = path.read_bytes()
                _add(packed, inside, content)
                if path.suffix == ".py" and (code := byte_code(path, content)):
                    _add(packed, Path(cache_from_source(str(inside))), code)
    return jar


def _add(packed: zipfile.ZipFile, inside: Path, content: bytes) -> None:
    entry = zipfile.ZipInfo(f"resources/{inside.as_posix()}", _LONG_AGO)
    entry.compress_type = zipfile.ZIP_DEFLATED
    packed.writestr(entry, content)


def byte_code(path: Path, source: bytes) -> bytes:
    """What Python made of this source before, to be taken wherever the two are copied to; b"" if
    there is none, or it is of another source or Python.

    Python's own says of which time and size its source was (PEP 552); the copy says its hash, and
    that nobody need look.
    """
    try:
        kept = Path(cache_from_source(str(path))).read_bytes()
        made = path.stat()
    except (OSError, NotImplementedError):
        return b""
    times = struct.pack("<II", int(made.st_mtime) & 0xFFFFFFFF, made.st_size & 0xFFFFFFFF)
    if kept[:16] != MAGIC_NUMBER + struct.pack("<I", 0) + times or made.st_size != len(source):
        return b""
    return MAGIC_NUMBER + struct.pack("<I", 1) + source_hash(source) + kept[16:]
