"""What a run of Storm leaves behind it, with small processes in place of the JVMs."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]
JVM = """#!/bin/sh
true &
sleep 1000 &
sh -c 'trap "" TERM; exec sleep 1000' &
wait
"""
"""With three "components": one ends at once, two have to be killed, one of them does not hear."""
ZOOKEEPER = "#!/bin/sh\nexec sleep 1000\n"
RUN = """
import os, signal, sys, time
from pathlib import Path
import psutil
from apps.local.services.prctl import adopt_orphans
from apps.local.storm.local import Commands, LocalCluster

adopt_orphans()
tmp = Path(sys.argv[1])
lock = os.open(tmp / "lock", os.O_CREAT | os.O_RDWR)
commands = Commands([str(tmp / "jvm")], [str(tmp / "zookeeper")])
cluster = LocalCluster(commands, tmp / "out", tmp / "local", tmp / "stderr", lock)
while len(psutil.Process().children(recursive=True)) < 4:
    time.sleep(0.02)
if sys.argv[2] == "killed":
    os.kill(cluster._jvm.pid, signal.SIGKILL)
    cluster._jvm.wait()
cluster.stop()
print([p.cmdline() or p.status() for p in psutil.Process().children(recursive=True)])
"""


def left(tmp_path: Path, how: str) -> str:
    (tmp_path / "stderr").mkdir()
    for name, script in (("jvm", JVM), ("zookeeper", ZOOKEEPER)):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    ran = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path), how],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return ran.stdout.strip()


def test_a_stop_leaves_no_process_and_no_zombie(tmp_path: Path) -> None:
    assert left(tmp_path, "stopped") == "[]"


def test_nor_does_a_jvm_that_was_killed(tmp_path: Path) -> None:
    assert left(tmp_path, "killed") == "[]"
