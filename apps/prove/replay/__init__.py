"""Runs the pure core over a range of the log again, into memory, and compares."""
