"""Follows what is in force of a domain's rules and model, off the path of the batches.

A thread looks once a second whether the control topic has grown. Where it announces a change, what
it names is fetched, checked and loaded here, and then put in the place of what was: one assignment,
which the next batch sees. What cannot be used is refused, and the old one stays.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from stormwatch.adapters import log_reader
from stormwatch.adapters.threads.background import Lazy
from stormwatch.adapters.versions import with_version
from stormwatch.errors import FatalError, InfrastructureError, SettingsError, TopicError
from stormwatch.ports import Registry, Source
from stormwatch.records import Record
from stormwatch.rollout.arms import Arm, Rolled
from stormwatch.rollout.changes import (
    MODEL,
    PREFIX,
    RULES,
    Change,
    Entry,
    decode,
    encode,
    key_of,
    kinds_of,
    misread,
)
from stormwatch.rollout.watch import Scores
from stormwatch.settings import Settings

T = TypeVar("T")
Judge = Any
Place = tuple[str, str]
"""SHA-256 of rules and model; "" is what the settings name."""

POLL_S = 1.0
"""Between two looks at the control topic."""
QUIET_S = 5.0
TRIED_BACK = 20
"""Changes that a start goes back where the newest cannot be used."""
TOLD_MOST = 50

logger = logging.getLogger(__name__)


class Misread(NamedTuple):
    """A record of the control topic that announces something, and cannot be understood."""

    record: Record
    why: str


class Ports(NamedTuple):
    """What it needs of the outside."""

    registry: Callable[[], Registry]
    source: Callable[[], Source]
    """Of the control topic."""


class Follower(Generic[T]):
    """What `use` makes of the judge in force, kept up to date. Begins at once, in the background.

    Taken by one thread: `get` before each batch, `told`, `misread` now and then.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        make: Callable[[Settings], Judge],
        use: Callable[[Judge], T],
        ports: Ports,
        author: str,
    ) -> None:
        """`make`: the domain `name` as settings say; `author`: who writes it where a version is
        taken back. Raises in `get` what `make` raises of the settings themselves.
        """
        self._settings, self.name, self._make, self._use = settings, name, make, use
        self._ports, self._author = ports, author
        self._kinds = kinds_of(name)
        self._closed = threading.Event()
        self._made: dict[Place, Judge] = {}
        self._used: set[Place] = set()
        self._in_force: dict[str, Change] = {}
        self._unsaid: Change | None = None
        self._judge: Judge = None
        self._current: T | None = None
        self._known: dict[str, int] = dict.fromkeys(self._kinds, 0)
        """Revision of each kind that was looked at last, used or refused."""
        self.revisions: dict[str, int] = {}
        """Of each kind that was changed, the revision that is used."""
        self.refused = 0
        self._told: list[str] = []
        self._misread: list[Misread] = []
        self._first = Lazy(self._begin, "the model")

    def get(self, timeout: float) -> T:
        """What is used now; at the start it is waited for, at most `timeout` s, unless Cassandra
        does not answer: that is raised at once.

        Raises InfrastructureError while it is not there yet, and what `make` raised.
        """
        if self._current is None:
            self._first.get_soon(timeout)
        assert self._current is not None
        return self._current

    def told(self) -> list[str]:
        """Sentences since the last call."""
        told, self._told = self._told, []
        return told

    def misread(self) -> list[Misread]:
        """Records since the last call."""
        found, self._misread = self._misread, []
        return found

    def close(self) -> None:
        """Follow no longer; waits for nothing."""
        self._closed.set()
        self._first.close()

    # In the background

    def _begin(self) -> None:
        """Raises InfrastructureError, to be tried again, and what `make` raises."""
        found = {kind: self._ports.registry().changes(self.name, kind, TRIED_BACK)
                 for kind in self._kinds}  # fmt: skip
        changes = {kind: some[0] for kind, some in found.items() if some}
        try:
            judge = self._rolled(changes, None)
        except InfrastructureError:
            raise
        except Exception:  # one of them cannot be used: which, and what can be, is looked for
            if not changes:
                raise
            usable = {kind: self._usable(kind, some) for kind, some in found.items()}
            changes = {kind: change for kind, change in usable.items() if change is not None}
            judge = self._rolled(changes, None)
        self._put(judge, changes)
        self._known |= {kind: some[0].revision for kind, some in found.items() if some}
        if self._kinds:
            threading.Thread(target=self._follow, name="rollout", daemon=True).start()

    def _usable(self, kind: str, changes: list[Change]) -> Change | None:
        """The newest that can be used, at a start; None: what the settings name."""
        for change in changes:
            try:
                self._rolled({kind: change}, None)
            except InfrastructureError:
                raise
            except Exception as error:  # whatever a version raises: refused, and told
                self._refuse(change, error)
            else:
                return change
        return None

    def _follow(self) -> None:
        position: int | None = None
        source: Source | None = None
        while not self._closed.wait(0 if source is None and position is None else POLL_S):
            try:
                if source is None:
                    source = self._ports.source()
                position = self._look(source, position)
                self._take_back(source)
            except InfrastructureError as error:
                logger.debug("changes of rules and models are not heard: %s", error)
                self._closed.wait(POLL_S)
            except Exception as error:  # nothing here may end silently: told, and gone on
                self._tell(f"Following changes of rules and models failed: {error!r}; tried again")
                self._closed.wait(POLL_S)
        if source is not None:
            source.close()

    def _look(self, source: Source, position: int | None) -> int | None:
        """Take up what was announced; how far the control topic was read."""
        if source.describe() is None:
            return position
        low, high = source.watermarks(0)
        if position is None:  # whatever was announced before this is in the registry
            self._take_up(dict.fromkeys(self._kinds))
            return high
        if high < position:  # made again
            position = low
        wanted: dict[str, int | None] = {}
        at = max(position, low)
        try:
            for some in log_reader.whole(source, 0, at, high, QUIET_S) if high > at else ():
                for record in some:
                    self._heard(record, wanted)
        except TopicError:  # deleted meanwhile: what is in force is in the registry
            wanted = dict.fromkeys(self._kinds)
        self._take_up(wanted)
        return high

    def _heard(self, record: Record, wanted: dict[str, int | None]) -> None:
        key = (record.key or b"").decode(errors="replace")
        if not key.startswith(f"{PREFIX}{self.name}/") or record.value is None:
            return
        if why := misread(key, record.value):
            self._misread.append(Misread(record, why))
            self._tell(f"A record of the control topic (offset {record.offset}) is passed over: "
                       f"{why}")  # fmt: skip
            return
        change = decode(record.value)
        if key == key_of(self.name, change.kind) and change.kind in self._kinds:
            wanted[change.kind] = change.revision

    def _take_up(self, wanted: Mapping[str, int | None]) -> None:
        """What is newest of these kinds in the registry, where that is news."""
        for kind in wanted:
            newest = next(iter(self._ports.registry().changes(self.name, kind, 1)), None)
            if newest is None or newest.revision <= self._known[kind]:
                continue
            began = time.monotonic()
            try:
                judge = self._rolled({**self._in_force, kind: newest}, self._judge)
            except InfrastructureError:
                raise
            except Exception as error:  # whatever a version raises: refused, and told
                self._refuse(newest, error)
            else:
                self._put(judge, {**self._in_force, kind: newest})
                self._tell(
                    f"{_named(newest)} is in force from the next batch on, loaded in "
                    f"{time.monotonic() - began:.1f} s"
                )
            self._known[kind] = newest.revision

    def _put(self, judge: Judge, changes: Mapping[str, Change]) -> None:
        self._in_force = dict(changes)
        self._made = {place: self._made[place] for place in self._used}
        self._judge = judge
        self.revisions = {kind: change.revision for kind, change in changes.items()}
        self._current = self._use(judge)  # the switch

    def _rolled(self, changes: Mapping[str, Change], before: Judge) -> Judge:
        """The judge of what is in force; what was loaded before is used again."""
        self._used = set()
        live = {kind: change.live for kind, change in changes.items()}
        judge = self._with(live)
        arms = [
            Arm(kind, entry, self._with({**live, kind: entry}), Scores())
            for kind, change in changes.items()
            for entry in change.trials
        ]
        probation, reference = self._probation(live, judge, before)
        if not arms and probation is None:
            return judge
        return Rolled(judge, arms, probation=probation, before=reference)

    def _probation(
        self, live: Mapping[str, Entry | None], judge: Judge, before: Judge
    ) -> tuple[Arm | None, Scores | None]:
        """Of a model that has just become live, to be compared with the one before."""
        entry = live.get(MODEL)
        if before is None or entry is None or before.model_version == judge.model_version:
            return None, None
        scores = before.scores if isinstance(before, Rolled) else None
        return Arm(MODEL, entry, judge, Scores()), scores

    def _with(self, entries: Mapping[str, Entry | None]) -> Judge:
        """The domain with these versions, loaded whole."""
        names = {kind: entry.sha256 if entry else "" for kind, entry in entries.items()}
        place = names.get(RULES, ""), names.get(MODEL, "")
        if place not in self._made:
            self._made[place] = self._loaded(entries, place[1])
        self._used.add(place)
        return self._made[place]

    def _loaded(self, entries: Mapping[str, Entry | None], model: str) -> Judge:
        settings = self._settings
        for kind, entry in entries.items():
            if entry is not None:
                settings = with_version(settings, self.name, kind, entry, self._ports.registry())
        for (_, other), judge in self._made.items():
            with_rules = getattr(judge, "with_rules", None)
            if other == model and with_rules is not None:
                return with_rules(settings)
        judge = self._make(settings)
        judge.model_version  # noqa: B018 - loads it here, and not in a batch
        for kind, entry in entries.items():
            found = getattr(judge, f"{kind}_version")
            if entry is not None and found != entry.version:
                raise SettingsError(
                    f"what the registry has as {entry.version} is {found} here: it was pushed by "
                    "another version of Stormwatch. Push it again with this one."
                )
        return judge

    def _take_back(self, source: Source) -> None:
        """Write the change that takes a version on trial back, where it does harm."""
        if self._unsaid is not None:
            source.remember(key_of(self.name, self._unsaid.kind), encode(self._unsaid))
            self._unsaid = None
        harm = self._judge.harm() if isinstance(self._judge, Rolled) else None
        if harm is None:
            return
        arm, why = harm
        current = self._in_force[arm.kind]
        entries = tuple(entry for entry in current.entries if entry != arm.entry)
        if arm.entry.state == "live":
            entries += self._live_before(current)
        change = Change(
            self.name, arm.kind, current.revision + 1, int(time.time() * 1000), self._author,
            f"{arm.entry.version}: {why}", "rollback", entries,
        )  # fmt: skip
        if self._ports.registry().add_change(change):
            self._tell(f"{arm.entry.version} ({arm.entry.state}) is taken back: {why}")
            self._unsaid = change
        self._take_up({arm.kind: None})

    def _live_before(self, current: Change) -> tuple[Entry, ...]:
        """The live version before that of `current`; () is that of the settings."""
        mine = current.live
        for change in self._ports.registry().changes(self.name, current.kind, TRIED_BACK):
            if change.revision < current.revision and change.live != mine:
                return (change.live,) if change.live else ()
        return ()

    def _refuse(self, change: Change, error: Exception) -> None:
        self.refused += 1
        reason = str(error) if isinstance(error, FatalError | SettingsError) else repr(error)
        self._tell(f"{_named(change)} is refused, and what was in force stays: {reason}")

    def _tell(self, sentence: str) -> None:
        self._told = [*self._told[-TOLD_MOST:], sentence]


def _named(change: Change) -> str:
    entries = ", ".join(
        f"{entry.version} {entry.state}" + (f" {entry.share:.0%}" if entry.share else "")
        for entry in change.entries
    )
    what = f"{change.domain} {change.kind}, revision {change.revision}"
    return f"{what} ({entries or 'what the settings name'}; {change.act} by {change.author})"
