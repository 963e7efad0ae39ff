"""The state cache stays within its bytes and forgets the least recently used."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from stormwatch.state.cache import OVERHEAD, Entry, StateCache

operation = st.tuples(
    st.sampled_from(["put", "get", "drop"]), st.integers(0, 9), st.integers(0, 500)
)


@given(st.lists(operation, max_size=80), st.integers(OVERHEAD, 4000))
def test_against_a_list_in_order_of_use(operations, limit):
    cache, model = StateCache(limit), {}

    def cost(name, entry):
        return OVERHEAD + len(name) + len(entry.blob)

    for kind, key, size in operations:
        name = f"k{key}"
        if kind == "put":
            model.pop(name, None)
            model[name] = Entry(key, b"x" * size)
            cache.put(name, model[name])
            while sum(cost(n, e) for n, e in model.items()) > limit:
                del model[next(iter(model))]
        elif kind == "get":
            assert cache.get(name) == model.get(name)
            if name in model:
                model[name] = model.pop(name)
        else:
            cache.drop(name)
            model.pop(name, None)
        assert len(cache) == len(model)
        assert cache.size == sum(cost(n, e) for n, e in model.items()) <= limit


def test_the_overhead_is_honest():
    name, blob = "customer-000001", bytes(300)
    entry = Entry(1, blob)
    table: dict[str, Entry] = {str(i): entry for i in range(10_000)}
    slot = sys.getsizeof(table) / len(table) * 2  # an OrderedDict keeps a second table of links
    real = sys.getsizeof(name) + sys.getsizeof(blob) + sys.getsizeof(entry) + slot
    assert OVERHEAD + len(name) + len(blob) >= real * 0.9
