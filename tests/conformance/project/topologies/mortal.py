"""A bolt that raises: its tuples come again when it has been started again."""

import json

from streamparse import Topology

from bolts.probe import Dies
from spouts.script import CALM, Script


class Mortal(Topology):
    config = {
        **CALM,
        "conformance.bolts": 1,
        "topology.message.timeout.secs": 6,
    }
    few = Script.spec(
        config={
            "script": json.dumps([["default", [n, "a", "b"], str(n), None] for n in range(1, 7)])
        }
    )
    dies = Dies.spec(inputs=[few])
