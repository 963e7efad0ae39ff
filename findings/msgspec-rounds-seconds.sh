#!/usr/bin/env bash
# msgspec rounds the seventh digit of a second up: the last moment of a year falls into the next.
#
# A good engineer would guess: digits finer than a microsecond are cut, as `datetime.fromisoformat` does,
# or refused. A time that is rounded up can move into the next day, billing period or window.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check msgspec==0.23.0
venv/bin/python -W ignore - <<'PYTHON'
from datetime import datetime

import msgspec

text = "2026-12-31T23:59:59.9999995Z"
decoded = msgspec.json.decode(f'"{text}"'.encode(), type=datetime)
standard = datetime.fromisoformat(text)
print("msgspec", msgspec.__version__)
print("text                  ", text)
print("msgspec               ", decoded)
print("datetime.fromisoformat", standard)
assert decoded.year == 2027, "gone: msgspec no longer rounds into the next year"
assert standard.year == 2026
PYTHON
