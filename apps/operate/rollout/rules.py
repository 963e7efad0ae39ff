"""The rules of fraud changed while it runs: pushed, reverted, their lists and snoozes."""

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from apps.operate.rollout import changing
from apps.operate.rollout.changing import Who
from stormwatch import named_texts
from stormwatch.adapters.versions import fetched
from stormwatch.domains.fraud import Fraud, own
from stormwatch.domains.fraud import rules as fraud_rules
from stormwatch.errors import SettingsError, StormwatchError
from stormwatch.ports import Registry
from stormwatch.rollout.changes import RULES, Change, Entry
from stormwatch.rules import runtime
from stormwatch.rules.document import RuleSet, Runtime
from stormwatch.rules.files import text as text_of
from stormwatch.settings import Settings

DOMAIN = Fraud.name
PULLED = "# revision "
"""How the first line of a pulled file begins; the number follows."""


class Current(NamedTuple):
    """The rules in force."""

    revision: int  # 0: those of the settings
    text: str
    change: Change | None


def current(settings: Settings, registry: Registry) -> Current:
    """Raises ModelError where the registry has lost them, SettingsError, StoreUnavailable."""
    change = changing.newest(registry, DOMAIN, RULES)
    revision = change.revision if change else 0
    if change is not None and change.live is not None:
        return Current(revision, fetched(registry, change.live).decode(), change)
    value = settings.fraud_rules
    if value and named_texts.is_text(value):
        return Current(revision, value, change)
    return Current(revision, text_of(Path(value) if value else fraud_rules.SHIPPED), change)


def read(settings: Settings, text: str, where: str) -> RuleSet:
    """Raises SettingsError, with `where`, line and what is allowed."""
    return fraud_rules.of_text(text, where, own.feature_names(settings))


def pulled(now: Current) -> str:
    """As a person gets them, to change and push again: the first line says of what they are."""
    return f"{PULLED}{now.revision} of the rules of fraud\n{_bare(now.text)}"


def push(
    settings: Settings, registry: Registry, text: str, where: str, who: Who,
    onto: int | None = None, state: str = "live", share: float = 0.0,
) -> Change:  # fmt: skip
    """Have these rules in force; nothing is, unless they are good as a whole.

    `onto`: the revision that they were made of; None: what the text's first line says, or else the
    newest. Lists and snoozes that commands changed go along. Raises SettingsError, Conflict.
    """
    read(settings, text, where)
    now = current(settings, registry)
    if onto is None:
        onto = _pulled_of(text)
    text = _with_runtime(_bare(text), now.text)
    base = _entries_of(now, onto, registry)
    entry = kept(settings, registry, text, state, share)
    return changing.change(
        registry, DOMAIN, RULES, who, "push", _placed(base, entry),
        onto=now.revision if onto is None else onto,
        describe=lambda newer: _described(registry, settings, onto, newer),
    )  # fmt: skip


def kept(
    settings: Settings, registry: Registry, text: str, state: str = "live", share: float = 0.0
) -> Entry:
    """The rules, checked and kept as an artefact; in force once a change names them."""
    version = read(settings, text, "the rules").version
    return Entry(version, registry.keep_artefact(text.encode()), state, share)  # type: ignore[arg-type]


def revert(settings: Settings, registry: Registry, revision: int, who: Who) -> Change:
    """What was in force after that revision is again; 0: the file of the settings."""
    now = current(settings, registry)
    changes = registry.changes(DOMAIN, RULES, changing.HISTORY)
    entries = next((c.entries for c in changes if c.revision == revision), None)
    if entries is None and revision:
        raise SettingsError(
            f"There is no revision {revision} of the rules of {DOMAIN}. `./stormwatch rules "
            "history` has them all."
        )
    act = f"revert to {revision}"
    return changing.change(registry, DOMAIN, RULES, who, act, entries or (), onto=now.revision)


def change_list(
    settings: Settings, registry: Registry, name: str, who: Who, *,
    add: Iterable[str] = (), remove: Iterable[str] = (),
) -> Change:  # fmt: skip
    """Add to a list of the rules in force, and take from it. Raises SettingsError, Conflict."""
    added, removed = list(add), list(remove)
    act = " and ".join(
        f"list {name} {word} {', '.join(some[:3])}{' ...' if len(some) > 3 else ''}"
        for word, some in (("add", added), ("remove", removed)) if some
    )  # fmt: skip
    return _edited(
        settings, registry, who, act, lambda text: runtime.changed_list(text, name, added, removed)
    )


