#!/usr/bin/env bash
# Python's asyncio (and with it uvicorn) on a listening socket that was made without a protocol number.
#
# Expected: "The socket option TCP_NODELAY is set by default for all TCP connections" (asyncio's
# documentation, since Python 3.6).
# Seen: not for connections of socket.socket(AF_INET, SOCK_STREAM), whose `proto` is 0 and not
# IPPROTO_TCP: accepted sockets inherit it, and asyncio looks at it. An answer that is written in
# two pieces then waits some 40 ms for the delayed acknowledgement of the first.
# Around it: the server's socket names IPPROTO_TCP.
#
# Needs Python 3.11 or newer. Exit code 0: as described; 1: otherwise now.
set -euo pipefail

python3 - <<'PY'
import asyncio
import socket
import sys

print("Python", sys.version.split()[0])


async def nodelay(proto: int) -> bool:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, proto)
    listening.bind(("127.0.0.1", 0))
    found = asyncio.get_running_loop().create_future()

    async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = writer.get_extra_info("socket")
        found.set_result(told.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0)
        writer.close()

    async with await asyncio.start_server(met, sock=listening):
        _, writer = await asyncio.open_connection(*listening.getsockname())
        said = await found
        writer.close()
    return said


named, unnamed = asyncio.run(nodelay(socket.IPPROTO_TCP)), asyncio.run(nodelay(0))
print(f"TCP_NODELAY of accepted connections: protocol named {named}, not named {unnamed}")
sys.exit(0 if named and not unnamed else 1)
PY
echo "as described: asyncio sets it only where the protocol number is TCP's"
