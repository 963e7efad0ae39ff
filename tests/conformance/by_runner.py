"""`python by_runner.py NAME CLASS MODE SECONDS`: a topology of project/ through the runner.

A process of its own: the project's packages are called as Stormwatch's are.
"""

import importlib.util
import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from random import Random

PROJECT = Path(__file__).with_name("project")


def main(name: str, class_name: str, mode: str, seconds: float, spouts: int) -> None:
    """Run until as many spouts are done, or for so many (simulated) seconds."""
    from stormwatch.adapters.clock import RealClock, simulated
    from stormwatch.runner import plan
    from stormwatch.runner.clock import SimulatedClock
    from stormwatch.runner.engine import Engine, Rules
    from stormwatch.runner.events import Died, Event
    from stormwatch.runner.processes import Processes
    from stormwatch.runner.threads import Threads

    path = PROJECT / "topologies" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    read = plan.read(getattr(module, class_name), name)
    random, folder = Random(7), read.config["conformance.folder"]
    clock = SimulatedClock() if mode == "threads" else RealClock()
    host = (
        Threads(read, clock, random)
        if mode == "threads"
        else Processes(read, clock, PROJECT / "src")
    )

    def watch(event: Event) -> None:
        sys.stdout.write(f"{event}\n")
        if isinstance(event, Died):
            with (Path(folder) / "deaths.0.jsonl").open("a") as file:
                file.write(json.dumps(["died", event.component, event.why]) + "\n")

    # In local mode a bolt that Storm refused stands still, and the others go on.
    rules = Rules(deaths=20) if name == "refused" else Rules(together=True)
    engine = Engine(read, host, clock, random, watch=watch, rules=rules)

    def done() -> bool:
        return sum(one.startswith("done.") for one in os.listdir(folder)) >= spouts

    with simulated(clock) if isinstance(clock, SimulatedClock) else nullcontext():
        engine.start()
        engine.run(seconds, done)
        engine.run(3.0)
        engine.stop()


if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT / "src"))
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5]))
