"""Processor time and memory of processes and all that descend from them, as time goes on."""

import re
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence

import psutil

EVERY_S = 0.2
OWN = "own"
"""The group of a contender's own processes; others are services that it uses."""
_COMPONENT = re.compile(r"\b(?:spouts|bolts|tutorial_components)\.([\w.]+)")
_MODULE = re.compile(r"\bbenchmarks\.([\w.]+)")


class Meter:
    """Watches groups of processes, each with its children, until it is stopped."""

    def __init__(self, groups: Mapping[str, Sequence[int]]) -> None:
        self._groups = groups
        self._stop = threading.Event()
        self._spent: dict[int, float] = {}
        self._labels: dict[int, str] = {}
        self._at: list[float] = []  # ms
        self._seen: list[dict[str, float]] = []  # label -> s
        self.most: dict[str, float] = defaultdict(float)
        """Group -> MB resident at most. Pages that processes share count in each."""
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(EVERY_S):
            self._look()

    def _look(self) -> None:
        held: dict[str, float] = defaultdict(float)
        for group, pids in self._groups.items():
            for pid in pids:
                for process in _tree(pid):
                    try:
                        with process.oneshot():
                            times = process.cpu_times()
                            self._spent[process.pid] = times.user + times.system
                            held[group] += process.memory_info().rss / 1e6
                            if group != OWN:
                                self._labels[process.pid] = group
                            elif "/" not in self._labels.get(process.pid, "/"):
                                continue
                            else:
                                self._labels[process.pid] = label_of(process.cmdline())
                    except psutil.Error:
                        continue
        spent: dict[str, float] = defaultdict(float)
        for pid, seconds in list(self._spent.items()):
            spent[self._labels.get(pid, "other")] += seconds
        self._at.append(time.time() * 1000)
        self._seen.append(spent)
        for group, mb in held.items():
            self.most[group] = max(self.most[group], mb)

    def stop(self) -> None:
        """Look once more, and no more."""
        self._stop.set()
        self._thread.join()
        self._look()

    def between(self, first: float, last: float) -> dict[str, float]:
        """Seconds of processor time between two moments (ms), by label."""
        labels = self._seen[-1] if self._seen else {}
        course = {label: [seen.get(label, 0.0) for seen in self._seen] for label in labels}
        return {
            label: until(self._at, values, last) - until(self._at, values, first)
            for label, values in course.items()
        }


def until(moments: Sequence[float], values: Sequence[float], moment: float) -> float:
    """What rose from 0 to `values` at `moments` was at a moment: between two on a straight line."""
    after = bisect_left(moments, moment)
    if after == 0:
        return 0.0
    if after == len(moments):
        return values[-1]
    before, was = moments[after - 1], values[after - 1]
    share = (moment - before) / max(1e-9, moments[after] - before)
    return was + share * (values[after] - was)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def label_of(command: Sequence[str]) -> str:
    """What a process of a contender is called: the JVM, a component, a program; "a/b" while it is
    not known yet."""
    if not command:
        return "other/"
    if command[0].endswith("java"):
        return "JVM"
    text = " ".join(command)
    for pattern in (_COMPONENT, _MODULE):
        if found := pattern.search(text):
            return found[1].rpartition(".")[2]
    return "other/" if "sparse" not in text else "sparse"
