"""Features that a user adds without editing a domain: one function in a file that a setting names.

The file (docs/own-features.md) has FEATURES, their declarations, and `advance(state, event)`, which
gives a number for each, of what came before the event, and then learns the event in `state`: a
dictionary, empty at first, of what msgpack can hold. It is stored with the entity's state, as bytes
between two events, so that it is the same whatever the batches and however often it is stored.

`parse` holds the file to the laws on events of a domain, and refuses it whole with the law it
breaks. What raises later is set aside with its traceback, as any record that a domain cannot take.
"""

import linecache
from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import isfinite
from typing import Any

import msgspec

from stormwatch.errors import SettingsError
from stormwatch.features import Feature, names

MOST = 2_048
"""Bytes of an entity's state of these features, encoded."""
_WHERE = "<features of the setting>"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, Any]).decode


class OwnFeatures:
    """Of one file."""

    def __init__(
        self,
        features: Sequence[Feature],
        advance: Callable[[dict[str, Any], Any], Sequence[float]],
        version: str,
    ) -> None:
        """`version`: what the feature set is named by."""
        self.features, self.version = tuple(features), version
        self.names = names(features)
        self._advance = advance

    def advance(self, kept: bytes, event: Any) -> tuple[tuple[float, ...], bytes]:
        """The event's numbers, and what is kept after it; `kept`: what was before, b"" at first.

        Raises ValueError for what breaks a law, and whatever the user's function raises.
        """
        state = _decode(kept) if kept else {}
        row = tuple(map(float, self._advance(state, event)))
        if len(row) != len(self.features):
            raise ValueError(
                f"advance gives {len(row)} numbers, and FEATURES has {len(self.features)}"
            )
        if not all(map(isfinite, row)):
            at = next(at for at, one in enumerate(row) if not isfinite(one))
            raise ValueError(f"advance gives {row[at]} for {self.names[at]}, which is no number")
        after = _encode(state)
        if len(after) > MOST:
            raise ValueError(
                f"the state takes {len(after)} bytes, more than {MOST}: forget what is old"
            )
        return row, after


def parse(
    text: str, where: str, taken: Sequence[str], events: Callable[[], Sequence[Any]]
) -> OwnFeatures:
    """The features of a file. `taken`: names that are in use; `events`: of one entity, for the
    laws. Raises SettingsError that says what is wrong."""
    made = _run(text, where)
    features, advance = made.get("FEATURES"), made.get("advance")
    if not isinstance(features, Sequence) or not features or not callable(advance):
        raise SettingsError(
            f"{where} has no FEATURES, a tuple of Feature, or no function advance(state, event). "
            "docs/own-features.md has an example."
        )
    if not all(isinstance(one, Feature) for one in features):
        raise SettingsError(f"{where}: each of FEATURES has to be a stormwatch.features.Feature.")
    found = [one.name for one in features]
    wrong = [name for name in found if not name.isidentifier() or not name.islower()]
    twice = sorted({name for name in found if found.count(name) > 1 or name in taken})
    if wrong or twice:
        named = ", ".join(wrong or twice)
        why = "in lower case, words joined by _" if wrong else "one that no other feature has"
        raise SettingsError(f"{where}: the name of a feature has to be {why}: {named}.")
    own = OwnFeatures(features, advance, blake2b(text.strip().encode(), digest_size=4).hexdigest())
    _hold(own, where, events())
    return own


def _run(text: str, where: str) -> dict[str, Any]:
    linecache.cache[_WHERE] = (len(text), None, text.splitlines(True), _WHERE)  # for tracebacks
    made: dict[str, Any] = {"__name__": "own_features"}
    try:
        exec(compile(text, _WHERE, "exec"), made)  # the operator's own code
    except Exception as error:  # whatever a user's code raises is told in a sentence
        raise SettingsError(f"{where} cannot be used: {_said(error)}. Correct it.") from error
    return made


def _hold(own: OwnFeatures, where: str, events: Sequence[Any]) -> None:
    """The laws, on these events. Raises SettingsError."""
    seen: list[list[tuple[tuple[float, ...], bytes]]] = [[], []]
    for rows in seen:
        kept = b""
        for event in events:
            try:
                row, kept = own.advance(kept, event)
            except Exception as error:  # whatever a user's code raises is told in a sentence
                raise SettingsError(
                    f"{where}: event {len(rows) + 1} of one entity, tried before the start: "
                    f"{_said(error)}. Correct it."
                ) from error
            rows.append((row, kept))
    for at, (one, other) in enumerate(zip(*seen, strict=True)):
        if one != other:
            raise SettingsError(
                f"{where}: the same events give other numbers the second time, from event {at + 1} "
                "on. Use the event and the state alone: no clock, nothing drawn at random, "
                "nothing remembered outside of the state."
            )


def _said(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}"
    place = error.__traceback__
    lines = []
    while place is not None:
        if place.tb_frame.f_code.co_filename == _WHERE:
            lines.append(place.tb_lineno)
        place = place.tb_next
    return f"{text} (line {lines[-1]})" if lines else text
