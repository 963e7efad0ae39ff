"""Which engine scores boosted trees: time a row in batches of 1 and 500, memory, install size.

    python benchmarks/inference.py [--trees 100] [--leaves 31]

One LightGBM model of generated transactions, scored by each engine in a process of its own, on one
thread, from a list of tuples as the bolt has them. Engines that are not installed are left out; all
of them: pip install lightgbm onnxruntime onnxmltools treelite tl2cgen (which wants a C compiler).
Times are CPU, the best of several rounds. Decision: docs/decisions/0001-inference-engine.md.
"""

import argparse
import ctypes
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata, util
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

Row = tuple[float, ...]
Predict = Callable[[Sequence[Row]], Any]

NEEDS = {  # engine -> what it takes beyond numpy, which the workers have anyway
    "numpy, QuickScorer tables": [],
    "numpy, level by level": [],
    "LightGBM, Booster": ["lightgbm", "scipy"],
    "LightGBM, single-row-fast": ["lightgbm", "scipy"],
    "onnxruntime": ["onnxruntime", "flatbuffers", "protobuf", "packaging"],
    "treelite, GTIL": ["treelite", "scipy", "packaging"],
    "tl2cgen, compiled": ["tl2cgen", "treelite", "scipy", "packaging"],
}


def quickscorer(folder: Path) -> Predict:
    from stormwatch.models.trees import TreesModel, decode

    return TreesModel(None, decode((folder / "trees.msgpack").read_bytes())).predict  # type: ignore[arg-type]


def level_wise(folder: Path) -> Predict:
    """All rows go down all trees at once, one level a step."""
    import numpy as np

    from stormwatch.models.trees import decode

    feature: list[int] = []
    threshold, child, value, roots = [], [], [], []
    for tree in decode((folder / "trees.msgpack").read_bytes()).trees:
        start, nodes = len(feature), len(tree.feature)
        where = [start + (c if c >= 0 else nodes - 1 - c) for c in range(-nodes - 1, nodes)]
        roots.append(start)
        feature += tree.feature + [0] * (nodes + 1)
        threshold += tree.threshold + [float("inf")] * (nodes + 1)  # a leaf leads to itself
        leaves = [start + nodes + i for i in range(nodes + 1)]
        left = [where[c + nodes + 1] for c in tree.left] + leaves
        right = [where[c + nodes + 1] for c in tree.right] + leaves
        child += list(zip(left, right, strict=True))
        value += [0.0] * nodes + tree.value
    f, t, c = np.array(feature), np.array(threshold), np.array(child).ravel()
    v, root = np.array(value), np.array(roots)

    def predict(rows: Sequence[Row]) -> Any:
        x = np.array(rows)
        base = np.arange(len(x))[:, None] * x.shape[1]
        at = np.repeat(root[None, :], len(x), axis=0)
        while True:
            below = c.take(2 * at + (x.take(base + f.take(at)) > t.take(at)))
            if (below == at).all():
                return 1 / (1 + np.exp(-v.take(at).sum(axis=1)))
            at = below

    return predict


def booster(folder: Path) -> Predict:
    import lightgbm
    import numpy as np

    model = lightgbm.Booster(model_file=str(folder / "model.txt"))
    return lambda rows: model.predict(np.array(rows), num_threads=1)


def single_row(folder: Path) -> Predict:
    import lightgbm
    import numpy as np

    model = lightgbm.Booster(model_file=str(folder / "model.txt"))
    lib, width = lightgbm.basic._LIB, model.num_feature()
    row, out = np.zeros(width), np.zeros(1)
    length, fast = ctypes.c_int64(), ctypes.c_void_p()
    lib.LGBM_BoosterPredictForMatSingleRowFastInit(
        model._handle, 0, 0, -1, 1, width, ctypes.c_char_p(b"num_threads=1"), ctypes.byref(fast)
    )
    args = (fast, ctypes.c_void_p(row.ctypes.data), ctypes.byref(length))
    result = out.ctypes.data_as(ctypes.POINTER(ctypes.c_double))

    def predict(rows: Sequence[Row]) -> Any:
        scores = []
        for values in rows:
            row[:] = values
            lib.LGBM_BoosterPredictForMatSingleRowFast(*args, result)
            scores.append(float(out[0]))
        return scores

    predict.kept = model  # type: ignore[attr-defined]
    return predict


def onnx(folder: Path) -> Predict:
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    outputs = [session.get_outputs()[1].name]
    return lambda rows: session.run(outputs, {name: np.array(rows, np.float32)})[0][:, 1]


