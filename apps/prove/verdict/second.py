"""What is kept by a second key, held against the log: each visit counted once. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from apps.prove.verdict.judge import Finding
from stormwatch.state.envelope import EnvelopeCodec
from stormwatch.state.second_key import SecondKey

TABLE = "states"


def expected(second: SecondKey[Any, Any, Any], events: Iterable[Any]) -> dict[str, bytes]:
    """Key -> its state, encoded, once it has learned all these events: of an id the first one, as
    stands first in its partition."""
    met: dict[str, set[str]] = defaultdict(set)
    states: dict[str, Any] = {}
    for event in events:
        for visit in second.visits(event):
            if visit.id not in met[visit.entity]:
                met[visit.entity].add(visit.id)
                state = states.setdefault(visit.entity, second.new_state())
                second.learn(state, visit)
    return {key: msgspec.msgpack.encode(state) for key, state in states.items()}


def differences(
    second: SecondKey[Any, Any, Any], want: Mapping[str, bytes], have: Mapping[str, bytes]
) -> Iterator[Finding]:
    """Of each key whose stored state, an envelope, has learned other visits. In whatever order they
    were learned: by the second key's own word that makes no difference."""
    codec: EnvelopeCodec[Any] = EnvelopeCodec(second.state, second.new_state)
    for key in sorted(want.keys() | have.keys()):
        name = repr((second.name, key))
        if key not in have or key not in want:
            yield Finding("extra" if key in have else "missing", TABLE, name)
            continue
        found = msgspec.msgpack.encode(codec.decode(have[key], key).body)
        if found != want[key]:
            yield Finding("different", TABLE, name, f"{found!r}, not {want[key]!r}")
