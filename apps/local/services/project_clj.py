"""project.clj, read: the one place for the versions of Storm, Kafka and Cassandra."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from apps.local.services.errors import ServiceError

_TOKEN = re.compile(
    r'(?:;[^\n]*|[\s,])*(?P<token>"(?:\\.|[^"\\])*"|[\[\](){}]|\^|#_|[^\s,;"\[\](){}^]+|$)'
)
_CLOSING = {"[": "]", "(": ")", "{": "}"}


class Name(NamedTuple):
    """What Maven calls groupId and artifactId."""

    group: str
    artifact: str


class Dependency(NamedTuple):
    """A jar wanted, with what is left out of what it brings along."""

    name: Name
    version: str
    exclusions: tuple[Name, ...] = ()


class Project(NamedTuple):
    """What project.clj asks for."""

    dependencies: tuple[Dependency, ...]
    managed: tuple[Dependency, ...]
    profiles: dict[str, tuple[Dependency, ...]]
    """What is wanted under a profile: its own and, unless it says `^:replace`, the project's."""


class _Form(list[Any]):
    """A list, vector or map (flat), whether marked `^:replace`."""

    replaces = False


def read(root: Path) -> Project:
    """The project of a folder. Raises ServiceError naming what cannot be read."""
    path = root / "project.clj"
    try:
        text = path.read_text()
    except OSError as error:
        raise ServiceError(f"Cannot read {path}: {error}. Run this inside the project.") from error
    try:
        return parse(text)
    except (ValueError, TypeError, AttributeError) as error:
        raise ServiceError(
            f"{path} is not a project that can be read ({error}). It begins with "
            '(defproject NAME "VERSION" … and each dependency is [group/artifact "version"].'
        ) from error


def parse(text: str) -> Project:
    """The project in a text. Raises ValueError."""
    form = _Reader(text).form()
    if not isinstance(form, _Form) or form[:1] != ["defproject"]:
        raise ValueError("there is no defproject")
    options = _pairs(form[3:])
    own = _dependencies(options.get(":dependencies", _Form()))
    return Project(
        own,
        _dependencies(options.get(":managed-dependencies", _Form())),
        {
            name.removeprefix(":"): _under(profile, own)
            for name, profile in _pairs(options.get(":profiles", _Form())).items()
        },
    )


def _under(profile: _Form, own: tuple[Dependency, ...]) -> tuple[Dependency, ...]:
    wanted = _pairs(profile).get(":dependencies", _Form())
    return (() if wanted.replaces else own) + _dependencies(wanted)


def _dependencies(forms: _Form) -> tuple[Dependency, ...]:
    return tuple(_dependency(form) for form in forms)


def _dependency(form: _Form) -> Dependency:
    name, version, *rest = form
    unknown = set(options := _pairs(rest)) - {":exclusions"}
    if unknown:
        raise ValueError(f"{name} has {' '.join(sorted(unknown))}, which are not known here")
    excluded = (e[0] if isinstance(e, list) else e for e in options.get(":exclusions", _Form()))
    return Dependency(_name(name), version, tuple(map(_name, excluded)))


def _name(text: str) -> Name:
    group, _, artifact = text.rpartition("/")
    return Name(group or artifact, artifact)


def _pairs(flat: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


class _Reader:
    """Forms of a text, one after the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def form(self) -> Any:
        """The next: a `_Form`, or the text of a string, symbol, keyword or number."""
        return self._form(self._token())

    def _token(self) -> str:
        """The next; "" at the end."""
        found = _TOKEN.match(self._text, self._at)
        if not found:
            line = self._text.count("\n", 0, self._at) + 1
            raise ValueError(f"a string that begins in line {line} does not end")
        self._at = found.end()
        return found["token"]

    def _form(self, token: str) -> Any:
        if token == "^":  # metadata: a keyword or a map, then what it is about
            about, form = self.form(), self.form()
            if isinstance(form, _Form):
                form.replaces = form.replaces or ":replace" in about
            return form
        if token == "#_":
            self.form()
            return self.form()
        if token in _CLOSING:
            return self._until(_CLOSING[token])
        if token in ("", *_CLOSING.values()):
            raise ValueError("its brackets do not match")
        return re.sub(r"\\(.)", r"\1", token[1:-1]) if token.startswith('"') else token

    def _until(self, closing: str) -> _Form:
        form = _Form()
        while (token := self._token()) != closing:
            if token == "#_":
                self.form()
            else:
                form.append(self._form(token))
        return form
