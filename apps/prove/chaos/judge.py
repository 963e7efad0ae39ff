"""The laws: nothing lost, one state an offset, tables and topics equal to the oracle's."""

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import closing
from typing import Any

from apps.operate.domains import own_domains_of_all
from apps.prove.chaos import oracle, traffic
from apps.prove.chaos.errors import expect
from apps.prove.verdict import degraded, judge, tables
from apps.prove.verdict.recorded import Stored
from apps.prove.verdict.second import Learned, differences
from apps.prove.verdict.tables import Tables
from stormwatch.adapters import connect
from stormwatch.codec import Parsed
from stormwatch.domains.fraud import Fraud
from stormwatch.domains.fraud.parse import parse
from stormwatch.domains.fraud.second import TERMINALS
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.records import Record
from stormwatch.settings import Settings
from stormwatch.state.recorded import AsRecorded

Kills = Callable[[Record], bool]
"""Whether a record kills the process that reads it."""


def nothing(record: Record) -> bool:
    """No record kills."""
    return False


def expected(
    settings: Settings, kills: Kills = nothing, domain: Fraud | degraded.Partly | None = None,
    found: Tables | None = None, look: Callable[[Parsed[Any]], None] = lambda parsed: None,
) -> Tables:  # fmt: skip
    """What the oracle says of the transactions topic; with what was `found`, of labels too. `look`
    is told of each batch."""
    with (
        closing(connect.source(settings, settings.topic_transactions)) as source,
        closing(connect.source(settings, settings.topic_labels)) as beside,
    ):
        labels = None if found is None else (beside, Stored(Fraud.name, found))
        store = oracle.expected(settings, source, domain or Fraud(), parse, kills, labels, look)
    return tables.of_memory(store)


def check(
    settings: Settings, ledger: TopicLedger, kills: Kills = nothing, domain: Fraud | None = None
) -> Tables:
    """The oracle's tables, once all laws hold. Raises ChaosFailed naming what is wrong."""
    expect(ledger.sound and not ledger.in_flight, ledger)
    found = tables.of_cassandra(settings)
    learned = Learned(TERMINALS)
    want = expected(settings, kills, believed(found, domain), found, learned.look)
    compare(settings, want, found)
    if kills is nothing and settings.topology_terminals:  # else one may have been learned before
        have = {key[2]: blob for key, blob in found.states.items() if key[0] == TERMINALS.name}
        wrong = list(differences(TERMINALS, learned.states(), have))
        expect(have and not wrong, f"{len(wrong)} of {len(have)} terminals: {wrong[:3]}")
    return want


def believed(found: Tables, domain: Fraud | None = None) -> degraded.Partly:
    """The domain, without scores of what is marked as decided without, and told of second keys what
    is recorded; alerts that fell go."""
    degraded.take_fallen(found)
    domain = domain or Fraud()
    told = AsRecorded(domain, Stored(domain.name, found))
    return degraded.Partly(told, degraded.marked(found))


def compare(settings: Settings, want: Tables, found: Tables) -> None:
    """Tables and topics hold what they must. Raises ChaosFailed naming what is wrong."""
    wrong = judge.differences(want, found)
    expect(not wrong, "\n".join(wrong))
    told = alerts_of(traffic.values(settings, settings.topic_alerts), own_domains_of_all())
    raised = {key[4:6] for key in want.alerts}
    expect(told == raised, f"alerts in Kafka: {_both(told, raised)}")
    letters = traffic.values(settings, settings.topic_dead_letters)
    aside = {(each["partition"], each["offset"], each["code"]) for each in letters}
    kept = {(key[2], key[5], cells[1]) for key, cells in want.dead_letters.items()}
    expect(aside == kept, f"dead letters in Kafka: {_both(aside, kept)}")


def alerts_of(
    messages: Iterable[Mapping[str, Any]], others: AbstractSet[str]
) -> set[tuple[str, str]]:
    """(entity, id) of the alerts but for those of `others`: bolts that judge the same events for
    themselves."""
    return {(each["entity"], each["id"]) for each in messages if each["domain"] not in others}


def _both(found: AbstractSet[object], want: AbstractSet[object]) -> str:
    return f"{len(want - found)} missing, {len(found - want)} extra of {len(want)}"
