"""Every error Stormwatch raises on purpose.

StormwatchError
├── SettingsError        a setting is missing or wrong: fix it and start again
├── InfrastructureError  Kafka or Cassandra did not answer: the same work is tried again
│   ├── BrokerUnavailable
│   │   └── BrokerRefused  Kafka answers and says no, until a person acts
│   ├── StoreUnavailable
│   ├── RegistryUnavailable
│   └── Overtaken        a batch came after a later try at it, which stands
└── FatalError           further work is pointless until a person acts
    ├── TopicError       the log is not the one that was read before
    ├── PackageMissing   a Python package that the work needs is not installed
    ├── SchemaError      Cassandra's tables are not the ones this version needs
    ├── StateError       a stored state cannot be read by this version; its batch waits
    └── ModelError       a model file is missing, corrupt or of the wrong shape

Bad *data* is never an exception: see `records.Rejection`.
"""


class StormwatchError(Exception):
    """Base of all. `str()` says what happened, why it matters and what to do next."""


class SettingsError(StormwatchError):
    """A setting has no usable value. Names the key and what is allowed."""


class InfrastructureError(StormwatchError):
    """Something outside did not answer in time. Retrying the same work is right and safe."""


class BrokerUnavailable(InfrastructureError):
    """Kafka did not answer or did not confirm a send."""


class BrokerRefused(BrokerUnavailable):
    """Kafka answered, and refused: a right, a size, a group, a way in. The sentence says what a
    person has to do. Trying the same again is safe, and goes well once that is done."""


class StoreUnavailable(InfrastructureError):
    """Cassandra did not answer or did not confirm a read or write."""


class RegistryUnavailable(InfrastructureError):
    """The schema registry did not answer, or not with a schema."""


class Overtaken(InfrastructureError):
    """A later try at the same work was begun: this one is nobody's any more."""


class FatalError(StormwatchError):
    """Going on would be wrong. The process ends and says this."""


class TopicError(FatalError):
    """The topic was recreated, truncated or lost records that were never read."""


class PackageMissing(FatalError):
    """A Python package is not installed; the sentence names it. Only a new process finds it."""


class SchemaError(FatalError):
    """Tables are absent, older, newer or were laid out with other settings."""


class StateError(FatalError):
    """A state blob has a version this code cannot read. In a bolt the batch is tried again, until a
    version runs that can."""


class ModelError(FatalError):
    """A model artefact cannot be used; the sentence names the file and the mend."""


SUSPECTED = "was alone in work when its process died"
"""Said at a start after a death that is counted on one record: `storm` knows it by these words."""


def lasting(told: str) -> str:
    """The sentence of the SettingsError or TopicError in a traceback; "" where there is none.

    A process that is started again ends with it again, until a person has acted.
    """
    heads = tuple(f"{kind.__module__}.{kind.__name__}: " for kind in (SettingsError, TopicError))
    for line in reversed(told.splitlines()):
        if line.startswith(heads):
            return line.partition(": ")[2]
    return ""
