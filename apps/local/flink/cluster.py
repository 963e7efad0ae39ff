"""A Flink cluster that a job is submitted to: asked by the REST of its JobManager."""

import json
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any
from urllib.request import urlopen

from apps.local.flink import virtualenv
from apps.local.services.errors import ServiceError
from apps.local.services.home import Progress
from stormwatch.errors import SettingsError

START_LIMIT_S = 30.0
"""A TaskManager tells of its slots some seconds after it was started."""
_LIMIT_S = 10.0
_ENDED = {"FAILED", "CANCELED", "FINISHED"}


def checked(address: str) -> str:
    """HOST:PORT as it is. Raises SettingsError."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise SettingsError(
            f"--jobmanager is {address!r}; give HOST:PORT of the JobManager's REST, as "
            "127.0.0.1:8081 (Flink's page is there, too)."
        )
    return address


def await_room(
    address: str, job: str, tasks: int, progress: Progress, pause: Callable[[float], bool]
) -> bool:
    """Wait until the cluster can take the job, for it may just have been started; False where
    `pause` said to end. Raises ServiceError where it has the job, and where it does not answer or
    has no slots for it after START_LIMIT_S."""
    until = time.monotonic() + START_LIMIT_S
    while True:
        try:
            _expect_other(address, job)
            _expect_slots(address, tasks)
            return True
        except _NotYetError as error:
            if time.monotonic() >= until:
                raise ServiceError(str(error)) from error
        progress(virtualenv.STEP, f"waiting for the cluster at {address} and {tasks} free slots")
        if pause(0.5):
            return False


class _NotYetError(Exception):
    """May pass by itself; says why the job cannot be taken."""


def _expect_other(address: str, job: str) -> None:
    for each in _asked(address, "jobs/overview", "jobs"):
        if each["name"] == job and each["state"] not in _ENDED:
            raise ServiceError(
                f"The cluster at {address} has this job already ({each['jid']}, "
                f"{each['state'].lower()}): it goes on where the command that submitted it was "
                f"killed, and two would write the same rows. Cancel it at http://{address}, then "
                "start again: it continues from its last checkpoint."
            )


def _expect_slots(address: str, tasks: int) -> None:
    free = _asked(address, "overview", "slots-available")
    if free < tasks:
        raise _NotYetError(
            f"The cluster at {address} has {free} free slots, and the job needs {tasks}. Start a "
            "TaskManager (`bin/taskmanager.sh start`), or give a lower --parallelism."
        )


def _asked(address: str, what: str, key: str) -> Any:
    url = f"http://{address}/{what}"
    try:
        with urlopen(url, timeout=_LIMIT_S) as answer:
            found = json.load(answer)
        return found[key]
    except (OSError, HTTPException) as error:
        raise _NotYetError(
            f"No Flink cluster answers at {url}: {getattr(error, 'reason', error)}. Start one "
            "(`bin/start-cluster.sh` of Flink's distribution), or give its JobManager's address."
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        raise ServiceError(
            f"What answers at {url} is no Flink cluster. Correct --jobmanager."
        ) from error
