"""Each bolt says something else that Storm does not take, or takes though it is odd."""

from streamparse import Topology

from bolts.probe import Probe
from bolts.wrongs import WRONGS, Wrong
from spouts.script import CALM, Script, numbers


class Refused(Topology):
    config = {
        **CALM,
        "conformance.bolts": len(WRONGS) + 1,
        "topology.message.timeout.secs": 300,  # a second tuple would end the worker
    }
    asks = Script.spec(config=numbers(1))
    _wrongs = {}
    for _name in WRONGS:
        _wrongs[_name] = Wrong.spec(name=_name, inputs=[asks])
    vars().update(_wrongs)
    hears = Probe.spec(inputs=list(_wrongs.values()))
