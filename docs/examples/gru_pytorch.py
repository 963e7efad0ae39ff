"""A GRU over a customer's last payments, in PyTorch: the chance that the newest one is a fraud.

    ./stormwatch model rows fraud --out rows.csv
    ./stormwatch model add docs/examples/gru_pytorch.py --domain fraud --name gru --sample rows.csv

Needs requirements/torch.txt, in an environment of its own. What `model` returns knows how many
payments it looks at (`window`) and how its features are called, and makes them comparable itself:
the scaling is part of the model.
"""

from pathlib import Path

import numpy as np
import torch

from apps.build.own_model.sample import read
from stormwatch.domains.fraud.features import FEATURE_NAMES
from stormwatch.models.window import windows

WINDOW = 8
ROWS = Path("rows.csv")


class Gru(torch.nn.Module):
    """Rows by payments by features, the newest payment last, to one probability a row."""

    window = WINDOW
    feature_names = FEATURE_NAMES

    def __init__(self, centre: np.ndarray, scale: np.ndarray, hidden: int = 24) -> None:
        super().__init__()
        self.register_buffer("centre", torch.tensor(centre, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))
        self.gru = torch.nn.GRU(len(FEATURE_NAMES), hidden, batch_first=True)
        self.out = torch.nn.Linear(hidden, 1)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        near = torch.clamp((rows - self.centre) / self.scale, -8.0, 8.0)
        seen, _ = self.gru(near)
        return torch.sigmoid(self.out(seen[:, -1])).squeeze(1)


def model(epochs: int = 3) -> Gru:
    """Trained on the first four fifths of the rows, in their order of time."""
    torch.manual_seed(7)
    torch.set_num_threads(1)
    sample = read(ROWS, FEATURE_NAMES)
    cut = len(sample.rows) * 4 // 5
    x = torch.tensor(windows(sample.rows, sample.entity, WINDOW), dtype=torch.float32)
    x = x.reshape(len(x), WINDOW, -1)
    y = torch.tensor(sample.label, dtype=torch.float32)
    made = Gru(sample.rows[:cut].mean(axis=0), sample.rows[:cut].std(axis=0) + 1e-6)
    kept = torch.arange(cut)[
        (y[:cut] > 0) | (torch.arange(cut) % 5 == 0)
    ]  # all frauds, some others
    optimizer = torch.optim.Adam(made.parameters(), lr=3e-3)
    for _ in range(epochs):
        for at in kept[torch.randperm(len(kept))].split(128):
            optimizer.zero_grad()
            loss = torch.nn.functional.binary_cross_entropy(made(x[at]), y[at])
            loss.backward()
            optimizer.step()
    return made
