"""Rules and models of a domain as they are in force now, with what they did: for API and page."""

from collections import Counter

import msgspec

from apps.operate.rollout import changing, models, rules
from stormwatch.metrics import Snapshot
from stormwatch.ports import Store
from stormwatch.rollout.changes import RULES, kinds_of
from stormwatch.settings import Settings


class RuleNow(msgspec.Struct):
    """A rule in force, and how often it fired since the tasks began."""

    id: str
    state: str
    severity: str
    owner: str
    when: str
    hits: int  # acted on
    shadow_hits: int  # noted alone: in shadow
    snoozed_hits: int  # noted alone: snoozed for the entity, or above its cap


class RulesNow(msgspec.Struct):
    """The rules in force."""

    revision: int  # 0: those of the settings
    version: str
    by: str
    at: int
    reason: str
    rules: list[RuleNow]


class TaskNow(msgspec.Struct):
    """A task that decides."""

    name: str
    revisions: dict[str, int]  # kind -> revision that is in force there
    refused: int


class InForce(msgspec.Struct):
    """Of one domain."""

    domain: str
    rules: RulesNow | None
    models: list[models.Version]
    tasks: list[TaskNow]


def view(settings: Settings, store: Store, domain: str, now: int) -> InForce:
    """Raises SettingsError for a domain without rules and models that can be changed."""
    kinds = kinds_of(domain)
    if not kinds:
        changing.check_domain(domain, RULES)
    fired: Counter[str] = Counter()
    tasks = []
    for (component, instance), body in sorted(store.meters(domain).items()):
        of = msgspec.json.decode(body, type=Snapshot)
        fired.update(of.fired)
        if of.follows == domain and now - of.at < changing.FRESH_MS:
            tasks.append(TaskNow(f"{component} {instance}", of.revisions, of.refused))
    found = None
    if RULES in kinds:
        current = rules.current(settings, store)
        read, change = rules.read(settings, current.text, "the rules in force"), current.change
        found = RulesNow(
            current.revision, read.version, change.author if change else "",
            change.at if change else 0, change.reason if change else "",
            [
                RuleNow(
                    rule.id, rule.state, rule.severity, rule.owner, rule.predicate.text,
                    fired[rule.id], fired[f"shadow:{rule.id}"],
                    fired[f"snoozed:{rule.id}"] + fired[f"capped:{rule.id}"],
                )
                for rule in read.rules
            ],
        )  # fmt: skip
    return InForce(domain, found, models.versions(store, domain), tasks)
