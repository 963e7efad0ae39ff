"""What Nimbus says, over Thrift. streamparse brings the definitions, and is slow to import."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from stormwatch.errors import SettingsError

NAME = "nimbus"
_TIMEOUT_MS = 5000
_PORT = 6627


class Running(NamedTuple):
    """A topology as Nimbus has it."""

    name: str
    status: str
    uptime_s: int
    workers: int
    executors: int
    tasks: int


@dataclass(frozen=True)
class Cluster:
    """A summary of the cluster."""

    leader: bool
    supervisors: int
    running: list[Running]

    @property
    def topologies(self) -> dict[str, str]:
        """Status by name."""
        return {each.name: each.status for each in self.running}


def address(root: Path) -> tuple[str, int]:
    """Host and port of the first environment of config.json that needs no SSH, as `sparse` reads
    it. Raises SettingsError where there is none."""
    place = root / "config.json"
    try:
        environments = json.loads(place.read_text())["envs"].values()
        open_ = next(each for each in environments if each.get("use_ssh_for_nimbus") is False)
        host, _, port = str(open_["nimbus"]).partition(":")
        return host, int(port or _PORT)
    except (OSError, ValueError, KeyError, AttributeError, StopIteration) as error:
        raise SettingsError(
            f"{place} names no Nimbus that can be asked directly: give an environment its "
            '"nimbus": "host:6627" and "use_ssh_for_nimbus": false.'
        ) from error


def ask(host: str, port: int, timeout_ms: int = _TIMEOUT_MS) -> Cluster | None:
    """The summary, or None when Nimbus does not answer."""
    try:
        client = _client(host, port, timeout_ms)
        try:
            found = client.getClusterInfo()
        finally:
            client.close()
    except _errors():
        return None
    return Cluster(
        any(nimbus.isLeader for nimbus in found.nimbuses),
        len(found.supervisors),
        [
            Running(t.name, t.status, t.uptime_secs, t.num_workers, t.num_executors, t.num_tasks)
            for t in found.topologies
        ],
    )


def kill(host: str, port: int, name: str) -> bool:
    """Kill a topology without waiting for its tuples: they are replayed when it is run again.

    Whether Nimbus took it.
    """
    from streamparse.thrift import KillOptions

    try:
        client = _client(host, port)
        try:
            client.killTopologyWithOpts(name=name, options=KillOptions(wait_secs=0))
        finally:
            client.close()
    except _errors():
        return False
    return True


def rebalance(host: str, port: int, name: str, workers: int) -> None:
    """Spread a topology over this many workers: they are started anew, without waiting."""
    from streamparse.thrift import RebalanceOptions

    client = _client(host, port)
    try:
        client.rebalance(name=name, options=RebalanceOptions(wait_secs=0, num_workers=workers))
    finally:
        client.close()


def _client(host: str, port: int, timeout_ms: int = _TIMEOUT_MS) -> Any:
    from streamparse.thrift import Nimbus
    from thriftpy2.protocol import TBinaryProtocolFactory
    from thriftpy2.rpc import make_client
    from thriftpy2.transport import TFramedTransportFactory

    return make_client(
        Nimbus,
        host=host,
        port=port,
        proto_factory=TBinaryProtocolFactory(),
        trans_factory=TFramedTransportFactory(),
        timeout=timeout_ms,
    )


def _errors() -> tuple[type[BaseException], ...]:
    from thriftpy2.thrift import TException

    return (TException, OSError, EOFError)
