"""Many small topologies in one: they share a worker, and nothing else."""

from streamparse import Grouping, Topology

from bolts.probe import Auto, Batches, Probe, Sender, probe
from spouts.script import CALM, Script, Stubborn, numbers, script

KEYS = ["", "a", "Aa", "BB", "zürich", "日本", "😀", "x" * 40, "customer-17", "T0001"]
MIXED = [0, 1, -1, 17, -300, 2**31, -(2**40), 2**53, True, False, None, 0.5, -2.25, 1e300]
MIXED += [0.1 + 0.2, -1 / 3, 1 / 7, 2 / 3, 1e22, 5e-7, 1234567890.1234567]
MIXED += [2**63, 2**64 - 1, -(2**63) - 1, 2**70, 11400714819323198485, 14029467366897019727]
MIXED += [1.2083913532923948e16, 1e16, 6.617504582872758e-05, 1.25e-5, 5e-324]
LISTS = [[], [1], ["a", 2], [[1, 2], None], {"k": 1}, {"a": "b", "c": [1]}]


EMIT = [["default", True, None]]


class Islands(Topology):
    config = {
        **CALM,
        "topology.message.timeout.secs": 15,
        "topology.subprocess.timeout.secs": 120,
    }

    # Every grouping, on one stream: a tree is done when all its readers are.
    deal = Script.spec(config=numbers(60))
    shuffled = Probe.spec(inputs={deal: Grouping.SHUFFLE}, par=3)
    near = Probe.spec(inputs={deal: Grouping.LOCAL_OR_SHUFFLE}, par=2)
    anyone = Probe.spec(inputs={deal: Grouping.NONE}, par=2)
    everyone = Probe.spec(inputs={deal: Grouping.ALL}, par=2)
    one = Probe.spec(inputs={deal: Grouping.GLOBAL}, par=2)

    # Fields: which task a key reaches is Java's hash.
    keys = Script.spec(config=script([[k, i] for i, k in enumerate(KEYS * 2)]))
    by_text = Probe.spec(inputs={keys: Grouping.fields("a")}, par=3)
    by_number = Probe.spec(inputs={keys: Grouping.fields("n")}, par=2)
    by_both = Probe.spec(inputs={keys: Grouping.fields("a", "b")}, par=3)
    values = Script.spec(config=script([[k, 0] for k in MIXED + LISTS]))
    by_value = Probe.spec(inputs={values: Grouping.fields("a")}, par=3)

    # Streams, fan-out, fan-in.
    splitter = Script.spec(config=numbers(6))
    both = Sender.spec(
        inputs=[splitter], config=probe(emit=[["default", True, None], ["side", True, None]])
    )
    main = Probe.spec(inputs=[both])
    side = Probe.spec(inputs=[both["side"]], config=probe(fail_once=[4]))
    left = Script.spec(config=numbers(4))
    right = Script.spec(config=numbers(5))
    meeting = Probe.spec(inputs=[left, right])

    # A chain with a failure at its end; a diamond.
    chain = Script.spec(config=numbers(6))
    first = Probe.spec(inputs=[chain], config=probe(emit=EMIT))
    second = Probe.spec(inputs=[first], config=probe(emit=EMIT))
    third = Probe.spec(inputs=[second], config=probe(fail_once=[2, 5]))
    gem = Script.spec(config=numbers(5))
    upper = Probe.spec(inputs=[gem], config=probe(emit=EMIT))
    lower = Probe.spec(inputs=[gem], config=probe(emit=[*EMIT, *EMIT]))
    ground = Probe.spec(
        inputs={upper: Grouping.fields("n"), lower: Grouping.fields("n")},
        par=2,
        config=probe(fail_once=[3]),
    )

    # Anchors: none (a child's failure is no one's), two (it is both parents').
    loose = Script.spec(config=numbers(4))
    cut = Probe.spec(inputs=[loose], config=probe(emit=[["default", False, None]]))
    lost = Probe.spec(inputs=[cut], config=probe(fail=[1, 2, 3, 4]))
    pairs = Script.spec(config=numbers(4))
    joined = Probe.spec(inputs=[pairs], config=probe(join=2, emit=EMIT))
    judge = Probe.spec(inputs=[joined], config=probe(fail_once=[3]))

    # Time-out of a tuple that is held; a stream nobody reads; tuples without an id.
    slow = Script.spec(config=numbers(3))
    holder = Probe.spec(inputs=[slow], config=probe(hold_once=[2]))
    unheard = Script.spec(config=numbers(3, ids=lambda n: n + 0.5))
    nameless = Script.spec(config=numbers(4, ids=lambda n: None if n < 4 else str(n)))
    shrug = Probe.spec(inputs=[nameless], config=probe(fail_once=[1, 4]))

    # Ticks, limits of what is pending, streamparse's own habits.
    paced = Script.spec(config=numbers(8) | {"topology.max.spout.pending": 1})
    pulse = Probe.spec(inputs=[paced], config={"topology.tick.tuple.freq.secs": 1})
    usual = Script.spec(config=numbers(4))
    auto = Auto.spec(inputs=[usual])
    after = Probe.spec(inputs=[auto], config=probe(fail_once=[2]))
    heap = Script.spec(config=numbers(6))
    batches = Batches.spec(inputs=[heap], config={"topology.tick.tuple.freq.secs": 1})
    stubborn = Stubborn.spec()
    never = Probe.spec(inputs=[stubborn], config=probe(fail=[1]))

    config["conformance.bolts"] = sum(
        spec.par
        for spec in list(vars().values())
        if getattr(spec, "component_cls", Script) not in (Script, Stubborn)
    )
