"""Whether a command that a text names is one that can be given."""

import shlex
from typing import Any

import typer.main

from apps.cli.__main__ import app


def refusal(line: str) -> str:
    """Why `./stormwatch …` cannot be given as it stands in a text; "" where it can. The kinds of
    its values are not looked at: a text may have a word in capitals for one."""
    command: Any = typer.main.get_command(app)
    words, asks = shlex.split(line, comments=True)[1:], {"-h", "--help"}
    while hasattr(command, "commands"):
        if not words:
            return ""
        name = words.pop(0)
        if name in asks:
            return ""
        if name not in command.commands:
            return f"no command {name!r}"
        command = command.commands[name]
    context = command.context_class(command, info_name=command.name)
    free = context.allow_extra_args or context.ignore_unknown_options
    try:
        _, left, _ = command.make_parser(context).parse_args(words)
    except Exception as error:  # the parser's own kinds are not exported
        return str(error)
    return f"nothing takes {left}" if left and not free else ""
