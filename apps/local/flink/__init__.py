"""Apache Flink on this machine: its virtualenv, its jar, and a job in a process of its own."""

from apps.local.flink.job import Options, run

__all__ = ["Options", "run"]
