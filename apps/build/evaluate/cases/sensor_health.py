"""Sensor faults injected on healthy units: is the fault told by its name, and health left alone.

Protocol: own generator, nothing public. A unit of the type `any` has six sensors of different
sizes, each a level with its own noise, and some with a wave of the day or with memory from reading
to reading; a reading every ten minutes, 1,200 of them. A turbofan is one of the product's own
simulator in its first cycles, before it wears. From reading 600 on (turbofan: 60) one fault is put
into one sensor, two for `swapped`, and it stays to the end:

- stuck: its value stays; drift: 0.1 sigma more each reading; offset: 8 sigmas; spikes: 12 sigmas
  either way in 8 % of the readings; noise: four times as much; dropout: 0 in 30 % of the readings;
  unit: bar read as psi, x 14.5038; clock: all times two hours behind; clipping: never above its own
  80th percentile; swapped: two sensors in each other's place.

Each is run with every seed on units of both kinds. *Named right*: after the fault came, a decision
has the reason of that fault and of that sensor (`sensor_KIND`, `clock_skew`), and no decision of
the run has that of another of the ten. *False watch*: decisions on healthy units, from reading 200
on (turbofan: 30), that are neither `healthy` nor `learning`.
"""

import random
from collections.abc import Iterator, Sequence
from math import sin, tau
from pathlib import Path

import msgspec

from apps.build.evaluate.case import Case, Figure, Say, figure
from apps.data.generate.readings import readings
from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.event import Reading
from stormwatch.state.judge import Verdict

KINDS = (
    "stuck", "drift", "offset", "spikes", "noise", "dropout", "unit", "clock", "clipping",
    "swapped",
)  # fmt: skip
ASIDE = ("implausible", "sentinel")
"""What is told of a value that cannot be one, whatever is wrong."""
SEEDS = (1, 2, 3, 4, 5)
LENGTH, FROM = 1200, 600
TURBOFAN_LENGTH, TURBOFAN_FROM = 160, 60
SETTLED = 200
STEP = 600_000
START = 1_700_000_000_000
NEVER_LATE = 10**13
Rows = list[dict[str, float]]


def machine(seed: int, length: int = LENGTH) -> Rows:
    """Healthy readings of a unit of six sensors."""
    draw = random.Random(seed)
    levels = [draw.choice((4.0, 20.0, 60.0, 300.0, 1500.0)) * draw.uniform(0.8, 1.2)
              for _ in range(6)]  # fmt: skip
    noises = [level * draw.uniform(0.004, 0.02) for level in levels]
    waves = [draw.choice((0.0, 0.0, 1.5)) for _ in levels]
    memories = [draw.choice((0.0, 0.0, 0.6)) for _ in levels]
    rests = [0.0] * 6
    rows: Rows = []
    for nth in range(length):
        row = {}
        for at, level in enumerate(levels):
            kept = memories[at]
            rests[at] = kept * rests[at] + (1 - kept * kept) ** 0.5 * draw.gauss(0, 1)
            wave = waves[at] * sin(tau * (nth * STEP / 86_400_000 + at / 6))
            row[f"s{at}"] = round(level + noises[at] * (rests[at] + wave), 4)
        rows.append(row)
    return rows


def turbofan(seed: int, length: int = TURBOFAN_LENGTH) -> list[Reading]:
    """First readings of a simulated turbofan that is healthy for long enough."""
    domain = Maintenance.load()
    found: list[Reading] = []
    for made in readings(seed, units=1):
        event = domain.parse(made.value, NEVER_LATE)
        assert isinstance(event, Reading)
        if found and (event.unit != found[0].unit or made.stuck):
            found = []
        found.append(event)
        if len(found) == length and made.life > 60:
            return found
    raise AssertionError("the simulator ends")


