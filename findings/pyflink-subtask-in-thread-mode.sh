#!/usr/bin/env bash
# PyFlink's RuntimeContext.get_index_of_this_subtask() in thread mode.
#
# Expected: the number of the subtask, as its documentation says and as in process mode: the execution
# mode changes how fast Python is called, not what it may ask.
# Seen: AttributeError. Flink 2 took the method from Java's RuntimeContext (it is in its TaskInfo
# now), and the half of PyFlink that runs inside the JVM still calls it there.
# Around it: our operator names itself by a random number.
#
# Needs Python 3.11 or 3.12, java and 1 GB of disk. Exit code 0: as described; 1: otherwise now.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python=$(command -v python3.11 || command -v python3.12 || true)
[ -n "$python" ] || { echo "needs Python 3.11 or 3.12"; exit 3; }
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install -q apache-flink==2.3.0
cat > "$work/ask.py" <<'EOF'
import sys

from pyflink.common import Configuration, Types
from pyflink.datastream import KeyedProcessFunction, StreamExecutionEnvironment


class Ask(KeyedProcessFunction):
    def open(self, context):
        self.index = context.get_index_of_this_subtask()

    def process_element(self, value, context):
        yield f"subtask {self.index}"


configuration = Configuration()
configuration.set_string("python.execution-mode", sys.argv[1])
environment = StreamExecutionEnvironment.get_execution_environment(configuration)
environment.set_parallelism(1)
stream = environment.from_collection([1], type_info=Types.INT())
asked = stream.key_by(lambda v: v).process(Ask(), output_type=Types.STRING())
try:
    with asked.execute_and_collect() as found:
        print(sys.argv[1], "mode:", *found)
except Exception as error:
    said = [line for line in str(error).splitlines() if "getIndexOfThisSubtask" in line]
    if not said:
        raise
    print(sys.argv[1], "mode:", said[-1].strip())
EOF
export PATH="$work/venv/bin:$PATH"
PYTHONPATH=$(echo "$work"/venv/lib/python3.*/site-packages); export PYTHONPATH
"$work/venv/bin/python" -c 'import importlib.metadata as m; print("apache-flink", m.version("apache-flink"))'
python "$work/ask.py" process | tee "$work/process"
python "$work/ask.py" thread | tee "$work/thread"
grep -q "subtask 0" "$work/process" && grep -q AttributeError "$work/thread"
