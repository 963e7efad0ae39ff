#!/usr/bin/env bash
# river: one large value spoils a rolling variance for good, long after it left the window.
#
# A good engineer would guess: once the window holds 1, 2, 3 again, its variance is 1.0. The window is updated and
# reverted by Welford's formulas, so what a large value cost in precision stays: 64.75, and so it goes on.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check river==0.26.1
venv/bin/python -W ignore - <<'PYTHON'
from statistics import variance

import river
from river import stats, utils

print("river", river.__version__)
rolling = utils.Rolling(stats.Var, window_size=3)
values = [1.0, 2.0, 3.0, 1e9] + [1.0, 2.0, 3.0] * 100
for value in values:
    rolling.update(value)
print("rolling variance of the last three:", rolling.get())
print("their variance:                    ", variance(values[-3:]))
assert abs(rolling.get() - 1.0) > 10, "gone: the window forgets what left it"
PYTHON
