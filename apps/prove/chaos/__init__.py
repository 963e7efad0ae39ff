"""Faults on a running topology, and whether anything was lost, doubled or changed by them."""
