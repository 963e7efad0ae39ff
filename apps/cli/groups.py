"""The commands of `--help`, grouped by what they are for."""

from typing import Any

from typer.core import TyperGroup

GROUPS = {
    "Start": ("demo", "run", "up", "down", "status", "cluster", "flink", "doctor", "config"),
    "Data": ("publish", "land", "event", "label", "equipment", "map", "schema"),
    "Look": (
        "serve",
        "token",
        "alerts",
        "decisions",
        "watch",
        "explain",
        "journey",
        "report",
        "profile",
        "export",
        "notify",
    ),
    "Decide": ("dlq", "state", "forget", "rules", "model", "train", "evaluate"),
    "Prove": ("ledger", "redecide", "replay"),
    "Build": ("new", "dev", "lint", "draw", "test", "native"),
    "For maintainers of Stormwatch": ("verdict", "chaos", "soak", "bench"),
}
"""Heading -> commands, in the order of a newcomer's way. A test holds it to all commands."""


class GroupedCommands(TyperGroup):
    """The root command: its help lists the commands by group."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # types private to typer
        """Write one section for each group."""
        width = max(len(name) for names in GROUPS.values() for name in names)
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl([
                    (name.ljust(width), self.commands[name].get_short_help_str(limit=70))
                    for name in names
                ])  # fmt: skip
