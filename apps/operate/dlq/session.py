"""A re-drive with connections of its own: one source, sink and domain a topic."""

from collections.abc import Sequence
from contextlib import ExitStack, closing

from apps.data import mappings
from apps.operate import domains
from apps.operate.dlq.letters import Letter
from apps.operate.dlq.redrive import Redriver, Result, Who
from stormwatch.adapters import connect
from stormwatch.archive import Archive
from stormwatch.errors import SettingsError
from stormwatch.settings import Settings


def redrive_all(
    settings: Settings, archive: Archive, letters: Sequence[Letter], who: Who, *, dry: bool = False
) -> list[Result]:
    """Results in the order of topics. Raises InfrastructureError, ModelError.

    A record that several bolts set aside is sent once.
    """
    results: list[Result] = []
    letters = list({letter.name: letter for letter in reversed(letters)}.values())[::-1]
    for topic in dict.fromkeys(letter.stored.topic for letter in letters):
        stream = domains.of_topic(settings, topic)
        name = stream.topology
        if name not in domains.MAKE:
            raise SettingsError(
                f"Records of {name} cannot be re-driven by this command: send them to {topic} "
                "again, as `./stormwatch dlq show` shows them."
            )
        domain = domains.MAKE[name](settings)
        with ExitStack() as stack:
            source = stack.enter_context(closing(connect.source(settings, topic)))
            sink = stack.enter_context(closing(connect.sink(settings)))
            mapped = mappings.of(settings, stream.events, topic)
            redriver = Redriver(settings, archive, source, sink, domain, who, mapped)
            mine = [letter for letter in letters if letter.stored.topic == topic]
            results += redriver.run(mine, dry=dry)
    return results