def faulty(rows: Rows, kind: str, seed: int, begin: int) -> tuple[Rows, str]:
    """The readings with the fault, and the sensor that has it."""
    draw = random.Random(seed * 1000 + KINDS.index(kind))
    names = [name for name in rows[0] if len({row[name] for row in rows[:begin]}) > begin // 4]
    name, other = draw.sample(names, 2)
    healthy = sorted(row[name] for row in rows[:begin])
    middle = healthy[len(healthy) // 2]
    sigma = (sum((value - middle) ** 2 for value in healthy) / len(healthy)) ** 0.5
    before = rows[begin - 1][name]
    side = draw.choice((-1, 1))

    def change(nth: int, row: dict[str, float]) -> dict[str, float]:
        value = row[name]
        match kind:
            case "stuck":
                value = before
            case "drift":
                value += side * 0.1 * sigma * (nth - begin)
            case "offset":
                value += side * 8 * sigma
            case "spikes":
                value += draw.choice((-12, 12)) * sigma * (draw.random() < 0.08)
            case "noise":
                value = middle + 4 * (value - middle)
            case "dropout":
                value = 0.0 if draw.random() < 0.3 else value
            case "unit":
                value *= 14.5038
            case "clipping":
                value = min(value, healthy[len(healthy) * 4 // 5])
            case "swapped":
                return {**row, name: row[other], other: value}
        return {**row, name: value}

    return [change(nth, row) if nth >= begin else row for nth, row in enumerate(rows)], name


def events(rows: Rows, kind: str, begin: int) -> list[Reading]:
    """Readings of a unit of the type `any`."""
    back = 7_200_000 if kind == "clock" else 0
    return [
        Reading(str(nth), "unit", START + nth * STEP - back * (nth >= begin), 0, (), row, "any")
        for nth, row in enumerate(rows)
    ]


def turbofans(rows: Rows, made: Sequence[Reading], kind: str, begin: int) -> list[Reading]:
    """Readings of a turbofan with other values."""
    step = made[1].time - made[0].time
    back = 20 * step if kind == "clock" else 0
    return [
        msgspec.structs.replace(one, sensors=row, time=one.time - back * (nth >= begin))
        for nth, (one, row) in enumerate(zip(made, rows, strict=True))
    ]


def decided(domain: Maintenance, made: Sequence[Reading]) -> list[Verdict]:
    """Their verdicts, one after the other."""
    state = domain.new_state()
    told = [domain.advance(state, one) for one in made]
    return domain.decide(made, [row for row, _ in told], [carry for _, carry in told])


def faults(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """Kinds of sensor faults that a verdict tells, and its words."""
    for reason in verdict.reasons:
        if reason.code == "clock_skew":
            yield "clock", reason.text
        elif reason.code.startswith("sensor_"):
            yield reason.code.removeprefix("sensor_"), reason.text


def is_named(verdicts: Sequence[Verdict], kind: str, name: str, begin: int) -> bool:
    """Whether the fault, and it alone, is told, not before it came."""
    told = {(nth, *fault) for nth, one in enumerate(verdicts) for fault in faults(one)}
    right = [
        nth for nth, found, text in told if found == kind and (name in text or kind == "clock")
    ]
    others = {found for _, found, _ in told} - {kind, *ASIDE}
    return bool(right) and min(right) >= begin and not others


def run(data: Path | None, say: Say) -> list[Figure]:
    """See the module."""
    domain = Maintenance.load()
    kinds: dict[str, dict[str, list[bool]]] = {}
    quiet: dict[str, list[float]] = {}
    for where, length, begin in (
        ("any", LENGTH, FROM), ("turbofan", TURBOFAN_LENGTH, TURBOFAN_FROM),
    ):  # fmt: skip
        named: dict[str, list[bool]] = {kind: [] for kind in KINDS}
        kinds[where], quiet[where] = named, []
        for seed in SEEDS:
            original = turbofan(seed) if where == "turbofan" else []
            rows = [one.sensors for one in original] or machine(seed, length)

            def made(rows: Rows, kind: str, original: list[Reading] = original,
                     begin: int = begin) -> list[Reading]:  # fmt: skip
                if original:
                    return turbofans(rows, original, kind, begin)
                return events(rows, kind, begin)

            healthy = decided(domain, made(rows, ""))[min(SETTLED, begin // 2) :]
            wrong = sum(one.outcome not in ("healthy", "learning") for one in healthy)
            quiet[where].append(100 * wrong / len(healthy))
            for kind in KINDS:
                changed, name = faulty(rows, kind, seed, begin)
                verdicts = decided(domain, made(changed, kind))
                named[kind].append(is_named(verdicts, kind, name, begin))
        say(f"{where}: " + ", ".join(f"{kind} {sum(found)}/{len(found)}"
                                     for kind, found in named.items()))  # fmt: skip
    figures: list[Figure] = []
    for where, named in kinds.items():
        right = [sum(named[kind][nth] for kind in KINDS) for nth in range(len(SEEDS))]
        figures += [
            figure(f"{where}: kinds named right, of 10", right, baseline=1.0, reach=8.0),
            figure(f"{where}: false watch on healthy units, %", quiet[where], reach=2.0, up=False),
        ]
    return figures


CASE = Case("sensor-health", "maintenance", "sensor faults told by name", "", run)
