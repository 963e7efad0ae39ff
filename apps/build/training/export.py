"""A trained model as a folder that `stormwatch.models.load` reads."""

from collections.abc import Iterable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from stormwatch.models.card import Card
from stormwatch.models.trees import Tree, Trees, encode


def from_lightgbm(booster: Any, link: str) -> Trees:
    """The trees of a LightGBM booster; `link` is "logistic" for a probability, else "identity".

    Raises ValueError for trees with categorical splits or splits on missing values: features are
    numbers and always there.
    """
    dump = booster.dump_model()
    trees = [_tree(info["tree_structure"]) for info in dump["tree_info"]]
    return msgspec.convert([link, 0.0, dump["max_feature_idx"] + 1, trees], Trees)


def _tree(root: dict[str, Any]) -> Tree:
    tree = Tree([], [], [], [], [])

    def add(node: dict[str, Any]) -> int:
        if "leaf_value" in node:
            tree.value.append(node["leaf_value"])
            return -len(tree.value)
        if node["decision_type"] != "<=" or node["missing_type"] != "None":
            raise ValueError(f"cannot export a split {node['decision_type']} of {node}")
        here = len(tree.feature)
        tree.feature.append(node["split_feature"])
        tree.threshold.append(node["threshold"])
        tree.left.append(0)
        tree.right.append(0)
        tree.left[here] = add(node["left_child"])
        tree.right[here] = add(node["right_child"])
        return here

    add(root)
    return tree


def save(folder: Path, trees: Trees, **card: Any) -> Card:
    """Write `trees.msgpack` and `card.json`; `card` has the fields of Card that are not derived.

    The version is `name-` and eight digits of the artefact's hash: the same model has the same
    version wherever it was trained.
    """
    artefact = encode(trees)
    digest = sha256(artefact).hexdigest()
    full = Card(
        version=f"{card['name']}-{digest[:8]}", kind="trees", artefact="trees.msgpack",
        sha256=digest, **card,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / full.artefact).write_bytes(artefact)
    text = msgspec.json.format(msgspec.json.encode(full), indent=2)
    (folder / "card.json").write_bytes(text + b"\n")
    return full


def libraries(names: Iterable[str] = ("lightgbm", "numpy")) -> dict[str, str]:
    """The installed version of each."""
    return {name: version(name) for name in names}
