"""A replay: the proof that what is stored comes out again, or what another model would decide."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from apps.operate.domains import MAKE, provable
from apps.operate.rollout.versions import resolver
from apps.prove.replay import compare
from apps.prove.replay.compare import EXAMPLES, Change, Proof
from apps.prove.replay.course import Pass, Range, run
from apps.prove.replay.needs import Needs, ReplayRefused
from stormwatch import models
from stormwatch.adapters import connect
from stormwatch.archive import Archive
from stormwatch.errors import ModelError, SettingsError
from stormwatch.ports import Source
from stormwatch.records import Decision, DecisionRow
from stormwatch.settings import Settings
from stormwatch.state.judge import Domain, versions_of

_decode = msgspec.json.Decoder(Decision).decode


class Replay:
    """One range of one partition. Raises ReplayRefused, InfrastructureError, ModelError."""

    def __init__(
        self, settings: Settings, archive: Archive, source: Source, name: str, of: Range,
        labels: Source | None = None,
    ) -> None:  # fmt: skip
        """`labels`: of the topic of labels, where there is one."""
        self._settings, self._name, self._of = settings, name, of
        self._archive = archive
        self._needs = Needs(settings, archive, source, name, of, labels)

    def proof(self, folders: Sequence[Path] = ()) -> Proof:
        """Compare with what is stored. `folders` are searched for the stored models' versions."""
        of, ends = self._of, self._needs.ends()
        settings = self._settings
        domain = MAKE[self._name](settings)
        resolve = resolver(settings, self._archive, self._name, domain)
        made = run(settings, self._name, self._needs.batches(), of, self._needs.recorded, resolve)
        stored = self._needs.stored(ends, made)
        passes: dict[str, Pass] = {}
        _same_rates(domain, stored.rates)
        known = versions_of(domain)
        for model, rules, features in stored.versions:
            if (model, rules, features) in known or resolve((model, rules)) is not None:
                continue
            _same_code(domain, rules, features)
            if model not in passes:
                folder = str(self._model(model, domain, folders))
                changed = _with(self._name, settings, "model", folder)
                passes[model] = run(
                    changed, self._name, self._needs.batches(), of, self._needs.recorded
                )
        replayed = dict(made.decisions)
        for offset, row in stored.decisions.items():
            other = passes.get(_model_of(row), made).decisions.get(offset)
            if other is not None:
                replayed[offset] = other
        found = compare.differences(stored.decisions, replayed, ends, made.ends)
        wrong = {difference.offset for difference in found}
        return Proof(
            of.partition, of.first, of.last, made.before,
            [f"{model} {rules}" for model, rules, _ in stored.versions], len(stored.decisions),
            len(stored.decisions.keys() - wrong), dict(Counter(ends.values())), found[:EXAMPLES],
            len(found),
        )  # fmt: skip

    def change(self, folder: Path | None, rules: Path | None = None) -> Change:
        """What another model, or other rules, would have decided instead of what is stored."""
        settings = self._settings
        if folder is not None:
            settings = _with(self._name, settings, "model", str(folder))
        if rules is not None:
            settings = _with(self._name, settings, "rules", str(rules))
        made = run(settings, self._name, self._needs.batches(), self._of, self._needs.recorded)
        stored = self._needs.stored(self._needs.ends(), made).decisions
        readable = {offset: row for offset, row in stored.items() if _model_of(row)}
        of = self._of
        return compare.change((of.partition, of.first, of.last), readable, made.decisions)

    def _model(self, version: str, domain: Domain[Any, Any], folders: Sequence[Path]) -> Path:
        """The folder that holds this version of the model; NONE for what rules decided alone."""
        if version == models.NONE:
            return Path(models.NONE)
        seen = []
        for folder in folders:
            try:
                card = models.load(folder, feature_set=domain.feature_set).card
            except ModelError as error:
                seen.append(f"{folder}: {error}")
                continue
            if card.version == version:
                return folder
            seen.append(f"{folder} has {card.version}")
        known = "; ".join([f"the settings have {domain.model_version}", *seen])
        raise ReplayRefused(
            f"Decisions of the range were made with model {version}, which is not here ({known}). "
            "Name the folder that has it: --models FOLDER."
        )


def _same_rates(domain: Any, stored: Iterable[str]) -> None:
    """Raises ReplayRefused for decisions by other reference rates than the settings have."""
    for version in stored:
        if version != domain.rates.version:
            raise ReplayRefused(
                f"Decisions of the range were made with the reference rates {version}, and the "
                f"settings have {domain.rates.version}. Name the file of those by fraud.rates."
            )


def _with(name: str, settings: Settings, what: str, place: str) -> Settings:
    """With another model or other rules. Raises SettingsError where none can be given."""
    field = f"{name}_{what}"
    if not hasattr(settings, field):
        raise SettingsError(f"--{what}: {name} has no {what} that can be replaced.")
    changes: dict[str, Any] = {field: place}
    return replace(settings, **changes)


def _model_of(row: DecisionRow) -> str:
    """The version that decided; "" where the row cannot be read."""
    try:
        return _decode(bytes(row.body)).model
    except msgspec.MsgspecError:
        return ""


def _same_code(domain: Domain[Any, Any], rules: str, features: str) -> None:
    if (rules, features) != (domain.rules_version, domain.feature_set):
        raise ReplayRefused(
            f"Decisions of the range were made by rules {rules} over features {features}; this "
            f"program has {domain.rules_version} and {domain.feature_set}. Replay with the version "
            "of Stormwatch that has them."
        )


@contextmanager
def opened(
    settings: Settings, archive: Archive, name: str, partition: int, first: int, last: int
) -> Iterator[Replay]:
    """A replay with a source of its own. Raises SettingsError for a range that is none."""
    stream = provable(settings, name)
    with ExitStack() as stack:
        source, *others = (
            stack.enter_context(closing(connect.source(settings, topic))) for topic in stream.topics
        )
        labels = next((each for each in others if each.describe() is not None), None)
        info = source.describe()
        if info is None or partition not in range(info.partitions) or not 0 <= first <= last:
            parts = 0 if info is None else info.partitions
            raise SettingsError(
                f"There are no offsets {first} to {last} of partition {partition}: {stream.topic} "
                f"has {parts} partitions, from 0 on, and --from is not above --to."
            )
        of = Range(stream.topic, partition, first, last)
        yield Replay(settings, archive, source, name, of, labels)
