"""A spout that raises: it starts again from its beginning, and its worker with it."""

import json

from streamparse import Topology

from bolts.probe import Probe
from spouts.script import CALM, Raises


class Mutiny(Topology):
    config = {
        **CALM,
        "conformance.bolts": 1,
        "topology.message.timeout.secs": 6,
    }
    rebel = Raises.spec(
        config={
            "script": json.dumps([["default", [n, "a", "b"], str(n), None] for n in range(1, 5)])
        }
    )
    obeys = Probe.spec(inputs=[rebel])
