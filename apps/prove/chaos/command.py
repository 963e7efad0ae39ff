"""`./stormwatch chaos`: one campaign on services of its own, or a kill in a running system."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil

from apps.operate import ledger as ledgers
from apps.prove.chaos import services
from apps.prove.chaos.campaign import GRACE_S, Campaign, Result, conduct
from apps.prove.chaos.environment import committed, opened
from apps.prove.chaos.errors import ChaosFailed, Invalid
from apps.prove.chaos.run import BOLT, JVM, SPOUT
from stormwatch.adapters import connect
from stormwatch.adapters.cassandra import store as cassandra
from stormwatch.ledger.reconcile import TopicLedger
from stormwatch.settings import Settings

_EVERY_S = 1.0


class Screen:
    """Lines with the seconds since the start; the ledger at most once a second, if it changed."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._began = time.monotonic()
        self._shown_at = 0.0
        self._last = ""

    def tell(self, words: str) -> None:
        """What was done or seen."""
        self._write(f"{self._clock()} {words}")
        self._shown_at = 0.0

    def show(self, ledger: TopicLedger) -> None:
        """The ledger, once."""
        line = in_words(ledger)
        now = time.monotonic()
        if line != self._last and now - self._shown_at >= _EVERY_S:
            self._write(f"{self._clock()}   ledger: {line}")
            self._last, self._shown_at = line, now

    def _clock(self) -> str:
        seconds = int(time.monotonic() - self._began)
        return f"{seconds // 60}:{seconds % 60:02d}"


def in_words(ledger: TopicLedger) -> str:
    """One line."""
    ended = sum(ledger.states.values())
    more = f", conflicting {ledger.conflicting}" if ledger.conflicting else ""
    return f"{ended:,} ended, {ledger.in_flight:,} to go, unaccounted {ledger.unaccounted}{more}"


def execute(campaign: Campaign, seed: int, count: int, root: Path, screen: Screen) -> Result:
    """Start Kafka, Cassandra and a topology, do the harm, judge, and end all of them.

    Raises ChaosFailed; the folder of the run is kept then, and named.
    """
    screen.tell(f"{campaign.name}: {campaign.what}; seed {seed}")
    folder = Path(tempfile.mkdtemp(prefix="stormwatch-chaos-run-"))
    with services.own(root, lambda step, detail: screen.tell(f"{step}: {detail}")) as (
        found,
        under,
    ):
        name = f"chaos_{campaign.name.replace('-', '_')}_{seed}"
        with opened(found, under, folder, name) as environment:
            environment.tell, environment.show = screen.tell, screen.show
            try:
                result = conduct(environment, campaign, seed, count)
            except ChaosFailed as error:
                raise type(error)(
                    f"{error}\n{campaign.name} with seed {seed} failed; its run is in {folder}. "
                    f"Again: ./stormwatch chaos {campaign.name} --seed {seed}"
                ) from error
    shutil.rmtree(folder, ignore_errors=True)
    return result


def verdict(result: Result) -> str:
    """What held, in one paragraph."""
    states = ", ".join(f"{state} {count:,}" for state, count in sorted(result.states.items()))
    notes = "".join(f" {note}" for note in result.notes)
    return (
        f"HOLDS: {result.campaign}, seed {result.seed}: {result.records:,} records, "
        f"{result.kills} kills, {result.left:,} left when the last fault ended. 0 missing, "
        f"0 doubled, 0 different from the oracle; unaccounted {result.unaccounted:,} ({states}). "
        f"Commits moved again after {result.moved_s:.1f} s, all was decided "
        f"{result.drained_s:.1f} s later.{notes}"
    )


PARTS = {"kill-bolt": BOLT, "kill-spout": SPOUT, "kill-jvm": JVM}
_POLL_S = 0.5


def kill_live(name: str, settings: Settings, root: Path, screen: Screen) -> str:
    """Kill -9 one process; what was seen, in words.

    Raises ChaosFailed when nothing fits or the ledger stays uneven, Invalid when no record came.
    """
    if name not in PARTS:
        raise ChaosFailed(f"{name} cannot be done to a running system; --live takes {_names()}.")
    found = running(PARTS[name], root)
    if not found:
        raise ChaosFailed(
            f"No {PARTS[name]} runs from {root}. Start one (`./stormwatch run` in another "
            "terminal), or leave --live out: the campaign then starts its own."
        )
    limit = settings.message_timeout_s + GRACE_S
    admin = connect.admin(settings)
    with closing(admin), closing(cassandra.connect(settings)) as store:
        topic = settings.topic_transactions
        screen.show(ledgers.topic(settings, admin, store, topic))
        os.kill(found[0], signal.SIGKILL)
        began = time.monotonic()
        screen.tell(f"killed {PARTS[name]} (pid {found[0]}) with SIGKILL")
        level: int | None = None  # committed when its successor was first seen
        while True:
            seen = ledgers.topic(settings, admin, store, topic)
            screen.show(seen)
            took = time.monotonic() - began
            again = [pid for pid in running(PARTS[name], root) if pid not in found]
            if again and level is None:
                level = committed(seen)
            elif again and level is not None and committed(seen) > level and seen.sound:
                return f"HOLDS: pid {again[0]} goes on after {took:.1f} s: {in_words(seen)}"
            if took > limit:
                if seen.sound and not seen.in_flight:
                    raise Invalid("INVALID: no record came after the kill; nothing was tested.")
                raise ChaosFailed(f"{took:.0f} s after the kill: {in_words(seen)}")
            time.sleep(_POLL_S)


def running(part: str, root: Path) -> list[int]:
    """Processes of a topology started from `root` whose command line names `part`."""
    found = []
    for each in psutil.process_iter(["cmdline"]):
        try:
            if part in " ".join(each.info["cmdline"] or ()).split() and any(
                Path(parent.cwd()) == root for parent in (each, *each.parents())
            ):
                found.append(each.pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return sorted(found)


def _names() -> str:
    return ", ".join(PARTS)
