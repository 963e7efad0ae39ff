"""Embedded Kafka, Cassandra and Storm, from the jars that project.clj names.

Callers need only `up`, `down`, `status` (and `cluster`); the rest is how.
"""

from apps.local.services.errors import ServiceError
from apps.local.services.home import Home, Progress
from apps.local.services.manage import ServiceStatus, down, status, up

__all__ = ["Home", "Progress", "ServiceError", "ServiceStatus", "down", "status", "up"]
