"""Features are declared once, each under a name of its own."""

import pytest

from stormwatch.features import Feature, names, table

COUNT = Feature("count_1h", "payments in the hour before", window="1 h")


def test_names_are_in_order_and_none_is_there_twice() -> None:
    assert names([COUNT, Feature("amount", "its amount", "points")]) == ("count_1h", "amount")
    with pytest.raises(ValueError, match="count_1h"):
        names([COUNT, COUNT])


def test_the_table_tells_which_were_designed_knowing_a_simulator() -> None:
    text = table([COUNT, Feature("run", "length of the run", knows_simulator=True)])
    assert "| `count_1h` | payments in the hour before |  | 1 h | 0 |" in text
    assert "length of the run (designed knowing a simulator)" in text
