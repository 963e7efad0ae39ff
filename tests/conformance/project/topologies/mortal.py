"""A bolt that raises: its tuples come again when it has been started again."""

from streamparse import Topology

from bolts.probe import Dies
from spouts.script import CALM, Script, numbers


class Mortal(Topology):
    config = {
        **CALM,
        "conformance.bolts": 1,
        "topology.message.timeout.secs": 6,
    }
    few = Script.spec(config=numbers(6))
    dies = Dies.spec(inputs=[few])
