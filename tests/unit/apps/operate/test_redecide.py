"""`redecide` leaves a running topology alone."""

from collections.abc import Callable

import msgspec
import pytest

from apps.operate.redecide import LOOK_S, check_stopped
from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.errors import StormwatchError
from stormwatch.metrics import Metrics


def test_it_is_refused_while_a_bolt_writes_figures_and_goes_on_when_none_does() -> None:
    store = MemoryStore()

    def written(at: int) -> Callable[[float], None]:
        body = msgspec.json.encode(Metrics().snapshot(at, 4711, "worker-3", 0))
        return lambda seconds: store.write_meter("fraud", "decide", "4-worker-3", body)

    waited: list[float] = []
    check_stopped(store, "fraud", waited.append)
    assert waited == [LOOK_S]
    written(1_000)(0)  # of a run that has ended
    check_stopped(store, "fraud", waited.append)
    refused = r"The topology fraud runs: decide on worker-3 \(process 4711\).*sparse kill -n fraud"
    with pytest.raises(StormwatchError, match=refused):
        check_stopped(store, "fraud", written(2_000))
    check_stopped(store, "maintenance", written(3_000))
