"""Still pictures of motion, for a page. Taught in chapter 1, "Seeing a duet".

Every function takes ``ax=`` (a plain matplotlib axes) and returns the figure. Bodies are drawn in parallel projection;
dancer a is a solid stroke with discs, dancer b a hollow one with rings, so they differ without colour too.
"""

import numpy as np

from ..body.motion import Duet, Motion
from ..core.arguments import MAX_FRAMES, Rule, Wrong, count, each, number, rate, takes, text
from ..core.shapes import array
from . import palette
from .camera import best_side, dancers_of, project
from .drawable import AXES, FRAME, REACH, SEEN, SEEN_DUET, VIEW, check_frame, label


def _named_curves(value, axes):
    if not isinstance(value, dict) or not value:
        raise Wrong(TypeError if not isinstance(value, dict) else ValueError)
    for name, curve in value.items():
        if not 1 <= len(array("frames", finite=False).test(curve, {})) <= MAX_FRAMES:
            raise Wrong(ValueError, f"too many frames in {name!r}")
    return {label(name): array("frames", finite=False, plain=True).test(curve, {}) for name, curve in value.items()}


_CURVES = Rule("a dictionary of names and curves [frames]", _named_curves)


@takes(motion=SEEN, count=count(1, 200), view=VIEW, gap=number(-REACH, REACH), ax=AXES)
def seq(motion: Motion | Duet, count: int = 8, view: tuple[float, float] | None = None, gap: float | None = None,
        ax=None):
    """Poses along time: ``count`` frames, evenly taken, side by side from left to right, the time under each.

    Units: ``view`` (azimuth, elevation) in degrees (default: from the `best_side`); ``gap`` metres. Chapter: 1.
    """
    ax, view = _stage(motion, view, ax, (9, 2.6))
    frames = np.linspace(0, len(motion) - 1, count).astype(int)
    points = [project(m.positions[frames], view) for m in dancers_of(motion)]
    middle = np.mean([p.mean(axis=1) for p in points], axis=0)  # [count, 2]
    widest = max(np.abs(p[..., 0] - middle[:, None, 0]).max() for p in points)
    gap = 2 * widest * 0.92 if gap is None else gap
    for k, frame in enumerate(frames):
        for who, (m, p) in enumerate(zip(dancers_of(motion), points, strict=True)):
            _body(ax, m, p[k] + (k * gap - middle[k, 0], 0), who)
        ax.annotate(f"{frame / motion.fps:.2f} s", (k * gap, 0), (0, -6), textcoords="offset points", ha="center",
                    va="top", color=palette.INK_SOFT, fontsize=8, annotation_clip=False)
    return _bare(ax)


@takes(motion=SEEN, other=SEEN, frame=FRAME, view=VIEW, ax=AXES)
def ghost(motion: Motion | Duet, other: Motion | Duet, frame: int = 0, view=None, ax=None):
    """One motion drawn through another at one frame: ``other`` in grey behind, ``motion`` in colour. Chapter: 1."""
    check_frame(motion, frame)
    check_frame(other, frame)
    ax, view = _stage(motion, view, ax, (4, 4))
    for m in dancers_of(other):
        _body(ax, m, project(m.positions[frame], view), None)
    for who, m in enumerate(dancers_of(motion)):
        _body(ax, m, project(m.positions[frame], view), who)
    return _bare(ax)


@takes(duet=SEEN_DUET, frame=FRAME, weights=array("joints of a", "joints of b", plain=True),
       threshold=number(), view=VIEW, ax=AXES)
def couplings(duet: Duet, frame: int = 0, weights=None, threshold: float = 0.0, view=None, ax=None):
    """The two skeletons, and lines for the couplings between their joints.

    Shapes: ``weights`` [J, J], a joint of a by a joint of b, 0 to 1: stronger is darker, below ``threshold`` not drawn;
    None draws every pair, faintly. Errors: ValueError for another shape, or a frame that there is not. Chapter: 1.
    """
    check_frame(duet, frame)
    ax, view = _stage(duet, view, ax, (5, 4.5))
    points = [project(m.positions[frame], view) for m in duet]
    shape = (len(duet.a.skeleton), len(duet.b.skeleton))
    weights = np.full(shape, 0.06) if weights is None else np.asarray(weights, float)
    if weights.shape != shape:
        raise ValueError(f"weights must have shape {shape}, a joint of a by a joint of b; got {weights.shape}")
    pairs = np.argwhere(weights > threshold)
    lines = [(points[0][i], points[1][j]) for i, j in pairs]
    alphas = np.clip(weights[tuple(pairs.T)], 0, 1)
    if lines:
        _lines(ax, lines, colors=palette.STRING, alpha=alphas, linewidths=0.4 + 1.8 * alphas, zorder=1)
    for who, m in enumerate(duet):
        _body(ax, m, points[who], who)
    return _bare(ax)


