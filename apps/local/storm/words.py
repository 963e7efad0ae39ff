"""What `run`, `sparse` and `storm` tell each other by."""

CHECKED = "STORMWATCH_SPARSE_CHECKED"
"""Environment variable for `sparse`: who starts this has linted the topology just now."""
SCRATCH = "STORMWATCH_SPARSE_SCRATCH"
"""Environment variable for `storm`: the folder of what was built for this run; it goes with it."""
STARTED = "components started"
"""Said by `storm` with how many of how many; `run` knows it by these words."""
