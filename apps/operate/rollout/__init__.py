"""Rules and models changed while records flow: what the command line and the API share.

Functions take the registry (a `Store`) and announce by Kafka; docs/rollout.md has the commands.
"""
