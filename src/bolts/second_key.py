"""Keeps states of a second key, to be read by the bolt that decides: `stormwatch.state.learn`."""

from functools import partial
from typing import Any, ClassVar

from bolts.base import BatchBolt
from bolts.chain import ChainBolt
from stormwatch.adapters.storm.resources import now_ms
from stormwatch.codec import Parsed
from stormwatch.dead_letters.rows import by_fields
from stormwatch.domains.fraud.second import TERMINALS, TerminalVisit
from stormwatch.partitioner import stripe_of
from stormwatch.records import Fragment
from stormwatch.state.cache import StateCache
from stormwatch.state.learn import LearnStep
from stormwatch.state.processor import Policy
from stormwatch.state.second_key import SecondKey
from stormwatch.state.step import Step


def _learn(bolt: BatchBolt) -> Step:
    assert isinstance(bolt, SecondKeyBolt)
    settings = bolt.settings
    bolt.cache = StateCache(settings.cache_mb << 20)

    def committed(fragment: Fragment, parsed: Parsed[Any]) -> None:
        bolt.connections.metrics.batch({}, 0, [t for _, t, _ in parsed.events], now_ms())

    return LearnStep(
        bolt.second,
        Policy.of(settings),
        bolt.cache,
        partial(stripe_of, stripes=settings.layout_stripes),
        bolt.connections.store,
        by_fields,
        bolt.component_name,
        committed,
        settings.topology_terminals,
    )


class SecondKeyBolt(ChainBolt):
    """Learns the visits of one second key.

        class TerminalBolt(SecondKeyBolt):
            payload = Parsed[TerminalVisit]
            second = TERMINALS
            domain = TERMINALS.name

        terminals = TerminalBolt.spec(inputs={parse["visits"]: Grouping.fields("bucket")})

    Guarantee: each visit counts once; nothing is decided and nothing said in the ledger, for the
    bolt that decides accounts for each offset.
    """

    second: ClassVar[SecondKey[Any, Any, Any]]
    domain: ClassVar[str]
    """Under which states are stored: the second key's name."""
    together = True
    steps = (_learn,)
    writes = ("states", "dead_letters")


class TerminalBolt(SecondKeyBolt):
    """What payments and labels tell the terminal of the payment."""

    payload = Parsed[TerminalVisit]
    second = TERMINALS
    domain = TERMINALS.name