def treelite(folder: Path) -> Predict:
    import numpy as np
    import treelite

    model = treelite.frontend.load_lightgbm_model(folder / "model.txt")
    return lambda rows: treelite.gtil.predict(model, np.array(rows), nthread=1).ravel()


def compiled(folder: Path) -> Predict:
    import numpy as np
    import tl2cgen

    model = tl2cgen.Predictor(folder / "compiled.so", nthread=1)
    return lambda rows: model.predict(tl2cgen.DMatrix(np.array(rows))).ravel()


ENGINES = dict(
    zip(
        NEEDS,
        (quickscorer, level_wise, booster, single_row, onnx, treelite, compiled),
        strict=True,
    )
)


def prepare(folder: Path, trees: int, leaves: int) -> None:
    """Train one model and write it for every engine that is installed."""
    import lightgbm
    import numpy as np

    from apps.build.training.export import from_lightgbm
    from apps.build.training.payments import rows_of, simulated
    from stormwatch.models.trees import encode

    rows = rows_of(islice(simulated(3, 2_000, 100), 120_000))
    options = {
        "objective": "binary", "num_leaves": leaves, "use_missing": False, "verbose": -1,
        "num_threads": 1, "learning_rate": 0.05, "min_child_samples": 20,
    }  # fmt: skip
    model = lightgbm.train(options, lightgbm.Dataset(rows.features, rows.label > 0), trees)
    model.save_model(folder / "model.txt")
    (folder / "trees.msgpack").write_bytes(encode(from_lightgbm(model, "logistic")))
    sample = rows.features[-2_000:]
    np.save(folder / "rows.npy", sample)
    np.save(folder / "truth.npy", model.predict(sample))
    if util.find_spec("onnxmltools"):
        from onnxmltools import convert_lightgbm
        from onnxmltools.convert.common.data_types import FloatTensorType

        made = convert_lightgbm(
            model, initial_types=[("x", FloatTensorType([None, sample.shape[1]]))], zipmap=False
        )
        (folder / "model.onnx").write_bytes(made.SerializeToString())
    if util.find_spec("tl2cgen"):
        import tl2cgen
        import treelite

        loaded = treelite.frontend.load_lightgbm_model(folder / "model.txt")
        tl2cgen.export_lib(loaded, toolchain="gcc", libpath=folder / "compiled.so", nthread=2)


def measure(engine: str, folder: Path) -> dict[str, float]:
    """In a process of its own: times, difference from LightGBM's own score, memory it adds."""
    import numpy as np

    rows = [tuple(row) for row in np.load(folder / "rows.npy").tolist()]
    truth = np.load(folder / "truth.npy")
    gc.collect()
    before = _resident()
    predict = ENGINES[engine](folder)
    found = np.concatenate([predict(rows[i : i + 500]) for i in range(0, 2_000, 500)])
    result = {"mb": _resident() - before, "difference": float(abs(found - truth).max())}
    for size in (1, 500):
        rounds = []
        for _ in range(7):
            began = time.process_time()
            for at in range(0, 2_000, size):
                predict(rows[at : at + size])
            rounds.append(time.process_time() - began)
        result[f"us_{size}"] = min(rounds) / 2_000 * 1e6
    return result


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _installed_mb(packages: list[str]) -> float:
    size = 0
    for package in packages:
        for file in metadata.files(package) or []:
            path = Path(str(file.locate()))
            size += path.stat().st_size if path.is_file() else 0
    return size / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--leaves", type=int, default=31)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure[0], Path(args.measure[1]))))
        return
    with TemporaryDirectory() as folder:
        prepare(Path(folder), args.trees, args.leaves)
        print(f"{args.trees} trees of {args.leaves} leaves, 22 features; CPU time, one thread\n")
        print("| engine | µs/row, batch 1 | µs/row, batch 500 | adds MB | installs MB | max diff |")
        print("|---|---|---|---|---|---|")
        for engine, packages in NEEDS.items():
            if not all(util.find_spec(p) for p in packages if p not in ("protobuf",)):
                print(f"| {engine} | not installed | | | | |")
                continue
            command = [sys.executable, __file__, "--measure", engine, folder]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            r = json.loads(out.splitlines()[-1])
            print(
                f"| {engine} | {r['us_1']:.1f} | {r['us_500']:.2f} | {r['mb']:.0f} "
                f"| {_installed_mb(packages):.0f} | {r['difference']:.1e} |"
            )


if __name__ == "__main__":
    main()
