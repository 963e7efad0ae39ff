"""Rules compared, and models promoted and rolled back, by the API."""

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from apps.operate.casework import audited
from apps.operate.rollout import changing, models, rules
from apps.serve import answers
from apps.serve.reader import Domain, Reader, known
from apps.serve.route import Asker, Nothing, Route
from stormwatch.errors import InfrastructureError
from stormwatch.people import OPERATOR, VIEWER
from stormwatch.rollout.changes import Change
from stormwatch.settings import Settings

RULES = 200_000
"""Characters of a file of rules."""
Reasoned = Annotated[str, Meta(min_length=1, max_length=1_000)]


class SomeRules(msgspec.Struct, forbid_unknown_fields=True):
    """A whole file of rules."""

    text: Annotated[str, Meta(min_length=1, max_length=RULES)]


class Promote(msgspec.Struct, forbid_unknown_fields=True):
    """Which model that was pushed is to decide, and how; and why."""

    domain: Domain
    version: Annotated[str, Meta(min_length=1, max_length=200)]
    reason: Reasoned
    state: Literal["live", "shadow", "canary"] = "live"
    share: Annotated[float, Meta(ge=0, le=1, description="Of a canary.")] = 0.0


class RollBack(msgspec.Struct, forbid_unknown_fields=True):
    """Of which domain the model goes back to the one before; and why."""

    domain: Domain
    reason: Reasoned


def told(settings: Settings, made: Change) -> answers.Changed:
    """The change, said to the running tasks."""
    try:
        changing.announce(settings, made)
    except InfrastructureError:  # it is kept, and tasks look by themselves, too
        return answers.Changed(made.revision, told=False)
    return answers.Changed(made.revision, told=True)


def routes(reader: Reader, clock: Callable[[], int]) -> list[Route]:
    """The routes."""
    settings, archive = reader.settings, reader.archive

    def difference(_: Nothing, body: SomeRules, by: Asker) -> answers.RulesDifference:
        now = rules.current(settings, archive)
        said = rules.difference(settings, now.text, body.text)
        return answers.RulesDifference(now.revision, said)

    def promote(_: Nothing, body: Promote, by: Asker) -> answers.Changed:
        known(body.domain)
        who = changing.Who(by.who.name, body.reason, clock())
        target = f"{body.domain}/{body.version}"
        with audited(archive, by.who, "model.promote", target, body.reason, clock()):
            made = models.promote(archive, body.domain, body.version, who, body.state, body.share)
        return told(settings, made)

    def rollback(_: Nothing, body: RollBack, by: Asker) -> answers.Changed:
        known(body.domain)
        who = changing.Who(by.who.name, body.reason, clock())
        with audited(archive, by.who, "model.rollback", body.domain, body.reason, clock()):
            made = models.rollback(archive, body.domain, who)
        return told(settings, made)

    return [
        Route("/v1/rules/difference", Nothing, answers.RulesDifference,
              "What a file would change of the rules of fraud in force; changes nothing.",
              difference, method="POST", body=SomeRules, role=VIEWER),
        Route("/v1/models/promote", Nothing, answers.Changed,
              "Have a model that was pushed decide, on trial or for all.",
              promote, method="POST", body=Promote, role=OPERATOR),
        Route("/v1/models/rollback", Nothing, answers.Changed,
              "Take a model on trial out, or go back to the one before.",
              rollback, method="POST", body=RollBack, role=OPERATOR),
    ]  # fmt: skip
