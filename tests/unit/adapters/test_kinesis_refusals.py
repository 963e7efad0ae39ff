"""What AWS' answers mean, by the answers themselves. No server."""

from typing import Any

import pytest

from stormwatch.adapters.kinesis.client import Absent, Client, Expired, Throttled, Trimmed
from stormwatch.errors import BrokerRefused, BrokerUnavailable
from stormwatch.settings import Settings

pytest.importorskip("boto3", reason="pip install -r requirements/kinesis.txt")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    return Client(Settings(kinesis_region="eu-central-1"), "payments")


@pytest.mark.parametrize(("code", "kind", "words"), [
    ("UnrecognizedClientException", BrokerRefused, "Correct the access key"),
    ("InvalidSignatureException", BrokerRefused, "Correct the secret key"),
    ("ExpiredTokenException", BrokerRefused, "Sign in again"),
    ("AccessDeniedException", BrokerRefused, "kinesis:DescribeStreamSummary"),
    ("ResourceNotFoundException", Absent, "said"),
    ("ProvisionedThroughputExceededException", Throttled, "said"),
    ("ExpiredIteratorException", Expired, "said"),
    ("InvalidArgumentException", Trimmed, "said"),
    ("InternalFailure", BrokerUnavailable, "did not return records of payments"),
])  # fmt: skip
def test_each_answer_is_what_it_means_in_one_sentence(
    client: Client, monkeypatch: pytest.MonkeyPatch, code: str, kind: type[Exception], words: str
) -> None:
    from botocore.exceptions import ClientError

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "said"}}, "GetRecords")

    monkeypatch.setattr(client._client, "get_records", refuse)
    with pytest.raises(kind, match=words) as told:
        client.records("iterator", 10)
    assert "\n" not in str(told.value)


def test_without_credentials_the_next_step_is_said(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.exceptions import NoCredentialsError

    def refuse(**_: Any) -> None:
        raise NoCredentialsError

    monkeypatch.setattr(client._client, "describe_stream_summary", refuse)
    with pytest.raises(BrokerRefused, match="aws configure"):
        client.shards()
