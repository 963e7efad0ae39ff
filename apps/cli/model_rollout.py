"""`model`: what changes the model of a topology while records flow.

The work: `apps.operate.rollout.models`.
"""

from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared
from apps.cli.rollout import Reason, announced, dated, opened, settled, who
from apps.data.printable import shown

app = typer.Typer()
Domain = Annotated[str, typer.Option("--domain", metavar="NAME", help="fraud or maintenance.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="Or how it ends.")]
Canary = Annotated[
    float, typer.Option(metavar="SHARE", help="Of entities, as 0.05: it decides only theirs.")
]
MayJump = Annotated[
    bool, typer.Option("--scores-may-jump", help="Its scores are meant to be others.")
]


def add_to(group: typer.Typer) -> None:
    """Its commands beside those that are there."""
    group.registered_commands += app.registered_commands


@app.command("list", epilog=shared.example("model list --domain fraud"))
def list_(
    domain: Domain = "fraud",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """The models that were pushed, those in force first."""
    from apps.operate.rollout import models

    with opened() as (settings, archive):
        found = models.versions(archive, domain)
        live = any(one.state == "live" for one in found)
        own = "" if live else models.current_card(settings, archive, domain).version
    if as_json:
        shared.print_json(found)
        return
    if own:
        print(f"live     {own}  of the settings")
    for one in found:
        share = f" {one.share:.0%}" if one.share else ""
        print(f"{one.state + share:<11} {one.version}  since {dated(one.since)}")
        print(f"            {shown(one.by)}: {shown(one.reason)}")


@app.command("show", epilog=shared.example("model show 3f9a0c21"))
def show(version: Version, domain: Domain = "fraud") -> None:
    """The card of a model that was pushed, as JSON."""
    from apps.operate.rollout import models

    with opened() as (settings, archive):
        card = models.card(settings, archive, domain, version)
    shared.print_json({
        name: getattr(card, name) for name in card.__struct_fields__ if name != "distribution"
    })  # fmt: skip


@app.command("push", epilog=shared.example("model push my-model --domain fraud --reason 'May'"))
def push(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With card.json.")],
    reason: Reason,
    domain: Domain = "fraud",
    live: Annotated[bool, typer.Option("--live", help="Have it decide at once.")] = False,
    canary: Canary = 0.0,
    may_jump: MayJump = False,
) -> None:
    """Keep a model and have it in force: as a shadow, unless told otherwise.

    A shadow scores what the live model decides; its scores are stored and not acted on.
    """
    from apps.operate.rollout import models

    state, share = settled(not live and not canary, canary)
    with opened() as (settings, archive):
        made = models.push(
            settings, archive, domain, folder, who(reason), state, share, may_jump
        )  # fmt: skip
        announced(settings, archive, made)


@app.command(
    "promote", epilog=shared.example("model promote 3f9a0c21 --canary 0.05 --reason 'good'")
)
def promote(
    version: Version,
    reason: Reason,
    domain: Domain = "fraud",
    canary: Canary = 0.0,
    shadow: Annotated[bool, typer.Option("--shadow", help="Back to a shadow.")] = False,
    may_jump: MayJump = False,
) -> None:
    """Have a model that was pushed decide: all, or with --canary a share of the entities."""
    from apps.operate.rollout import models

    state, share = settled(shadow, canary)
    with opened() as (settings, archive):
        made = models.promote(archive, domain, version, who(reason), state, share, may_jump)
        announced(settings, archive, made)


@app.command("rollback", epilog=shared.example("model rollback --reason 'too many alerts'"))
def rollback(reason: Reason, domain: Domain = "fraud") -> None:
    """Take out what is on trial; where nothing is, go back to the live model before."""
    from apps.operate.rollout import models

    with opened() as (settings, archive):
        announced(settings, archive, models.rollback(archive, domain, who(reason)))


@app.command("compare", epilog=shared.example("model compare 3f9a0c21"))
def compare(
    version: Version,
    domain: Domain = "fraud",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how a model on trial decides beside the live one, by the decisions stored.

    Alerts of each, how many of them labels call deserved, and how far the scores are apart.
    """
    from apps.operate.domains import MAKE
    from apps.operate.rollout import changing, models
    from apps.operate.rollout import compare as compared
    from stormwatch.rollout.changes import MODEL

    with opened() as (settings, archive):
        trial = changing.entry_of(archive, domain, MODEL, version).version
        live = models.current_card(settings, archive, domain).version
        alerts = MAKE[domain](settings).alert_outcomes
        bodies = (bytes(one.row.body) for one in archive.all_decisions(domain))
        made = compared.compare(bodies, live, trial, alerts)
    if as_json:
        shared.print_json(made)
        return
    for side in (made.one, made.other):
        share = side.alerts / side.decisions if side.decisions else 0.0
        print(f"{side.version}: {side.alerts:,} alerts of {side.decisions:,} ({share:.2%}); "
              f"labels: {side.alerts_deserved:,} deserved, {side.alerts_undeserved:,} not, "
              f"{side.missed:,} missed")  # fmt: skip
    if made.same_events:
        print(f"of the same events: alerts of both {made.both:,}, only of the first "
              f"{made.only_one:,}, only of the second {made.only_other:,}")  # fmt: skip
    if made.score_difference is not None:
        print(f"scores differ by {made.score_difference:g} on average")
    if made.stability is not None:
        print(f"population stability index of the scores: {made.stability:.2f}")
