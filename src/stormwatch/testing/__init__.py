"""The test kit: drive a spout or bolt over Storm's bytes, in this process, without Java.

    said = drive(MyBolt, batch(fragment(), payload))
    assert said.acks == ["1"]

Fixtures `ports`, `store`, `broker` and `clock` come with the pytest plugin
`stormwatch.testing.plugin`; `assert_laws(MyBolt)` and `assert_spout_laws(MySpout)` hold a component
to what Storm needs of it.
See docs/testing.md.
"""

from stormwatch.testing.clock import Clock
from stormwatch.testing.events import payload
from stormwatch.testing.examples import example
from stormwatch.testing.laws import LAWS, SPOUT_LAWS, LawBroken, assert_laws, assert_spout_laws
from stormwatch.testing.ports import decisions, memory_ports
from stormwatch.testing.spouts import Conversation, converse
from stormwatch.testing.storm import HEARTBEAT, TICK, Said, batch, drive, fragment, tup

__all__ = [
    "HEARTBEAT",
    "LAWS",
    "SPOUT_LAWS",
    "TICK",
    "Clock",
    "Conversation",
    "LawBroken",
    "Said",
    "assert_laws",
    "assert_spout_laws",
    "batch",
    "converse",
    "decisions",
    "drive",
    "example",
    "fragment",
    "memory_ports",
    "payload",
    "tup",
]
