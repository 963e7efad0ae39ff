"""Processes to be killed, forked from one that has imported all: a start costs a fork."""

import os
import sys
from collections.abc import Callable


def serve(run: Callable[[int, str], None]) -> None:
    """Fork a process for each line of the standard input, which runs its number, from 1, and
    the line; print its pid, and later its exit code."""
    for number, line in enumerate(sys.stdin, 1):
        if (pid := os.fork()) == 0:
            run(number, line)
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()
