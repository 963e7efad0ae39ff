"""Engines beside Storm that run the same decisions; each folder alone imports its engine."""
