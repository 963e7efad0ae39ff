"""The commands by what a person wants, as `--help` shows them."""

from typing import Any

from typer.core import TyperGroup

GROUPS = {
    "Start": ("demo", "run", "up", "down", "status", "doctor", "config", "cluster"),
    "Data": ("publish", "schema"),
    "Look": ("alerts", "journey", "draw"),
    "Decide about what was set aside or is remembered": ("dlq", "state"),
    "Prove": ("ledger", "replay"),
    "Build": ("new", "dev", "lint", "train"),
    "For those who work on Stormwatch itself": ("test", "bench", "verdict", "chaos", "soak"),
}


class Grouped(TyperGroup):
    """Shows its commands under headings. One without a heading stands at the end."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """One block a group."""
        grouped = [name for names in GROUPS.values() for name in names]
        rest = tuple(name for name in self.commands if name not in grouped)
        width = formatter.width - 6 - max(map(len, self.commands))
        for title, names in {**GROUPS, "Others": rest}.items():
            rows = [
                (name, command.get_short_help_str(width))
                for name in names
                if (command := self.commands.get(name)) is not None
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=12)
