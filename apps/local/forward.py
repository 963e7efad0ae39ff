"""Passes connections on from one port to another: `python -m apps.local.forward FROM TO`.

For a container that holds the network of a system (compose.yaml): the page listens on loopback
there, where a published port does not lead. Publish FROM on loopback of the host alone.
"""

import asyncio
import sys
from contextlib import suppress

HOST = "127.0.0.1"
_CHUNK = 1 << 16


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(_CHUNK):
            sink.write(data)
            await sink.drain()
    sink.close()


async def forward(port: int, to: int) -> None:
    """Listen on all addresses of this machine until cancelled."""

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner, outer = await asyncio.open_connection(HOST, to)
        except OSError:  # it does not listen yet
            writer.close()
            return
        await asyncio.gather(_pass_on(reader, outer), _pass_on(inner, writer))

    server = await asyncio.start_server(met, None, port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(forward(int(sys.argv[1]), int(sys.argv[2])))
