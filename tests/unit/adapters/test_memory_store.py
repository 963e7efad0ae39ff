"""The store in memory: "one thread may write while others read"."""

from stormwatch.adapters.memory.store import MemoryStore
from stormwatch.records import Fragment, LedgerRow, SetAside


def test_who_reads_while_a_row_is_written_sees_it_whole_or_not_at_all() -> None:
    seen = []

    def now() -> float:
        """The store asks for the time in the middle of a write: a reader comes just then."""
        seen.append(len(store.set_aside("fraud", 10)))
        return 0.0

    store = MemoryStore(now=now)
    bad = SetAside(0, 0, "rejected", "malformed", "", "parse", b"", b"{")
    of = Fragment("transactions", 0, 0, 0, 0, 0, 0)
    store.write_aside("fraud", [bad], LedgerRow(of, "reject", {}, 0), 1)
    assert seen[0] == 0
    assert len(store.set_aside("fraud", 10)) == 1
