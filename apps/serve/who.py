"""Who a request is from."""

import getpass
import socket

from starlette.requests import Request

from apps.operate.casework import Who
from stormwatch.people import OPERATOR


def asker(request: Request) -> Who:
    """Without tokens whoever reaches the loopback of this machine is its user."""
    found: Who | None = request.scope.get("stormwatch.who")
    return found or Who(_local(), OPERATOR, request.client.host if request.client else "")


def _local() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"
