"""States of another version under way: the newer code reads the older's, the older refuses."""

from functools import partial

import msgspec

from apps.prove.chaos import judge, tables
from apps.prove.chaos.campaign import START_S, Play
from apps.prove.chaos.errors import expect
from apps.prove.chaos.tables import Tables
from stormwatch.records import EndState
from stormwatch.state.envelope import VERSION

_NEWER = VERSION + 1
_REFUSAL = f"version {_NEWER}, this code reads version {VERSION}. Run the version of Stormwatch"
_WAITS = "will be tried again: the stored state of"
_RESTARTS = "restarting the topology in place"
_REFUSES_S = 20.0
_READS = "        if envelope.version != VERSION:\n"
_VERSION = f"VERSION = {VERSION}\n"


def there_and_back(play: Play) -> None:
    """The newer version comes, the older one is tried again, then the newer goes on."""
    scene = play.scene
    play.restarts = None
    code = scene.project.root / "src" / "stormwatch" / "state" / "envelope.py"
    older = code.read_text()
    play.at(play.random.uniform(0.05, 0.15))
    scene.stop()
    scene.tell(f"stopped `sparse run`; starting one whose states are of version {_NEWER}")
    code.write_text(newer(older))
    scene.start()
    play.at(play.random.uniform(0.25, 0.35))
    scene.stop()
    scene.tell(f"stopped it; starting the one again that knows version {VERSION} alone")
    code.write_text(older)
    scene.start()
    scene.until_said(_WAITS, START_S)
    scene.until_said(_REFUSAL, START_S)
    play.wait(_REFUSES_S)
    ledger = scene.ledger()
    aside = ledger.states.get(EndState.DEAD_LETTERED)
    expect(ledger.sound and ledger.in_flight and not aside, ledger)
    expect(scene.said().count(_REFUSAL) > 1 and _RESTARTS not in scene.said(), scene.said())
    scene.tell(f"it waits, sets no record aside, and says: … {_WAITS}: … {_REFUSAL} …")
    scene.stop()
    code.write_text(newer(older))
    play.fell()
    scene.tell(f"starting version {_NEWER} again")
    scene.start()
    play.judge = partial(_judge, play)


def newer(code: str) -> str:
    """`entity.py` with one version more, which takes the older's states over as they are."""
    expect(code.count(_READS) == code.count(_VERSION) == 1, "entity.py has changed")
    takes_over = (
        f"        if envelope.version == {VERSION}:\n            envelope.version = VERSION\n"
    )
    return code.replace(_VERSION, f"VERSION = {_NEWER}\n").replace(_READS, takes_over + _READS)


def _judge(play: Play) -> Tables:
    """As ever, but that states which were touched later are of the newer version."""
    settings, ledger = play.scene.settings, play.scene.ledger()
    expect(ledger.sound and not ledger.in_flight, ledger)
    found = tables.of_cassandra(settings)
    versions = [_version(blob) for blob in found.states.values()]
    expect(set(versions) == {VERSION, _NEWER}, f"states of versions {set(versions)}")
    play.notes.append(f"{versions.count(_NEWER)} of {len(versions)} states are of the newer one.")
    found.states = {key: as_older(blob) for key, blob in found.states.items()}
    want = judge.expected(settings, domain=judge.believed(found))
    judge.compare(settings, want, found)
    return want


def _version(blob: bytes) -> int:
    version: int = msgspec.msgpack.decode(blob)[0]
    return version


def as_older(blob: bytes) -> bytes:
    """A state with the version in its envelope changed."""
    # An envelope is an array, whose first element is its version: one byte each.
    return blob[:1] + bytes([VERSION]) + blob[2:]
