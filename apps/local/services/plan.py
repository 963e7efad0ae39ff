"""A service about to be started, and the care it needs until it answers."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from apps.local.services import ports, process, registry
from apps.local.services.errors import ServiceError
from apps.local.services.home import Home, Progress
from apps.local.services.java import FEW_ARENAS
from apps.local.services.registry import Entry

_POLL_S = 0.1
_TELL_S = 1.0


@dataclass(frozen=True)
class ServicePlan:
    """How to start one service and how to see that it answers."""

    name: str
    command: list[str]
    ports: dict[str, int]
    ready: Callable[[], bool]
    waiting_for: str
    limit_s: float
    settings: dict[str, str | int] = field(default_factory=dict)
    environ: dict[str, str] | None = None
    """Instead of ours."""
    with_parent: bool = False
    """End it when the process that starts it ends, however that ends (Linux)."""


def start(home: Home, plan: ServicePlan) -> Entry:
    """Spawn and record it; it may not answer yet."""
    log = home.log(plan.name)
    environ = FEW_ARENAS | dict(plan.environ or os.environ)
    identity = process.spawn(plan.command, log, environ, home.run_dir, plan.with_parent)
    entry = Entry(plan.name, identity.pid, identity.started, plan.ports, str(log), plan.settings)
    registry.put(home, entry)
    return entry


def wait(home: Home, started: list[tuple[ServicePlan, Entry]], progress: Progress) -> None:
    """Until all answer.

    Raises ServiceError with the log's last lines for one that ends or is over its limit.
    """
    begin = told = time.monotonic()
    left = list(started)
    while left:
        now = time.monotonic()
        for plan, entry in list(left):
            port = next(iter(plan.ports.values()))
            # Who started at the same moment may have taken the port: that one would answer for us.
            if plan.ready() and not ports.held_by_another(port, entry.pid):
                left.remove((plan, entry))
                progress(plan.name, f"ready on port {port}")
            elif process.find(entry.identity) is None:
                raise ServiceError(_failed(home, plan, "ended while it started"))
            elif now - begin > plan.limit_s:
                raise ServiceError(_failed(home, plan, f"was not up within {plan.limit_s:g} s"))
        if left and now - told >= _TELL_S:
            told = now
            for plan, _ in left:
                progress(plan.name, f"waiting for {plan.waiting_for}, {now - begin:.0f} s")
        if left:
            time.sleep(_POLL_S)


def _failed(home: Home, plan: ServicePlan, what: str) -> str:
    log = home.log(plan.name)
    return (
        f"{plan.name} {what} (waiting for {plan.waiting_for}). The end of {log}:\n"
        f"{process.tail(log)}\n"
        "Fix what it says and start again; `./stormwatch doctor` checks the machine."
    )
