"""Runs the cases of a domain, one after another."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from time import monotonic

import msgspec

from apps.build.evaluate import cases
from apps.build.evaluate.case import Case, Figure, Say
from stormwatch.errors import SettingsError


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of one case: figures, or why it was not run."""

    case: str
    title: str
    figures: tuple[Figure, ...] = ()
    skipped: str = ""
    seconds: float = 0.0


def known() -> list[Case]:
    """All cases, by domain and name."""
    modules = (
        import_module(f"{cases.__name__}.{each.name}") for each in iter_modules(cases.__path__)
    )
    found: list[Case] = [module.CASE for module in modules]
    return sorted(found, key=lambda case: (case.domain, case.name))


def chosen(domain: str, name: str = "") -> list[Case]:
    """The cases of a domain, or one of them. Raises SettingsError for one that is not there."""
    own = [case for case in known() if case.domain == domain]
    if not name:
        return own
    one = [case for case in own if case.name == name]
    if not one:
        raise SettingsError(
            f"There is no case {name!r} of {domain}. Choose one of: "
            f"{', '.join(case.name for case in own)}."
        )
    return one


def run(wanted: Sequence[Case], data: Path | None, say: Say) -> Iterator[Result]:
    """Each case in turn; one whose data is not there is skipped, with the reason."""
    for case in wanted:
        if why := _missing(case, data):
            yield Result(case=case.name, title=case.title, skipped=why)
            continue
        say(f"{case.name}: {case.title}")
        began = monotonic()
        found = tuple(case.run(data / case.needs if data and case.needs else data, say))
        took = round(monotonic() - began, 1)
        yield Result(case=case.name, title=case.title, figures=found, seconds=took)


def _missing(case: Case, data: Path | None) -> str:
    if not case.needs or (data is not None and (data / case.needs).is_dir()):
        return ""
    where = (
        f"{data} has no folder {case.needs}" if data else f"needs a data folder with {case.needs}/"
    )
    return f"{where}: name it with --data or STORMWATCH_DATA (docs/evaluate.md says what it holds)"
