"""`python -m apps.cli`: what ./stormwatch hands over to."""
# ruff: noqa: E402

import logging
import signal
import sys

_CAN_BE_ASKED = __name__ == "__main__" and signal.getsignal(signal.SIGINT) is (
    signal.default_int_handler
)
if _CAN_BE_ASKED:  # Ctrl-C while imports run ends the process at once, without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import typer

from apps.cli import (
    alerts,
    chaos,
    check,
    cluster,
    data,
    dev,
    dlq,
    draw,
    equipment,
    evaluate,
    event,
    export,
    flink,
    forget,
    label,
    land,
    mapping,
    model,
    model_rollout,
    native,
    new,
    notify,
    profile,
    proof,
    quality,
    report,
    rules,
    rules_rollout,
    run,
    serve,
    services,
    soak,
    state,
    token,
    train,
    watch,
)
from apps.cli.app import COMMAND, complain
from apps.cli.groups import GroupedCommands
from apps.data.printable import print_in_any_encoding

app = typer.Typer(
    cls=GroupedCommands,
    help="From event streams to decisions, on Apache Storm. Start with: ./stormwatch demo",
    epilog="Each command has its own --help, with examples.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    dev,
    run,
    serve,
    services,
    data,
    proof,
    quality,
    train,
    evaluate,
    chaos,
    soak,
    new,
    check,
    draw,
    native,
    alerts,
    watch,
    report,
    profile,
    mapping,
    event,
    label,
    export,
    notify,
    forget,
):
    module.add_to(app)
app.add_typer(cluster.app, name="cluster")
app.add_typer(flink.app, name="flink")
app.add_typer(data.schema, name="schema")
app.add_typer(land.app, name="land")
app.add_typer(dlq.app, name="dlq")
app.add_typer(state.app, name="state")
rules.app.add_typer(rules_rollout.lists, name="list")
app.add_typer(rules.app, name="rules")
model_rollout.add_to(model.app)
app.add_typer(model.app, name="model")
app.add_typer(equipment.app, name="equipment")
app.add_typer(token.app, name="token")


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit code: 0 good, 1 failed, 2 wrong usage or settings, 130 Ctrl-C.

    Usage errors and Ctrl-C leave as SystemExit, with those codes.
    """
    from stormwatch.errors import SettingsError, StormwatchError

    print_in_any_encoding()

    # On the screen: only what our own programs log. Errors of drivers become messages of ours.
    logging.basicConfig(format="%(message)s", level=logging.CRITICAL)
    logging.getLogger("apps").setLevel(logging.WARNING)
    try:
        app(args=argv, prog_name=COMMAND)
    except SettingsError as error:
        complain(str(error))
        return 2
    except StormwatchError as error:
        complain(str(error))
        return 1
    return 0


def _terminated(number: int, frame: object) -> None:
    """A signal ends a command as Ctrl-C does: it stops what it started."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    if _CAN_BE_ASKED:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # else: nohup
            signal.signal(number, _terminated)
    sys.exit(main())