@takes(duet=SEEN_DUET, sends=array(plain=True), receives=array(plain=True), frame=FRAME, view=VIEW, ax=AXES)
def leads(duet: Duet, sends, receives, frame: int = 0, view=None, ax=None):
    """Who moves whom, and where: a disc on each joint, as large as what it sends, and a ring, as what it receives.

    Shapes: ``sends``, ``receives`` [2, J], a first, 0 or more. Errors: ValueError for other shapes. Chapter: 9.
    """
    check_frame(duet, frame)
    ax, view = _stage(duet, view, ax, (5, 4.5))
    both = [np.asarray(each, float) for each in (sends, receives)]  # [dancers, J] each
    right = (2, len(duet.a.skeleton))
    if {each.shape for each in both} != {right} or len(duet.a.skeleton) != len(duet.b.skeleton):
        raise ValueError(f"sends and receives must have shape {right}, dancers by joints; got {both[0].shape} and "
                         f"{both[1].shape}")
    size = 900 * np.stack(both) / max(*(each.max() for each in both), 1e-9)
    for who, m in enumerate(duet):
        points = project(m.positions[frame], view)
        _body(ax, m, points, who)
        ax.scatter(*points.T, s=size[0, who], color=palette.STRING, alpha=0.55, lw=0, zorder=6)
        ax.scatter(*points.T, s=size[1, who], facecolors="none", edgecolors=palette.INK, lw=1.4, zorder=7)
    return _bare(ax)


@takes(motion=SEEN, frame=FRAME, gap=count(), joints=each(text), view=VIEW, ax=AXES)
def arrows(motion: Motion | Duet, frame: int, gap: int = 5, joints=None, view=None, ax=None):
    """Velocity arrows: where each joint will be, ``gap`` frames later, if it keeps the pace of the last ``gap`` frames.

    ``joints`` is a list of names (default: all). Errors: ValueError where the past is shorter than ``gap``. Chapter: 1.
    """
    if not 1 <= gap <= frame < len(motion):
        raise ValueError(f"frame {frame} with gap {gap}: an arrow needs {gap} frames before it, and the motion has "
                         f"{len(motion)}")
    ax, view = _stage(motion, view, ax, (5, 4.5))
    for who, m in enumerate(dancers_of(motion)):
        now, before = (project(m.positions[f], view) for f in (frame, frame - gap))
        _body(ax, m, now, who)
        chosen = range(len(m.skeleton)) if joints is None else [m.skeleton.index(name, "joints") for name in joints]
        for j in chosen:
            step = now[j] - before[j]
            if np.linalg.norm(step) > 0.01:
                ax.update_datalim([now[j] + step])
                ax.annotate("", now[j] + step, now[j], zorder=6, annotation_clip=False, arrowprops=dict(
                    arrowstyle="-|>", color=palette.DANCERS[who], lw=0.9, shrinkA=0, shrinkB=0, mutation_scale=7))
    return _bare(ax)


@takes(motion=SEEN, joint=text, ax=AXES)
def paths(motion: Motion | Duet, joint: str | None = None, ax=None):
    """Trajectories from above, in metres: the root's path (or one joint's), a dot where it starts. Chapter: 1."""
    ax = _axes(ax, (4.5, 4.5))
    for who, m in enumerate(dancers_of(motion)):
        path = m.positions[:, 0 if joint is None else m.skeleton.index(joint, "joint"), :2]
        ax.plot(*path.T, palette.DASHES[who], color=palette.DANCERS[who], lw=1.4,
                label=label(m.name or f"dancer {'ab'[who]}"))
        ax.plot(*path[0], "o", color=palette.DANCERS[who], mfc=palette.DANCERS[who] if who == 0 else palette.PAPER)
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xlabel("x, metres")
    ax.set_ylabel("y, metres")
    ax.legend(frameon=False, fontsize=8)
    return _plain(ax)


