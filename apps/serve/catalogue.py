"""What is known beside the stream: mappings, equipment types, lists of rules, the Storm cluster."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from apps.data.mappings import TARGETS
from apps.operate import nimbus
from apps.operate.casework import audited
from apps.operate.missing import NotFound
from apps.operate.rollout import changing, rules
from apps.serve import answers
from apps.serve.reader import Reader
from apps.serve.rolling import RULES, told
from apps.serve.route import Asker, Nothing, Route
from stormwatch import named_texts
from stormwatch.domains.maintenance import equipment
from stormwatch.errors import SettingsError
from stormwatch.parsing.mapping import PRESET, marks, presets, read, text_of
from stormwatch.people import OPERATOR
from stormwatch.rules import runtime
from stormwatch.settings import Settings

NIMBUS_MS = 2_000
"""How long Nimbus may take to answer."""
VALUES, CHANGED = 10_000, 200
"""Of one list: that are shown, and that one change adds, and takes out, at most."""
_Value = Annotated[str, Meta(min_length=1, max_length=1_000)]


class OneNamed(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of one thing that has a name."""

    name: Annotated[str, Meta(min_length=1, max_length=300)]


class ChangeList(msgspec.Struct, forbid_unknown_fields=True):
    """What to add to a list of the rules in force, and what to take from it; and why."""

    name: Annotated[str, Meta(min_length=1, max_length=300)]
    reason: Annotated[str, Meta(min_length=1, max_length=1_000)]
    add: Annotated[list[_Value], Meta(max_length=CHANGED)] = []
    remove: Annotated[list[_Value], Meta(max_length=CHANGED)] = []


class PushRules(msgspec.Struct, forbid_unknown_fields=True):
    """A whole file of rules, made of the one in force; and why."""

    text: Annotated[str, Meta(min_length=1, max_length=RULES)]
    reason: Annotated[str, Meta(min_length=1, max_length=1_000)]


def routes(reader: Reader, root: Path, clock: Callable[[], int]) -> list[Route]:
    """The routes."""
    settings, archive = reader.settings, reader.archive

    def lists(_: Nothing) -> answers.RuleLists:
        now = rules.current(settings, archive)
        file = runtime.file_of(now.text, "the rules in force")
        found = file.lists | file.runtime.lists
        return answers.RuleLists(now.revision, {name: len(found[name]) for name in sorted(found)})

    def one_list(asked: OneNamed) -> answers.RuleList:
        now = rules.current(settings, archive)
        try:
            values = runtime.listed(now.text, asked.name)
        except SettingsError as error:
            raise NotFound(str(error)) from error
        return answers.RuleList(asked.name, now.revision, values[:VALUES])

    def change(_: Nothing, body: ChangeList, by: Asker) -> answers.Changed:
        who = changing.Who(by.who.name, body.reason, clock())
        with audited(archive, by.who, "rules.list", body.name, body.reason, clock()):
            made = rules.change_list(
                settings, archive, body.name, who, add=body.add, remove=body.remove
            )
        return told(settings, made)

    def text(_: Nothing) -> answers.RulesText:
        now = rules.current(settings, archive)
        return answers.RulesText(now.revision, rules.pulled(now))

    def push(_: Nothing, body: PushRules, by: Asker) -> answers.Changed:
        who = changing.Who(by.who.name, body.reason, clock())
        with audited(archive, by.who, "rules.push", "fraud", body.reason, clock()):
            made = rules.push(settings, archive, body.text, "the rules", who)
        return told(settings, made)

    return [
        Route("/v1/mappings", Nothing, answers.Mappings,
              "Mappings in force, and names of those that are shipped.",
              lambda _: _mappings(settings)),
        Route("/v1/mapping", OneNamed, answers.Mapping,
              "One mapping as TOML: of a topic, or preset:NAME.",
              lambda asked: answers.Mapping(asked.name, _mapping(settings, asked.name))),
        Route("/v1/equipment-types", Nothing, list[answers.EquipmentType],
              "Kinds of machines that are known.", lambda _: _types(settings)),
        Route("/v1/equipment-type", OneNamed, equipment.Equipment,
              "One kind of machines: its sensors, what is normal, what waiting costs.",
              lambda asked: _type(settings, asked.name)),
        Route("/v1/lists", Nothing, answers.RuleLists, "The lists of the rules in force.", lists),
        Route("/v1/list", OneNamed, answers.RuleList,
              f"One list of the rules in force: its first {VALUES:,} values.", one_list),
        Route("/v1/list", Nothing, answers.Changed,
              "Add to a list of the rules in force, and take from it, while records flow.", change,
              method="POST", body=ChangeList, role=OPERATOR),
        Route("/v1/rules", Nothing, answers.RulesText,
              "The rules of fraud in force, as the file that a push is made of.", text),
        Route("/v1/rules", Nothing, answers.Changed,
              "Have rules in force on all running tasks; refused where somebody pushed in between.",
              push, method="POST", body=PushRules, role=OPERATOR),
        Route("/v1/cluster", Nothing, answers.Cluster,
              "Topologies that run on the Storm cluster, as Nimbus says.",
              lambda _: _cluster(root)),
    ]  # fmt: skip


def _mappings(settings: Settings) -> answers.Mappings:
    events = {topic: kind for kind in TARGETS for topic in _texts(settings, kind)}
    in_force = [
        answers.MappedTopic(topic, events[topic], version)
        for topic, version in sorted(marks(settings).items())
        if topic in events
    ]
    return answers.Mappings(in_force, presets())


def _mapping(settings: Settings, name: str) -> str:
    if name.startswith(PRESET):
        if name.removeprefix(PRESET) in presets():
            return text_of(name)
    else:
        for kind in TARGETS:
            if found := _texts(settings, kind).get(name):
                return found
    raise NotFound(
        f"There is no mapping of {name!r}. /v1/mappings has the topics that have one, and the "
        f"presets, each as {PRESET}NAME."
    )


def _texts(settings: Settings, events: str) -> dict[str, str]:
    """Topic -> the TOML of its mapping."""
    value = text_of(getattr(settings, f"mapping_{events}"))
    return {
        read(text, "the mapping").topic or getattr(settings, f"topic_{events}"): text
        for text in named_texts.parts(value)
    }


def _types(settings: Settings) -> list[answers.EquipmentType]:
    known = equipment.chosen(settings)
    return [
        answers.EquipmentType(name, kind.version, kind.words, len(kind.sensors),
                              kind is known.default)
        for name, kind in sorted(known.by_name.items())
    ]  # fmt: skip


def _type(settings: Settings, name: str) -> equipment.Equipment:
    known = equipment.chosen(settings).by_name
    if name not in known:
        raise NotFound(f"There is no equipment type {name!r}. There are: {', '.join(known)}.")
    return known[name]


def _cluster(root: Path) -> answers.Cluster:
    host, port = nimbus.address(root)
    found = nimbus.ask(host, port, NIMBUS_MS)
    if found is None:
        return answers.Cluster(f"{host}:{port}", False, False, 0, [])
    return answers.Cluster(
        f"{host}:{port}", True, found.leader, found.supervisors,
        [answers.RunningTopology(*each) for each in found.running],
    )  # fmt: skip
