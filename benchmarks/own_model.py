"""The fraud core with a model of one's own of 300 trees and 20 rules, against what is shipped.

    python benchmarks/own_model.py [--records 4000] [--rounds 5]

Parsing, features and decisions of generated payments in batches of 500, without Kafka, Cassandra or
Storm, whose cost would bring the two nearer. CPU time, one thread, interleaved, the best of several
rounds. Both have thresholds that nothing reaches, so that neither tells reasons.
"""

import argparse
import os
import sys
import time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

BATCH = 500
NEVER = {"review": 1.0, "decline": 1.0}


def grown(folder: Path, leaves: int) -> None:
    """A model of 300 trees whose thresholds spread over all features."""
    import lightgbm
    import numpy as np

    from apps.build.training.export import from_lightgbm, save
    from apps.build.training.payments import rows_of, simulated
    from stormwatch.domains.fraud.features import FEATURE_NAMES, FEATURE_SET

    x = rows_of(simulated(7, 120, 40)).features
    draw = np.random.default_rng(1)
    y = (x[:, 0] > np.quantile(x[:, 0], 0.9)) | (draw.random(len(x)) < 0.05)
    options = {"objective": "binary", "num_leaves": leaves, "verbose": -1, "num_threads": 1}
    booster = lightgbm.train(options, lightgbm.Dataset(x, y.astype(int)), 300)
    told = dict.fromkeys(("framework", "target", "split", "data", "data_hash"), "")
    save(
        folder, from_lightgbm(booster, "logistic"), name="own", feature_set=FEATURE_SET,
        feature_names=FEATURE_NAMES, thresholds=NEVER, seed=0, parameters={}, libraries={},
        metrics={}, **told,
    )  # fmt: skip


def rules_file(folder: Path, count: int) -> Path:
    """The shipped rules and as many more as it takes, which ask of four features each."""
    from stormwatch.domains.fraud import rules
    from stormwatch.domains.fraud.features import FEATURE_NAMES

    known = len(rules.shipped(FEATURE_NAMES).rules)
    text = (ROOT / "src/stormwatch/domains/fraud/rules.toml").read_text(encoding="utf-8")
    for number in range(count - known):
        names = [FEATURE_NAMES[(number * 3 + step) % 20] for step in range(4)]
        asked = " AND ".join(f"{name} > {10**6 + number}" for name in names)
        text += (
            f'\n[[rule]]\nid = "more_{number}"\nwhen = "{asked}"\nreason = "more"\nweight = 0.1\n'
        )
    path = folder / "rules.toml"
    path.write_text(text, encoding="utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--records", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    import msgspec

    from apps.build.training.payments import simulated
    from stormwatch.domains.fraud import Fraud, rules
    from stormwatch.domains.fraud.features import FEATURE_NAMES
    from stormwatch.domains.fraud.parse import to_wire

    wire = [to_wire(event) for event, _ in islice(simulated(3, 200, 60), args.records)]
    with TemporaryDirectory() as name:
        folder, shipped = Path(name), Fraud.load()
        plain = folder / "shipped"
        plain.mkdir()
        source = ROOT / "src/stormwatch/domains/fraud/model"
        card = msgspec.structs.replace(shipped.card, thresholds=NEVER, distribution=b"")
        (plain / "card.json").write_bytes(msgspec.json.encode(card))
        (plain / card.artefact).write_bytes((source / card.artefact).read_bytes())
        twenty = rules.read(rules_file(folder, 20), FEATURE_NAMES)
        domains = {
            f"shipped model, {len(rules.shipped(FEATURE_NAMES).rules)} rules": Fraud.load(plain)
        }
        for leaves in (16, 31):
            grown(folder / f"m{leaves}", leaves)
            one = Fraud.load(folder / f"m{leaves}", rule_set=twenty)
            domains[f"300 trees of {leaves} leaves, 20 rules"] = one
        best: dict[str, float] = {}
        for _ in range(args.rounds):
            for what, domain in domains.items():
                best[what] = min(best.get(what, 1e9), cost(domain, wire))
    first = next(iter(best.values()))
    print("| core | µs a record | speed, to the shipped |\n|---|---|---|")
    for what, us in best.items():
        print(f"| {what} | {us:.1f} | {first / us:.2f} |")


def cost(domain: Any, wire: list[bytes]) -> float:
    """µs of CPU a record."""
    states: dict[str, Any] = {}
    began = time.process_time()
    for at in range(0, len(wire), BATCH):
        events = [domain.parse(value, -1) for value in wire[at : at + BATCH]]
        rows, carries = [], []
        for event in events:
            state = states.get(event.customer)
            if state is None:
                state = states[event.customer] = domain.new_state()
            row, carry = domain.advance(state, event)
            rows.append(row)
            carries.append(carry)
        domain.decide(events, rows, carries)
    return (time.process_time() - began) / len(wire) * 1e6


if __name__ == "__main__":
    main()
