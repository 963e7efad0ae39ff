"""Tennessee Eastman process: how soon a fault of a plant of 52 sensors is told, and how often none.

Protocol: each file is a run of one plant, a row every three minutes, of the equipment type `any`
(XMEAS 1 to 41 and XMV 1 to 11, numbered). The plant first reads the normal run `d00`, then a test
run: `d00_te` without a fault, and one of each fault from row 161 on. Nothing is fitted, all goes
through the domain as it is shipped. *Told*: a decision `anomaly`, `watch` or `sensor_fault` from
row 161 on; *delay*: rows until the first of them, over the faults that are told. *False*: share of
such decisions in `d00_te` and in the first 160 rows of the other runs.

Data: camaramm/tennessee-eastman-profBraatz.
"""

import gzip
from pathlib import Path
from statistics import median

from apps.build.evaluate.case import Case, Figure, Say, figure
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.errors import SettingsError

FROM = 160
STEP, START = 180_000, 1_700_000_000_000
TELLING = frozenset({"anomaly", "watch", "sensor_fault"})
SENSORS = 52
Rows = list[list[float]]


def read(path: Path) -> Rows:
    """Rows of all sensors; a file that has the sensors as rows is turned."""
    text = gzip.decompress(path.read_bytes()).decode()
    rows = [[float(each) for each in line.split()] for line in text.splitlines() if line.strip()]
    if len(rows) == SENSORS:
        rows = [list(column) for column in zip(*rows, strict=True)]
    return rows


def told(domain: Maintenance, normal: Rows, test: Rows) -> list[bool]:
    """Of each row of the test run whether something is told."""
    state = domain.new_state()
    events = [
        Reading(
            str(nth), "plant", START + nth * STEP, 0, (),
            {f"x{at:02}": value for at, value in enumerate(row, 1)}, "any",
        )
        for nth, row in enumerate(normal + test)
    ]  # fmt: skip
    made = [domain.advance(state, event) for event in events]
    verdicts = domain.decide(events, [row for row, _ in made], [carry for _, carry in made])
    return [one.outcome in TELLING for one in verdicts[len(normal) :]]


def run(data: Path | None, say: Say) -> list[Figure]:
    """See the module."""
    assert data is not None
    names = sorted(path.name for path in data.glob("d[0-9][0-9]_te*.gz"))
    base = next(iter(sorted(data.glob("d00.*"))), None)
    if base is None or not names:
        raise SettingsError(f"{data} has no files d00.* and d01_te.*, gzipped text.")
    domain, normal = Maintenance.load(), read(base)
    delays, false, rows, found = [], 0, 0, 0
    for name in names:
        said = told(domain, normal, read(data / name))
        quiet = said if name.startswith("d00") else said[:FROM]
        false, rows = false + sum(quiet), rows + len(quiet)
        if name.startswith("d00"):
            continue
        delay = next((nth for nth, one in enumerate(said[FROM:]) if one), None)
        say(f"{name}: " + ("not told" if delay is None else f"told after {delay} rows"))
        if delay is not None:
            found += 1
            delays.append(float(delay))
    return [
        figure("faults told", [float(found)], note=f"of {len(names) - 1}"),
        figure("median delay, rows of 3 minutes", [median(delays)] if delays else [-1.0], up=False),
        figure("rows told without a fault, %", [100 * false / rows], up=False),
    ]


CASE = Case("tennessee-eastman", "maintenance", "faults of a chemical plant", "tep", run)
