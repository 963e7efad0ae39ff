"""`rules`: check and show the rules of the fraud topology."""

from pathlib import Path
from typing import Annotated

import typer

from apps.cli import app as shared
from apps.data.printable import shown

app = typer.Typer(
    help="The rules of the fraud topology.",
    no_args_is_help=True,
    epilog=shared.example("rules check my-rules.toml", "rules show"),
)


@app.command("check", epilog=shared.example("rules check my-rules.toml"))
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML, or JSON of before.")],
) -> None:
    """Say whether a file of rules can be used: its conditions, texts and examples.

    Exit code 2 and the line if not. Then `fraud.rules = "FILE"` in stormwatch.toml has them used
    from the next start on; the text goes along to the workers.
    """
    from stormwatch.domains.fraud import own, rules

    found = rules.read(file, own.feature_names(shared.settings()))
    examples = sum(len(rule.examples) for rule in found.rules)
    by_state = {
        state: sum(rule.state == state for rule in found.rules)
        for state in ("live", "shadow", "off")
    }
    states = ", ".join(f"{count} {state}" for state, count in by_state.items() if count)
    print(f"{file} is good: {states}; {examples} examples hold. Its version: {found.version}")


@app.command("backtest", epilog=shared.example("rules backtest my-rules.toml --at-most 120"))
def backtest(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML, or JSON of before.")],
    at_most: Annotated[
        float | None, typer.Option(metavar="N", help="Alerts a day; exit code 1 above them.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what these rules would have done with the payments that are stored.

    Asked of the stored features and scores: alerts gained and lost, a day and in all, and how many
    of them labels call deserved. A rule that asks for what decisions do not keep is named, and
    counts where it fired then; exit code 2 where no rule can be asked.
    """
    from apps.cli.connect import stored
    from apps.operate import backtest as backtests
    from stormwatch.domains.fraud import Fraud, rules

    settings = shared.settings()
    judge = Fraud.from_settings(settings)
    found = rules.read(file, judge.feature_names)
    backtests.not_asked(found)  # before it connects
    review = judge.card.thresholds.get("review", float("inf"))
    with stored(settings) as archive:
        bodies = (bytes(one.row.body) for one in archive.all_decisions(Fraud.name))
        made = backtests.run(bodies, found, review, judge)
    if as_json:
        shared.print_json(made)
    else:
        print(f"{made.decisions:,} payments of {made.days:.1f} days ({made.left_out:,} left out)")
        print(f"alerts a day: {made.a_day(made.alerts):,.1f} as decided, "
              f"{made.a_day(made.alerts_then):,.1f} by {found.version}")  # fmt: skip
        print(f"gained {made.gained:,}: {_labelled(made.gained_true, made.gained_false)}")
        print(f"lost   {made.lost:,}: {_labelled(made.lost_true, made.lost_false)}")
        for rule, fired in made.by_rule.items():
            print(f"  {rule:<32} fires on {fired:,}")
        for rule, asked in made.not_asked.items():
            print(
                f"{rule} was not asked again: decisions do not keep {', '.join(asked)}. It counts "
                "where a decision's reasons say that it fired; from the records anew: "
                f"./stormwatch replay fraud --rules {file}"
            )
    if at_most is not None and made.a_day(made.alerts_then) > at_most:
        raise typer.Exit(1)


def _labelled(true: int, false: int) -> str:
    return f"{true:,} labelled as fraud, {false:,} as genuine"


@app.command("show", epilog=shared.example("rules show"))
def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """The rules that the settings name, and what conditions may ask of."""
    from stormwatch.domains.fraud import own, rules

    settings = shared.settings()
    names = own.feature_names(settings)
    found = rules.chosen(settings, names)
    kinds = rules.names(names).kinds
    if as_json:
        return shared.print_json({
            "version": found.version, "review_from": found.review_from,
            "decline_from": found.decline_from, "names": kinds,
            "rules": [
                {"id": rule.id, "state": rule.state, "outcome": rule.outcome,
                 "weight": rule.weight, "severity": rule.severity, "owner": rule.owner,
                 "when": rule.predicate.text, "reason": rule.reason}
                for rule in found.rules
            ],
        })  # fmt: skip
    print(f"{found.version}: {settings.fraud_rules or 'the shipped rules'}")
    for rule in found.rules:
        decides = rule.outcome or f"weight {rule.weight:g}"
        owner = f", {rule.owner}" if rule.owner else ""
        print(f"\n{rule.id} ({rule.state}, {decides}, {rule.severity}{owner})")
        print(f"  when    {shown(rule.predicate.text)}")
        print(f"  reason  {shown(rule.reason)}")
    print(f"\nreviewed from {found.review_from:g}, declined from {found.decline_from:g}")
    for kind in ("number", "text"):
        print(f"{kind}s: {', '.join(name for name, one in kinds.items() if one == kind)}")
