"""A GRU over a customer's last payments, in Keras on TensorFlow; as gru_pytorch.py beside it.

    ./stormwatch model rows fraud --out rows.csv
    ./stormwatch model add docs/examples/gru_keras.py --domain fraud --name gru-keras \
        --features domain --sample rows.csv

Needs requirements/keras.txt, in an environment of its own.
"""

from pathlib import Path

import keras
import numpy as np

from apps.build.own_model.sample import read
from stormwatch.domains.fraud.features import FEATURE_NAMES
from stormwatch.models.window import windows

WINDOW = 8


def model(rows: Path = Path("rows.csv"), epochs: int = 3) -> keras.Model:
    """Trained on the first four fifths of the rows, in their order of time."""
    keras.utils.set_random_seed(7)
    sample = read(rows, FEATURE_NAMES)
    assert sample.label is not None and sample.entity is not None
    cut = len(sample.rows) * 4 // 5
    x = windows(sample.rows, sample.entity, WINDOW).reshape(-1, WINDOW, len(FEATURE_NAMES))
    y = sample.label
    centre, scale = sample.rows[:cut].mean(axis=0), sample.rows[:cut].std(axis=0) + 1e-6
    scaling = keras.layers.BatchNormalization(trainable=False)  # Normalization is not exported
    made = keras.Sequential([
        keras.Input(shape=(WINDOW, len(FEATURE_NAMES))),
        scaling,
        keras.layers.Activation("tanh"),
        keras.layers.GRU(24, unroll=True),  # LiteRT knows no other
        keras.layers.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    ones, zeros = np.ones_like(centre), np.zeros_like(centre)
    scaling.set_weights([ones, zeros, centre, scale**2])
    made.compile(optimizer=keras.optimizers.Adam(3e-3), loss="binary_crossentropy")
    every = np.arange(cut)
    kept = every[(y[:cut] > 0) | (every % 5 == 0)]  # all frauds, and some of the others
    made.fit(x[kept], y[kept], batch_size=128, epochs=epochs, verbose=0)
    return made
