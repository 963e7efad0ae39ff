"""`… apps.local.run.with_parent COMMAND …`: becomes the command, and ends when the run does.

So a run that is killed outright leaves no topology behind. (Linux; elsewhere just the command.)
"""

import os
import sys

from apps.local.services.prctl import end_with_parent


def main(arguments: list[str]) -> None:
    """`PARENT COMMAND …`: nothing is started if the parent has ended already."""
    parent, *command = arguments
    end_with_parent()
    if os.getppid() == int(parent):
        os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
