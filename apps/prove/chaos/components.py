"""Bolts with a fault built in: a wrong clock, a domain that raises, a model slow or cut off."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec

from apps.prove.chaos import broken_bolts
from apps.prove.chaos.campaign import Play
from apps.prove.chaos.errors import expect
from apps.prove.chaos.traffic import mixed
from apps.prove.verdict import degraded, tables
from apps.prove.verdict.tables import Tables
from stormwatch.domains.fraud.domain import SHIPPED
from stormwatch.records import Decision

BROKEN_BOLTS = Path(broken_bolts.__file__)

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
def poison(play: Play) -> Iterator[Mapping[str, object]]:
    """A domain that raises on some customers."""
    play.scene.add_bolt(BROKEN_BOLTS, "PoisonedBolt")
    play.domain = broken_bolts.Poisoned()
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
    module.write_text(_SHIFT.format(seconds=3600) + BROKEN_BOLTS.read_text())
    play.scene.add_bolt(module, "PoisonedBolt")
    play.domain = broken_bolts.Poisoned()
    yield {}


_decode = msgspec.json.Decoder(Decision).decode
LATE = "The model has no scores for"
_CUT_OFF = "truncated or changed"
AGAIN = "The model works again"
_LAST = 8000
_SAID_S = 60.0
_MORE = 200
_MORE_S = 1.0


@contextmanager
def own_model(play: Play) -> Iterator[Mapping[str, object]]:
    """A model folder of the run's own; where it cannot be read, rules decide alone."""
    shutil.copytree(SHIPPED, _folder(play))
    yield {"fraud_model": str(_folder(play)), "model_unusable": "rules", "model_probe_s": 2.0}


@contextmanager
def slowed(play: Play) -> Iterator[Mapping[str, object]]:
    """The same, and a bolt whose model can be made slow."""
    play.scene.add_bolt(BROKEN_BOLTS, "SlowBolt")
    with own_model(play) as changes:
        yield changes


def become_slow(play: Play) -> None:
    """2 s a record, while half of the records are decided nevertheless; then as fast as before."""
    flag = _folder(play) / broken_bolts.FLAG
    play.at(0.05)
    flag.touch()
    play.scene.tell(f"the model takes {broken_bolts.RECORD_S:g} s a record from here on")
    play.scene.until_said(LATE, _SAID_S)
    play.scene.tell(f"sparse says: {LATE} …")
    play.at(0.5)
    flag.unlink()
    play.scene.tell("the model is as fast as it was")
    _until_again(play)


def be_cut_off(play: Play) -> None:
    """The artefact loses its end, which nobody notices; a bolt dies and cannot read it; mended."""
    artefact = _folder(play) / "trees.msgpack"
    whole = artefact.read_bytes()
    play.at(0.05)
    artefact.write_bytes(whole[:-100])
    play.scene.tell(f"cut 100 bytes off {artefact.name}")
    play.kill(play.scene.bolt, 0.1)
    play.scene.until_said(_CUT_OFF, _SAID_S)
    play.scene.tell(f"sparse says: … {_CUT_OFF} …")
    play.at(0.5)
    artefact.write_bytes(whole)
    play.scene.tell(f"{artefact.name} is whole again")
    _until_again(play)


def _until_again(play: Play) -> None:
    """Records come until the model is tried again; a last lot is left to decide."""
    play.fell()
    more = islice(mixed(sys.maxsize, play.seed), play.count, None)  # the traffic goes on

    def said() -> bool:
        if AGAIN in play.scene.said():
            return True
        play.more(islice(more, _MORE))
        play.wait(_MORE_S)
        return False

    play.scene.until(said, AGAIN, _SAID_S)
    play.scene.tell(f"sparse says: {AGAIN} …")
    play.judge = partial(_judge_by_rules, play)
    play.more(islice(more, _LAST))
    play.fell()


def _judge_by_rules(play: Play) -> Tables:
    """The laws; and the model decided first everywhere, and last in a partition at least: each bolt
    tries its own again, one may come later than the last record."""
    want = play.scene.check()
    found = tables.of_cassandra(play.scene.settings)
    fallen = degraded.take_fallen(found)
    log: dict[int, list[tuple[int, bool]]] = {}
    for cells in found.decisions.values():
        made = _decode(cells[2])
        log.setdefault(made.partition, []).append((made.offset, made.degraded is True))
    alone = sum(by_rules for each in log.values() for _, by_rules in each)
    expect(alone, "the model decided all")
    expect(not any(min(each)[1] for each in log.values()), "the first decision is by rules alone")
    expect(not all(max(each)[1] for each in log.values()), "the last decisions are by rules alone")
    play.notes.append(
        f"{alone:,} of {len(found.decisions):,} decisions were made by rules alone, marked so, and "
        f"are byte for byte what the rules decide; {fallen} alerts of a first try were taken back."
    )
    return want


def _folder(play: Play) -> Path:
    return play.scene.project.root / "model"
