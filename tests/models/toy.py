"""The smallest domain that can show every law: it sums values and raises on demand."""

from collections.abc import Sequence

import msgspec

from stormwatch.records import Reason, Rejection
from stormwatch.state.judge import Advanced, Verdict


class Ping(msgspec.Struct, frozen=True, array_like=True):
    id: str
    name: str
    time: int
    value: int

    @property
    def entity(self) -> str:
        return self.name


class Sums(msgspec.Struct, array_like=True):
    count: int = 0
    total: float = 0.0


class Toy:
    """`value` 66 raises while learning, 77 while deciding; a total over 50 is an alert."""

    name = "toy"
    event = Ping
    state = Sums
    feature_names = ("count", "total", "value")
    feature_set = "toy-1"
    model_version = "none"
    rules_version = "none"
    alert_outcomes = frozenset({"high"})

    def parse(self, value: bytes, timestamp: int) -> Ping | Rejection:
        return msgspec.json.decode(value, type=Ping)

    def to_wire(self, event: Ping) -> bytes:
        return msgspec.json.encode(event)

    def new_state(self) -> Sums:
        return Sums()

    def advance(self, state: Sums, event: Ping) -> Advanced:
        features = (float(state.count), state.total, float(event.value))
        state.count += 1
        if event.value == 66:
            raise ValueError("66 cannot be learned")  # after half the learning, on purpose
        state.total = state.total * 0.9 + event.value / 3
        return features, event.value

    def decide(
        self,
        events: Sequence[Ping],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[int],
    ) -> list[Verdict]:
        assert [event.value for event in events] == list(carries)
        if any(event.value == 77 for event in events):
            raise ArithmeticError("77 cannot be decided")
        return [
            Verdict("high", round(total, 6), (Reason("total", f"total {total:.1f}"),))
            if total > 50
            else Verdict("low", round(total, 6), ())
            for _, total, _ in features
        ]
