"""The runner keeps Storm's promises: acks, fails, time-outs, restarts, the same run each time."""

from streamparse import Grouping, Topology

from tests.runner.shapes import Collect, Numbers, Seen, engine, run_until


def fresh(spout: type = Numbers, bolt: type = Collect) -> tuple[type, type, Seen]:
    seen: Seen = []
    return (
        type(spout.__name__, (spout,), {"seen": seen}),
        type(bolt.__name__, (bolt,), {"seen": seen, "failed": set()}),
        seen,
    )


def test_what_fails_comes_again_and_all_is_acked() -> None:
    spout, bolt, seen = fresh()

    class Two(Topology):
        numbers = spout.spec()
        collect = bolt.spec(inputs={numbers: Grouping.SHUFFLE}, par=2)

    made = engine(Two)
    run_until(made, lambda: sum(s[0] == "acked" for s in seen) == 10)
    assert sorted(int(s[1]) for s in seen if s[0] == "acked") == list(range(1, 11))
    assert [s[1] for s in seen if s[0] == "failed"] == ["5", "10"]
    assert made.acker.pending() == 0
