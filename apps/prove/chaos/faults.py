"""What is done to a running topology, by name of campaign."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from apps.prove.chaos.campaign import START_S, Play
from apps.prove.chaos.run import JVM, SPOUT

KAFKA_GONE = "Kafka does not answer, waiting for it"
KAFKA_BACK = "Kafka answers again"
CASSANDRA_GONE = "will be tried again: Cassandra"
_TOLD_S = 60.0


def kill_bolt(play: Play) -> None:
    """One bolt."""
    play.kill(play.scene.bolt, play.random.uniform(0.05, 0.3))


def kill_spout(play: Play) -> None:
    """One spout, with a batch in flight."""
    play.kill(SPOUT, play.random.uniform(0.05, 0.3))


def kill_jvm(play: Play) -> None:
    """Storm's worker: the bolts may outlive it for a moment."""
    play.kill(JVM, play.random.uniform(0.05, 0.3))


def kill_three(play: Play) -> None:
    """As many as the wrapper forgives within ten minutes, of any kind."""
    for low in (0.05, 0.25, 0.45):
        part = play.random.choice((play.scene.bolt, SPOUT, JVM))
        play.kill(part, play.random.uniform(low, low + 0.1))


def kill_late(play: Play) -> None:
    """One bolt, when it holds most of the states."""
    play.kill(play.scene.bolt, play.random.uniform(0.6, 0.75))


def burst(play: Play) -> None:
    """Thirty for each 20,000 records, whatever runs."""
    play.at(0.02)
    play.burst(30 * max(1, play.count // 20_000), (play.scene.bolt, SPOUT, JVM))


def pause_bolt(play: Play, seconds: float) -> None:
    """A bolt stands still and may come back as a zombie."""
    play.at(play.random.uniform(0.05, 0.2))
    play.restarts = None
    with play.paused(play.scene.bolt):
        play.wait(seconds)


def kill_kafka(play: Play, seconds: float, times: int = 1) -> None:
    """kill -9 of the broker; started again on the same data."""
    play.at(0.05)
    for turn in range(times):
        with play.scene.stand.down("kafka"):
            play.scene.tell("killed Kafka with SIGKILL")
            _said_again(play, KAFKA_GONE, turn, _TOLD_S)
            play.scene.tell(f"sparse says: {KAFKA_GONE}")
            play.wait(seconds)
        play.scene.tell("Kafka runs again")
        play.fell()
        _said_again(play, KAFKA_BACK, turn, START_S)
        play.more(play.later(2000, f"after-{turn}"))


def hang_cassandra(play: Play, seconds: float) -> None:
    """SIGSTOP: connections stand, nothing answers."""
    _without_cassandra(play, seconds, play.scene.stand.paused("cassandra"), "SIGSTOP", "goes on")


def stop_cassandra(play: Play, seconds: float) -> None:
    """An orderly stop, and a start on the same data."""
    down = play.scene.stand.down("cassandra", kill=False)
    _without_cassandra(play, seconds, down, "SIGTERM", "runs again")


def kill_cassandra(play: Play, times: int) -> None:
    """kill -9, and a start on the same data."""
    for turn in range(times):
        down = play.scene.stand.down("cassandra")
        _without_cassandra(play, 1, down, "SIGKILL", "runs again", 0.05 + turn / 10)
        play.kills += 1


def _without_cassandra(
    play: Play, seconds: float, away: AbstractContextManager[None], signal: str, back: str,
    share: float = 0.05,
) -> None:  # fmt: skip
    play.at(share)
    before = play.scene.said().count(CASSANDRA_GONE)
    with away:
        play.scene.tell(f"stopped Cassandra with {signal}")
        _said_again(play, CASSANDRA_GONE, before, _TOLD_S)
        play.scene.tell("sparse says: … a batch " + CASSANDRA_GONE + " …")
        play.wait(seconds)
    play.scene.tell(f"Cassandra {back}")
    play.fell()


def slow_cassandra(play: Play) -> None:
    """Through the proxy of the stage: late, then cut off, then silent."""
    proxy = play.proxy
    assert proxy is not None
    play.at(0.05)
    proxy.pause = 0.3
    play.scene.tell("every answer of Cassandra comes 0.3 s late")
    play.wait(10)
    proxy.pause = 0.0
    for _ in range(3):
        proxy.cut()
        play.scene.tell("every connection to Cassandra is reset")
        play.wait(play.random.uniform(0.5, 2.0))
        proxy.mend()
        play.wait(play.random.uniform(1.0, 3.0))
    proxy.hang()
    play.scene.tell("connections to Cassandra stand and pass nothing on")
    play.wait(15)
    proxy.mend()
    play.scene.tell("Cassandra answers as it did")
    play.fell()


def _said_again(play: Play, words: str, times: int, limit_s: float) -> None:
    play.scene.until(lambda: play.scene.said().count(words) > times, words, limit_s)


def gauntlet(play: Play) -> None:
    """All of these in one run, in an order by chance; commits have to move again after each."""
    parts = {"bolt": play.scene.bolt, "spout": SPOUT, "JVM": JVM}
    harms: list[tuple[str, Callable[[], None]]] = [
        (f"{name} killed", partial(play.kill, part, 0.0)) for name, part in parts.items()
    ]
    harms += [
        ("bolt paused", partial(pause_bolt, play, 20)),
        ("Kafka killed", partial(kill_kafka, play, 2)),
        ("Cassandra hung", partial(hang_cassandra, play, 5)),
        ("Cassandra stopped", partial(stop_cassandra, play, 5)),
    ]
    play.random.shuffle(harms)
    some, took = play.count // 2, []
    for number, (name, harm) in enumerate(harms):
        play.more(play.later(some, f"part-{number}", play.random.randrange(1 << 30)))
        harm()
        took.append(f"{name} {play.moved(START_S):.1f} s")
    play.restarts = play.kills
    play.notes.append(f"Until commits moved again: {', '.join(took)}.")
