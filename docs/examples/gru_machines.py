"""A GRU over a machine's last readings, in PyTorch: the chance that it fails within the time of the
labels.

    ./stormwatch model rows maintenance --data FILE --mapping M --labels L --equipment pump.toml \
        --out rows.csv
    ./stormwatch model add docs/examples/gru_machines.py --domain maintenance \
        --equipment pump.toml --name pump-gru --sample rows.csv

Needs requirements/torch.txt, in an environment of its own. What `model` returns knows how many
readings it looks at (`window`) and how its features are called, those of the header of rows.csv,
and makes them comparable itself: the scaling is part of the model.
"""

from pathlib import Path

import numpy as np
import torch

from apps.build.own_model.sample import read
from stormwatch.models.window import windows

WINDOW = 24
ROWS = Path("rows.csv")


class Gru(torch.nn.Module):
    """Rows by readings by features, the newest reading last, to one probability a row."""

    window = WINDOW

    def __init__(
        self, names: tuple[str, ...], centre: np.ndarray, scale: np.ndarray, hidden: int = 16
    ) -> None:
        super().__init__()
        self.feature_names = names
        self.register_buffer("centre", torch.tensor(centre, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))
        self.gru = torch.nn.GRU(len(names), hidden, batch_first=True)
        self.out = torch.nn.Linear(hidden, 1)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        near = torch.clamp((rows - self.centre) / self.scale, -8.0, 8.0)
        seen, _ = self.gru(near)
        return torch.sigmoid(self.out(seen[:, -1])).squeeze(1)


def model(epochs: int = 3) -> Gru:
    """Trained on the first four fifths of the rows, in their order of time."""
    torch.manual_seed(7)
    torch.set_num_threads(1)
    with ROWS.open(encoding="ascii") as file:
        names = tuple(file.readline().strip().split(",")[3:])
    sample = read(ROWS, names)
    cut = len(sample.rows) * 4 // 5
    x = torch.tensor(windows(sample.rows, sample.entity, WINDOW), dtype=torch.float32)
    x = x.reshape(len(x), WINDOW, -1)
    y = torch.tensor(sample.label, dtype=torch.float32)
    made = Gru(names, sample.rows[:cut].mean(axis=0), sample.rows[:cut].std(axis=0) + 1e-6)
    optimizer = torch.optim.Adam(made.parameters(), lr=3e-3)
    for _ in range(epochs):
        for at in torch.randperm(cut).split(128):
            optimizer.zero_grad()
            loss = torch.nn.functional.binary_cross_entropy(made(x[at]), y[at])
            loss.backward()
            optimizer.step()
    return made
