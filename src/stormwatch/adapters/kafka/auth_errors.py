"""Why a broker lets nobody in: TLS and users, in the words of both drivers.

confluent-kafka reports it only to a callback; the call itself only ends with a time-out.
"""

import re
import time

from stormwatch.errors import BrokerRefused
from stormwatch.settings import variable

_FRESH_S = 30.0
_TLS = (
    f"Correct {variable('kafka.ssl_ca')} (the authority that signed the brokers' certificates) or "
    f"{variable('kafka.security_protocol')}."
)
_USER = (
    f"Correct {variable('kafka.username')}, {variable('kafka.password')} or "
    f"{variable('kafka.sasl_mechanism')}."
)
_EITHER = f"See `./stormwatch doctor` that it runs. If it asks for TLS or a user: {_TLS} {_USER}"
"""kafka-python says no more than that no broker let it in, librdkafka that a broker hung up."""
_WORDS = {
    "connecting to a ssl listener": _EITHER,  # or a broker that was stopped meanwhile
    "sasl": _USER, "authentication": _USER, "ssl": _TLS, "certificate": _TLS,
    "unable to bootstrap": _EITHER,
}  # fmt: skip

_LARGE = re.compile(r"Invalid (?:response size|frame length:) (\d+)")
_answers: list[tuple[float, int]] = []  # the last that was too large: when, and its bytes
_heard: dict[str, tuple[float, str]] = {}


def advice(detail: str) -> str:
    """Which settings to correct; "" where a driver speaks of neither TLS nor a user."""
    text = detail.lower().replace("sasl_ssl://", "")
    return next((said for word, said in _WORDS.items() if word in text), "")


def refused(detail: str) -> bool:
    """Whether a driver says that we are not let in, and not just that nobody answers."""
    return advice(detail) in (_TLS, _USER)


def hear(bootstrap: str, detail: str) -> None:
    """Keep what a driver said of these brokers if it is about the way in."""
    if advice(detail):
        _heard[bootstrap] = (time.monotonic(), detail)


def heard(bootstrap: str) -> str:
    """What was kept in the last half minute, else ""."""
    at, detail = _heard.get(bootstrap, (0.0, ""))
    return detail if detail and time.monotonic() - at < _FRESH_S else ""


def hear_size(line: str) -> None:
    """Keep what a driver's log says of an answer that it refused for its size: nothing else does.

    It does not say whose; a process reads one topic, or one after the other.
    """
    if found := _LARGE.search(line):
        _answers[:] = [(time.monotonic(), int(found[1]))]


def forget_size() -> None:
    """What was heard so far is of another consumer."""
    _answers.clear()


def too_large(topic: str, limit: int) -> BrokerRefused | None:
    """What to do about an answer that was too large, where one was since this was last asked."""
    at, size = _answers.pop() if _answers else (0.0, 0)
    if not size or time.monotonic() - at >= _FRESH_S:
        return None
    return BrokerRefused(
        f"a batch of records in the topic {topic} has {size:,} bytes, and none above {limit:,} is "
        "read here. Delete it with `kafka-delete-records.sh` (the group's lag shows where reading "
        "stands), which counts it as expired, and lower max.message.bytes of the topic."
    )
