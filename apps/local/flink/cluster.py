"""A Flink cluster that a job is submitted to: asked by the REST of its JobManager."""

import json
from http.client import HTTPException
from typing import Any
from urllib.request import urlopen

from apps.local.services.errors import ServiceError
from stormwatch.errors import SettingsError

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


def expect_room(address: str, job: str, tasks: int) -> None:
    """Raises ServiceError where the cluster does not answer, has the job, or no slots for it."""
    for each in _asked(address, "jobs/overview", "jobs"):
        if each["name"] == job and each["state"] not in _ENDED:
            raise ServiceError(
                f"The cluster at {address} has this job already ({each['jid']}, "
                f"{each['state'].lower()}): it goes on where the command that submitted it was "
                f"killed, and two would write the same rows. Cancel it at http://{address}, then "
                "start again: it continues from its last checkpoint."
            )
    free = _asked(address, "overview", "slots-available")
    if free < tasks:
        raise ServiceError(
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
        raise ServiceError(
            f"No Flink cluster answers at {url}: {getattr(error, 'reason', error)}. Start one "
            "(`bin/start-cluster.sh` of Flink's distribution), or give its JobManager's address."
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        raise ServiceError(
            f"What answers at {url} is no Flink cluster. Correct --jobmanager."
        ) from error
