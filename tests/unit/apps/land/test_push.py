"""HTTP push: what is answered is what is in the log."""

import json
import threading
import time
from collections.abc import Iterator

import msgspec
import pytest

from apps.land import push
from apps.land.tokens import allow, tokens
from apps.land.verdicts import records_of, seconds
from stormwatch.errors import SettingsError
from stormwatch.partitioner import stripe_of
from stormwatch.records import Decision, DecisionRow, Fragment, LedgerRow, Outcomes, Reason
from tests.models.pushed import SETTINGS, TOKEN, Pushed, payment, pushed

T0 = 1_767_225_600_000
"""Of the payments."""


@pytest.fixture(scope="module")
def lander() -> Iterator[Pushed]:
    with pushed("transactions", "readings", "posts") as made:
        yield made


def test_a_batch_is_landed_keyed_and_told_record_by_record(lander: Pushed) -> None:
    before = len(lander.landed("transactions"))
    body = b"\n".join([payment(1), b"", b"{", payment(2, currency="XXX"), payment(3)]) + b"\n"
    status, told = lander.post("transactions", body)
    assert (status, told["accepted"], told["refused"]) == (200, 2, 2)
    assert [r["status"] for r in told["records"]] == ["accepted", "refused", "refused", "accepted"]
    assert told["records"][0] == {
        "status": "accepted", "id": "p1", "entity": "c1", "time": T0,
    }  # fmt: skip
    assert [r.get("code") for r in told["records"]] == [None, "not_json", "unknown_currency", None]
    assert told["records"][2]["field"] == "currency"
    there = lander.landed("transactions")
    assert len(there) == before + 2
    assert {(b"c1", payment(1)), (b"c3", payment(3))} <= set(there)


def test_one_record_over_several_lines_is_one_where_the_body_is_json(lander: Pushed) -> None:
    body = json.dumps(json.loads(payment(10)), indent=1).encode()
    status, told = lander.post("transactions", body, "application/json; charset=utf-8")
    assert (status, told["accepted"]) == (200, 1)
    assert (b"c3", body) in lander.landed("transactions")


def test_nothing_is_landed_of_what_is_refused_whole(lander: Pushed) -> None:
    before = lander.landed("transactions")
    large = b'{"id": "' + b"x" * SETTINGS.record_max_bytes + b'"}'
    status, told = lander.post("transactions", large)
    assert (status, told["records"][0]["code"]) == (422, "too_large")
    for body, said in ((b"", "no record"), (b" \n\n", "no record")):
        status, told = lander.post("transactions", body)
        assert status == 422 and said in told["error"]
    status, told = lander.post("transactions", b"\n".join([b"{}"] * (push.RECORDS + 1)))
    assert status == 413 and "in pieces" in told["error"]
    assert lander.landed("transactions") == before


def test_who_has_no_token_is_told_so_and_writes_nothing(lander: Pushed) -> None:
    before = lander.landed("transactions")
    for token in ("", "wrong", TOKEN + "x", "t\u00f6k"):
        status, told = lander.post("transactions", payment(1), token=token)
        assert status == 401 and "Authorization: Bearer" in told["error"]
    assert lander.landed("transactions") == before


def test_a_topic_that_is_not_landed_is_named_with_those_that_are(lander: Pushed) -> None:
    status, told = lander.post("elsewhere", payment(1))
    assert status == 404 and "posts, readings, transactions" in told["error"]
    status, told = lander.post("transactions", payment(1), asked="?wait=soon")
    assert status == 422 and "wait=200ms" in told["error"]
    status, told = lander.post("posts", b"{}", asked="?wait=1s")
    assert status == 422 and "several decisions" in told["error"]


