"""For whoever is on call: the settings in force, and where each comes from."""

from pathlib import Path

from apps.serve import answers
from stormwatch.settings import explain


def settings_in_force(root: Path) -> list[answers.Setting]:
    """All settings of this server; secrets masked. Raises SettingsError."""
    return [
        answers.Setting(value.key, str(value.value), value.source, value.help)
        for value in explain(root=root)
    ]
