"""A model's card."""

import msgspec

from stormwatch.models.card import Card


def card(**changes: object) -> Card:
    fields = {
        "name": "t", "version": "t-1", "framework": "none", "kind": "trees",
        "artefact": "trees.msgpack", "sha256": "", "target": "probability", "feature_set": "t-1",
        "feature_names": tuple("abcd"), "thresholds": {}, "split": "", "metrics": {}, "data": "",
        "data_hash": "", "seed": 0, "parameters": {}, "libraries": {},
    }  # fmt: skip
    return msgspec.convert(fields | changes, Card)
