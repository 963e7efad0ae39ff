"""Stormwatch: event streams into decisions. The pure core; see docs/architecture.md."""

__version__ = "0.1.0"
