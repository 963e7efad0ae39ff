"""Labels and decisions: what waits, what is told, and when a share has fallen."""

from collections import Counter

from stormwatch.models.by_labels import MOST, ByLabels
from stormwatch.records import DecisionRow

DAY = 86_400_000


def row(entity: str, name: str, time: int, *, alert: bool = False) -> DecisionRow:
    return DecisionRow(0, entity, time, name, "review" if alert else "approve", 0.5, b"", 0, alert)


def test_a_label_waits_until_its_event_is_decided() -> None:
    counts: Counter[str] = Counter()
    found = ByLabels(counts, DAY)
    assert found.wait(("c", "p"), True, 5 * DAY) == []
    assert counts == {"waiting": 1}
    assert found.decided([row("c", "other", 5 * DAY), row("d", "p", 6 * DAY)]) == []
    assert found.decided([row("c", "p", 4 * DAY, alert=True)]) == []
    assert +counts == {"found": 1}


def test_it_is_given_up_once_events_are_past_it_by_the_lateness() -> None:
    counts: Counter[str] = Counter()
    found = ByLabels(counts, DAY)
    found.wait(("c", "p"), True, 5 * DAY)
    found.wait(("c", "q"), False, 7 * DAY)
    assert found.decided([row("d", "x", 6 * DAY)]) == []
    assert found.decided([row("d", "y", 6 * DAY + 1)]) == [("c", "p")]
    assert +counts == {"waiting": 1, "unknown": 1}


def test_no_more_than_so_many_wait() -> None:
    counts: Counter[str] = Counter()
    found = ByLabels(counts, DAY)
    for nth in range(MOST):
        assert not found.wait(("c", f"p{nth}"), True, DAY)
    assert found.wait(("c", "one more"), True, DAY) == [("c", "p0")]
    assert counts == {"waiting": MOST, "unknown": 1}


def test_recall_that_falls_is_told_after_two_windows_and_no_more_once_it_recovers() -> None:
    found = ByLabels(Counter(), DAY)

    def frauds(of_ten: int, windows: int) -> None:
        for nth in range(100 * windows):
            found.answer(True, nth % 10 < of_ten)

    frauds(8, 3)
    assert not found.alarms
    frauds(7, 2)
    assert not found.alarms, "that may be chance"
    frauds(4, 1)
    assert not found.alarms, "once may be chance"
    frauds(4, 1)
    assert found.alarms["recall"].startswith(
        "By labels recall has fallen: of the newest 100 labelled events that deserved an alert, "
        "40% had one, of those before 76%."
    )
    frauds(8, 1)
    assert not found.alarms


def test_precision_is_of_alerts() -> None:
    found = ByLabels(Counter(), DAY, window=50)
    for share in (0.9, 0.9, 0.2, 0.2):
        for nth in range(50):
            found.answer(nth < 50 * share, True)
            found.answer(False, False)
    assert set(found.alarms) == {"precision"}
    assert "of the newest 50 alerts that a label answers, 20% were deserved" in str(found.alarms)