def snooze(
    settings: Settings, registry: Registry, rule: str, entity: str, until: datetime | None,
    now: datetime, who: Who,
) -> Change:  # fmt: skip
    """Have a rule not acted on for an entity, in events before `until`; None ends that."""
    ends = until.isoformat(timespec="minutes") if until else "now"
    return _edited(
        settings, registry, who, f"snooze {rule} of {entity} until {ends}",
        lambda text: runtime.snoozed(text, rule, entity, until, now),
    )  # fmt: skip


def difference(settings: Settings, before: str, after: str) -> str:
    """What one rules file has otherwise than another, in words."""
    old = read(settings, before, "the rules before")
    new = read(settings, after, "the rules")
    was = {rule.id: rule for rule in old.rules}
    now = {rule.id: rule for rule in new.rules}

    def told(rule_id: str) -> tuple[object, ...]:
        rule = now[rule_id], was[rule_id]
        return tuple((each.predicate.text, *each[2:8]) for each in rule)

    changed = [one for one in now if one in was and len(set(told(one))) > 1]
    lists = sorted(
        name for name in {*old.lists, *new.lists}
        if old.lists.get(name) != new.lists.get(name)
    )  # fmt: skip
    parts = [
        f"{word} {', '.join(some)}"
        for word, some in (
            ("adds", [one for one in now if one not in was]),
            ("removes", [one for one in was if one not in now]),
            ("changes", changed), ("changes the list", lists),
        )
        if some
    ]  # fmt: skip
    if (old.review_from, old.decline_from) != (new.review_from, new.decline_from):
        parts.append(f"reviews from {new.review_from:g} and declines from {new.decline_from:g}")
    if old.snoozes != new.snoozes:
        parts.append("changes snoozes")
    return "; ".join(parts) or "changes nothing that decides"


def _edited(
    settings: Settings, registry: Registry, who: Who, act: str, edit: Callable[[str], str]
) -> Change:
    now = current(settings, registry)
    if now.text.lstrip().startswith("{"):
        raise SettingsError(
            "The rules in force are JSON of before, which has no lists. Push them as TOML first: "
            "docs/rules.md."
        )
    entry = kept(settings, registry, edit(now.text))
    base = _entries_of(now, now.revision, registry)
    return changing.change(
        registry, DOMAIN, RULES, who, act, _placed(base, entry), onto=now.revision
    )


def _placed(before: tuple[Entry, ...], entry: Entry) -> tuple[Entry, ...]:
    """What is in force with this one in the place of what has its state."""
    others = [
        each for each in before
        if each.state != entry.state and each.version != entry.version
    ]  # fmt: skip
    return (*others, entry)


def _entries_of(now: Current, onto: int | None, registry: Registry) -> tuple[Entry, ...]:
    """What was in force at the revision that a change is made of."""
    if onto is None or onto == now.revision:
        return now.change.entries if now.change else ()
    return ()  # refused anyway: another change came after it


def _pulled_of(text: str) -> int | None:
    line = text.lstrip("\n").partition("\n")[0]
    number = line.removeprefix(PULLED).partition(" ")[0]
    return int(number) if line.startswith(PULLED) and number.isdigit() else None


def _bare(text: str) -> str:
    return text.lstrip("\n").partition("\n")[2] if _pulled_of(text) is not None else text


def _with_runtime(text: str, before: str) -> str:
    is_json = [each.lstrip().startswith("{") for each in (text, before)]
    if is_json[1]:
        return text
    if is_json[0]:
        if runtime.file_of(before, "the rules in force").runtime != Runtime():
            raise SettingsError(
                "Lists or snoozes were changed while the rules are in force, and rules in JSON "
                "cannot have them. Write them as TOML: docs/rules.md."
            )
        return text
    return runtime.carried(text, before)


def _described(registry: Registry, settings: Settings, onto: int | None, newer: Change) -> str:
    """What a newer change has otherwise than the one that a text was made of."""
    changes = {c.revision: c for c in registry.changes(DOMAIN, RULES, changing.HISTORY)}
    base = changes.get(onto or 0)
    try:
        before = (
            fetched(registry, base.live).decode() if base and base.live
            else current(settings, _Empty()).text
        )  # fmt: skip
        after = fetched(registry, newer.live).decode() if newer.live else before
        return f"It {difference(settings, before, after)}. "
    except StormwatchError:
        return ""


class _Empty:
    """A registry without changes: the rules of the settings."""

    def changes(self, domain: str, kind: str, limit: int) -> list[Change]:
        return []

    def add_change(self, change: Change) -> bool:
        return False

    def keep_artefact(self, artefact: bytes) -> str:
        return ""

    def artefact(self, name: str) -> bytes | None:
        return None
