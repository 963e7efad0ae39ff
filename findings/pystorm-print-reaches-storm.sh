#!/usr/bin/env bash
# pystorm 3.1.4: a print() in a component breaks the protocol, though pystorm redirects stdout.
#
# Expected: Component._setup_component says "Redirect stdout to ensure that print statements/functions
# won't disrupt the multilang protocol", and has a LogStream for it.
# Seen: the condition for it, `self.serializer.output_stream == sys.stdout`, is never true on Python 3,
# for the JSON serializer wraps the stream in a TextIOWrapper of its own. What is printed goes between
# the messages; Storm cannot parse it and ends the worker ("Pipe to subprocess seems to be broken!").
# Around it: give sys.stdout away before the component runs (src/stormwatch/adapters/storm/
# standard_streams.py), or never print.
#
# Needs python3 and a package index. Exit code 0: as described; 1: it behaves otherwise now.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    pystorm==3.1.4 simplejson==4.3.0 six==1.17.0 msgpack==1.1.0
"$folder/venv/bin/pip" list --disable-pip-version-check 2>/dev/null | grep -i pystorm

cat >"$folder/component.py" <<'PYTHON'
from pystorm import Bolt


class Prints(Bolt):
    def process(self, tup):
        print("hello")


Prints().run()
PYTHON

{
    printf '{"pidDir": "%s", "conf": {}, "context": {"taskid": 1, "componentid": "prints",' "$folder"
    printf ' "task->component": {"1": "prints"}}}\nend\n'
    printf '{"id": "7", "comp": "before", "stream": "default", "task": 2, "tuple": ["x"]}\nend\n'
} >"$folder/from_storm"

"$folder/venv/bin/python" -W ignore "$folder/component.py" <"$folder/from_storm" \
    >"$folder/to_storm" 2>/dev/null || true
grep -q '"command": "ack"' "$folder/to_storm" || { echo "the component did not run"; exit 1; }
if grep -qx 'hello' "$folder/to_storm"; then
    echo "as described: print() put the line 'hello' between the messages to Storm"
else
    echo "otherwise now: what is printed does not reach Storm"
    exit 1
fi
