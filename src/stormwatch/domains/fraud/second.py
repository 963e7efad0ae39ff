"""Terminals as the second key of payments: `stormwatch.state.second_key` over `terminals`."""

from collections.abc import Sequence

import msgspec

from stormwatch.domains.fraud import terminals
from stormwatch.domains.fraud.event import Transaction
from stormwatch.domains.fraud.parse import to_wire
from stormwatch.domains.fraud.rates import Rates, shipped
from stormwatch.domains.fraud.terminals import TerminalState, Visit


class TerminalVisit(msgspec.Struct, frozen=True, array_like=True):
    """A payment, or the label of one, on its way to the payment's terminal."""

    id: str  # of the payment, or of the label
    terminal: str
    time: int  # of the event, ms: a label's is that of its arrival
    made: int  # when the payment was made, ms
    points: int  # its amount
    what: int = 0  # of a label: which payment, a digest
    fraud: bool | None = None  # None: the payment itself

    @property
    def entity(self) -> str:
        return self.terminal


class Terminals:
    """See `stormwatch.state.second_key.SecondKey`."""

    name = "fraud.terminals"
    visit = TerminalVisit
    state = TerminalState
    serves_h, counts_after_h = terminals.SERVES_H, terminals.LABEL_DELAY_H
    feature_names = terminals.NAMES

    def __init__(self, rates: Rates | None = None) -> None:
        """`rates`: by which amounts are compared; without, the shipped ones."""
        self._rates = rates or shipped()

    def key(self, event: Transaction) -> str:
        """Labels are told nothing."""
        return event.terminal if event.label is None else ""

    def visits(self, event: Transaction) -> Sequence[TerminalVisit]:
        """One; none of a payment that takes another back."""
        told = terminals.visit_of(event, self._rates)
        if told is None:
            return ()
        who = (event.id, event.terminal, event.time, told.time, told.points)
        return (TerminalVisit(*who, told.what, told.fraud),)

    def is_news(self, visit: TerminalVisit) -> bool:
        """Labels are; payments count a week later."""
        return visit.fraud is not None

    def to_wire(self, event: Transaction) -> bytes:
        """See `stormwatch.domains.fraud.parse`."""
        return to_wire(event)

    def new_state(self) -> TerminalState:
        """Of a terminal never seen."""
        return terminals.new_state()

    def learn(self, state: TerminalState, visit: TerminalVisit) -> None:
        """See `terminals.learn`."""
        arrival = 0 if visit.fraud is None else visit.time
        told = Visit(visit.made, visit.points, visit.what, arrival, visit.fraud)
        terminals.learn(state, told)

    def values(self, state: TerminalState | None, event: Transaction) -> tuple[float, ...]:
        """See `terminals.values`."""
        return terminals.values(state, event)


TERMINALS = Terminals()
