"""What every topology configures in Storm: limits, wait strategies, settings for its workers."""

from dataclasses import replace
from typing import Any

from stormwatch.domains.maintenance.equipment import texts_of
from stormwatch.parsing.mapping import SETTINGS, text_of
from stormwatch.rules.files import text_of as rules_text
from stormwatch.settings import Settings, to_conf

_PARK = "org.apache.storm.policy.WaitStrategyPark"
_PARK_US = 1000


def storm_config(settings: Settings) -> dict[str, Any]:
    """The `config` of a Topology class. Secrets stay out: workers read them from their environment.
    The text of a mapping, an equipment type, rules, rates or features goes along, for workers do
    not have its file. Raises MappingError, EquipmentError.

    Storm's own wait strategies spin, which starves the Python processes on a small machine: the
    parking ones took a prototype from 44,000 to 72,000 records/s.
    """
    texts: dict[str, Any] = {name: text_of(getattr(settings, name)) for name in SETTINGS}
    texts["fraud_rules"] = rules_text(settings.fraud_rules)
    texts["fraud_features"] = rules_text(settings.fraud_features)
    texts["fraud_rates"] = rules_text(settings.fraud_rates)
    texts["maintenance_equipment"] = texts_of(settings.maintenance_equipment)
    return {
        "topology.message.timeout.secs": settings.message_timeout_s,
        "topology.subprocess.timeout.secs": settings.subprocess_timeout_s,
        "topology.spout.wait.strategy": _PARK,
        "topology.spout.wait.park.microsec": _PARK_US,
        "topology.bolt.wait.strategy": _PARK,
        "topology.bolt.wait.park.microsec": _PARK_US,
        **to_conf(replace(settings, **texts)),
    }
