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
from apps.prove.chaos.campaign import Trial
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
def poison(trial: Trial) -> Iterator[Mapping[str, object]]:
    """A domain that raises on some customers."""
    trial.environment.add_bolt(BROKEN_BOLTS, "PoisonedBolt")
    trial.domain = broken_bolts.Poisoned()
    yield {}


@contextmanager
def clock(trial: Trial, hours: int) -> Iterator[Mapping[str, object]]:
    """The deciding bolts' wall clock is wrong."""
    module = trial.environment.project.root / "shifted.py"
    module.write_text(_SHIFT.format(seconds=hours * 3600) + _PLAIN)
    trial.environment.add_bolt(module)
    yield {}


@contextmanager
def motley(trial: Trial) -> Iterator[Mapping[str, object]]:
    """A domain that raises on some customers, in bolts whose clock is an hour ahead."""
    module = trial.environment.project.root / "motley.py"
    module.write_text(_SHIFT.format(seconds=3600) + BROKEN_BOLTS.read_text())
    trial.environment.add_bolt(module, "PoisonedBolt")
    trial.domain = broken_bolts.Poisoned()
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
def own_model(trial: Trial) -> Iterator[Mapping[str, object]]:
    """A model folder of the run's own; where it cannot be read, rules decide alone."""
    shutil.copytree(SHIPPED, _folder(trial))
    yield {"fraud_model": str(_folder(trial)), "model_unusable": "rules", "model_probe_s": 2.0}


@contextmanager
def slowed(trial: Trial) -> Iterator[Mapping[str, object]]:
    """The same, and a bolt whose model can be made slow."""
    trial.environment.add_bolt(BROKEN_BOLTS, "SlowBolt")
    with own_model(trial) as changes:
        yield changes


def become_slow(trial: Trial) -> None:
    """2 s a record, while half of the records are decided nevertheless; then as fast as before."""
    flag = _folder(trial) / broken_bolts.FLAG
    trial.at(0.05)
    flag.touch()
    trial.environment.tell(f"the model takes {broken_bolts.RECORD_S:g} s a record from here on")
    trial.environment.until_said(LATE, _SAID_S)
    trial.environment.tell(f"sparse says: {LATE} …")
    trial.at(0.5)
    flag.unlink()
    trial.environment.tell("the model is as fast as it was")
    _until_again(trial)


def be_cut_off(trial: Trial) -> None:
    """The artefact loses its end, which nobody notices; a bolt dies and cannot read it; mended."""
    artefact = _folder(trial) / "trees.msgpack"
    whole = artefact.read_bytes()
    trial.at(0.05)
    artefact.write_bytes(whole[:-100])
    trial.environment.tell(f"cut 100 bytes off {artefact.name}")
    trial.kill(trial.environment.bolt, 0.1)
    trial.environment.until_said(_CUT_OFF, _SAID_S)
    trial.environment.tell(f"sparse says: … {_CUT_OFF} …")
    trial.at(0.5)
    artefact.write_bytes(whole)
    trial.environment.tell(f"{artefact.name} is whole again")
    _until_again(trial)


def _until_again(trial: Trial) -> None:
    """Records come until the model is tried again; a last lot is left to decide."""
    trial.fell()
    more = islice(mixed(sys.maxsize, trial.seed), trial.count, None)  # the traffic goes on

    def said() -> bool:
        if AGAIN in trial.environment.said():
            return True
        trial.more(islice(more, _MORE))
        trial.wait(_MORE_S)
        return False

    trial.environment.until(said, AGAIN, _SAID_S)
    trial.environment.tell(f"sparse says: {AGAIN} …")
    trial.judge = partial(_judge_by_rules, trial)
    trial.more(islice(more, _LAST))
    trial.fell()


def _judge_by_rules(trial: Trial) -> Tables:
    """The laws; and the model decided first everywhere, and last in a partition at least: each bolt
    tries its own again, one may come later than the last record."""
    want = trial.environment.check()
    found = tables.of_cassandra(trial.environment.settings)
    fallen = degraded.take_fallen(found)
    log: dict[int, list[tuple[int, bool]]] = {}
    for cells in found.decisions.values():
        made = _decode(cells[2])
        log.setdefault(made.partition, []).append((made.offset, made.degraded is True))
    alone = sum(by_rules for each in log.values() for _, by_rules in each)
    expect(alone, "the model decided all")
    expect(not any(min(each)[1] for each in log.values()), "the first decision is by rules alone")
    expect(not all(max(each)[1] for each in log.values()), "the last decisions are by rules alone")
    trial.notes.append(
        f"{alone:,} of {len(found.decisions):,} decisions were made by rules alone, marked so, and "
        f"are byte for byte what the rules decide; {fallen} alerts of a first try were taken back."
    )
    return want


def _folder(trial: Trial) -> Path:
    return trial.environment.project.root / "model"
