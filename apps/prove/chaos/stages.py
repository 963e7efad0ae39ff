"""What is set up before a campaign's topology starts: proxies, bolts with a fault built in."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from apps.prove.chaos import poison as poisoned
from apps.prove.chaos.campaign import Play
from apps.prove.chaos.proxy import TcpProxy

Stage = Callable[[Play], AbstractContextManager[Mapping[str, object]]]
"""Gives settings of the topology that differ."""

_SHIFT = """\
import time

_SHIFT_S = {seconds}
_time, _time_ns = time.time, time.time_ns
time.time = lambda: _time() + _SHIFT_S
time.time_ns = lambda: _time_ns() + _SHIFT_S * 1_000_000_000
"""
_PLAIN = """\

from bolts import fraud


class FraudBolt(fraud.FraudBolt):
    pass
"""


@contextmanager
def plain(play: Play) -> Iterator[Mapping[str, object]]:
    """Nothing."""
    yield {}


@contextmanager
def behind_a_proxy(play: Play) -> Iterator[Mapping[str, object]]:
    """Cassandra is met through a proxy that can be slow, silent or gone."""
    play.proxy = TcpProxy(play.scene.settings.cassandra_port)
    try:
        yield {"cassandra_port": play.proxy.port}
    finally:
        play.proxy.cut()


@contextmanager
def poison(play: Play) -> Iterator[Mapping[str, object]]:
    """A domain that raises on some customers."""
    play.scene.add_bolt(Path(poisoned.__file__))
    play.domain = poisoned.Poisoned()
    yield {}


@contextmanager
def clock(play: Play, hours: int) -> Iterator[Mapping[str, object]]:
    """The deciding bolts' wall clock is wrong."""
    module = play.scene.project.root / "shifted.py"
    module.write_text(_SHIFT.format(seconds=hours * 3600) + _PLAIN)
    play.scene.add_bolt(module)
    yield {}


@contextmanager
def motley(play: Play) -> Iterator[Mapping[str, object]]:
    """A domain that raises on some customers, in bolts whose clock is an hour ahead."""
    module = play.scene.project.root / "motley.py"
    module.write_text(_SHIFT.format(seconds=3600) + Path(poisoned.__file__).read_text())
    play.scene.add_bolt(module)
    play.domain = poisoned.Poisoned()
    yield {}
