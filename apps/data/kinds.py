"""The kinds of events, a row for each domain: what commands must know to publish, run and prove.

A new domain adds its row here, its setting `topic.<events>`, and files of its own:
docs/add-a-domain.md.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from apps.data.publish import Keyed


class FeedOptions(NamedTuple):
    """What is asked of a generator of endless events."""

    seed: int
    run: str  # makes ids new
    newest: int | None  # event time that the topic ends with, ms; go on after it
    customers: int = 5_000
    units: int = 50


class Generator(Protocol):
    """`feed` of a module in apps/generate."""

    def __call__(self, asked: FeedOptions) -> "Iterator[Keyed]": ...


class Kind(NamedTuple):
    """One kind of events."""

    events: str  # topic_<events> is the setting of its topic, apps.data.generate.<events> makes it
    topology: str  # also the domain's name
    key: str  # the field that is the record's key
    required: tuple[str, ...]  # columns that a CSV file must have
    main: bool  # a plain `./stormwatch run` runs it
    domain: str = ""  # module:function that makes the domain from settings, its model loaded
    shared: bool = False  # some keys are fed by several partitions, in whatever order they come
    split: bool = False  # a record is several events, of other keys than Kafka's

    @property
    def feed(self) -> Generator:
        """Its generator; imported when asked for."""
        generator: Generator = import_module(f"apps.data.generate.{self.events}").feed
        return generator

    @property
    def make(self) -> Callable[..., Any]:
        """What makes its domain; imported when asked for."""
        make: Callable[..., Any] = named(self.domain)
        return make


def named(place: str) -> Any:
    """What `module:name` of a row says; imported when asked for."""
    module, _, name = place.partition(":")
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


KINDS = (
    Kind(
        "transactions", "fraud", "customer",
        ("id", "customer", "terminal", "time", "amount", "currency"), True,
        "stormwatch.domains.fraud:Fraud.from_settings",
    ),
    Kind(
        "readings", "maintenance", "unit", ("id", "unit", "time", "cycle"), True,
        "stormwatch.domains.maintenance:Maintenance.from_settings",
    ),
    Kind(
        "behaviour", "recommend", "user", ("id", "user", "time", "action", "item"), False,
        "stormwatch.domains.recommend:Recommend.from_settings", shared=True,
    ),
    Kind(
        "posts", "social", "author", ("id", "author", "time", "text"), False,
        "bolts.social:make_domain", shared=True, split=True,
    ),
)  # fmt: skip

BY_EVENTS = {kind.events: kind for kind in KINDS}
BY_TOPOLOGY = {kind.topology: kind for kind in KINDS}
TOPOLOGIES = ", ".join(kind.topology for kind in KINDS)
