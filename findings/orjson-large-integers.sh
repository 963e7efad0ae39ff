#!/usr/bin/env bash
# orjson reads integers beyond 64 bits as floats, without a word: two different ids become equal.
#
# A good engineer would guess: an exact `int`, as `json` and msgspec give, or an error. orjson does refuse such
# integers when it writes (`Integer exceeds 64-bit range`), so a document does not survive a round trip.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check orjson==3.13.0 msgspec==0.23.0
venv/bin/python -W ignore - <<'PYTHON'
import json

import msgspec
import orjson

one, other = "18446744073709551617", "18446744073709551618"  # 2**64 + 1 and + 2
print("orjson", orjson.__version__, "msgspec", msgspec.__version__)
for name, loads in (("json", json.loads), ("msgspec", msgspec.json.decode), ("orjson", orjson.loads)):
    print(f"{name:8}", repr(loads(one)), "equal to the other:", loads(one) == loads(other))
try:
    orjson.dumps(int(one))
except TypeError as error:
    print("orjson.dumps:", error)
else:
    raise SystemExit("gone: orjson writes integers beyond 64 bits")
assert json.loads(one) != json.loads(other)
assert msgspec.json.decode(one) != msgspec.json.decode(other)
assert orjson.loads(one) == orjson.loads(other), "gone: orjson tells the two apart"
assert isinstance(orjson.loads(one), float)
PYTHON
