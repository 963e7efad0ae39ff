"""Nothing comes for minutes; then one record, which has to be decided at once."""

import time

from apps.prove.chaos.campaign import START_S, Play
from apps.prove.chaos.environment import Scene
from apps.prove.chaos.errors import expect
from apps.prove.chaos.run import JVM, SPOUT
from apps.prove.chaos.traffic import mixed
from apps.prove.soak.samples import processes

SOON_S = 10.0
"""A record after the silence is decided and committed within this, on a machine that is busy."""
GROWTH_MB = 16.0
"""A Python process may grow by so much while it has nothing to do."""
AFTER = 20_000


def idle(play: Play, seconds: float) -> None:
    """All is decided; `seconds` of silence; one record; then as many as there were before."""
    scene = play.scene
    scene.drain(play.count, START_S)
    pids = _pids(scene)
    scene.tell(f"all is decided; nothing is sent for {seconds:.0f} s")
    play.wait(min(30.0, seconds))  # what the traffic left is collected
    before = _sizes(scene)
    play.wait(seconds - min(30.0, seconds))
    grown = {name: size - before.get(name, size) for name, size in _sizes(scene).items()}
    expect(_pids(scene) == pids, f"processes {pids} became {_pids(scene)}:\n{scene.said()}")
    began = time.monotonic()
    play.more(mixed(1, run="after"))
    scene.drain(play.count, START_S)
    took = time.monotonic() - began
    scene.tell(f"one record after {seconds:.0f} s of silence: committed after {took:.2f} s")
    play.more(mixed(AFTER, run="again"))
    play.fell()
    worst = max(grown, key=lambda name: grown[name])
    play.notes.append(
        f"After {seconds:.0f} s of silence one record was committed within {took:.2f} s of being "
        f"sent; no process died; the one that grew most in the silence: {worst}, "
        f"{grown[worst]:+.1f} MB."
    )
    expect(took < SOON_S, f"the record after the silence took {took:.1f} s")
    python = {name: size for name, size in grown.items() if name != "storm"}  # its heap is set
    expect(all(size < GROWTH_MB for size in python.values()), f"memory grew: {grown} MB")


def _pids(scene: Scene) -> list[int]:
    return sorted(pid for part in (JVM, SPOUT, scene.bolt) for pid in scene.pids(part))


def _sizes(scene: Scene) -> dict[str, float]:
    """MB by component, the greatest process of each."""
    sizes: dict[str, float] = {}
    for each in processes([scene.run.pid], time.time()):
        sizes[each.name] = max(each.rss, sizes.get(each.name, 0.0))
    return sizes
