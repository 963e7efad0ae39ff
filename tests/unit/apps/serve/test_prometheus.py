"""What a Prometheus reads, read back by its own parser."""

from prometheus_client.parser import text_string_to_metric_families

from apps.operate.figures import Look
from apps.serve import answers, prometheus
from stormwatch.metrics import bucket_of
from tests.models.asked import Api, wait

LOOK = Look(
    1, 1, 100, 7, {"scored": 90, "rejected": 3, "rejected:no_key": 3},
    {bucket_of(4): 10, bucket_of(40): 60, bucket_of(400_000): 1}, 5, 2, 3, degraded=4,
    noted={"retry": 6}, labelled={"found": 2, "waiting": 4}, drift={"amount": 0.31},
    skew={"compared": 70},
    alarms={"recall": "By labels recall has fallen"},
)  # fmt: skip
LEDGER = answers.Ledger("fraud", 'odd "topic"\n', {"scored": 90}, 1, 2, 0, False)


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(f"{k}={v}" for k, v in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_every_figure_is_there_with_its_labels() -> None:
    found = samples(prometheus.text({"fraud": LOOK}, [LEDGER], trouble=False))
    assert found["stormwatch_records_total", "domain=fraud", "state=scored"] == 90
    assert found["stormwatch_rejected_total", "code=no_key", "domain=fraud"] == 3
    assert ("stormwatch_records_total", "domain=fraud", "state=rejected:no_key") not in found
    assert found["stormwatch_noted_total", "domain=fraud", "what=retry"] == 6
    assert found["stormwatch_labelled_total", "became=found", "domain=fraud"] == 2
    assert ("stormwatch_labelled_total", "became=waiting", "domain=fraud") not in found
    assert found["stormwatch_skew_total", "domain=fraud", "vectors=compared"] == 70
    assert found["stormwatch_labels_waiting", "domain=fraud"] == 4
    assert found["stormwatch_alarm", "alarm=recall", "domain=fraud"] == 1
    assert found["stormwatch_alerts_total", "domain=fraud"] == 5
    assert found["stormwatch_degraded_total", "domain=fraud"] == 4
    assert found["stormwatch_failed_total", "domain=fraud"] == 2
    assert found["stormwatch_lag_records", "domain=fraud"] == 7
    assert found["stormwatch_tasks", "domain=fraud"] == 3
    assert found["stormwatch_drift_index", "domain=fraud", "feature=amount"] == 0.31
    topic = 'topic=odd "topic"\n'
    assert found["stormwatch_ledger_unaccounted", "domain=fraud", topic] == 1
    assert found["stormwatch_trouble",] == 0


def test_the_latency_is_a_cumulative_histogram_in_seconds() -> None:
    found = samples(prometheus.text({"fraud": LOOK}, [], trouble=True))
    name = "stormwatch_decision_latency_seconds"
    assert found[f"{name}_bucket", "domain=fraud", "le=0.005"] == 10
    assert found[f"{name}_bucket", "domain=fraud", "le=0.025"] == 10
    assert found[f"{name}_bucket", "domain=fraud", "le=0.05"] == 70
    assert found[f"{name}_bucket", "domain=fraud", "le=300.0"] == 70
    assert found[f"{name}_bucket", "domain=fraud", "le=+Inf"] == 71
    assert found[f"{name}_count", "domain=fraud"] == 71
    assert 402 < found[f"{name}_sum", "domain=fraud"] < 410
    assert found["stormwatch_trouble",] == 1


def test_it_is_served(api: Api) -> None:
    def ledgers() -> bool:
        return b"stormwatch_ledger_unaccounted{" in api.get("/metrics").body

    wait(ledgers)
    answer = api.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert b'stormwatch_lag_records{domain="fraud"}' in answer.body
