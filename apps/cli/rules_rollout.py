"""`rules`: what changes rules while records flow. The work: `apps.operate.rollout`."""

from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared
from apps.cli.rollout import Reason, announced, dated, opened, settled, who
from apps.cli.rules import app as rules
from apps.data.printable import shown

lists = typer.Typer(
    help="Lists of the rules in force, changed while records flow.",
    no_args_is_help=True,
    epilog=shared.example("rules list show stolen", "rules list add stolen c-17 --reason 'police'"),
)
File = Annotated[Path, typer.Argument(metavar="FILE", help="TOML: docs/rules.md.")]
Values = Annotated[list[str], typer.Argument(metavar="VALUE...", help="Texts.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the list.")]


@rules.command("push", epilog=shared.example('rules push my-rules.toml --reason "nights abroad"'))
def push(
    file: File,
    reason: Reason,
    onto: Annotated[
        int | None, typer.Option(metavar="N", help="The revision it was made of.")
    ] = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="Ask them, act on none.")] = False,
    canary: Annotated[
        float, typer.Option(metavar="SHARE", help="Of customers, as 0.05: only theirs.")
    ] = 0.0,
) -> None:
    """Have these rules in force on all running tasks, within seconds.

    Nothing stops for it. A file that is not good as a whole changes nothing. Made of a file that
    `rules pull` wrote, a push is refused where somebody pushed in between.
    """
    from apps.operate.rollout import rules as ours
    from stormwatch.rules.files import text

    state, share = settled(shadow, canary)
    with opened() as (settings, archive):
        made = ours.push(settings, archive, text(file), str(file), who(reason), onto, state, share)
        announced(settings, archive, made)


@rules.command("pull", epilog=shared.example("rules pull my-rules.toml"))
def pull(file: Annotated[Path, typer.Argument(metavar="FILE", help="Written anew.")]) -> None:
    """Write the rules in force into a file, to change and push them."""
    from apps.operate.rollout import rules as ours

    with opened() as (settings, archive):
        now = ours.current(settings, archive)
    file.write_text(ours.pulled(now), encoding="utf-8")
    print(f"{file} has revision {now.revision}. To have it changed:")
    print(f"  {shared.COMMAND} rules push {file}")


@rules.command("history", epilog=shared.example("rules history"))
def history(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Who changed the rules, when and why; the newest first."""
    from apps.operate.rollout import changing
    from apps.operate.rollout import rules as ours
    from stormwatch.rollout.changes import RULES

    with opened() as (_, archive):
        changes = archive.changes(ours.DOMAIN, RULES, changing.HISTORY)
    if as_json:
        shared.print_json(changes)
        return
    for one in changes:
        versions = ", ".join(
            f"{e.version} {e.state}" + (f" {e.share:.0%}" if e.share else "") for e in one.entries
        )
        print(f"{one.revision:>4}  {dated(one.at)}  {shown(one.author)}: {shown(one.act)}")
        print(f"      {versions or 'the file of the settings'}; {shown(one.reason)}")
    if not changes:
        print("Never changed while running: the file of the settings is in force.")


@rules.command("revert", epilog=shared.example('rules revert 3 --reason "too many alerts"'))
def revert(
    revision: Annotated[int, typer.Argument(metavar="N", help="0: the file of the settings.")],
    reason: Reason,
) -> None:
    """Have in force again what was after that revision."""
    from apps.operate.rollout import rules as ours

    with opened() as (settings, archive):
        announced(settings, archive, ours.revert(settings, archive, revision, who(reason)))


@rules.command("test", epilog=shared.example("rules test my-rules.toml", "rules test"))
def test(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Else the rules in force.")
    ] = None,
) -> None:
    """Run the examples that stand beside the rules, one line each.

    A push runs them, too. Exit code 2 and the line of the file where one does not hold.
    """
    from apps.operate.rollout import rules as ours
    from stormwatch.rules.files import text

    if file is not None:
        found = ours.read(shared.settings(), text(file), str(file))
    else:
        with opened() as (settings, archive):
            found = ours.read(settings, ours.current(settings, archive).text, "the rules in force")
    for rule in found.rules:
        print(f"{rule.id} ({rule.state}): {len(rule.examples)} examples hold")
        for example in rule.examples:
            given = ", ".join(f"{name} = {value!r}" for name, value in example.given.items())
            print(f"  {'fires' if example.fires else 'does not fire'}: {shown(given)}")
    without = [rule.id for rule in found.rules if not rule.examples]
    if without:
        print(f"without an example: {', '.join(without)}")


@rules.command("snooze", epilog=shared.example(
    'rules snooze burst_1h c-17 --hours 24 --reason "moves house"'
))  # fmt: skip
def snooze(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="Its id.")],
    entity: Annotated[str, typer.Argument(metavar="CUSTOMER", help="As decisions name it.")],
    reason: Reason,
    hours: Annotated[
        float, typer.Option(metavar="N", min=0, max=8760, help="From now; 0: end it.")
    ] = 24.0,
) -> None:
    """Have a rule not acted on for one customer, for a time.

    Its hits are still noted in the decisions, as `snoozed:RULE`. The time is that of the payments.
    """
    from datetime import UTC, datetime, timedelta

    from apps.operate.rollout import rules as ours

    now = datetime.now(UTC).replace(microsecond=0)
    until = now + timedelta(hours=hours) if hours else None
    with opened() as (settings, archive):
        made = ours.snooze(settings, archive, rule, entity, until, now, who(reason))
        announced(settings, archive, made)


@lists.command("show", epilog=shared.example("rules list show stolen"))
def show_list(
    name: Name,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What stands in a list, one a line."""
    from apps.operate.rollout import rules as ours
    from stormwatch.rules import runtime

    with opened() as (settings, archive):
        text = ours.current(settings, archive).text
    values = runtime.listed(text, name)
    if as_json:
        return shared.print_json(values)
    for value in values:
        print(shown(value))


@lists.command("add", epilog=shared.example("rules list add stolen c-17 --reason 'police'"))
def add(name: Name, values: Values, reason: Reason) -> None:
    """Add to a list of the rules in force."""
    from apps.operate.rollout import rules as ours

    with opened() as (settings, archive):
        made = ours.change_list(settings, archive, name, who(reason), add=values)
        announced(settings, archive, made)


@lists.command("remove", epilog=shared.example("rules list remove stolen c-17 --reason 'found'"))
def remove(name: Name, values: Values, reason: Reason) -> None:
    """Take from a list of the rules in force."""
    from apps.operate.rollout import rules as ours

    with opened() as (settings, archive):
        made = ours.change_list(settings, archive, name, who(reason), remove=values)
        announced(settings, archive, made)
