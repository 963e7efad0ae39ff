"""`state`: what is remembered about one entity."""

from typing import Annotated

import typer

from apps.cli import app as shared

app = typer.Typer(
    help="What is remembered about an entity.",
    epilog=shared.example("state reset fraud C-0042"),
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """Keeps `state reset` a command of a group while it is the only one."""


@app.command(epilog=shared.example("state reset fraud C-0042", "state reset fraud C-7 --deleted"))
def reset(
    domain: Annotated[str, typer.Argument(help="fraud, maintenance, …, or a bolt's own.")],
    entity: Annotated[str, typer.Argument(help="The customer, the unit, …")],
    deleted: Annotated[
        bool, typer.Option("--deleted", help="Its row was deleted from `states` by hand.")
    ] = False,
) -> None:
    """Start an entity afresh: all that its history taught is forgotten.

    For a state that this version cannot read, and for an entity whose records are all late because
    one was dated far ahead. Which records were decided stays known. Stop the topology first: one
    that runs, and can read the state, has it in memory and would write it back.
    """
    import time

    from apps.cli.connect import stored
    from apps.operate import state

    settings = shared.settings()
    with stored(settings) as archive:
        now = time.time_ns() // 1_000_000
        done = state.reset(archive, settings, domain, entity, now, deleted=deleted)
    before = "no state was there" if done.was is None else f"{done.was} bytes were there"
    print(f"{domain}: {entity} starts afresh with its next record ({before}).")
