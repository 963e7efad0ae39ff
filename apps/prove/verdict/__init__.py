"""Judges what a topology stored against the pure core run over the log: a checker of its own.

Reads Kafka and Cassandra by the drivers, not by our adapters; shares with the topology the pure
core alone (parse, contract, domain), which is what the tables are compared with.
"""
