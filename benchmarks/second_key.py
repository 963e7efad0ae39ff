"""What the second key costs: the fraud topology with and without it on a backlog, in turn.

./stormwatch bench second_key --records 60000
"""

import argparse
import statistics
import time

from apps.local import services
from benchmarks.fraud_path import ROOT, fill, prepared, say, topology
from stormwatch.settings import load

KINDS = {"without": "0", "with": "1"}
"""Of `topology.terminals`."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=60_000)
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--uniform", action="store_true", help="all customers equally often")
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    options.engine_only = False
    services.up(load(root=ROOT), ROOT, say)
    stamp = f"{int(time.time()):x}"
    topics = {"topic.transactions": f"bench-{stamp}", "topic.labels": f"bench-labels-{stamp}"}
    fill(prepared({**topics, "cassandra.keyspace": f"bench_{stamp}"}), options)
    ratios = []
    for run in range(options.runs):
        rates = {}
        for kind, tasks in KINDS.items():
            say(f"{kind} the second key:")
            names = {
                **topics,
                "cassandra.keyspace": f"b{stamp}_{kind}{run}",
                "kafka.group": f"{kind}{run}",
                "topology.terminals": tasks,
            }
            rates[kind] = topology(names, options)
        ratios.append(rates["with"] / rates["without"])
    print(f"with / without: {statistics.median(ratios):.2f} (", end="")
    print(", ".join(f"{ratio:.2f}" for ratio in ratios) + ")")


if __name__ == "__main__":
    main()
