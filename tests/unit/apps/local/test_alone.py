"""Services for containers of their own, and what leads to the page of such a system."""

import asyncio
import re
from pathlib import Path

import pytest

from apps.local import forward
from apps.local.services import alone, ports
from apps.local.services.errors import ServiceError
from apps.local.services.home import Home

ROOT = Path(__file__).parents[4]


def test_every_service_of_the_system_has_a_container(tmp_path: Path) -> None:
    known = set(alone.plans(Home(ROOT, tmp_path, tmp_path)))
    for file in ("compose.yaml", "ops/kubernetes/whole/whole.yaml"):
        text = (ROOT / file).read_text()
        assert known == set(re.findall(r"(?:command|args): \[(\w+)\]", text)) - {"serve"}, file


def test_a_service_that_there_is_not_is_named() -> None:
    with pytest.raises(ServiceError, match=r"hbase is none of kafka, cassandra, .*jars"):
        alone.main("hbase")


def test_connections_are_passed_on_both_ways_and_refused_while_nobody_listens() -> None:
    outer = ports.free()
    inner = ports.free(taken=[outer])

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        writer.close()

    async def ask() -> bytes:
        for _ in range(200):  # until it listens
            try:
                reader, writer = await asyncio.open_connection(forward.HOST, outer)
                break
            except OSError:
                await asyncio.sleep(0.01)
        writer.write(b"who is there\n")
        said = await reader.read()
        writer.close()
        return said

    async def scene() -> tuple[bytes, bytes]:
        running = asyncio.create_task(forward.forward(outer, inner))
        before = await ask()
        async with await asyncio.start_server(echo, forward.HOST, inner):
            after = await ask()
        running.cancel()
        return before, after

    assert asyncio.run(scene()) == (b"", b"WHO IS THERE\n")
