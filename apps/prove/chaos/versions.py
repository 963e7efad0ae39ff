"""Rules, model and states of another version under way, and back; what the oracle makes of it."""

import shutil
from functools import partial
from pathlib import Path

import msgspec

from apps.prove.chaos import judge
from apps.prove.chaos.campaign import START_S, Trial
from apps.prove.chaos.errors import expect
from apps.prove.verdict import tables
from apps.prove.verdict.tables import Tables
from stormwatch.domains.fraud import Fraud, rules
from stormwatch.domains.fraud.domain import SHIPPED
from stormwatch.models import NONE
from stormwatch.records import EndState
from stormwatch.state.envelope import VERSION

RULES, MODEL = "other-rules.json", "other-model"


class _Body(msgspec.Struct):
    """Of a decision: who decided which record."""

    model: str
    rules: str
    partition: int
    offset: int


_body = msgspec.json.Decoder(_Body).decode
Named = tuple[str, str]


def change(trial: Trial) -> None:
    """Stop, start with other rules and another model; stop, start with the first ones."""
    environment, first = trial.environment, Fraud.load()
    second = other(environment.project.root)
    trial.restarts = None
    for low, rule_file, model in (
        (0.05, str(environment.project.root / RULES), str(environment.project.root / MODEL)),
        (0.25, "", ""),
    ):
        trial.at(trial.random.uniform(low, low + 0.1))
        environment.stop()
        trial.fell()
        what = "other rules and another model" if rule_file else "the first ones again"
        environment.tell(f"stopped `sparse run`; starting it with {what}")
        environment.start("fraud", fraud_rules=rule_file, fraud_model=model)
    trial.judge = partial(_judge, trial, first, second, environment.settings.batch_max_records)


def other(root: Path) -> Fraud:
    """Rules with an opinion on many transactions and the shipped trees, which decline sooner: in
    files under `root`, and read from them."""
    large = {
        "code": "amount_over_90", "weight": 0.6, "conditions": [["amount", ">=", 9000]],
        "text": "{amount} is above 90.00",
    }  # fmt: skip
    (root / RULES).write_bytes(msgspec.json.encode({"rules": [large]}))
    shutil.copytree(SHIPPED, root / MODEL)
    file = root / MODEL / "card.json"
    card = msgspec.json.decode(file.read_bytes())
    card["version"] += "-other"
    card["thresholds"] = {name: value / 2 for name, value in card["thresholds"].items()}
    file.write_bytes(msgspec.json.encode(card))
    rule_set = rules.read(root / RULES, Fraud.feature_names)
    return Fraud.load(root / MODEL, rule_set=rule_set)


def _judge(trial: Trial, first: Fraud, second: Fraud, batch: int) -> Tables:
    """Each decision is what the version that it names decides; and the versions came in turn."""
    settings, ledger = trial.environment.settings, trial.environment.ledger()
    expect(ledger.sound and not ledger.in_flight, ledger)
    found = tables.of_cassandra(settings)
    late = of_second(first, second, found, batch)
    trial.notes.append(f"{len(late):,} of {len(found.decisions):,} decisions are of the other one.")
    expect(0 < len(late) < len(found.decisions), "one version decided all")
    fallen = without_fallen(found)
    trial.notes.append(f"{fallen} alerts of a first try were taken back by the second.")
    oracles = [judge.expected(settings, domain=judge.believed(found, d)) for d in (first, second)]
    want = woven(oracles[0], oracles[1], late)
    judge.compare(settings, want, found)
    return want


def of_second(first: Fraud, second: Fraud, found: Tables, batch: int) -> set[Named]:
    """(entity, id) that the second version decided, which came once between two turns of the first.

    A batch of `batch` offsets that was under way at a change may be decided in part by each.
    Raises ChaosFailed where the versions are mixed.
    """
    seconds: dict[int, list[int]] = {}  # partition -> offsets
    firsts: dict[int, list[int]] = {}
    late = set()
    for key, cells in found.decisions.items():
        body = _body(cells[2])
        of = second if body.rules == second.rules_version else first
        known = body.rules == of.rules_version and body.model in (of.model_version, NONE)
        expect(known, f"a decision of mixed versions: {key}, {body}")
        if of is second:
            late.add((key[3], key[5]))
        (seconds if of is second else firsts).setdefault(body.partition, []).append(body.offset)
    for partition, offsets in seconds.items():
        low, high = min(offsets) + batch, max(offsets) - batch
        between = [offset for offset in firsts.get(partition, ()) if low <= offset <= high]
        expect(not between, f"partition {partition}: the first version decided {between[:9]}")
    return late


