"""A bolt's own state for each key, judged by one function: the contract's side of it. Pure."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from stormwatch.codec import Parsed, Share
from stormwatch.dead_letters.rows import by_fields
from stormwatch.state.judge import Advanced, Event, Verdict

E = TypeVar("E", bound=Event)
S = TypeVar("S")


class OneJudge(Generic[E, S]):
    """A `stormwatch.state.judge.Judge` made of a function.

    `judge(state, event)` says what it finds of an event given the key's state before it, and
    learns: it changes the state. Decisions keep no features; `version` stands for the rules.
    """

    model_version = "none"
    feature_set = "none"

    def __init__(
        self, name: str, version: int, event: type[E], state: type[S],
        judge: Callable[[S, E], Verdict], alerts: frozenset[str],
    ) -> None:  # fmt: skip
        self.name, self.event, self.state = name, event, state
        self.rules_version = f"{name}-{version}"
        self.alert_outcomes = alerts
        self._judge = judge

    def to_wire(self, event: E) -> bytes:
        """The event's fields by name, so that the setting `mask.fields` finds them."""
        return by_fields(event)

    def new_state(self) -> S:
        """Every field as its default says."""
        return self.state()

    def advance(self, state: S, event: E) -> Advanced:
        """Judge: no features, and the verdict as the carry."""
        return (), self._judge(state, event)

    def decide(
        self,
        events: Sequence[E],
        features: Sequence[tuple[float, ...]],
        carries: Sequence[Verdict],
    ) -> list[Verdict]:
        """What `advance` found."""
        return list(carries)


def check_state(name: str, state: Any) -> None:
    """Raises TypeError, saying how to mend it, for a type that cannot be a state."""
    try:
        fresh = state()
        blob = msgspec.msgpack.encode(fresh)
        msgspec.msgpack.decode(blob, type=state)
        if _has_set(msgspec.inspect.type_info(state), set()):
            raise TypeError("a set has another order in each process: keep a sorted list")
    except (TypeError, msgspec.MsgspecError) as error:
        raise TypeError(
            f"{name}.state cannot be kept: {error}. Make it a msgspec.Struct(array_like=True) of "
            "ints, floats, strings, bytes and lists of those, each field with a default."
        ) from error


def _has_set(info: msgspec.inspect.Type, seen: set[int]) -> bool:
    if isinstance(info, msgspec.inspect.SetType | msgspec.inspect.FrozenSetType):
        return True
    if id(info) in seen:  # a type may hold itself
        return False
    seen.add(id(info))
    if isinstance(info, msgspec.inspect.StructType):
        return any(_has_set(field.type, seen) for field in info.fields)
    inner = (getattr(info, name, None) for name in ("item_type", "key_type", "value_type"))
    several = (*getattr(info, "item_types", ()), *getattr(info, "types", ()))
    return any(_has_set(each, seen) for each in (*inner, *several) if each is not None)


def without_ledger(parsed: Parsed[E], bucket: int) -> Parsed[E]:
    """The same events for a bolt that has no word on any offset: another one accounts for them."""
    share = Share(parsed.share.bucket if parsed.share else bucket, list(range(len(parsed.events))))
    return Parsed(parsed.events, parsed.elsewhere, [], share)
