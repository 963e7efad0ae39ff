"""A domain's decisions of events in their order, by nothing but the domain."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

AT_ONCE = 500  # events a model call; a row's verdict does not depend on its batch


def in_turn(
    domain: Any, events: Sequence[Any], told: Mapping[str, tuple[float, ...]] = MappingProxyType({})
) -> Iterator[tuple[Any, tuple[float, ...], Any]]:
    """Each event with its features and its verdict. `told`: by its id what it was told of its
    second key, where it was."""
    states: dict[str, Any] = {}
    for start in range(0, len(events), AT_ONCE):
        batch = events[start : start + AT_ONCE]
        for event in batch:
            if event.entity not in states:
                states[event.entity] = domain.new_state()
        if hasattr(domain, "advance_all"):
            made = domain.advance_all([states[event.entity] for event in batch], batch)
        else:
            made = [
                domain.advance(
                    states[event.entity], event, *((told[event.id],) if event.id in told else ())
                )
                for event in batch
            ]
        rows, carries = zip(*made, strict=True)
        verdicts = domain.decide(batch, rows, carries)
        if getattr(domain, "settle", None) is not None:
            verdicts = [
                domain.settle(states[event.entity], event, verdict)
                for event, verdict in zip(batch, verdicts, strict=True)
            ]
        yield from zip(batch, rows, verdicts, strict=True)
