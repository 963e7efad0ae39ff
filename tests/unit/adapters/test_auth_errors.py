"""What both drivers say of TLS and users becomes the settings to correct."""

import pytest

from stormwatch.adapters.kafka import auth_errors
from stormwatch.adapters.kafka.buffered_source import failure
from stormwatch.errors import BrokerRefused, BrokerUnavailable

USER, CA = "STORMWATCH_KAFKA_PASSWORD", "STORMWATCH_KAFKA_SSL_CA"


@pytest.mark.parametrize(
    ("detail", "setting"),
    [
        ("sasl_ssl://h:1/bootstrap: SASL authentication error: Authentication failed", USER),
        ("SaslAuthenticationFailedError: invalid credentials with SASL mechanism PLAIN", USER),
        ("sasl_ssl://h:1/bootstrap: SSL handshake failed: certificate verify failed", CA),
        ("SSLCertVerificationError: certificate verify failed: unable to get local issuer", CA),
    ],
)
def test_the_settings_to_correct_are_named(detail: str, setting: str) -> None:
    said = str(failure("describe the topic x", "other:1", 0, detail))
    assert setting in said
    assert detail in said


def test_an_outage_is_not_taken_for_that() -> None:
    assert "doctor" in str(failure("commit", "h:1", 0, "sasl_ssl://h:1/1: Connection refused"))


def test_what_a_callback_heard_is_told_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("stormwatch.adapters.kafka.auth_errors.time.monotonic", lambda: now)
    monkeypatch.setattr(auth_errors, "_heard", {})
    auth_errors.hear("h:1", "3 request(s) timed out")
    assert USER not in str(failure("commit", "h:1", 0, "timed out"))
    auth_errors.hear("h:1", "SASL authentication error")
    assert USER in str(failure("commit", "h:1", 0, "timed out"))
    assert USER not in str(failure("commit", "h:2", 0, "timed out"))
    now += 31.0
    assert USER not in str(failure("commit", "h:1", 0, "timed out"))


def test_only_what_a_person_must_mend_is_a_refusal() -> None:
    kinds = {
        "SASL authentication error: Authentication failed": BrokerRefused,
        "SSL handshake failed: certificate verify failed": BrokerRefused,
        "Connection refused": BrokerUnavailable,
        "Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol "
        "configuration (connecting to a SSL listener?)": BrokerUnavailable,
    }
    for detail, kind in kinds.items():
        assert type(failure("describe", "else:1", 0, detail)) is kind, detail
    for code in (10, 29, 30, 31):
        assert type(failure("send", "else:1", code, "no")) is BrokerRefused


def test_an_answer_that_was_too_large_is_told_once_with_its_size() -> None:
    auth_errors.hear_size("Receive failed: Invalid response size 105000149 (0..100000000)")
    said = str(auth_errors.too_large("t", 100_000_000))
    assert "topic t has 105,000,149 bytes" in said and "kafka-delete-records.sh" in said
    assert auth_errors.too_large("t", 100_000_000) is None
