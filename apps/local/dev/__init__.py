"""Topologies run in this process, without Java: the commands `demo` and `dev`."""
