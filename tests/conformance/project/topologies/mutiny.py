"""A spout that raises: it starts again from its beginning, and its worker with it."""

from streamparse import Topology

from bolts.probe import Probe
from spouts.script import CALM, Raises, numbers


class Mutiny(Topology):
    config = {
        **CALM,
        "conformance.bolts": 1,
        "topology.message.timeout.secs": 6,
    }
    rebel = Raises.spec(config=numbers(4))
    obeys = Probe.spec(inputs=[rebel])
