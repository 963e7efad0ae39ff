"""MQTT as a source: QoS 1, a session that the broker keeps, acknowledged after Kafka's flush."""

import logging
import queue
import time
from collections.abc import Sequence
from threading import Lock
from typing import Any, NamedTuple

from apps.land.intake import Message
from stormwatch.errors import InfrastructureError, PackageMissing, SettingsError

logger = logging.getLogger(__name__)

MOST = 2_000
"""Messages in memory: beyond it the network thread waits, and with it the broker."""
_FINAL = {"Bad user name or password", "Not authorized", "Client identifier not valid"}


class Broker(NamedTuple):
    """Where, as whom, and what to read."""

    host: str
    port: int
    filter: str
    client: str  # names the session that the broker keeps
    username: str = ""
    password: str = ""
    tls_ca: str = ""
    tls: bool = False


class _Handle(NamedTuple):
    mid: int
    qos: int
    connection: int


class MqttIntake:
    """A message's number says which it is within a connection only: so one that came by a
    connection that is lost is not acknowledged by the next, where the number may be another's."""

    def __init__(self, broker: Broker) -> None:
        try:
            from paho.mqtt import client as paho
        except ImportError as error:
            raise PackageMissing(
                "MQTT needs the package paho-mqtt: "
                "`.venv/bin/pip install -c constraints.txt -r requirements/mqtt.txt`."
            ) from error
        self._broker = broker
        self._waiting: queue.Queue[Message] = queue.Queue(MOST)
        self._lock, self._connection, self._connections = Lock(), 0, 0
        self._refused, self._away = "", f"the MQTT broker {broker.host}:{broker.port} is not there"
        self._closed = False
        self._client: Any = paho.Client(
            paho.CallbackAPIVersion.VERSION2, broker.client, clean_session=False, manual_ack=True
        )
        if broker.username:
            self._client.username_pw_set(broker.username, broker.password)
        if broker.tls or broker.tls_ca:
            try:
                self._client.tls_set(broker.tls_ca or None)
            except OSError as error:
                raise SettingsError(
                    f"--tls-ca {broker.tls_ca} cannot be used: {error}. Give the PEM file of the "
                    "certificate authority."
                ) from error
        self._client.reconnect_delay_set(1, 5)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.connect_async(broker.host, broker.port, keepalive=30)
        self._client.loop_start()

    def take(self, most: int, timeout: float) -> list[Message]:
        """See Intake. Raises SettingsError where the broker lets nobody in by these settings."""
        if self._refused:
            raise SettingsError(
                f"The MQTT broker {self._broker.host}:{self._broker.port} refused: "
                f"{self._refused}. Check --username, STORMWATCH_MQTT_PASSWORD and --client."
            )
        found = []
        try:
            found.append(self._waiting.get(timeout=timeout))
            while len(found) < most:
                found.append(self._waiting.get_nowait())
        except queue.Empty:
            if not found and not self._connection:
                raise InfrastructureError(f"{self._away}; trying again.") from None
        return found

    def hold(self, messages: Sequence[Message]) -> None:
        """See Intake. The broker waits by itself."""

    def done(self, messages: Sequence[Message]) -> None:
        """See Intake."""
        for message in messages:
            with self._lock:
                if message.handle.connection == self._connection:
                    self._client.ack(message.handle.mid, message.handle.qos)

    def close(self) -> None:
        """See Intake. Waits a moment until acknowledgements have left."""
        self._closed = True
        until = time.monotonic() + 2
        while self._client.want_write() and time.monotonic() < until:
            time.sleep(0.01)
        self._client.disconnect()
        while not self._waiting.empty():  # the network thread may wait for room
            self._waiting.get_nowait()
        self._client.loop_stop()

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._away = f"the MQTT broker answered: {reason}"
            if str(reason) in _FINAL:
                self._refused = str(reason)
            return
        with self._lock:
            self._connections += 1
            self._connection = self._connections
        client.subscribe(self._broker.filter, qos=1)

    def _on_disconnect(
        self, client: Any, data: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        with self._lock:
            self._connection = 0
        if not self._closed:
            self._away = f"the connection to the MQTT broker was lost: {reason}"
            logger.warning("%s", self._away)

    def _on_message(self, client: Any, data: Any, message: Any) -> None:
        handle = _Handle(message.mid, message.qos, self._connections)
        got = Message(bytes(message.payload), "", message.topic.encode(), handle)
        while not self._closed:
            try:
                self._waiting.put(got, timeout=0.5)
                return
            except queue.Full:
                continue
