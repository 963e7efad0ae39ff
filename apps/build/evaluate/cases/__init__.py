"""A module each: its docstring is the protocol, its `CASE` is what `./stormwatch evaluate` runs."""
