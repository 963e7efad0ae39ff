"""Why a broker lets nobody in: TLS and users, in the words of both drivers.

confluent-kafka tells it to a callback alone; the call itself only ends with a time-out.
"""

import time

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
_EITHER = f"see `./stormwatch doctor` that it runs. If it asks for TLS or a user: {_TLS} {_USER}"
"""kafka-python says no more than that no broker let it in."""
_WORDS = {
    "sasl": _USER, "authentication": _USER, "ssl": _TLS, "certificate": _TLS,
    "unable to bootstrap": _EITHER,
}  # fmt: skip

_heard: dict[str, tuple[float, str]] = {}


def advice(detail: str) -> str:
    """Which settings to correct; "" where a driver speaks of neither TLS nor a user."""
    text = detail.lower().replace("sasl_ssl://", "")
    return next((said for word, said in _WORDS.items() if word in text), "")


def hear(bootstrap: str, detail: str) -> None:
    """Keep what a driver said of these brokers if it is about the way in."""
    if advice(detail):
        _heard[bootstrap] = (time.monotonic(), detail)


def heard(bootstrap: str) -> str:
    """What was kept in the last half minute, else ""."""
    at, detail = _heard.get(bootstrap, (0.0, ""))
    return detail if detail and time.monotonic() - at < _FRESH_S else ""