def without_fallen(found: Tables) -> int:
    """Take out the alerts of batches that died half written and were decided otherwise anew, as
    `stormwatch.state.alerts` leaves them out; how many."""
    alerting = {(key[3], key[5]) for key, cells in found.decisions.items() if cells[4]}
    fallen = [key for key in found.alerts if key[4:6] not in alerting]
    for key in fallen:
        del found.alerts[key]
    return len(fallen)


def woven(first: Tables, second: Tables, late: set[Named]) -> Tables:
    """The tables of `first`, with the decisions `late` of `second`."""
    same = [(t.states, t.dead_letters, t.ends) for t in (first, second)]
    expect(same[0] == same[1], "what is learned depends on rules or model")
    decisions = {
        key: (second if (key[3], key[5]) in late else first).decisions[key]
        for key in first.decisions
    }
    alerts = {key: cells for key, cells in first.alerts.items() if key[4:6] not in late}
    alerts |= {key: cells for key, cells in second.alerts.items() if key[4:6] in late}
    return Tables(decisions, first.states, alerts, first.dead_letters, first.ends)


_NEWER = VERSION + 1
_REFUSAL = f"version {_NEWER}, this code reads version {VERSION}. Run the version of Stormwatch"
_WAITS = "will be tried again: the stored state of"
_RESTARTS = "restarting the topology in place"
_REFUSES_S = 20.0
_READS = "        if envelope.version != VERSION:\n"
_VERSION = f"VERSION = {VERSION}\n"


def there_and_back(trial: Trial) -> None:
    """The newer version comes, the older one is tried again, then the newer goes on."""
    environment = trial.environment
    trial.restarts = None
    code = environment.project.root / "src" / "stormwatch" / "state" / "envelope.py"
    older = code.read_text()
    trial.at(trial.random.uniform(0.05, 0.15))
    environment.stop()
    environment.tell(f"stopped `sparse run`; starting one whose states are of version {_NEWER}")
    code.write_text(newer(older))
    environment.start()
    trial.at(trial.random.uniform(0.25, 0.35))
    environment.stop()
    environment.tell(f"stopped it; starting the one again that knows version {VERSION} alone")
    code.write_text(older)
    environment.start()
    environment.until_said(_WAITS, START_S)
    environment.until_said(_REFUSAL, START_S)
    trial.wait(_REFUSES_S)
    ledger = environment.ledger()
    aside = ledger.states.get(EndState.DEAD_LETTERED)
    expect(ledger.sound and ledger.in_flight and not aside, ledger)
    expect(
        environment.said().count(_REFUSAL) > 1 and _RESTARTS not in environment.said(),
        environment.said(),
    )
    environment.tell(f"it waits, sets no record aside, and says: … {_WAITS}: … {_REFUSAL} …")
    environment.stop()
    code.write_text(newer(older))
    trial.fell()
    environment.tell(f"starting version {_NEWER} again")
    environment.start()
    trial.judge = partial(_judge_states, trial)


def newer(code: str) -> str:
    """`entity.py` with one version more, which takes the older's states over as they are."""
    expect(code.count(_READS) == code.count(_VERSION) == 1, "entity.py has changed")
    takes_over = (
        f"        if envelope.version == {VERSION}:\n            envelope.version = VERSION\n"
    )
    return code.replace(_VERSION, f"VERSION = {_NEWER}\n").replace(_READS, takes_over + _READS)


def _judge_states(trial: Trial) -> Tables:
    """As ever, but that states which were touched later are of the newer version."""
    settings, ledger = trial.environment.settings, trial.environment.ledger()
    expect(ledger.sound and not ledger.in_flight, ledger)
    found = tables.of_cassandra(settings)
    versions = [_version(blob) for blob in found.states.values()]
    expect(set(versions) == {VERSION, _NEWER}, f"states of versions {set(versions)}")
    trial.notes.append(f"{versions.count(_NEWER)} of {len(versions)} states are of the newer one.")
    found.states = {key: as_older(blob) for key, blob in found.states.items()}
    want = judge.expected(settings, domain=judge.believed(found))
    judge.compare(settings, want, found)
    return want


def _version(blob: bytes) -> int:
    version: int = msgspec.msgpack.decode(blob)[0]
    return version


def as_older(blob: bytes) -> bytes:
    """A state with the version in its envelope changed."""
    # An envelope is an array, whose first element is its version: one byte each.
    return blob[:1] + bytes([VERSION]) + blob[2:]
