"""Topology classes that refuse to be made with an error in their wiring."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from stormwatch.adapters.storm.wiring import rules, storm
from stormwatch.adapters.storm.wiring.finding import Finding, Severity
from stormwatch.errors import StormwatchError

WIRING: tuple[Callable[[str, Any], Iterable[Finding]], ...] = (
    rules.unknown_field,
    rules.state_key,
    rules.idle_spouts,
    rules.flush_interval,
    rules.unread_outputs,
    storm.direct_grouping,
    storm.too_many_aliases,
)
"""Rules that need the class alone: topology's name and class -> findings."""


class TopologyRefused(StormwatchError):
    """The class cannot run; `findings` say why and how to mend it."""

    def __init__(self, name: str, findings: Sequence[Finding]) -> None:
        told = "\n".join(map(str, findings))
        super().__init__(f"topology {name} has errors in its wiring\n{told}")
        self.findings = findings


class Checked:
    """First base of a topology: `class Fraud(Checked, Topology)`.

    Raises TopologyRefused while the class is made, wherever that is: in a test, a console, under
    `sparse`. It is no Topology itself, for streamparse runs the first one that a file names.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        name = cls.__module__.rpartition(".")[2]  # its file's, as streamparse names topologies
        found = [finding for rule in WIRING for finding in rule(name, cls)]
        errors = [finding for finding in found if finding.severity is Severity.ERROR]
        if errors:
            raise TopologyRefused(name, errors)