@takes(duet=SEEN_DUET, joints=each(text, size=2), ax=AXES)
def distance(duet: Duet, joints: tuple[str, str] | None = None, ax=None):
    """Distance over time, in metres: root to root, or between a named joint of a and a named joint of b. Chapter: 1."""
    ax = _axes(ax, (8, 2.4))
    i, j = (0, 0) if joints is None else (m.skeleton.index(name, "joints") for m, name in zip(duet, joints))
    gap = np.linalg.norm(duet.a.positions[:, i] - duet.b.positions[:, j], axis=-1)
    ax.plot(np.arange(len(duet)) / duet.fps, gap, color=palette.INK, lw=1.3)
    ax.set_xlabel("time, seconds")
    ax.set_ylabel("apart, metres")
    ax.set_ylim(0, 1.08 * max(line.get_ydata().max() for line in ax.lines))  # also of what was drawn before
    return _plain(ax)


@takes(curves=_CURVES, fps=rate, unit=text, ax=AXES)
def traces(curves: dict[str, np.ndarray], fps: float, unit: str = "metres", ax=None):
    """Named curves [T] over time; the first two in the dancers' colours and line styles. Chapter: 1."""
    ax = _axes(ax, (8, 2.4))
    styles = zip((*palette.DANCERS, palette.STRING, palette.INK_SOFT), (*palette.DASHES, "-.", ":"))
    for (name, curve), (colour, dash) in zip(curves.items(), styles, strict=False):
        ax.plot(np.arange(len(curve)) / fps, curve, dash, color=colour, lw=1.4, label=name)
    ax.set_xlabel("time, seconds")
    ax.set_ylabel(label(unit))
    ax.legend(frameon=False, fontsize=8, ncols=4, loc="lower left", bbox_to_anchor=(0.0, 1.0))  # above: hides no curve
    return _plain(ax)


def _stage(motion: Motion | Duet, view: tuple[float, float] | None, ax, size: tuple[float, float]):
    """The axes to draw on, and from where the bodies are seen."""
    return _axes(ax, size), (best_side(dancers_of(motion)), 12.0) if view is None else view


def _body(ax, motion: Motion, points: np.ndarray, who: int | None) -> None:
    """One pose [J, 2]: dancer 0 solid, dancer 1 hollow, None a ghost."""
    colour = palette.GHOST if who is None else palette.DANCERS[who]
    order = 0 if who is None else 2 + who
    bones = [(points[p], points[c]) for p, c in motion.skeleton.bones]
    _lines(ax, bones, colors=colour, linewidths=2.0 if who != 1 else 2.6, capstyle="round", zorder=order)
    if who == 1:
        _lines(ax, bones, colors=palette.PAPER, linewidths=0.9, capstyle="round", zorder=order)
    if who is not None:
        ax.plot(*points.T, "o", ms=2.6, color=colour, mfc=colour if who == 0 else palette.PAPER, mew=0.8, zorder=order)
    head = motion.skeleton.find("head", "jaw", "neck")
    if head is not None:
        ax.plot(*points[head], "o", ms=7, color=colour, mfc=colour if who == 0 else palette.PAPER, mew=1.6,
                zorder=order)


def _lines(ax, ends: list, **style) -> None:
    """Straight lines between pairs of points [2]."""
    from matplotlib.collections import LineCollection

    ax.add_collection(LineCollection(ends, **style))


def _axes(ax, size: tuple[float, float]):
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=size, layout="constrained")
    ax.figure.set_facecolor(palette.PAPER)
    ax.set_facecolor(palette.PAPER)
    return ax


def _bare(ax):
    """No frame, equal scales; hand the figure back, closed so that a notebook shows it once."""
    ax.set_aspect("equal")
    ax.autoscale_view()
    ax.axis("off")
    return _done(ax)


def _plain(ax):
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    return _done(ax)


def _done(ax):
    import matplotlib.pyplot as plt

    if len(ax.figure.axes) == 1:
        plt.close(ax.figure)
    return ax.figure
