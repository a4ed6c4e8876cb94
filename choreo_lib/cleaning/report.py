"""What was found in a recording, and what was done about it, frame by frame. Taught in chapter 2."""

from dataclasses import dataclass

import numpy as np

from ..core.arguments import takes
from ..core.tables import Table, format_table
from ..show import palette
from ..show.drawable import AXES
from .camera import Placement

_HEAD = ("what", "how many", "where (frames)", "what was done")


@dataclass(frozen=True, eq=False)
class RepairReport:
    """Every repair that `choreo_lib.clean` made: prints as a table, and ``timeline()`` draws it.

    Shapes: ``seen`` [T], people found in each frame; ``index`` [T, 2], which of them is dancer a and which b, -1 for
    not seen; ``noise`` [2], metres, the jitter taken out of each dancer (root mean square of a coordinate);
    ``bones`` [2, bones], how much each bone's length varied before it was fixed (standard deviation / mean).
    ``first`` is the number of the first frame, ``every`` the step between the numbers; ``placement`` the camera fit or
    None; ``up`` the axis that was up, ``up_stated`` whether caller or file said so (else it was found). Chapter: 2.
    """

    fps: float
    seen: np.ndarray
    index: np.ndarray
    noise: np.ndarray
    bones: np.ndarray
    built_apart: float
    first: int = 0
    every: int = 1
    placement: Placement | None = None
    up: str = "z"
    up_stated: bool = True

    def __len__(self) -> int:
        return len(self.seen)

    @property
    def filled(self) -> np.ndarray:
        """Where each dancer was not seen and the path was filled, bool [T, 2]."""
        return self.index < 0

    @property
    def swaps(self) -> np.ndarray:
        """Frames in which the dancers' order in the list is no longer the order of the frame before that had both."""
        both = np.flatnonzero((self.index >= 0).all(axis=1))
        order = self.index[both, 0] > self.index[both, 1]
        return both[1:][order[1:] != order[:-1]]

    @property
    def clutter(self) -> np.ndarray:
        """How many people in each frame are neither dancer, [T]."""
        return self.seen - (self.index >= 0).sum(axis=1)

    @property
    def rows(self) -> list[tuple[str, str, str, str]]:
        """The table: what, how many, where, and what was done."""
        frames = lambda where: (str(np.count_nonzero(where)), _spans(where, self.first, self.every))  # noqa: E731
        swapped = np.isin(np.arange(len(self)), self.swaps)
        last = self.first + self.every * (len(self) - 1)
        table = [
            ("frames", str(len(self)), f"{self.first} to {last}", f"{len(self) / self.fps:.1f} s"),
            ("people seen", str(int(self.seen.sum())), "", "the two likeliest tracks are kept"),
            ("two people", *frames(self.seen == 2), ""),
            ("one person", *frames(self.seen == 1), "the other one filled"),
            ("three or more", *frames(self.seen > 2), "clutter left out"),
            ("nobody", *frames(self.seen == 0), "both filled"),
            ("clutter", str(self.clutter.sum()), frames(self.clutter > 0)[1], "left out"),
            ("changed order", *frames(swapped), "followed"),
        ]
        for name, filled in zip("ab", self.filled.T):
            longest = max((stop - start for start, stop in _runs(filled)), default=0)
            table.append((f"dancer {name} filled", *frames(filled), f"longest {longest / self.fps:.2f} s"))
        trembled = " and ".join(f"{name} {1000 * noise:.0f} mm" for name, noise in zip("ab", self.noise))
        table.append(("jitter", "", "all frames", f"{trembled} taken out"))
        varied = " and ".join(f"{name} {100 * np.median(bones):.1f} %" for name, bones in zip("ab", self.bones))
        table.append(("bones", str(self.bones.shape[1]), "all frames", f"varied by {varied}, now constant"))
        if self.up != "z":
            how = "stated" if self.up_stated else "found by heads and feet"
            table.append(("up axis", self.up, "all frames", f"{how}; turned to z"))
        if self.placement is not None:
            fit = self.placement
            side, deep = np.median(fit.uncertainty[:, [0, 1]], axis=0)
            lens = f"{'assumed' if fit.assumed else 'given'}: focal {fit.focal:.0f} px"
            table.append(("place in space", str(len(fit.positions)), f"{np.median(fit.residual):.0f} px off",
                          f"sideways ± {100 * side:.1f} cm, depth ± {100 * deep:.0f} cm; {lens}"))
        return table

    def __repr__(self) -> str:
        return format_table(_HEAD, self.rows, widest=1000)

    @takes(ax=AXES)
    def timeline(self, ax=None):
        """Draw who was seen when, what was filled, and where the list changed its order; returns the figure."""
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=(9, 2.2), layout="constrained")
        time = np.arange(len(self)) / self.fps
        for who, colour in enumerate(palette.DANCERS[:2]):
            for what, where, style in (
                    ("seen", ~self.filled[:, who], {"facecolor": colour, "linewidth": 0}),
                    ("filled", self.filled[:, who], {"facecolor": palette.PAPER, "edgecolor": colour, "hatch": "////",
                                                     "linewidth": 0.6})):
                bars = [(start / self.fps, (stop - start) / self.fps) for start, stop in _runs(where)]
                ax.broken_barh(bars, (0.75 - who, 0.5), label=what if who == 0 else None, **style)
        clutter = np.flatnonzero(self.clutter)
        ax.plot(time[clutter], np.full(len(clutter), -0.75), "x", color=palette.INK_SOFT, ms=5,
                label="clutter left out")
        ax.plot(time[self.swaps], np.full(len(self.swaps), 0.5), "|", color=palette.INK, ms=14, mew=1.6,
                label="list changes order")
        ax.set_yticks([1, 0, -0.75], ["dancer a", "dancer b", "clutter"])
        ax.set_ylim(-1.1, 1.5)
        ax.set_xlim(0, len(self) / self.fps)
        ax.set_xlabel("time, seconds")
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(labelsize=8, left=False)
        ax.legend(frameon=False, fontsize=8, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        if len(ax.figure.axes) == 1:
            plt.close(ax.figure)
        return ax.figure

    def _repr_html_(self) -> str:
        return Table(_HEAD, tuple(self.rows))._repr_html_()


def _runs(where: np.ndarray) -> list[list[int]]:
    """Where runs of True start and stop."""
    return np.flatnonzero(np.diff(where, prepend=False, append=False)).reshape(-1, 2).tolist()


def _spans(where: np.ndarray, first: int, every: int, most: int = 6) -> str:
    number = lambda frame: first + every * frame  # noqa: E731
    spans = [f"{number(i)}" if j - i == 1 else f"{number(i)}-{number(j - 1)}" for i, j in _runs(where)]
    return ", ".join(spans[:most]) + (f" and {len(spans) - most} more" if len(spans) > most else "")
