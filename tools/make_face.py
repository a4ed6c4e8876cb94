"""Draw the book's face from the project's own plots: cover, mark, the layout picture, and the duet on the welcome page.

Run after a change to the palette, the plots, the player or the synthetic dancers: python tools/make_face.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

import choreo_lib as cl  # noqa: E402
from choreo_lib import palette, plots  # noqa: E402
from choreo_lib.files import atomic_write  # noqa: E402

STATIC = Path(__file__).parents[1] / "book" / "_static"
plt.rcParams["svg.hashsalt"] = "choreo"


def save(figure, name: str, **how) -> None:
    """A picture into the book's folder, whole or not at all."""
    with atomic_write(STATIC / name) as half:
        figure.savefig(half, **how)


def between(duet: cl.Duet, joints: tuple[str, ...]) -> np.ndarray:
    """String weights [J, J] between the same-named and the crossed joints of two dancers."""
    names = duet.a.skeleton.names
    weights = np.zeros((len(names), len(names)))
    for i, mine in enumerate(joints):
        for j, yours in enumerate(joints):
            weights[names.index(mine), names.index(yours)] = 0.75 if i == j else 0.16
    return weights


def cover() -> None:
    """Two bodies in four moments, and the strings between them."""
    duet = cl.load_duet("synthetic/mirror")
    joints = ("left_wrist", "right_wrist", "left_elbow", "right_elbow", "head", "left_knee", "right_knee", "pelvis")
    figure, axes = plt.subplots(1, 4, figsize=(12, 2.8), layout="constrained", facecolor=palette.PAPER)
    for ax, frame in zip(axes, (20, 44, 68, 96), strict=True):
        place = duet.positions[frame, :, 0].mean(0) * (1, 1, 0)
        apart = duet.positions[frame, 1, 0] - duet.positions[frame, 0, 0]
        across = np.rad2deg(np.arctan2(apart[1], apart[0])) - 90  # look at the pair from the side
        shifted = cl.Duet(duet.a.moved(-place), duet.b.moved(-place))
        plots.strings(shifted, frame, between(duet, joints), view=(across, 10), ax=ax)
        ax.set_xlim(-1.3, 1.3)
        ax.set_ylim(-0.2, 2.2)
    save(figure, "cover.png", dpi=110, metadata={"Software": None})
    plt.close(figure)


def mark() -> None:
    """The same idea, small enough for a browser tab: two bodies, three strings."""
    figure, ax = plt.subplots(figsize=(2, 2))
    figure.subplots_adjust(0, 0, 1, 1)
    bodies = [
        np.array([(-0.62, 0.92), (-0.56, 0.30), (-0.52, -0.20), (-0.70, -0.95)]),
        np.array([(0.62, 0.80), (0.58, 0.22), (0.50, -0.24), (0.72, -0.95)]),
    ]
    hands = [
        np.array([(-0.56, 0.42), (-0.30, 0.10), (-0.10, 0.34)]),
        np.array([(0.58, 0.34), (0.34, 0.02), (0.10, 0.30)]),
    ]
    for start, end in (((-0.10, 0.34), (0.10, 0.30)), ((-0.52, -0.20), (0.50, -0.24)), ((-0.62, 0.92), (0.62, 0.80))):
        ax.plot(*zip(start, end, strict=True), color=palette.STRING, lw=2.2, alpha=0.7, solid_capstyle="round")
    for who, (trunk, arm) in enumerate(zip(bodies, hands, strict=True)):
        leg = np.array([trunk[2], trunk[3] + ((0.42, 0.0), (-0.42, 0.0))[who]])
        for line in (trunk, arm, leg):
            ax.plot(*line.T, color=palette.DANCERS[who], lw=8, solid_capstyle="round", solid_joinstyle="round")
            if who == 1:
                ax.plot(*line.T, color=palette.PAPER, lw=2.6, solid_capstyle="round", solid_joinstyle="round")
        ax.plot(
            *trunk[0],
            "o",
            ms=19,
            mew=5,
            color=palette.DANCERS[who],
            mfc=palette.DANCERS[who] if who == 0 else palette.PAPER,
        )
    ax.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15))
    ax.axis("off")
    save(figure, "mark.svg", transparent=True, metadata={"Date": None})
    save(figure, "favicon.png", transparent=True, dpi=32, metadata={"Software": None})
    plt.close(figure)


def floors() -> None:
    """The layout of the library as a house, for the page "How the library is laid out"."""
    storeys = (
        ("ground", "skeleton   motion   palette"),
        ("1", "formats   synthetic   cleaning"),
        ("2", "datasets   windows   augmentation   metrics   baselines"),
        ("3", "models  losses  checkpoints  plots  export  payload  player"),
        ("4", "training   recipes   artifacts"),
        ("5", "checks"),
    )
    figure, ax = plt.subplots(figsize=(8, 3.6), layout="constrained", facecolor=palette.PAPER)
    for level, (name, modules) in enumerate(storeys):
        ax.add_patch(plt.Rectangle((0.9, level), 8, 0.86, fc=palette.PAPER, ec=palette.INK_SOFT, lw=1.2))
        ax.text(
            4.9, level + 0.43, modules, ha="center", va="center", family="monospace", color=palette.INK, fontsize=11
        )
        ax.text(0.7, level + 0.43, name, ha="right", va="center", color=palette.INK_SOFT, fontsize=10)
    ax.annotate(
        "imports",
        (9.3, 0.2),
        (9.3, 4.6),
        ha="center",
        color=palette.STRING,
        fontsize=9,
        arrowprops=dict(arrowstyle="-|>", color=palette.STRING),
    )
    ax.set(xlim=(0, 9.8), ylim=(-0.1, 5))
    ax.axis("off")
    save(figure, "floors.svg", metadata={"Date": None})
    plt.close(figure)


def welcome_html() -> str:
    """The duet that plays at once on the first page."""
    return cl.play(cl.load_duet("synthetic/canon")[:240], trails=["left_wrist"], title="A canon at half a second").html


def welcome() -> None:
    """Store it."""
    with atomic_write(STATIC / "welcome_player.html") as half:
        half.write_text(welcome_html() + "\n", encoding="utf-8")


if __name__ == "__main__":
    for draw in (cover, mark, floors, welcome):
        draw()
