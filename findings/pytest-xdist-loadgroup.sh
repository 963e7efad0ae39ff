#!/usr/bin/env bash
# pytest-xdist 3.8.0 under pytest 9.2.0: `--dist loadgroup` is accepted, and says that it schedules by
# groups, but tests of one `xdist_group` run on both workers. xdist marks a test's group by changing its
# private `_nodeid`, which this pytest no longer reads. Under pytest 8.4.2 the group stays together.
# Expected by most: the group on one worker, or an error. What works instead: `--dist loadfile`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/test_group.py" <<'PYTHON'
import os
import time

import pytest


@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("n", range(8))
def test_in_one_group(n):
    time.sleep(0.05)
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(os.environ["PYTEST_XDIST_WORKER"] + "\n")
PYTHON

workers() { # pytest's version -> how many workers ran the group
    python3 -m venv "$folder/$1"
    "$folder/$1/bin/pip" install -q --disable-pip-version-check "pytest==$1" pytest-xdist==3.8.0
    (cd "$folder" && SEEN="$folder/$1.seen" "$folder/$1/bin/python" -m pytest -q -p no:cacheprovider \
        -n 2 --dist loadgroup test_group.py >"$folder/$1.log") || { cat "$folder/$1.log"; exit 1; }
    sort -u "$folder/$1.seen" | wc -l
}

old=$(workers 8.4.2)
new=$(workers 9.2.0)
echo "pytest-xdist 3.8.0, one xdist_group: pytest 8.4.2 on $old worker, pytest 9.2.0 on $new workers"
[ "$old" -eq 1 ] && [ "$new" -eq 2 ]
