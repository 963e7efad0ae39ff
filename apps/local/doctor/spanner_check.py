"""Has this Spanner the tables that the topologies write?"""

from collections.abc import Iterator
from pathlib import Path

from apps.local.doctor.finding import FAIL, OK, Finding
from stormwatch.errors import StormwatchError
from stormwatch.settings import Settings


def check(settings: Settings, root: Path) -> Iterator[Finding]:
    """Way in, instance, database and tables; nothing is written."""
    from stormwatch.adapters import connect

    try:
        tables = connect.tables(settings)
        found = dict(tables.status(settings, root / tables.files))
    except StormwatchError as error:
        yield Finding("Spanner", FAIL, str(error))
        return
    where = f"{settings.spanner_instance}/{settings.spanner_database}"
    if changed := [file for file, state in found.items() if state == "changed"]:
        yield Finding(
            "Spanner tables",
            FAIL,
            f"{where} was made by another {', '.join(changed)} than this program has.",
            "What is looked for may not be there.",
            "`./stormwatch schema status` shows each.",
        )
    elif "missing" in found.values():
        what = f"Not all tables are in {where} yet; `up` and `schema apply` make them."
        yield Finding("Spanner tables", OK, what)
    else:
        yield Finding("Spanner tables", OK, f"All tables are in {where}.")
