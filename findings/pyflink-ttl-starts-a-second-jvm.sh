#!/usr/bin/env bash
# A state with a time to live (StateTtlConfig) in PyFlink's thread mode.
#
# Expected: Python runs inside the task's JVM, so a state is described there, by a few calls into it.
# Seen: with the default cleaning up, asking for the state starts another JVM (PythonGatewayServer)
# as a child of the task's, for one number of days that nobody reads. It stays, takes seconds of
# processor time and some 200 MB, and on a TaskManager it may fail to start.
# Around it: the strategy that is Flink's default is named by hand, with an empty Duration.
#
# Needs Python 3.11 or 3.12, java, Linux and 1 GB of disk. Exit code 0: as described; 1: otherwise now.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python=$(command -v python3.11 || command -v python3.12 || true)
[ -n "$python" ] || { echo "needs Python 3.11 or 3.12"; exit 3; }
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install -q apache-flink==2.3.0
cat > "$work/ask.py" <<'EOF'
import os
import sys
from pathlib import Path

from pyflink.common import Configuration, Time, Types
from pyflink.common.time import Duration
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment
from pyflink.datastream.state import StateTtlConfig, ValueStateDescriptor


def children():
    """JVMs that this process has started."""
    found = 0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            found += parent == os.getpid() and b"java" in (place / "cmdline").read_bytes()
        except OSError:
            pass
    return found


class Ask(KeyedProcessFunction):
    def __init__(self, cleaning):
        self.cleaning = cleaning

    def open(self, context):
        kept = StateTtlConfig.new_builder(Time.days(1))
        if self.cleaning == "named":
            kept = kept.disable_cleanup_in_background()
            kept = kept.cleanup_in_rocksdb_compact_filter(1000, Duration(None))
        described = ValueStateDescriptor("x", Types.STRING())
        described.enable_time_to_live(kept.build())
        self.before = children()
        self.state = context.get_state(described)

    def process_element(self, value, context):
        yield f"JVMs started by the task: {children() - self.before}"


configuration = Configuration()
configuration.set_string("python.execution-mode", "thread")
environment = StreamExecutionEnvironment.get_execution_environment(configuration)
environment.set_parallelism(1)
stream = environment.from_collection([1], type_info=Types.INT())
asked = stream.key_by(lambda v: v).process(Ask(sys.argv[1]), output_type=Types.STRING())
with asked.execute_and_collect() as found:
    print(sys.argv[1], "cleaning up:", *found)
EOF
export PATH="$work/venv/bin:$PATH"
PYTHONPATH=$(echo "$work"/venv/lib/python3.*/site-packages); export PYTHONPATH
"$work/venv/bin/python" -c 'import importlib.metadata as m; print("apache-flink", m.version("apache-flink"))'
python "$work/ask.py" default | tee "$work/default"
python "$work/ask.py" named | tee "$work/named"
grep -q "the task: 1" "$work/default" && grep -q "the task: 0" "$work/named"
