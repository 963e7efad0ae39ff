"""A Kafka with TLS and SASL and a Cassandra with TLS and a user, as somebody else runs them."""

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from cassandra.cluster import Session
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from apps.local.services import cassandra, kafka, ports
from apps.local.services.health import listens
from apps.local.services.home import Home, Progress
from apps.local.services.plan import ServicePlan
from stormwatch.adapters.cassandra.session import open_session
from stormwatch.adapters.kafka.confluent.connection import connection
from stormwatch.errors import StoreUnavailable
from stormwatch.settings import Settings, variable

USER, PASSWORD = "watcher", "s3cret-of-the-watcher"
SCRAM = "SCRAM-SHA-512"

_EXTENSIONS = """\
subjectAltName=IP:127.0.0.1
basicConstraints=CA:FALSE
authorityKeyIdentifier=keyid
"""
_KAFKA = """
listeners=SASL_SSL://{host}:{broker},CONTROLLER://{host}:{controller}
listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SASL_SSL
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config={login}.plain.PlainLoginModule required \
  username="{user}" password="{password}" user_{user}="{password}";
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={login}.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={pem}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
"""
_CASSANDRA = """
authenticator: PasswordAuthenticator
client_encryption_options:
  enabled: true
  optional: false
  keystore: {pem}
  truststore: {ca}
  ssl_context_factory:
    class_name: org.apache.cassandra.security.PEMBasedSslContextFactory
"""


@dataclass(frozen=True)
class Certificates:
    """Files that openssl made: `ca` signed what is in `pem`; `stranger` signed nothing."""

    ca: Path
    pem: Path
    stranger: Path


def certificates(directory: Path) -> Certificates:
    """An authority, and a key with its certificate for 127.0.0.1."""
    directory.mkdir()

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    key = ["-newkey", "rsa:2048", "-nodes"]
    for name in ("ca", "stranger"):
        own = ["-x509", *key, "-days", "2", "-subj", f"/CN={name}"]
        openssl("req", *own, "-keyout", f"{name}.key", "-out", f"{name}.crt")
    openssl("req", *key, "-subj", "/CN=services", "-keyout", "own.key", "-out", "own.csr")
    (directory / "extensions").write_text(_EXTENSIONS)
    signed = ["-req", "-in", "own.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"]
    openssl("x509", *signed, "-days", "2", "-extfile", "extensions", "-out", "own.crt")
    parts = ("own.key", "own.crt", "ca.crt")
    (directory / "own.pem").write_text("".join((directory / p).read_text() for p in parts))
    return Certificates(*(directory / name for name in ("ca.crt", "own.pem", "stranger.crt")))


def plans(made: Certificates) -> dict[str, Callable[[Home, Progress], ServicePlan]]:
    """Both services on free ports; whoever starts them takes them along when it ends."""
    return {
        kafka.NAME: partial(_kafka, made=made),
        cassandra.NAME: partial(_cassandra, made=made),
    }


def settings_for(plain: Settings, made: Certificates) -> Settings:
    """What a person sets to use them; PLAIN, and the fast client."""
    return replace(
        plain,
        kafka_client="confluent",
        kafka_security_protocol="SASL_SSL",
        kafka_username=USER,
        kafka_password=PASSWORD,
        kafka_ssl_ca=str(made.ca),
        kafka_request_timeout_s=5.0,
        cassandra_username=USER,
        cassandra_password=PASSWORD,
        cassandra_ssl_ca=str(made.ca),
    )


def admit(settings: Settings) -> None:
    """Give the user its SCRAM credentials in Kafka and its role in Cassandra."""
    scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    user = UserScramCredentialUpsertion(USER, scram, PASSWORD.encode())
    admin = AdminClient(connection(settings))
    for future in admin.alter_user_scram_credentials([user]).values():
        future.result(30)
    session = _first_session(settings)
    try:
        session.execute(f"CREATE ROLE {USER} WITH PASSWORD = '{PASSWORD}' AND LOGIN = true")
    finally:
        session.cluster.shutdown()


def _first_session(settings: Settings) -> Session:
    """As the user that Cassandra makes for itself, a moment after it accepts connections."""
    first = replace(settings, cassandra_username="cassandra", cassandra_password="cassandra")
    end = time.monotonic() + 60
    while True:
        try:
            return open_session(first)
        except StoreUnavailable:
            if time.monotonic() > end:
                raise
            time.sleep(1)


def environ(settings: Settings, changed: Mapping[str, str]) -> dict[str, str]:
    """The settings that lead to them, some changed by key, as environment variables."""
    keys = (
        "kafka.bootstrap", "kafka.client", "kafka.security_protocol", "kafka.sasl_mechanism",
        "kafka.username", "kafka.password", "kafka.ssl_ca", "kafka.request_timeout_s",
        "cassandra.contact_points", "cassandra.port", "cassandra.username", "cassandra.password",
        "cassandra.ssl_ca",
    )  # fmt: skip
    given = {key: str(getattr(settings, key.replace(".", "_"))) for key in keys}
    return {variable(key): value for key, value in (given | dict(changed)).items()}


def _kafka(home: Home, progress: Progress, made: Certificates) -> ServicePlan:
    broker = ports.free()
    plan = kafka.plan(home, progress, broker, ports.free(taken=[broker]))
    config = Path(plan.command[-1])
    secure = _KAFKA.format(
        host=ports.HOST,
        **plan.ports,
        login="org.apache.kafka.common.security",
        user=USER,
        password=PASSWORD,
        pem=made.pem,
        ca=made.ca,
    )
    config.write_text(config.read_text() + secure)  # of two lines for a key the last one holds
    return replace(plan, ready=partial(listens, ports.HOST, broker), with_parent=True)


def _cassandra(home: Home, progress: Progress, made: Certificates) -> ServicePlan:
    native = ports.free()
    plan = cassandra.plan(home, progress, native, ports.free(taken=[native]))
    config = home.run_dir / cassandra.NAME / "cassandra.yaml"
    config.write_text(config.read_text() + _CASSANDRA.format(pem=made.pem, ca=made.ca))
    java, *rest = plan.command
    quick = ["-Dcassandra.superuser_setup_delay_ms=0"]
    return replace(
        plan,
        command=[java, *quick, *rest],
        ready=partial(listens, ports.HOST, native),
        with_parent=True,
    )
