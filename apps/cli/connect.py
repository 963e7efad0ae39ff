"""Connections of a command that looks at Kafka and the store."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from apps.cli import app as shared

if TYPE_CHECKING:
    from apps.serve.reader import Reader
    from stormwatch.archive import Archive
    from stormwatch.ports import Admin
    from stormwatch.settings import Settings


@contextmanager
def connected(settings: "Settings") -> "Iterator[tuple[Admin, Archive]]":
    """Both, closed at the end. Raises StormwatchError if one does not answer."""
    from apps.local.services import manage

    manage.expect(settings, shared.ROOT, ("kafka", "store"))  # before drivers are imported
    from stormwatch.adapters import connect

    admin = connect.admin(settings)
    try:
        store = connect.archive(settings)
        try:
            yield admin, store
        finally:
            store.close()
    finally:
        admin.close()


@contextmanager
def stored(settings: "Settings") -> "Iterator[Archive]":
    """The store alone, closed at the end. Raises StormwatchError if it does not answer."""
    from apps.local.services import manage

    manage.expect(settings, shared.ROOT, ("store",))
    from stormwatch.adapters import connect

    archive = connect.archive(settings)
    try:
        yield archive
    finally:
        archive.close()


def reader(settings: "Settings", archive: "Archive") -> "Reader":
    """The one that answers the API, too."""
    from threading import Lock

    from apps.serve.reader import Reader
    from stormwatch.adapters import connect

    return Reader(archive, settings, lambda topic: connect.source(settings, topic), Lock())
