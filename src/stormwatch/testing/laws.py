"""The laws: each drives a component over the real bytes of Storm's protocol and raises LawBroken.

The text says what the component did, what that would cost at run time, and how to mend it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stormwatch.testing.boltlaws import LAWS
from stormwatch.testing.events import ODD
from stormwatch.testing.lawcase import Case, LawBroken
from stormwatch.testing.ports import Ports
from stormwatch.testing.spoutcase import SpoutCase
from stormwatch.testing.spoutlaws import SPOUT_LAWS
from stormwatch.testing.storm import Message

__all__ = [
    "LAWS",
    "SPOUT_LAWS",
    "Case",
    "LawBroken",
    "SpoutCase",
    "assert_laws",
    "assert_spout_laws",
]


def assert_laws(
    bolt: type,
    *,
    inputs: Sequence[Message] = (),
    corpus: Sequence[bytes | None] = ODD,
    conf: Mapping[str, Any] | None = None,
    patience_s: float = 10.0,
) -> None:
    """Hold a bolt to all LAWS. Raises LawBroken with the first one that it breaks.

    Tuples are made from its `payload` type; `inputs` replaces them where there is none, or where
    only certain ones make sense. `patience_s`: how long it may hold the protocol's thread.
    """
    for law in LAWS.values():
        law(Case(bolt, inputs, corpus, conf or {}, patience_s))


def assert_spout_laws(
    spout: type,
    *,
    feed: Callable[[Ports], None] | None = None,
    conf: Mapping[str, Any] | None = None,
    patience_s: float = 10.0,
    pending: int | None = None,
) -> None:
    """Hold a spout to all SPOUT_LAWS. Raises LawBroken with the first one that it breaks.

    Of a spout with a `topic_setting` the topic is made and filled; `feed` replaces that.
    `patience_s`: how long it may hold the protocol's thread, and take to emit again what failed.
    `pending`: how many of its tuples may be in flight; without, see `bounded`.
    """
    for law in SPOUT_LAWS.values():
        law(SpoutCase(spout, feed, conf or {}, patience_s, pending))
