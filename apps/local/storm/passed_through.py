"""streamparse's subcommands that would end in a traceback: a sentence each, and what to use."""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

DEFAULT_ENVIRONMENT = {"run": "local"}
"""Of config.json, where -e is not given; every other subcommand speaks to `cluster`."""
_WITHOUT_ENVIRONMENT = ("jar", "quickstart", "help", "visualize")
_BY_UI = ("stats", "worker_uptime", "slot_usage")
_BY_SSH = ("tail", "remove_logs", "update_virtualenv")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def environments(root: Path) -> dict[str, Any]:
    """Those of the project's config.json; none where it cannot be read: streamparse says so."""
    try:
        found = json.loads((root / "config.json").read_text())["envs"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def with_environment(argv: list[str], known: Mapping[str, Any]) -> list[str]:
    """`argv` with the environment that a subcommand uses when none is given and this one is known.

    A project with a single environment needs none: streamparse takes that one.
    """
    if not argv or argv[0].startswith("-") or argv[0] in _WITHOUT_ENVIRONMENT:
        return argv
    if _named(argv) or {"-h", "--help"} & set(argv):
        return argv
    default = DEFAULT_ENVIRONMENT.get(argv[0], "cluster")
    return [argv[0], "-e", default, *argv[1:]] if default in known else argv


def cannot_work(argv: Sequence[str], known: Mapping[str, Any]) -> str:
    """Why a subcommand can do nothing here, and what does it instead; "" where it may."""
    command = argv[0] if argv else ""
    if command == "visualize" and find_spec("graphviz") is None:
        return (
            "`sparse visualize` needs Graphviz and its Python package, which are not installed. "
            "Use `./stormwatch draw NAME`."
        )
    environment = known.get(_named(argv) or next(iter(known), ""))
    if command in _BY_SSH and isinstance(environment, dict) and _is_here(environment):
        if command == "update_virtualenv":
            return (
                "`sparse update_virtualenv` is for workers on other machines; here they use .venv, "
                "which ./stormwatch keeps up to date."
            )
        return (
            f"`sparse {command}` reaches workers over SSH, and here they are on this machine. "
            "Their logs are files, bounded in size: `.stormwatch/storm/logs/workers-artifacts/"
            "ID/PORT/worker.log` on a cluster, `.stormwatch/logs/storm-NAME.log` under `sparse "
            "run`. Read them with `tail -F`."
        )
    return ""


def in_words(command: str, error: Exception) -> str | None:  # noqa: PLR0911
    """What an exception out of a subcommand means and what to do; None for a fault of ours."""
    from requests import RequestException
    from streamparse.thrift import storm_thrift as thrift
    from thriftpy2.thrift import TApplicationException, TException
    from thriftpy2.transport import TTransportException

    if command in _BY_UI and isinstance(
        error, (RequestException, RuntimeError, LookupError, ValueError)
    ):
        return (
            f"`sparse {command}` asks Storm's UI, which does not answer it; `./stormwatch cluster "
            "up` starts none. Use `sparse list` and `./stormwatch cluster status`."
        )
    if isinstance(error, thrift.NotAliveException):
        return "No topology of that name runs there. `sparse list` shows those that do."
    if isinstance(error, thrift.AlreadyAliveException) or "is an invalid name for" in str(error):
        return (
            f"Nimbus refuses the name: {_said(error)}. Most often a topology of that name runs, or "
            "is ending: see `sparse list`. `sparse kill` ends it, `sparse submit --force` takes "
            "its place."
        )
    if isinstance(error, (TTransportException, TimeoutError, ConnectionError)):
        return (
            f"Nimbus does not answer: {_said(error)}. `./stormwatch cluster up` starts one on this "
            "machine, `./stormwatch cluster status` tells how it is; -e names another environment "
            "of config.json."
        )
    if isinstance(error, TApplicationException | TException):
        return f"Nimbus refuses it: {_said(error)}. See .stormwatch/logs/nimbus.log there."
    if "ssh tunnel" in str(error):
        return f"{error}. See that `ssh` reaches it without a question, and config.json."
    return None


def print_topologies(topologies: Sequence[Any], say: Callable[[str], None]) -> None:
    """The running ones, a line each; every column as wide as what is in it."""
    if not topologies:
        say("No topology runs.")
        return
    columns = ("name", "status", "uptime_s", "workers", "executors", "tasks", "owner", "id")
    rows = [columns] + [
        (
            one.name, one.status, f"{one.uptime_secs}", f"{one.num_workers}",
            f"{one.num_executors}", f"{one.num_tasks}", one.owner or "-", one.id,
        )
        for one in topologies
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())


def list_topologies(
    env_name: str | None, timeout: int | None = None, config_file: Any = None
) -> None:
    """In place of streamparse's, whose table gives each of its 20 columns four characters."""
    from streamparse.util import get_env_config, get_nimbus_client, ssh_tunnel

    _, config = get_env_config(env_name, config_file=config_file)
    with ssh_tunnel(config) as (host, port):
        nimbus = get_nimbus_client(config, host=host, port=port, timeout=timeout)
        print_topologies(nimbus.getClusterInfo().topologies, print)


def _named(argv: Sequence[str]) -> str | None:
    """The environment that is given."""
    for option, value in zip(argv, [*argv[1:], ""], strict=False):
        if option in ("-e", "--environment"):
            return value
        name, given, rest = option.partition("=")
        if given and name in ("-e", "--environment"):
            return rest
    return None


def _is_here(environment: Mapping[str, Any]) -> bool:
    workers = environment.get("workers") or ()
    return environment.get("use_ssh_for_nimbus") is False and set(workers) <= _LOOPBACK


def _said(error: Exception) -> str:
    """Its own words, in one line."""
    words = getattr(error, "msg", None) or getattr(error, "message", None) or str(error)
    return " ".join(str(words).split())[:300].rstrip(".") or type(error).__name__