def test_while_kafka_is_away_the_answer_says_send_again(lander: Pushed) -> None:
    lander.broker.down()
    try:
        status, told = lander.post("transactions", payment(20))
        assert status == 503 and "send all of them again" in told["error"]
    finally:
        lander.broker.up()
    status, _ = lander.post("transactions", payment(20))
    assert status == 200 and (b"c6", payment(20)) in lander.landed("transactions")
    figures = lander.get("/metrics")
    assert 'stormwatch_land_turned_away_total{status="503"} 1.0' in figures
    assert "stormwatch_land_memory_bytes 0.0" in figures
    assert lander.get("/healthz") == "ok"


def test_a_decision_that_comes_in_time_is_in_the_answer(lander: Pushed) -> None:
    def decide() -> None:
        while (b"waits", payment(30, "waits")) not in lander.landed("transactions"):
            time.sleep(0.005)
        decision = Decision(
            "p30", "waits", T0, "review", 0.5, (Reason("r", "in words"),), (), "f", "m", "r",
            "transactions", 0, 0, T0,
        )  # fmt: skip
        row = DecisionRow(
            stripe_of("waits", SETTINGS.layout_stripes), "waits", T0, "p30", "review", 0.5,
            msgspec.json.encode(decision), T0, True,
        )  # fmt: skip
        fragment = Fragment("transactions", 0, 0, 0, 0, 0, 0)
        ledger = LedgerRow(fragment, "score", {}, 0)
        lander.store.write_outcomes(Outcomes(fragment, "fraud", 1, [row], [], [], ledger, [], []))

    deciding = threading.Thread(target=decide)
    deciding.start()
    body = payment(30, "waits") + b"\n" + payment(31, "never")
    status, told = lander.post("transactions", body, asked="?wait=1s")
    deciding.join()
    assert status == 200
    assert told["records"][0]["decision"] == {
        "outcome": "review", "score": 0.5, "alert": True, "reasons": ["in words"],
    }  # fmt: skip
    assert "decision" not in told["records"][1]


def test_what_would_not_fit_into_memory_is_sent_back_with_429(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(push.application, "__defaults__", (1_000,))
    with pushed("transactions") as lander:
        body = b"\n".join(payment(n) for n in range(20))
        status, told = lander.post("transactions", body)
        assert status == 429 and "in a moment" in told["error"]
        assert lander.post("transactions", payment(1))[0] == 200
        assert lander.landed("transactions") == [(b"c1", payment(1))]


def test_what_was_received_before_the_end_is_written() -> None:
    with pushed("transactions") as lander:
        told: list[int] = []
        threads = [
            threading.Thread(
                target=lambda n=n: told.append(lander.post("transactions", payment(n))[0])
            )
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        while len(told) < 4:
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert len(lander.landed("transactions")) >= told.count(200) >= 4


def test_the_body_in_records() -> None:
    assert records_of(b"a\r\n\n b \n", "") == [b"a", b"b"]
    assert records_of(b"{\n}", "Application/JSON") == [b"{\n}"]
    assert [seconds(text, 30) for text in ("200ms", "1.5s", "99s", "2", "-1s", "")] == [
        0.2, 1.5, 30, None, None, None,
    ]  # fmt: skip


def test_tokens_are_made_once_for_their_owner_alone(tmp_path) -> None:
    _, where = tokens(tmp_path, None, {})
    made = (tmp_path / "land-tokens").read_text().strip()
    assert str(tmp_path) in where and len(made) > 30
    assert (tmp_path / "land-tokens").stat().st_mode & 0o077 == 0
    again, _ = tokens(tmp_path, None, {})
    assert again(f"Bearer {made}") and again(f"bearer  {made} ")
    assert not again(made) and not again(f"Basic {made}") and not again("Bearer ")
    other, where = tokens(tmp_path, None, {"STORMWATCH_LAND_TOKENS": "a" * 16 + "," + "b" * 16})
    assert other("Bearer " + "b" * 16) and not other(f"Bearer {made}")
    with pytest.raises(SettingsError, match="16 characters"):
        allow("short", "the file")
    with pytest.raises(SettingsError, match="leave --tokens out"):
        tokens(tmp_path, tmp_path / "absent", {})
