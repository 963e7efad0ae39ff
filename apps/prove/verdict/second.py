"""What is kept by a second key, held against the log: each visit counted once. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from apps.prove.verdict.judge import Finding
from stormwatch.codec import Parsed
from stormwatch.state.envelope import EnvelopeCodec
from stormwatch.state.news import is_news
from stormwatch.state.second_key import SecondKey

TABLE = "states"


class Learned:
    """What a second key has to know: all events of the logs, of an id of a key the first one."""

    def __init__(self, second: SecondKey[Any, Any, Any]) -> None:
        self._second = second
        self._met: dict[str, set[str]] = defaultdict(set)
        self._states: dict[str, Any] = {}

    def look(self, parsed: Parsed[Any]) -> None:
        """The next batch; each partition's in the order of its offsets."""
        for _, _, event in parsed.events:
            for visit in self._second.visits(event):
                key = visit.entity
                if visit.id not in self._met[key]:
                    self._met[key].add(visit.id)
                    state = self._states.setdefault(key, self._second.new_state())
                    self._second.learn(state, visit)

    def states(self) -> dict[str, bytes]:
        """Key -> its state, encoded."""
        return {key: msgspec.msgpack.encode(state) for key, state in self._states.items()}


def differences(
    second: SecondKey[Any, Any, Any], want: Mapping[str, bytes], have: Mapping[str, bytes]
) -> Iterator[Finding]:
    """Of each key whose stored state, an envelope, has learned other visits. In whatever order they
    were learned: by the second key's own word that makes no difference."""
    codec: EnvelopeCodec[Any] = EnvelopeCodec(second.state, second.new_state)
    keys = {key for key in have if not is_news(key)}
    for key in sorted(want.keys() | keys):
        name = repr((second.name, key))
        if key not in have or key not in want:
            yield Finding("extra" if key in have else "missing", TABLE, name)
            continue
        found = msgspec.msgpack.encode(codec.decode(have[key], key).body)
        if found != want[key]:
            yield Finding("different", TABLE, name, f"{found!r}, not {want[key]!r}")
