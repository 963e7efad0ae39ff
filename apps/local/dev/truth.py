"""What the generators planted against what was decided."""

from collections import Counter
from typing import NamedTuple

from apps.data.generate.posts import Generated as Post
from apps.data.generate.posts import Planted
from apps.data.generate.readings import Generated as Reading
from apps.data.generate.transactions import Fraud
from apps.data.generate.transactions import Generated as Transaction

PLANTED = {
    Fraud.LARGE: "large amount", Fraud.TERMINAL: "bad terminal", Fraud.LEAKED: "leaked card",
    Fraud.TESTING: "card testing", Fraud.TRAVEL: "impossible travel",
    Fraud.TAKEOVER: "account take-over", Fraud.MULE: "mule account",
}  # fmt: skip


class Marks(NamedTuple):
    """Planted, alerted, and both."""

    planted: int
    alerted: int
    caught: int

    def __str__(self) -> str:
        return (
            f"planted {self.planted:,}, caught {self.caught:,} ({_share(self.caught, self.planted)}"
            f"); {self.alerted:,} alerts, right {_share(self.caught, self.alerted)}"
        )


class Frauds:
    """Which transactions were frauds, by id, and which of them were alerted."""

    def __init__(self, run: str) -> None:
        self._run, self._sent = run, 0
        self._planted: dict[str, int] = {}
        self._alerted: set[str] = set()

    def sent(self, event: Transaction) -> None:
        """In the generator's order: it numbers its ids."""
        self._sent += 1
        if event.label:
            self._planted[f"{self._run}-{self._sent}"] = event.label

    def alert(self, id: str) -> str:  # noqa: A002
        """What was planted there, in words."""
        self._alerted.add(id)
        label = self._planted.get(id)
        return f"planted: {PLANTED[Fraud(label)]}" if label else "not planted: a false alarm"

    def marks(self) -> Marks:
        """Of all transactions."""
        return Marks(
            len(self._planted), len(self._alerted), len(self._alerted & self._planted.keys())
        )

    def share(self) -> str:
        """Planted of all."""
        return f"{len(self._planted) / max(self._sent, 1):.1%}"

    def by_kind(self) -> str:
        """Caught of planted, for each kind."""
        planted = Counter(self._planted.values())
        caught = Counter(v for k, v in self._planted.items() if k in self._alerted)
        return ", ".join(
            f"{word} {caught[kind]:,} of {planted[kind]:,}"
            for kind, word in PLANTED.items()
            if planted[kind]
        )


class Machines:
    """How long each unit really had left, and when it was called to service."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._age: Counter[str] = Counter()
        self._left: dict[str, int] = {}
        self._failed: set[str] = set()
        self._called: dict[str, int] = {}

    def sent(self, event: Reading) -> None:
        """Each reading, in the generator's order; a life of 0 is a unit's last."""
        unit = event.key.decode()
        self._age[unit] += 1
        self._left[f"{self._run}-{unit.rpartition('/')[2]}-{self._age[unit]}"] = event.life
        if not event.life:
            self._failed.add(unit)

    def alert(self, unit: str, id: str) -> str:  # noqa: A002
        """The first call to service of a unit: the truth, in words; else empty."""
        if unit in self._called:
            return ""
        left = self._called[unit] = self._left[id]
        return f"in truth it fails after {left} more"

    def summary(self) -> str:
        """Failures and how far ahead they were called."""
        ahead = sorted(self._called[unit] for unit in self._failed if unit in self._called)
        middle = f", half of them {ahead[len(ahead) // 2]} cycles or more ahead" if ahead else ""
        return f"{len(self._failed)} machines failed, {len(ahead)} called to service before{middle}"


class Spikes:
    """Which brands were spoken of more than usual, and told."""

    def __init__(self) -> None:
        self._planted: set[str] = set()
        self._told: set[str] = set()

    def sent(self, event: Post) -> None:
        """Each post, in the generator's order."""
        if event.label == Planted.SPIKE:
            self._planted.add(event.brand)

    def alert(self, brand: str) -> str:
        """Whether one was planted, in words."""
        self._told.add(brand)
        planted = brand in self._planted
        return "planted: everybody speaks of it" if planted else "not planted: a false alarm"

    def summary(self) -> str:
        """Brands that were told of those that had a spike."""
        found = len(self._told & self._planted)
        return f"brands with a planted spike: {len(self._planted)}, of which {found} were told"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "–"
