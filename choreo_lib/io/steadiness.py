"""How a limb is turned about itself, steadily: by its hinge where it is bent, by continuity where it is straight.

An elbow that is stretched does not show which way it would bend, and a point that trembles by a millimetre turns the
plane of a nearly straight limb round. So the hinge of a whole take is found at once: near to what each frame shows, as
far as it shows anything, and otherwise as little bent in time as can be. Taught in chapter 10, "The studio".
"""

import numpy as np

from ..body.rotations import rotation_between, unit

CLEAR = 0.06  # the square of the sine of a bend at which its hinge counts half
PRIOR = 0.02  # the weight of a hinge that is carried along by the body, beside 1 of one that is seen
STRETCHED = 0.35  # the sine of a bend up to which a limb may be one that is stretched too far
TURN_STIFFNESS = 10.0  # of the hinge's angle, against 1 for one that its time agrees on
AGAINST = -0.5  # the cosine below which a hinge is against what its time and body say, and hardly counts
STIFFNESS = 2.0  # of the hinge's path, against 1 for a hinge that is seen, at 30 frames a second


def steady(values: np.ndarray, weights: np.ndarray, stiffness: float) -> np.ndarray:
    """The path that is near to ``values`` by their weights, and bent in time as little as can be.

    Minimises ``sum_t w_t (x_t - v_t)^2 + stiffness * sum_t (x_{t+1} - 2 x_t + x_{t-1})^2``: one banded solve.
    Shapes: [T, ...] and [T], above 0 -> [T, ...]. Chapter: 10. Whittaker, "On a new method of graduation", Proceedings
    of the Edinburgh Mathematical Society 1923.
    """
    frames = len(values)
    if frames < 3:
        return values
    from scipy.linalg import solveh_banded
    bands = stiffness * differences(frames, 2)
    bands[0] += weights
    flat = values.reshape(frames, -1)
    return solveh_banded(bands, weights[:, None] * flat, lower=True).reshape(values.shape)


def differences(frames: int, order: int, weight=1.0) -> np.ndarray:
    """D'WD for the differences D of one order, weighted: lower bands [order + 1, T], as SciPy solves. Chapter: 2."""
    weights = np.diff(np.eye(order + 1), order, axis=0)[0]
    bands = np.zeros((order + 1, frames))
    for k in range(order + 1):
        for i in range(order + 1 - k):
            bands[k, i : i + frames - order] += weights[i] * weights[i + k] * weight
    return bands


def steady_hinges(upper: np.ndarray, lower: np.ndarray, carried: np.ndarray, fps: float = 30.0
                  ) -> tuple[np.ndarray, np.ndarray]:
    """The axis about which a limb bends, [T, 3], at right angles to its upper bone; and how clearly it is seen, [T].

    Shapes: directions of both bones [T, 3]; ``carried`` [T, 3], where the axis would be if the limb were only carried
    by the body: it says which of two opposite axes is meant, and where nothing is seen. An axis is an angle in a frame
    that goes along with the bone without turning about it (Bishop, "There is more than one way to frame a curve",
    American Mathematical Monthly 1975), and angles are smoothed as complex numbers, which know no jump. Chapter: 10.
    """
    upper, lower = unit(upper), unit(lower)
    plane = _Across(upper, fps)
    bend = np.cross(upper, lower)
    sine = np.linalg.norm(bend, axis=-1)
    seen, prior = plane.numbers(unit(bend)), plane.numbers(unit(carried))
    clear, found = sine**2 / (sine**2 + CLEAR), prior
    for _ in range(3):
        agrees = (seen * found.conj()).real
        # a limb stretched a little too far bends the other way about the same axis; one that bends far tells which way
        one_way = np.where((agrees < 0) & (sine < STRETCHED), -seen, seen)
        weight = clear * np.where((one_way * found.conj()).real < AGAINST * np.abs(found), 0.05, 1.0)
        total = weight + PRIOR
        found = plane.steady((weight * one_way + PRIOR * prior) / total, total)
    return plane.axes(found), weight


def steady_across(across: np.ndarray, up: np.ndarray, fps: float = 30.0) -> np.ndarray:
    """The line across hips or shoulders, [T, 3]; where these fall together, from the frames around.

    In a danced body shoulders are nine tenths of their usual width apart at least; in a made one they may meet.
    Shapes: ``across`` and ``up`` [T, 3], metres. Chapter: 10.
    """
    width = np.linalg.norm(across, axis=-1, keepdims=True)
    clear = ((width / max(float(np.median(width)), 1e-9) - 0.5) / 0.3).clip(0, 1) ** 2
    clear = clear * np.linalg.norm(np.cross(unit(across), unit(up)), axis=-1, keepdims=True) ** 2
    if clear.min() > 0.8:
        return across
    plane = _Across(unit(up), fps)
    found = plane.steady(plane.numbers(unit(across)), clear[:, 0] + 1e-3)
    return clear * unit(across) + (1 - clear) * plane.axes(found)


class _Across:
    """Directions at right angles to a bone as complex numbers, in a frame that goes along without turning about it."""

    def __init__(self, bones: np.ndarray, fps: float):
        self.slow = (fps / 30) ** 4  # differences from frame to frame are smaller where there are more frames
        side = np.cross(bones[0], np.eye(3)[np.abs(bones[0]).argmin()])
        self.first = transport(bones) @ unit(side)  # [T, 3]
        self.second = np.cross(bones, self.first)

    def numbers(self, directions: np.ndarray) -> np.ndarray:
        return (directions * self.first).sum(-1) + 1j * (directions * self.second).sum(-1)

    def steady(self, numbers: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return steady(np.stack([numbers.real, numbers.imag], -1), weights, STIFFNESS * self.slow) @ [1, 1j]

    def axes(self, numbers: np.ndarray) -> np.ndarray:
        """Unit vectors [T, 3]. Where what was seen contradicts itself its mean is near zero: there they turn slowly."""
        size = np.abs(numbers)
        angle = np.unwrap(np.angle(np.where(size < 1e-6, 1.0, numbers)))
        angle = steady(angle, size**4 + 1e-3, TURN_STIFFNESS * self.slow)
        return np.cos(angle)[:, None] * self.first + np.sin(angle)[:, None] * self.second


def transport(bones: np.ndarray) -> np.ndarray:
    """What carries the first direction to each other, [T, 3, 3], step by smallest step: no turn about the bone itself.

    Shapes: directions [T, 3]. The running product of the steps, by doubling. Chapter: 10.
    """
    steps = np.concatenate([np.eye(3)[None], rotation_between(bones[:-1], bones[1:])])
    reach = 1
    while reach < len(steps):
        steps = np.concatenate([steps[:reach], steps[reach:] @ steps[:-reach]])
        reach *= 2
    return steps
