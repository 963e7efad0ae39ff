"""A bolt with a state for each key, made of one function. The guide: docs/add-a-bolt.md."""

from abc import abstractmethod
from typing import Any, ClassVar, get_args

from bolts.base import BatchBolt
from bolts.chain import ChainBolt
from bolts.decide import STORED, score, store
from stormwatch.codec import Parsed
from stormwatch.records import Fragment
from stormwatch.settings import Settings
from stormwatch.state.judge import Verdict
from stormwatch.state.keyed_function import OneJudge, check_state, without_ledger
from stormwatch.state.step import Step


def _score(bolt: BatchBolt) -> Step:
    assert isinstance(bolt, StatefulBolt)
    return score(bolt.make_judge)(bolt)


class StatefulBolt(ChainBolt):
    """Judges parsed events, one key after another, beside the bolt that decides for the topology.

        class Spree(StatefulBolt):
            payload = Parsed[Transaction]
            domain = "spree"
            state = SpreeState               # of a customer: the event's `entity`
            alerts = frozenset({"spree"})

            @staticmethod
            def judge(state: SpreeState, event: Transaction) -> Verdict: ...

        spree = Spree.spec(inputs={parse: Grouping.fields("bucket")})

    Guarantee: effects once, by the state contract (`stormwatch.state.processor`): a key's events
    are judged in offset order, a replay or a crash counts none twice; duplicates, conflicts and
    late events are not judged; one that `judge` raises on is set aside with its traceback.
    Decisions, states and alerts are stored under `domain`; nothing is said in the ledger, for
    another bolt accounts for each offset. State for another key than Kafka's: a RekeyBolt before
    it.
    """

    domain: ClassVar[str]
    """Under which all is stored: a bolt of another name begins with empty states."""
    version: ClassVar[int] = 1
    """Of `judge`; each decision keeps it."""
    state: ClassVar[Any]
    """A msgspec.Struct(array_like=True), each field with a default."""
    alerts: ClassVar[frozenset[str]] = frozenset()
    """Outcomes that go to the table and the topic of alerts."""
    steps = (_score, store)
    writes = tuple(name for name in STORED if name != "ledger")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "state" in vars(cls):
            check_state(cls.__name__, cls.state)

    @staticmethod
    @abstractmethod
    def judge(state: Any, event: Any) -> Verdict:
        """What is found of `event` given the state before it; then learn it: change `state`.

        Pure: no clock, no chance, nothing outside. Times are ms, `event.time` among them.
        """

    def make_judge(self, settings: Settings) -> OneJudge[Any, Any]:
        """What the state contract drives."""
        cls = type(self)
        (event,) = get_args(cls.payload)
        return OneJudge(cls.domain, cls.version, event, cls.state, cls.judge, cls.alerts)

    def prepare(self, fragment: Fragment, payload: Parsed[Any]) -> Parsed[Any]:
        """The same events, without a word in the ledger."""
        return without_ledger(payload, fragment.partition)
