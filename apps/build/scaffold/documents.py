"""What `new` writes of what a user brings: a rule, a mapping, an equipment type, a model; each with
a test that passes as it stands."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from stormwatch.errors import StormwatchError

_SHIPPED_RULES = "src/stormwatch/domains/fraud/rules.toml"


class Document(NamedTuple):
    """A file, its test, and what is done with it."""

    path: str
    files: Callable[[str, Path], dict[str, str]]
    then: str


def written(kind: str, name: str, root: Path) -> tuple[dict[str, str], str]:
    """File -> text, and what to do next. Raises StormwatchError for a name taken or wrong."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise StormwatchError(
            f"{name!r} cannot be the name of a {kind}: lower case, words joined by _, at most 40 "
            "characters."
        )
    document = DOCUMENTS[kind]
    files = document.files(name, root)
    for path in files:
        if (root / path).exists():
            raise StormwatchError(f"{path} exists already. Take another name.")
    test = next(path for path in files if path.startswith("tests/"))
    then = document.then.format(path=document.path.format(name=name), name=name)
    return files, f"Next: ./stormwatch test {test}; then {then}"


def _rule(name: str, root: Path) -> dict[str, str]:
    shipped = (root / _SHIPPED_RULES).read_text().rstrip("\n")
    return {
        f"rules/{name}.toml": f"{shipped}\n{_RULE.format(name=name)}",
        f"tests/rules/test_{name}.py": _RULE_TEST.format(name=name),
    }


def _mapping(name: str, root: Path) -> dict[str, str]:
    return {
        f"mappings/{name}.toml": _MAPPING.format(name=name, short=name.replace("_", "-")),
        f"tests/mappings/test_{name}.py": _MAPPING_TEST.format(name=name),
    }


def _type(name: str, root: Path) -> dict[str, str]:
    return {
        f"equipment/{name}.toml": _TYPE.format(name=name, words=name.replace("_", " ")),
        f"tests/equipment/test_{name}.py": _TYPE_TEST.format(name=name),
    }


def _model(name: str, root: Path) -> dict[str, str]:
    return {
        f"models/{name}.py": _MODEL.format(name=name),
        f"tests/models/test_{name}_model.py": _MODEL_TEST.format(name=name),
    }


_RULE = """
# Of your own: noted and counted, not acted on, until its state is live.
[[rule]]
id = "{name}"
when = "amount >= 100000 AND ratio_30d >= 4 AND country_changed >= 1"
weight = 0.5
reason = "{{amount}} in another country, {{ratio_30d:.1f}} times the mean of 30 days"
owner = "who answers for it"
state = "shadow"

[[rule.example]]
given = {{ amount = 100000, ratio_30d = 4, country_changed = 1 }}

[[rule.example]]
given = {{ amount = 100000, ratio_30d = 4, country_changed = 0 }}
fires = false
"""

_RULE_TEST = '''"""The rule {name}: its file is whole, and it is among the rules."""

from pathlib import Path

from stormwatch.domains.fraud import rules
from stormwatch.domains.fraud.features import FEATURE_NAMES

FILE = Path(__file__).parents[2] / "rules" / "{name}.toml"


def test_the_file_is_taken_whole_and_the_examples_of_its_rules_hold() -> None:
    found = rules.read(FILE, FEATURE_NAMES)
    (own,) = (rule for rule in found.rules if rule.id == "{name}")
    assert own.state == "shadow"
    assert len(found.rules) == len(rules.shipped(FEATURE_NAMES).rules) + 1
'''

_MAPPING = """#:schema ../schema/mapping.schema.json
# How a record of your format becomes a payment: docs/your-data.md, "A mapping".
event = "transactions"
version = "{short}-1"

[fields.id]
path = "payment_id"

[fields.customer]
path = "account.number"

[fields.terminal]
path = "shop.till"

[fields.time]
path = "paid_at"
form = "rfc3339"

[fields.amount]
path = "total"
unit = "major"

[fields.currency]
path = "currency"
default = "EUR"

[fields.merchant]
path = "shop.name"
"""

_MAPPING_TEST = '''"""The mapping {name}: what a record of the format becomes."""

import json
from pathlib import Path

from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.parse import TARGET
from stormwatch.parsing.mapping import compiled, read

FILE = Path(__file__).parents[2] / "mappings" / "{name}.toml"
RECORD = {{
    "payment_id": "p-1", "account": {{"number": "A7"}}, "total": "748.00", "currency": "EUR",
    "shop": {{"till": "T3", "name": "Kiosk"}}, "paid_at": "2026-11-28T03:12:00+01:00",
}}  # fmt: skip


def test_a_record_becomes_a_payment() -> None:
    text = FILE.read_text()
    mapped = compiled(read(text, FILE.name), TARGET, FILE.name, text)
    event = mapped.parse(json.dumps(RECORD).encode(), 4_102_444_800_000, future_skew_ms=0)
    assert isinstance(event, Transaction), event
    assert (event.id, event.customer, event.terminal) == ("p-1", "A7", "T3")
    assert (event.amount, event.currency, event.merchant) == (74_800, "EUR", "Kiosk")
    assert event.utc_offset == 60
'''

