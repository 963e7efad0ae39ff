"""What both drivers say of TLS and users becomes the settings to correct."""

import pytest

from stormwatch.adapters.kafka import auth_errors
from stormwatch.adapters.kafka.buffered_source import failure

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
