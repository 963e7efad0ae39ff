"""More small topologies in one: what fails, comes late or comes in another way than usual."""

import json

from streamparse import Grouping, Topology

from bolts.probe import Complains, Probe, Sender, probe
from spouts.script import CALM, Mute, Relay, Script, numbers, script

EMIT = [["default", True, None]]
ONE = {"topology.max.spout.pending": 1}
PAIRS = [[a, b] for a in "xyz" for b in "uvw"]


class Reefs(Topology):
    config = {
        **CALM,
        "conformance.word": "everyone's",
        "topology.message.timeout.secs": 15,
        "topology.subprocess.timeout.secs": 120,
    }

    # Two tasks of a spout: each is told of its own. Whole numbers as ids. More tasks than threads.
    twins = Script.spec(par=2, config=numbers(5))
    nurse = Probe.spec(inputs={twins: Grouping.fields("n")}, par=2, config=probe(fail_each=[2]))
    counted = Script.spec(config=numbers(4, ids=int) | {"conformance.word": "its own"})
    counter = Probe.spec(inputs=[counted], config=probe(fail_once=[3]))
    many = Script.spec(config=script(PAIRS))
    crowd = Probe.spec(inputs={many: Grouping.fields("a")}, par=2, config=probe(tasks=4))

    # Two streams of one source read in two ways; a source and its reader read by a third.
    teller = Script.spec(config=numbers(4))
    voices = Sender.spec(
        inputs=[teller], config=probe(emit=[["default", True, None], ["side", True, None]])
    )
    ears = Probe.spec(inputs={voices: Grouping.fields("n"), voices["side"]: Grouping.ALL}, par=2)
    route = Script.spec(config=numbers(4))
    bend = Probe.spec(inputs=[route], config=probe(emit=EMIT))
    shortcut = Probe.spec(inputs=[route, bend], config=probe(fail_once=[2]))

    # Two sources, one key, one task; then another key.
    red = Script.spec(config=script(PAIRS))
    blue = Script.spec(config=script(PAIRS[::-1]))
    purple = Probe.spec(
        inputs={red: Grouping.fields("a"), blue: Grouping.fields("a")},
        par=2,
        config=probe(emit=EMIT),
    )
    again = Probe.spec(inputs={purple: Grouping.fields("b")}, par=3)

    # Three ways to one place.
    wide = Script.spec(config=numbers(4))
    north = Probe.spec(inputs=[wide], config=probe(emit=EMIT))
    south = Probe.spec(inputs=[wide], config=probe(emit=[*EMIT, *EMIT]))
    west = Probe.spec(inputs=[wide], config=probe(emit=EMIT))
    delta = Probe.spec(
        inputs={north: Grouping.GLOBAL, south: Grouping.GLOBAL, west: Grouping.GLOBAL},
        par=2,
        config=probe(fail_once=[4]),
    )

    # Two branches of one tree joined to one tuple: its edge counts once for the root.
    trunk = Script.spec(config=numbers(4) | ONE)
    bough = Probe.spec(inputs=[trunk], config=probe(emit=EMIT))
    limb = Probe.spec(inputs=[trunk], config=probe(emit=EMIT))
    knot = Probe.spec(inputs=[bough, limb], config=probe(join=2, emit=EMIT))
    fruit = Probe.spec(inputs=[knot], config=probe(fail_once=[3]))

    # A parent that fails after its children went out: they arrive, twice.
    hurry = Script.spec(config=numbers(4))
    hasty = Probe.spec(inputs=[hurry], config=probe(emit=EMIT, fail_once=[2]))
    orphan = Probe.spec(inputs=[hasty])

    # Time-outs: of a child while nothing else may be sent; of what is acked or failed too late.
    throttled = Script.spec(config=numbers(3) | ONE)
    passed = Probe.spec(inputs=[throttled], config=probe(emit=EMIT))
    keeper = Probe.spec(inputs=[passed], config=probe(hold_once=[2]))
    tardy = Script.spec(config=numbers(3))
    late_ack = Probe.spec(inputs=[tardy], config=probe(hold_once=[2], late="ack"))
    sluggish = Script.spec(config=numbers(3))
    late_fail = Probe.spec(inputs=[sluggish], config=probe(hold_once=[2], late="fail"))
    half = Script.spec(config=numbers(3))
    quick = Probe.spec(inputs=[half])
    stuck = Probe.spec(inputs=[half], config=probe(hold_once=[1, 3]))

    # Emits within `ack` and `fail`; many at once; none.
    relay = Relay.spec(config=numbers(5))
    runner = Probe.spec(inputs=[relay], config=probe(fail_once=[2, 4]))
    gush = Script.spec(config=numbers(150, burst=50))
    basin = Probe.spec(inputs=[gush], config=probe(fail_once=[7, 77]))
    mute = Mute.spec()
    idle = Probe.spec(inputs=[mute])

    # Errors that are told and logs harm nobody; large tuples; ticks to every task.
    source = Script.spec(config=numbers(3))
    grumbler = Complains.spec(inputs=[source])
    unmoved = Probe.spec(inputs=[grumbler], config=probe(fail_once=[3]))
    small = Script.spec(config=numbers(3))
    grows = Probe.spec(inputs=[small], config=probe(emit=EMIT, inflate=300_000))
    large = Probe.spec(inputs=[grows])
    calm = Script.spec(config=numbers(3))
    clocks = Probe.spec(
        inputs={calm: Grouping.fields("n")}, par=2, config={"topology.tick.tuple.freq.secs": 2}
    )

    config["conformance.bolts"] = sum(
        json.loads(spec.config).get("topology.tasks", spec.par)
        for spec in list(vars().values())
        if getattr(spec, "component_cls", Script) not in (Script, Relay, Mute)
    )
