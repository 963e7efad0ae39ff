"""Labelled payments as feature rows, by the code that decides in a stream, in one pass.

The states of customers and terminals are those of the bolts. The label of a fraud reaches both
LABEL_DELAY after its payment, as an event, before the first payment that is no older.
"""

import csv
import gzip
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.data.generate.transactions import DAY, LABEL_DELAY, START, Transactions
from stormwatch.domains.fraud import Fraud, terminals
from stormwatch.domains.fraud.event import FRAUD, Label, Transaction
from stormwatch.domains.fraud.state import CustomerState
from stormwatch.domains.fraud.terminals import TerminalState
from stormwatch.errors import SettingsError
from stormwatch.state.judge import Advanced

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Labelled = tuple[Transaction, int]
"""A payment, and which fraud it is; 0 is genuine."""

HANDBOOK_START = 1_522_540_800_000
"""2018-04-01T00:00Z, ms."""
_CHUNK = 50_000


class Rows(NamedTuple):
    """Feature rows in order of time."""

    features: Floats
    label: Ints  # 0 genuine, else which fraud
    day: Ints  # since the first payment
    customer: Ints  # numbered as they come
    terminal: Ints

    def where(self, kept: NDArray[np.bool_] | Ints) -> "Rows":
        """Those rows."""
        return Rows(
            self.features[kept], self.label[kept], self.day[kept], self.customer[kept],
            self.terminal[kept],
        )  # fmt: skip

    def between(self, first: int, days: int) -> "Rows":
        """Those of `days` days from `first` on."""
        return self.where((self.day >= first) & (self.day < first + days))


class Core:
    """What the customer's and the terminal's bolts do, for one payment after another."""

    def __init__(self, delay_ms: int = LABEL_DELAY, judge: Fraud | None = None) -> None:
        """`judge`: the domain, where it is not the shipped one; its model is not used."""
        self._delay = delay_ms
        self._judge = judge or Fraud()
        self.names = self._judge.feature_names
        self._customers: dict[str, CustomerState] = {}
        self._terminals: dict[str, TerminalState] = {}
        self._waiting: deque[Transaction] = deque()

    def row(self, event: Transaction, *, fraud: bool) -> tuple[float, ...]:
        """The payment's features, before it is learned. In order of time."""
        return self.advance(event, fraud=fraud)[0]

    def advance(self, event: Transaction, *, fraud: bool) -> Advanced:
        """The same with what the domain's `decide` needs to know."""
        while self._waiting and self._waiting[0].time <= event.time:
            label = self._waiting.popleft()
            self._judge.advance(self._customers[label.customer], label)
            self._visit(label)
        state = self._customers.get(event.customer)
        if state is None:
            state = self._customers[event.customer] = self._judge.new_state()
        told = terminals.values(self._terminals.get(event.terminal), event)
        made = self._judge.advance(state, event, told)
        self._visit(event)
        if fraud:
            self._waiting.append(
                Transaction(
                    f"{event.id}-told", event.customer, event.terminal, event.time + self._delay,
                    event.amount, event.currency, label=Label(event.id, event.time, FRAUD),
                )
            )  # fmt: skip
        return made

    def _visit(self, event: Transaction) -> None:
        visit = terminals.visit_of(event)
        if visit is not None:
            state = self._terminals.get(event.terminal)
            if state is None:
                state = self._terminals[event.terminal] = terminals.new_state()
            terminals.learn(state, visit)


def rows_of(
    source: Iterable[Labelled], dtype: type = np.float64, judge: Fraud | None = None
) -> Rows:
    """All of a source, in order of time. `dtype` of the features: float32 halves the memory.
    `judge`: the domain, where it is not the shipped one."""
    core, numbers = Core(judge=judge), (dict[str, int](), dict[str, int]())
    chunks, features = list[Floats](), list[tuple[float, ...]]()
    labels, times, who, where = list[int](), list[int](), list[int](), list[int]()
    for event, label in source:
        features.append(core.row(event, fraud=label > 0))
        labels.append(label)
        times.append(event.time)
        who.append(numbers[0].setdefault(event.customer, len(numbers[0])))
        where.append(numbers[1].setdefault(event.terminal, len(numbers[1])))
        if len(features) == _CHUNK:
            chunks.append(np.array(features, dtype=dtype))
            features = []
    chunks.append(np.array(features, dtype=dtype).reshape(-1, len(core.names)))
    time = np.array(times)
    return Rows(
        np.concatenate(chunks), np.array(labels), time // DAY - time[0] // DAY, np.array(who),
        np.array(where),
    )  # fmt: skip


def simulated(seed: int, customers: int, days: int) -> Iterator[Labelled]:
    """So many days of our own generator."""
    source, number = Transactions(seed, run="train", customers=customers), count()
    while True:
        block = source.block()
        countries = source.countries(block.terminal)
        for time, customer, terminal, amount, label, country in zip(
            *(column.tolist() for column in block), countries, strict=True
        ):
            if time >= START + days * DAY:
                return
            event = Transaction(
                str(next(number)), str(customer), str(terminal), time, amount, "EUR",
                country=country,
            )  # fmt: skip
            yield event, label


def handbook(data: Path) -> Iterator[Labelled]:
    """The Fraud Detection Handbook's payments: `t` in seconds since 2018-04-01, amounts in units.

    Raises SettingsError for a folder without them.
    """
    paths = sorted(data.glob("transactions_*.csv.gz"))
    if not paths:
        raise SettingsError(f"{data} holds no transactions_*.csv.gz of the Handbook's data.")
    for path in paths:
        with gzip.open(path, "rt", encoding="ascii", newline="") as lines:
            for row in csv.DictReader(lines):
                cents = max(1, round(float(row["amount"]) * 100))
                time = HANDBOOK_START + int(row["t"]) * 1000
                event = Transaction(
                    row["tx_id"], row["customer"], row["terminal"], time, cents, "EUR"
                )
                yield event, int(row["scenario"])
