"""What a training run tells of itself, a row an epoch. Taught in chapter 4, "A dancer in 256 numbers"."""

import csv
import math
from pathlib import Path
from typing import Any

from ..core.arguments import takes, text
from ..show.drawable import AXES, label
from . import checkpoints


class History:
    """One row an epoch: losses, learning rate, seconds. Written as CSV, read by people and by ``plot``. Chapter: 4."""

    def __init__(self, rows: list[dict] | None = None):
        self.rows = rows or []

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> list[float]:
        return [row.get(name, math.nan) for row in self.rows]

    @property
    def minutes(self) -> float:
        """How long all epochs took. Chapter: 4."""
        return self["seconds"][-1] / 60 if self.rows else 0.0

    def write(self, path: Path) -> None:
        """Write all rows as CSV; the file appears whole or not at all. Chapter: 4."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        with checkpoints.atomic_write(path) as half, half.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, names)
            table.writeheader()
            table.writerows(self.rows)

    @takes(names=text, ax=AXES)
    def plot(self, *names: str, ax: Any = None) -> Any:
        """Curves over epochs, by default of both losses; logarithmic if all are above 0. Gives a figure. Chapter: 4."""
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=(7, 3), layout="constrained")
        for name, dash in zip(names or ("train_loss", "valid_loss"), ("-", "--", "-.", ":") * 9):
            if any(name in row for row in self.rows):
                ax.plot(self["epoch"], self[name], dash, label=label(name.replace("_", " ")))
        ax.set(xlabel="epoch")
        if ax.dataLim.y0 > 0:
            ax.set_yscale("log")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, fontsize=8)
        if len(ax.figure.axes) == 1:
            plt.close(ax.figure)
        return ax.figure
