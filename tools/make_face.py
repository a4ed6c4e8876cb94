"""Draw the book's face from the project's own plots: cover, mark, the layout picture, and the duet on the welcome page.

Run after a change to the palette, the plots, the player or the synthetic dancers: python tools/make_face.py
"""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

import choreo_lib as cl  # noqa: E402
from choreo_lib.core.files import atomic_write  # noqa: E402
from choreo_lib.show import palette, plots  # noqa: E402

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
        shifted = cl.Duet(duet.a.transformed(-place), duet.b.transformed(-place))
        plots.couplings(shifted, frame, between(duet, joints), view=(across, 10), ax=ax)
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


def rooms() -> list[tuple[str, list[str]]]:
    """The rooms of the library and their modules, from the ground up, as the table of book/library.md has them."""
    found = []
    for line in (STATIC.parent / "library.md").read_text(encoding="utf-8").splitlines():
        if row := re.match(r"\| (\w*) *\| (`[^|]+`) \|", line):
            if row[1]:
                found.append((row[1], []))
            found[-1][1].extend(re.findall(r"`(\w+)`", row[2]))
    return found


def floors() -> None:
    """The layout of the library as a house, for the page "How the library is laid out"."""
    left, wide, line = 116, 620, 24  # where a room begins, its width, a line's height, in pixels; a letter is 8.4 wide
    stacked = []
    for name, modules in reversed(rooms()):
        lines = [[]]
        for module in modules:
            if sum(len(each) + 3 for each in [*lines[-1], module]) * 8.4 > wide - 20:
                lines.append([])
            lines[-1].append(module)
        stacked.append((name, lines))
    drawn, top = [], 12
    middle, right = left + wide // 2, left + wide + 36
    for name, lines in stacked:
        high = line * len(lines) + 16
        drawn.append(f'<rect x="{left}" y="{top}" width="{wide}" height="{high}" fill="none" '
                     f'stroke="{palette.INK_SOFT}" stroke-width="1.5"/>')
        drawn.append(f'<text x="{left - 14}" y="{top + high // 2 + 5}" text-anchor="end" fill="{palette.INK_SOFT}" '
                     f'font-size="13">{name}</text>')
        for k, modules in enumerate(lines):
            drawn.append(f'<text x="{middle}" y="{top + 8 + line * k + 17}" text-anchor="middle" '
                         f'fill="{palette.INK}" xml:space="preserve">{"   ".join(modules)}</text>')
        top += high + 8
    arrow = (f'<path d="M{right} 30V{top - 40}m-6 -12l6 12l6 -12" fill="none" '
             f'stroke="{palette.STRING}" stroke-width="2"/>'
             f'<text x="{right}" y="{top - 14}" text-anchor="middle" fill="{palette.STRING}" '
             'font-size="13">imports</text>')
    text = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right + 38} {top + 4}" '
            'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">\n'
            f'<rect width="{right + 38}" height="{top + 4}" fill="{palette.PAPER}"/>\n')
    text += "\n".join([*drawn, arrow]) + "\n</svg>\n"
    with atomic_write(STATIC / "floors.svg") as half:
        half.write_text(text, encoding="utf-8", newline="\n")


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
