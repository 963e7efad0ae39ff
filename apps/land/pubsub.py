"""Google Pub/Sub as a source: pulled, leases extended, acknowledged after Kafka's flush.

By `pull` and not by callbacks: one batch in flight keeps the order of an ordering key. Never
nacked: what is nacked may come behind what was published after it.
"""

import logging
from collections.abc import Sequence
from typing import Any

from apps.land.intake import Message
from stormwatch.errors import InfrastructureError, PackageMissing, SettingsError

logger = logging.getLogger(__name__)

LEASE_S = 60
"""How long a message is ours, from its arrival and from each `hold`."""
CALL_S = 10.0
IDS_AT_ONCE = 1_000
_ACTS = {
    "NotFound": "Create it first: `gcloud pubsub subscriptions create` (docs/on-pubsub.md).",
    "PermissionDenied": "Give this identity the role roles/pubsub.subscriber.",
    "Unauthenticated": "Sign in: `gcloud auth application-default login`.",
    "InvalidArgument": "Write --subscription projects/PROJECT/subscriptions/NAME.",
}


class PubSubIntake:
    """One subscription."""

    def __init__(self, subscription: str) -> None:
        try:
            from google.api_core import exceptions
            from google.auth.exceptions import GoogleAuthError
            from google.cloud import pubsub_v1
        except ImportError as error:
            raise PackageMissing(
                "Pub/Sub needs the package google-cloud-pubsub: "
                "`.venv/bin/pip install -c constraints.txt -r requirements/pubsub.txt`."
            ) from error
        self._subscription = subscription
        self._errors: Any = exceptions
        try:
            self._client: Any = pubsub_v1.SubscriberClient()
        except GoogleAuthError as error:
            raise SettingsError(
                "Google does not know who asks: set GOOGLE_APPLICATION_CREDENTIALS, run "
                "`gcloud auth application-default login`, or set PUBSUB_EMULATOR_HOST for the "
                f"emulator ({str(error).splitlines()[0][:200]})."
            ) from error

    def take(self, most: int, timeout: float) -> list[Message]:
        """See Intake. Raises SettingsError for what a person has to mend."""
        try:
            answer = self._client.pull(
                subscription=self._subscription, max_messages=most, retry=None,
                timeout=max(timeout, 0.1),
            )  # fmt: skip
        except self._errors.DeadlineExceeded:
            return []
        except self._errors.GoogleAPICallError as error:
            raise self._told(error) from error
        found = [
            Message(
                got.message.data, got.message.message_id, got.message.ordering_key.encode() or None,
                got.ack_id,
            )
            for got in answer.received_messages
        ]  # fmt: skip
        if found:
            self.hold(found)
        return found

    def hold(self, messages: Sequence[Message]) -> None:
        """See Intake."""
        self._tell(messages, self._client.modify_ack_deadline, ack_deadline_seconds=LEASE_S)

    def done(self, messages: Sequence[Message]) -> None:
        """See Intake."""
        self._tell(messages, self._client.acknowledge)

    def close(self) -> None:
        """See Intake."""
        self._client.close()

    def _tell(self, messages: Sequence[Message], call: Any, **more: Any) -> None:
        ids = [message.handle for message in messages]
        for first in range(0, len(ids), IDS_AT_ONCE):
            try:
                call(
                    subscription=self._subscription, ack_ids=ids[first : first + IDS_AT_ONCE],
                    timeout=CALL_S, **more,
                )  # fmt: skip
            except self._errors.GoogleAPICallError as error:
                logger.warning("Pub/Sub: %s; the messages come again", error.message)

    def _told(self, error: Any) -> Exception:
        kind = type(error).__name__
        if kind in _ACTS:
            return SettingsError(f"Pub/Sub, {self._subscription}: {error.message}. {_ACTS[kind]}")
        return InfrastructureError(f"Pub/Sub did not answer: {error.message}; trying again.")
