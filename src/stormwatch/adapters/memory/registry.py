"""The part of `MemoryStore` that keeps versions of rules and models."""

from stormwatch.errors import StoreUnavailable
from stormwatch.rollout.changes import Change, digest


class MemoryRegistry:
    """Safe for any thread; never fails by a fault that is planned for the batches' calls."""

    down: bool

    def __init__(self) -> None:
        self._changes: dict[tuple[str, str], dict[int, Change]] = {}
        self.artefacts: dict[str, bytes] = {}

    def changes(self, domain: str, kind: str, limit: int) -> list[Change]:
        """See the port."""
        self._check()
        known = self._changes.get((domain, kind), {})
        return [known[revision] for revision in sorted(known, reverse=True)[:limit]]

    def add_change(self, change: Change) -> bool:
        """See the port."""
        self._check()
        known = self._changes.setdefault((change.domain, change.kind), {})
        return known.setdefault(change.revision, change) == change

    def keep_artefact(self, artefact: bytes) -> str:
        """See the port."""
        self._check()
        name = digest(artefact)
        self.artefacts[name] = artefact
        return name

    def artefact(self, name: str) -> bytes | None:
        """See the port."""
        self._check()
        return self.artefacts.get(name)

    def _check(self) -> None:
        if self.down:
            raise StoreUnavailable("the store is down (registry)")
