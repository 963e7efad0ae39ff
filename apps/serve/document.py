"""The OpenAPI document without a server: what schema/openapi.json holds."""

from collections.abc import Callable
from typing import Any

import msgspec

from apps.serve.routes import openapi, routes
from stormwatch.settings import Settings


class _Nobody:
    """Takes the place of what routes ask; nothing is asked while they are described."""

    settings = Settings()
    clock: Callable[[], int] = staticmethod(int)

    def __getattr__(self, name: str) -> Any:
        return None


def text() -> str:
    """The document, for reading and for comparing."""
    nobody: Any = _Nobody()
    document = openapi(routes(nobody, nobody, [], nobody, nobody))
    return msgspec.json.format(msgspec.json.encode(document, order="sorted")).decode() + "\n"
