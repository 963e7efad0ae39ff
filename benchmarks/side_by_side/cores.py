"""Work of the fraud core for curves: what a topology does with a batch but for Storm, Kafka and
Cassandra's server, in batches of a size, from record values to rows for the store.

States stand in a cache of their bytes, as they do in a bolt.
"""

import json
import random
import tempfile
import time
from collections.abc import Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from apps.data.generate.transactions import Transactions
from stormwatch.domains.fraud import Fraud, rules
from stormwatch.domains.fraud.features import FEATURE_NAMES
from stormwatch.models.trees import Trees
from stormwatch.parsing.batch import parse_batch
from stormwatch.records import Fragment, Record
from stormwatch.settings import Settings
from stormwatch.state.cache import Entry, StateCache
from stormwatch.state.processor import Contract, Policy

FAR_S = 10**10  # no event is in the future
MS = 1_950_000_000_000
SHIPPED = Path(rules.__file__).with_name("model")


def payments(
    count: int, keys: int, *, zipf: float = 0.0, padding: int = 0, seed: int = 5
) -> list[bytes]:
    """Payments of `keys` customers: equally often, or by a Zipf law of that exponent. `padding`:
    bytes that a field of no meaning adds."""
    draw = random.Random(seed)
    weights = [1 / nth**zipf for nth in range(1, keys + 1)] if zipf else None
    names = draw.choices(range(keys), weights, k=count) if weights else [
        draw.randrange(keys) for _ in range(count)
    ]  # fmt: skip
    made = []
    for name, one in zip(
        names, islice(Transactions(1, run="c", customers=1_000), count), strict=True
    ):
        value = json.loads(one.value) | {"customer": f"c{name}"}
        if padding:
            value["padding"] = "x" * padding
        made.append(json.dumps(value, separators=(",", ":")).encode())
    return made


class Worked:
    """A contract with its cache; `take` decides more records and says what they cost."""

    def __init__(self, domain: Fraud | None = None, policy: Policy | None = None) -> None:
        self._domain = domain or Fraud(future_skew_ms=FAR_S * 1000)
        self._contract: Contract[Any, Any] = Contract(
            self._domain, policy or Policy.of(Settings()), "bench"
        )
        self.cache = StateCache(1 << 40)
        self._at = 0

    def take(self, values: Sequence[bytes], batch: int) -> float:
        """Microseconds of processor time a record."""
        spent = 0.0
        for first in range(0, len(values), batch):
            some = [
                Record(self._at + nth, MS, None, value)
                for nth, value in enumerate(values[first : first + batch])
            ]
            began = time.process_time()
            self._decide(some)
            spent += time.process_time() - began
        return spent / len(values) * 1e6

    def _decide(self, records: Sequence[Record]) -> None:
        first, last = records[0].offset, records[-1].offset
        self._at = last + 1
        fragment = Fragment("bench", 0, 2048, first, last, 1, 0)
        parsed, _ = parse_batch(
            fragment, records, self._domain.parse, component="bench", record_max_bytes=1 << 20,
            now=0,
        )  # fmt: skip
        states = {}
        for _, _, event in parsed.events:
            name = event.entity
            if name not in states:
                states[name] = self.cache.get(name) or Entry(0, b"")
        outcomes = self._contract.apply(fragment, parsed, states, 0)
        assert len(outcomes.decisions) == len(records), "some were not decided"
        for row in outcomes.states:
            self.cache.put(row.entity, Entry(row.stripe, row.blob))


def with_rules(count: int) -> Fraud:
    """A domain with so many rules, of two conditions each, that seldom hold."""
    text = ["review_from = 0.5", "decline_from = 1.2"]
    for nth in range(count):
        feature = FEATURE_NAMES[nth % len(FEATURE_NAMES)]
        text += [
            "[[rule]]", f'id = "r{nth}"',
            f'when = "{feature} >= {10**9 + nth} AND amount >= {10**8 + nth}"',
            "weight = 0.1", f'reason = "rule {nth}"',
        ]  # fmt: skip
    made = rules.of_text("\n".join(text), f"{count} rules", FEATURE_NAMES)
    return Fraud(rule_set=made, future_skew_ms=FAR_S * 1000)


def with_trees(count: int) -> Fraud:
    """A domain whose model has so many trees, the shipped ones again and again."""
    folder = Path(tempfile.mkdtemp(prefix="stormwatch-trees-"))
    shipped = msgspec.msgpack.decode((SHIPPED / "trees.msgpack").read_bytes(), type=Trees)
    trees = [shipped.trees[nth % len(shipped.trees)] for nth in range(count)]
    data = msgspec.msgpack.encode(msgspec.structs.replace(shipped, trees=trees, missing=[]))
    (folder / "trees.msgpack").write_bytes(data)
    card = json.loads((SHIPPED / "card.json").read_text())
    card |= {"sha256": sha256(data).hexdigest(), "version": f"trees-{count}"}
    card["thresholds"] = {"review": 1.0, "decline": 1.0}  # what is measured is the model alone
    (folder / "card.json").write_text(json.dumps(card))
    return Fraud(folder, future_skew_ms=FAR_S * 1000)
