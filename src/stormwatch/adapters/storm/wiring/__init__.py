"""Errors in the wiring of a topology, reported when its class is made and by `lint`."""

from stormwatch.adapters.storm.wiring.checked import WIRING, Checked, TopologyRefused
from stormwatch.adapters.storm.wiring.finding import Finding, Severity, error, warning
from stormwatch.adapters.storm.wiring.rules import refused

__all__ = [
    "WIRING",
    "Checked",
    "Finding",
    "Severity",
    "TopologyRefused",
    "error",
    "refused",
    "warning",
]
