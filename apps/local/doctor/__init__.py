"""`./stormwatch doctor`: is this machine ready, and are Kafka and Cassandra? One file a subject."""

from apps.local.doctor.examine import examine
from apps.local.doctor.finding import Finding

__all__ = ["Finding", "examine"]
