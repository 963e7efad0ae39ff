"""Appends to Kafka what many give at once: everything that waits is confirmed by one flush."""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import NamedTuple

from stormwatch.errors import BrokerRefused, BrokerUnavailable
from stormwatch.ports import Sink

logger = logging.getLogger(__name__)

AT_ONCE = 20_000
"""Records that one flush confirms, about."""


class Append(NamedTuple):
    """A record to be."""

    topic: str
    key: bytes | None
    value: bytes


class _Given(NamedTuple):
    appends: Sequence[Append]
    done: "Future[None]"


class Appender:
    """A thread that writes. What it may hold in memory its callers bound."""

    def __init__(self, sink: Callable[[], Sink], flush_s: float) -> None:
        self._connect, self._flush_s = sink, flush_s
        self._sink: Sink | None = None
        self._waiting: queue.SimpleQueue[_Given | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="append", daemon=True)
        self._thread.start()

    def append(self, appends: Sequence[Append]) -> "Future[None]":
        """Done when all in-sync replicas have all of them.

        The future raises BrokerUnavailable where that is not known: any of them may be in the log,
        and giving the same again is right (a record that is there twice ends as `duplicate`).
        """
        done: Future[None] = Future()
        self._waiting.put(_Given(appends, done))
        return done

    def close(self) -> None:
        """Write what waits, then leave. Nothing may be given afterwards."""
        self._waiting.put(None)
        self._thread.join()
        if self._sink is not None:
            self._sink.close()

    def _run(self) -> None:
        ended = False
        while not ended:
            given = [self._waiting.get()]
            while len(given) < AT_ONCE and _records(given) < AT_ONCE:
                try:
                    given.append(self._waiting.get_nowait())
                except queue.Empty:
                    break
            ended = None in given
            self._write_all([each for each in given if each is not None])

    def _write_all(self, given: list[_Given]) -> None:
        try:
            self._write(given)
        except BrokerRefused as error:
            if len(given) > 1:  # one of them has a record that Kafka will not have
                for each in given:
                    self._write_all([each])
                return
            _fail(given, error)
        except BrokerUnavailable as error:
            logger.warning("%s", error)
            _fail(given, error)
        except Exception as error:  # who waits for it raises it
            _fail(given, error)
        else:
            for each in given:
                each.done.set_result(None)

    def _write(self, given: list[_Given]) -> None:
        if not given:
            return
        sink = self._sink = self._sink or self._connect()
        for each in given:
            for topic, key, value in each.appends:
                sink.send(topic, key, value)
        sink.flush(self._flush_s)


def _records(given: list[_Given | None]) -> int:
    return sum(len(each.appends) for each in given if each is not None)


def _fail(given: list[_Given], error: BaseException) -> None:
    for each in given:
        each.done.set_exception(error)
