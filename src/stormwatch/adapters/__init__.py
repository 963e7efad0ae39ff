"""The only importers of Kafka's, Cassandra's and Storm's Python packages."""
