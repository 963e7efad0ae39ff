"""Traces of batches, told to a real OTLP receiver: one tree from the spout to the store."""

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice

import msgspec
import pytest

from stormwatch.adapters import connect
from stormwatch.errors import PackageMissing, SettingsError
from stormwatch.settings import Settings
from stormwatch.testing import fragment
from stormwatch.traces import is_chosen, span_id, trace_id
from tests.models.asked import ROOT
from tests.models.serving import serving

ABSENT = "pip install -r requirements/otel.txt"


def test_ids_are_of_the_batch_and_all_who_hold_it_agree() -> None:
    one = fragment(5, 9, topic="t", partition=1)
    again = msgspec.structs.replace(one, attempt=1, last=7)
    assert trace_id(one) == trace_id(again), "a further try is in the same trace"
    assert span_id(one) != span_id(again) and span_id(one) != span_id(one, "parse")
    others = [msgspec.structs.replace(one, **{name: 77})
              for name in ("partition", "epoch", "first", "generation")]  # fmt: skip
    assert len({trace_id(each) for each in [one, *others]}) == 5
    assert 0 < trace_id(one) < 2**128 and 0 < span_id(one) < 2**64
    chosen = [is_chosen(fragment(i, i), 10) for i in range(5_000)]
    assert 400 < sum(chosen) < 600 and is_chosen(one, 1)


def test_they_are_off_and_what_is_wrong_is_said() -> None:
    assert connect.traces(Settings(), "fraud", "parse") is None
    with pytest.raises(SettingsError, match="trace.endpoint is 'localhost:4318', and is no addr"):
        connect.traces(Settings(trace_endpoint="localhost:4318"), "fraud", "parse")
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "import bolts.chain\n"  # off, nothing of it is loaded
        "from stormwatch.adapters import connect; from stormwatch.settings import Settings\n"
        "connect.traces(Settings(trace_endpoint='http://127.0.0.1:1/'), 'fraud', 'parse')"
    )
    environ = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )
    assert f"{PackageMissing.__name__}: trace.endpoint is set" in told.stderr
    assert "requirements/otel.txt" in told.stderr


class Receiver(ThreadingHTTPServer):
    """Takes what exporters of OTLP post."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.spans: list[tuple[str, object]] = []
        """Each with its service's name."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/traces"


class _Taking(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as told

        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        assert self.path == "/v1/traces" and self.headers["Content-Type"].endswith("x-protobuf")
        for of in told.ExportTraceServiceRequest.FromString(body).resource_spans:
            (name,) = [a.value.string_value for a in of.resource.attributes
                       if a.key == "service.name"]  # fmt: skip
            self.server.spans += [(name, span) for s in of.scope_spans for span in s.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    pytest.importorskip("opentelemetry.proto", reason=ABSENT)
    made = Receiver()
    with serving(made):
        yield made


def test_one_batch_is_one_tree_through_spout_parse_score_and_store(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.data.generate.transactions import Transactions
    from apps.local.dev import world
    from apps.local.dev.session import Session
    from stormwatch.adapters import otel
    from stormwatch.adapters.memory.kafka import MemoryAdmin
    from stormwatch.settings import load

    monkeypatch.setenv("STORMWATCH_TRACE_ENDPOINT", receiver.address)
    monkeypatch.setenv("STORMWATCH_TRACE_EVERY", "1")
    with world.environment(world.GENERATED):
        settings = load(root=ROOT)
        with world.opened(settings, lambda outcomes: None) as made:
            topic = settings.topic_transactions
            events = list(islice(Transactions(1, run="r", customers=20), 40))
            for event in events:
                made.broker.append(topic, event.key, event.value)
            session = Session(ROOT, ["fraud"], settings, 1, lambda name, event: None)
            session.start()
            admin = MemoryAdmin(made.broker)
            for _ in range(5_000):
                session.step()
                done = admin.committed(settings.kafka_group, topic)
                if sum(each.offset for each in done.values()) == len(events):
                    break
            session.stop()
    otel._sending(receiver.address, "fraud")[0].shutdown()
    trees: dict[bytes, list[object]] = {}
    for service, span in receiver.spans:
        assert service == "stormwatch.fraud"
        trees.setdefault(span.trace_id, []).append(span)  # type: ignore[attr-defined]
    counted = 0
    for spans in trees.values():
        by_name = {span.name: span for span in spans}  # type: ignore[attr-defined]
        if "parse" not in by_name or "batch" not in by_name:
            continue  # the topic of labels, or the start of reading
        root, parse, decide = by_name["batch"], by_name["parse"], by_name["decide"]
        assert not root.parent_span_id
        assert {parse.parent_span_id, decide.parent_span_id} == {root.span_id}
        for step in ("score", "store"):
            part = by_name[step]
            assert part.parent_span_id == decide.span_id
            assert decide.start_time_unix_nano <= part.end_time_unix_nano
            assert part.end_time_unix_nano <= decide.end_time_unix_nano
        assert by_name["score"].end_time_unix_nano <= by_name["store"].end_time_unix_nano
        assert root.start_time_unix_nano <= parse.start_time_unix_nano
        assert decide.end_time_unix_nano <= root.end_time_unix_nano
        said = {a.key: a.value for a in root.attributes}
        assert said["messaging.destination.name"].string_value == topic
        counted += said["messaging.batch.message_count"].int_value
    assert counted == len(events), "each record is in one tree"


def test_what_fails_is_told_and_a_receiver_that_is_away_is_no_matter(receiver: Receiver) -> None:
    from stormwatch.adapters import otel

    one, root = fragment(0, 2, topic="t"), fragment(0, 2, topic="t")
    traces = otel.Traces(receiver.address, 1, "own", "decide")
    traces.opened("0/0", root)
    with pytest.raises(ValueError, match="odd"), traces.working([one]):
        raise ValueError("odd")
    traces.closed("0/0", "given back")
    traces.closed("0/0")
    otel._sending(receiver.address, "own")[0].shutdown()
    said = {span.name: span.status for _, span in receiver.spans}  # type: ignore[attr-defined]
    assert said["decide"].message == "ValueError: odd" and said["decide"].code == 2
    assert said["batch"].message == "given back" and len(receiver.spans) == 2
    away = otel.Traces("http://127.0.0.1:1/v1/traces", 1, "away", "decide")
    for i in range(otel.OPEN + 5):
        away.opened(str(i), one)
    assert len(away._open) == otel.OPEN
    with away.working([one]):
        away.part("score", 5)
    otel._sending("http://127.0.0.1:1/v1/traces", "away")[0].shutdown()