_TYPE = """#:schema ../schema/equipment.schema.json
# What a {words} measures: docs/equipment-types.md. Each unit's own normal is learned.
name = "{name}"
version = "1"
words = "{words}"
other_sensors = true
silent_after_s = 3600

[sampling]
kind = "irregular"
hour = "one hour of running"

[sensors.temperature]
unit = "°C"
words = "bearing temperature"
possible = [-273.0, 2000.0]
plausible = [-40.0, 250.0]

[sensors.vibration]
unit = "mm/s"
words = "vibration velocity, RMS"
possible = [0.0, 10000.0]
plausible = [0.0, 100.0]
"""

_TYPE_TEST = '''"""The equipment type {name}: what is far from a unit's own normal is an anomaly."""

import json
from pathlib import Path

from stormwatch.domains.maintenance import Maintenance
from stormwatch.domains.maintenance.equipment import chosen
from stormwatch.domains.maintenance.event import Reading
from stormwatch.settings import Settings

FILE = Path(__file__).parents[2] / "equipment" / "{name}.toml"


def reading(nth: int, temperature: float) -> bytes:
    return json.dumps({{
        "id": f"r-{{nth}}", "unit": "unit-1", "equipment": "{name}", "cycle": nth + 1,
        "time": f"2026-11-28T{{nth // 60:02}}:{{nth % 60:02}}:00Z",
        "sensors": {{"temperature": temperature, "vibration": 2.0 + nth % 5 / 10}},
    }}).encode()  # fmt: skip


def test_what_is_far_from_a_unit_s_own_normal_is_an_anomaly() -> None:
    types = chosen(Settings(maintenance_equipment=str(FILE)))
    domain = Maintenance.load(types=types)
    state, verdict = domain.new_state(), None
    for nth in range(200):
        temperature = 60.0 + nth % 7 / 10 if nth < 199 else 120.0
        event = domain.parse(reading(nth, temperature), 4_102_444_800_000)
        assert isinstance(event, Reading), event
        row, carry = domain.advance(state, event)
        (verdict,) = domain.decide([event], [row], [carry])
        assert nth == 199 or verdict.outcome in ("learning", "healthy"), verdict
    assert verdict is not None
    assert verdict.outcome == "anomaly", verdict
    assert any("bearing temperature" in reason.text for reason in verdict.reasons)
'''

_MODEL = '''"""A model of payments; docs/models.md says how it is added.

`model` trains and returns it. Take payments of your own for those of the generator.
"""

from typing import Any

from sklearn.ensemble import RandomForestClassifier

from apps.build.training.payments import Rows, rows_of, simulated

SEED = 7


def payments(customers: int = 500, days: int = 60) -> Rows:
    """Feature rows by the code that decides in a stream; label 0 is genuine."""
    return rows_of(simulated(SEED, customers, days))


def train(rows: Rows) -> Any:
    """A forest: what it gives is a probability of fraud."""
    forest = RandomForestClassifier(
        n_estimators=40, max_leaf_nodes=32, min_samples_leaf=5, class_weight="balanced_subsample",
        n_jobs=1, random_state=SEED,
    )  # fmt: skip
    return forest.fit(rows.features, rows.label > 0)


def model() -> Any:
    """What `model add` asks for."""
    return train(payments())
'''

_MODEL_TEST = '''"""The model {name}: what is scored on the workers is what was trained."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np

from apps.build.training.export import from_forest
from stormwatch.domains.fraud.features import FEATURE_NAMES
from stormwatch.models import NoModel
from stormwatch.models.trees import TreesModel

FILE = Path(__file__).parents[2] / "models" / "{name}.py"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("{name}", FILE)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_what_is_scored_on_workers_is_what_was_trained() -> None:
    own = script()
    rows = own.payments(customers=150, days=30)
    forest = own.train(rows)
    assert forest.n_features_in_ == len(FEATURE_NAMES)
    some = rows.features[:200]
    found = TreesModel(NoModel.card, from_forest(forest)).predict(some)
    assert np.abs(np.array(found) - forest.predict_proba(some)[:, 1]).max() < 1e-5
'''

DOCUMENTS = {
    "rule": Document(
        "rules/{name}.toml", _rule,
        "./stormwatch rules check {path}, and rules push {path} (docs/rules.md)",
    ),
    "mapping": Document(
        "mappings/{name}.toml", _mapping,
        'in stormwatch.toml, under [mapping]: transactions = "{path}" (docs/your-data.md)',
    ),
    "type": Document(
        "equipment/{name}.toml", _type,
        'in stormwatch.toml, under [maintenance]: equipment = "turbofan,{path}" '
        "(docs/equipment-types.md)",
    ),
    "model": Document(
        "models/{name}.py", _model,
        "./stormwatch model add {path} --domain fraud --name {name} (docs/models.md)",
    ),
}  # fmt: skip
