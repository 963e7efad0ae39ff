"""What Nimbus says, over Thrift. streamparse brings the definitions, and is slow to import."""

from dataclasses import dataclass
from typing import Any

NAME = "nimbus"
_TIMEOUT_MS = 5000


@dataclass(frozen=True)
class Cluster:
    """A summary of the cluster."""

    leader: bool
    supervisors: int
    topologies: dict[str, str]
    """Status by name."""


def ask(host: str, port: int) -> Cluster | None:
    """The summary, or None when Nimbus does not answer."""
    try:
        client = _client(host, port)
        try:
            found = client.getClusterInfo()
        finally:
            client.close()
    except _errors():
        return None
    return Cluster(
        any(nimbus.isLeader for nimbus in found.nimbuses),
        len(found.supervisors),
        {topology.name: topology.status for topology in found.topologies},
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


def _client(host: str, port: int) -> Any:
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
        timeout=_TIMEOUT_MS,
    )


def _errors() -> tuple[type[BaseException], ...]:
    from thriftpy2.thrift import TException

    return (TException, OSError, EOFError)
