"""Steps for bolts that decide: `score(domain)` and `store`, to be chained or spread."""

from collections.abc import Callable
from functools import partial
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from bolts.base import BatchBolt
from bolts.observer import Observer, tell_of_skew
from stormwatch.adapters import connect
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.adapters.threads.follower import Follower, Ports
from stormwatch.adapters.threads.model_guard import watched
from stormwatch.metrics import Stopwatch
from stormwatch.parsing.mapping import marks
from stormwatch.partitioner import stripe_of
from stormwatch.records import Outcomes
from stormwatch.settings import Settings
from stormwatch.state.cache import StateCache
from stormwatch.state.commit import StoreStep, Topics
from stormwatch.state.judge import Judge
from stormwatch.state.processor import Contract, Policy
from stormwatch.state.score import ScoreStep
from stormwatch.state.skew import SkewProbe
from stormwatch.state.step import DECISIONS, Step

if TYPE_CHECKING:
    from stormwatch.models.drift import Drift
    from stormwatch.models.fleet_drift import FleetDrift

MODEL_WAIT_S = 10.0

MakeDomain = Callable[[Settings], Judge[Any, Any]]


class _Used(NamedTuple):
    """What a batch is decided with."""

    contract: Contract[Any, Any]
    drift: "Drift | FleetDrift | None"


def score(
    make: MakeDomain,
    hand_on: Callable[[Outcomes, list[Any]], Any] | None = None,
    follows: str = "",
) -> Callable[[BatchBolt], Step]:
    """States, features, model and rules of a domain. The model is loaded off the heartbeat path,
    and so is what is pushed while it runs: a batch is decided by what is in force at its start.

    `hand_on` makes what is handed on of the outcomes and each decision's carry; else the outcomes
    are. `follows`: the domain whose rules and model are changed while it runs; "": of none.
    """

    def build(bolt: BatchBolt) -> Step:
        settings = bolt.settings
        name = bolt.component_name
        watch = Stopwatch(perf_counter_ns, bolt.meter.metrics.spent)

        def used(domain: Judge[Any, Any]) -> _Used:
            from stormwatch.models import fleet_drift  # with numpy: where there is a model

            policy = Policy.of(settings, domain.name)
            watched(getattr(domain, "models", ()), watch)
            contract = Contract(domain, policy, name, marks(settings), watch=watch)
            return _Used(contract, fleet_drift.of(domain))

        ports = Ports(
            bolt.connections.store, lambda: connect.source(settings, settings.topic_control)
        )
        follower = bolt.follow(
            Follower(settings, follows, make, used, ports, f"{bolt.topology_name}/{name}")
        )

        def contract() -> Contract[Any, Any]:
            found = follower.get(MODEL_WAIT_S)
            bolt.drift = found.drift
            return found.contract

        bolt.cache = StateCache(settings.cache_mb << 20)
        return ScoreStep(
            contract,
            bolt.cache,
            partial(stripe_of, stripes=settings.layout_stripes),
            bolt.connections.store,
            now_ms,
            hand_on,
            (settings.cache_mb << 20) // 4 if settings.topology_terminals else 0,
            max(1, settings.topology_terminals),
            SkewProbe(partial(tell_of_skew, bolt)) if hand_on is None else None,
        )

    return build


STORED = (
    "decisions", "states", "alerts", "dead_letters", "ledger", "topic_alerts", "topic_dead_letters",
)  # fmt: skip
"""Tables, and settings of topics, that the store step writes."""


class _Store:
    writes = STORED

    def __call__(self, bolt: BatchBolt) -> Step:
        return StoreStep(
            bolt.connections.store,
            bolt.connections.sink,
            Topics(
                bolt.settings.topic_alerts,
                bolt.settings.topic_dead_letters,
                bolt.settings.topic_decisions,
            ),
            bolt.settings.kafka_request_timeout_s,
            Observer(bolt).committed,
            tells=bolt.is_read(DECISIONS),
        )


store = _Store()
"""The step that stores decisions, ledger, states, alerts: all of it, in the contract's order."""
