"""Servers in the place of MQTT brokers, Pub/Sub, Kinesis and a schema registry: started here, or
skipped aloud.

- mosquitto: on PATH or in /usr/sbin (Debian: `apt-get install mosquitto`);
- Pub/Sub: TESTS_PUBSUB_SERVER, a program that takes a port (pstest, a Go module), else
  `cloud-pubsub-emulator` of the Google Cloud SDK;
- kinesalite: TESTS_NODE_MODULES, where `npm install kinesalite` was run;
- Apicurio: TESTS_APICURIO, the jar of its registry.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from apps.local.services import ports

UP_S = 60.0


@contextmanager
def server(
    command: list[str], port: int, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[int]:
    """A server's process id, once it listens; ended with the block, or with this process."""
    # By setpriv: `preexec_fn` would have the child begin anew gRPC's threads, where a test before
    # this one used it, and they end it before it is the server.
    tied = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*tied, *command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            env={**os.environ, **(env or {})}, cwd=log.parent,
        )  # fmt: skip
    try:
        until = time.monotonic() + UP_S
        while not _listens(port):
            assert process.poll() is None, f"{command[0]} ended: {log.read_text()[-2000:]}"
            assert time.monotonic() < until, f"{command[0]} does not listen on {port}"
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def mosquitto(folder: Path, port: int = 0) -> Iterator[int]:
    """An MQTT broker; its port. It keeps sessions in `folder`."""
    program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
    if program is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    port = port or ports.free()
    conf = folder / "mosquitto.conf"
    conf.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\nuser {_me()}\n"
        f"persistence_location {folder}/\nmax_queued_messages 0\nmax_inflight_messages 1000\n"
        "autosave_interval 1\n"
    )
    with server([program, "-c", str(conf)], port, folder / "mosquitto.log"):
        yield port


@contextmanager
def pubsub(folder: Path) -> Iterator[str]:
    """A Pub/Sub server, host:port; the client finds it by PUBSUB_EMULATOR_HOST."""
    port = ports.free()
    given = os.environ.get("TESTS_PUBSUB_SERVER")
    emulator = shutil.which("cloud-pubsub-emulator") or next(
        iter(map(str, Path("/usr/lib/google-cloud-sdk").glob("platform/*/bin/cloud-pubsub-e*r"))),
        None,
    )
    if given:
        command = [given, str(port)]
    elif emulator:
        command = [emulator, "--host=127.0.0.1", f"--port={port}"]
    else:
        pytest.skip("no Pub/Sub server: set TESTS_PUBSUB_SERVER, or install the emulator")
    env = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -Xmx512m"}
    with server(command, port, folder / "pubsub.log", env):
        yield f"127.0.0.1:{port}"


@contextmanager
def kinesalite(folder: Path) -> Iterator[str]:
    """A Kinesis server; its URL."""
    modules = os.environ.get("TESTS_NODE_MODULES", "")
    if not (Path(modules) / "kinesalite").is_dir() or shutil.which("node") is None:
        pytest.skip("no kinesalite: npm install kinesalite, then set TESTS_NODE_MODULES")
    port = ports.free()
    script = (
        f"require({str(Path(modules) / 'kinesalite')!r})({{createStreamMs:50,deleteStreamMs:50,"
        f"updateStreamMs:50,"
        f"shardLimit:1000}}).listen({port},'127.0.0.1')"
    )
    with server(["node", "-e", script], port, folder / "kinesalite.log"):
        yield f"http://127.0.0.1:{port}"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _me() -> str:
    import getpass

    return getpass.getuser()


@contextmanager
def apicurio(folder: Path) -> Iterator[str]:
    """A schema registry with Confluent's interface; its URL. All it holds is in memory."""
    jar = Path(os.environ.get("TESTS_APICURIO", ""))
    if jar.suffix != ".jar" or shutil.which("java") is None:
        pytest.skip(
            "no Apicurio: unpack io.apicurio:apicurio-registry-app:2.6.13.Final:tar.gz:all of "
            "Maven Central, then set TESTS_APICURIO to its …-runner.jar"
        )
    port = ports.free()
    command = [
        "java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dquarkus.http.host=127.0.0.1",
        f"-Dquarkus.http.port={port}", "-jar", str(jar),
    ]  # fmt: skip
    with server(command, port, folder / "apicurio.log"):
        yield f"http://127.0.0.1:{port}/apis/ccompat/v7"
