"""confluent-kafka: connection options, its log, and the translation of its errors."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from stormwatch.adapters.kafka import auth_errors as way_in
from stormwatch.adapters.kafka import buffered_source as common
from stormwatch.adapters.kafka.client_log import Sparingly, plain
from stormwatch.errors import BrokerUnavailable, SettingsError
from stormwatch.ingest.commit_metadata import metadata_text
from stormwatch.settings import Settings

logger = logging.getLogger(__name__)
logger.addFilter(Sparingly())


def connection(settings: Settings) -> dict[str, Any]:
    """Options of every client: where, and as whom."""

    def told(error: KafkaError) -> None:
        logger.warning("Kafka: %s", error.str())
        way_in.hear(settings.kafka_bootstrap, plain(error.str()))

    options: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_bootstrap,
        "client.id": "stormwatch",
        "security.protocol": settings.kafka_security_protocol,
        "log_level": 4,
        "socket.timeout.ms": int(settings.kafka_request_timeout_s * 1000),
        "reconnect.backoff.max.ms": common.RECONNECT_MS,
        "error_cb": told,
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        options |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_username,
            "sasl.password": settings.kafka_password,
        }
    if certificate := common.certificate(settings):
        options["ssl.ca.location"] = certificate
    return options


def opened(client: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """The client, its log going to `logging`. Raises SettingsError where it refuses an option."""
    try:
        return client(dict(options), logger=logger)
    except KafkaException as error:
        raise SettingsError(
            f"confluent-kafka refuses the settings kafka.*: {error.args[0].str()}. Correct them."
        ) from error


def metadata_of(committed: Any) -> str:
    """A commit's metadata, whatever client wrote it.

    librdkafka keeps it without a closing NUL where its writer sent none, and the binding then reads
    on behind it: bytes that may be no text.
    """
    try:
        return metadata_text(committed.metadata)
    except UnicodeDecodeError as error:
        return metadata_text(error.object)


def translate(what: str, bootstrap: str, error: KafkaError) -> BrokerUnavailable:
    """The one place where this driver's errors become ours."""
    return common.failure(what, bootstrap, error.code(), plain(error.str()))
