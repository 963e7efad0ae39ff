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
    from stormwatch.domains.fraud import Fraud, rules

    found = rules.read(file, Fraud.feature_names)
    examples = sum(len(rule.examples) for rule in found.rules)
    by_state = {
        state: sum(rule.state == state for rule in found.rules)
        for state in ("live", "shadow", "off")
    }
    states = ", ".join(f"{count} {state}" for state, count in by_state.items() if count)
    print(f"{file} is good: {states}; {examples} examples hold. Its version: {found.version}")


@app.command("show", epilog=shared.example("rules show"))
def show() -> None:
    """The rules that the settings name, and what conditions may ask of."""
    from stormwatch.domains.fraud import Fraud, rules

    settings = shared.settings()
    found = rules.chosen(settings, Fraud.feature_names)
    print(f"{found.version}: {settings.fraud_rules or 'the shipped rules'}")
    for rule in found.rules:
        decides = rule.outcome or f"weight {rule.weight:g}"
        owner = f", {rule.owner}" if rule.owner else ""
        print(f"\n{rule.id} ({rule.state}, {decides}, {rule.severity}{owner})")
        print(f"  when    {shown(rule.predicate.text)}")
        print(f"  reason  {shown(rule.reason)}")
    print(f"\nreviewed from {found.review_from:g}, declined from {found.decline_from:g}")
    kinds = rules.names(Fraud.feature_names).kinds
    for kind in ("number", "text"):
        print(f"{kind}s: {', '.join(name for name, one in kinds.items() if one == kind)}")
