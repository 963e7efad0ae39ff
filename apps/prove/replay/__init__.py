"""Runs a topology's own components over a range of the log again, into memory, and compares."""
