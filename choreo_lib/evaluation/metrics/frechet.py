"""Do many generated windows look like many real ones? Features, and a distance of their sets. Taught in chapter 3."""

from functools import lru_cache

import numpy as np
import torch

from ...body.joint_names import COMMON
from ...body.motion import Duet, Motion
from ...body.reference import reference_frame
from ...body.skeleton import Skeleton
from ...core.arguments import a, count, flag, seed, takes
from ...core.shapes import array
from .pairs import joint_distances

CROSS = ("pelvis", "left_ankle", "right_ankle", "left_toe", "right_toe", "head", "left_shoulder", "right_shoulder",
         "left_wrist", "right_wrist")  # fmt: skip


@takes(motion=a(Motion))
def kinetic_features(motion: Motion) -> np.ndarray:
    """How much energy each joint spends: three numbers a joint.

    Mean squared horizontal speed, mean squared vertical speed, mean norm of the acceleration, by plain differences.
    Shapes: [51], three for each of the 17 joints of `choreo_lib.body.joint_names.COMMON`. Units: m^2/s^2, m^2/s^2,
    m/s^2. Errors: ValueError for fewer than three frames or joints without known names. Chapter: 3. Onuma et al.,
    "FMDistance", Eurographics 2008, as used by Li et al. (ICCV 2021), whose values, of 24 joints, do not compare.
    """
    velocity = np.diff(_common(motion, 3), axis=0) * motion.fps
    acceleration = np.diff(velocity, axis=0) * motion.fps
    across, up = (velocity[..., :2] ** 2).sum(-1).mean(0), (velocity[..., 2] ** 2).mean(0)
    return np.stack([across, up, np.linalg.norm(acceleration, axis=-1).mean(0)], axis=-1).ravel()  # [17 * 3]


@takes(motion=a(Motion))
def geometric_features(motion: Motion) -> np.ndarray:
    """In what share of the frames simple relations hold, such as a hand above the neck or feet crossed.

    Shapes: [29], the relations of `relations` in their order, each 0 to 1. Errors: ValueError for fewer than two frames
    or joints without known names. Chapter: 3. After Müller, Röder and Clausen (SIGGRAPH 2005), as used by Li et al.
    (ICCV 2021); ours have thresholds of our own, so values are not comparable.
    """
    return np.array([true.mean() for true in relations(motion).values()])


@takes(motion=a(Motion))
def relations(motion: Motion) -> dict[str, np.ndarray]:
    """The relations behind `geometric_features`, frame by frame: name -> boolean [T].

    Lengths are measured in the dancer's own: upper arm, shank, breadth of shoulders and hips. Chapter: 3.
    """
    at = dict(zip(COMMON, _common(motion, 2).swapaxes(0, 1))).__getitem__  # each [T, 3]
    far = lambda i, j: np.linalg.norm(at(i) - at(j), axis=-1)  # noqa: E731
    change = lambda x: np.gradient(x, axis=0) * motion.fps  # noqa: E731
    quick = lambda name: np.linalg.norm(change(at(name) - at("pelvis")), axis=-1)  # noqa: E731
    arm = far("left_shoulder", "left_elbow").mean()
    shank = far("left_knee", "left_ankle").mean()
    shoulders, hips = (far(f"left_{part}", f"right_{part}").mean() for part in ("shoulder", "hip"))
    aside = _horizontal(at("left_hip") - at("right_hip"))  # to the dancer's left
    ahead = np.cross(aside, (0.0, 0.0, 1.0))
    along = lambda vectors, direction: (vectors * direction).sum(-1)  # noqa: E731
    found: dict[str, np.ndarray] = {}
    for side, other, sign in (("left", "right", 1), ("right", "left", -1)):
        wrist, ankle = at(f"{side}_wrist"), at(f"{side}_ankle")
        found |= {
            f"{side} hand in front": along(wrist - at("neck"), ahead) > arm,
            f"{side} hand above the neck": wrist[:, 2] > at("neck")[:, 2],
            f"{side} hand rising": change(wrist - at("pelvis"))[:, 2] > arm,
            f"{side} hand far aside": sign * along(wrist - at("neck"), aside) > 1.5 * arm,
            f"{side} hand quick": quick(f"{side}_wrist") > 4 * arm,
            f"{side} elbow bent": _angle(at(f"{side}_shoulder"), at(f"{side}_elbow"), wrist) < 110,
            f"{side} knee bent": _angle(at(f"{side}_hip"), at(f"{side}_knee"), ankle) < 140,
            f"{side} foot raised": ankle[:, 2] - at(f"{other}_ankle")[:, 2] > 0.2 * shank,
            f"{side} foot quick": quick(f"{side}_ankle") > 2 * arm,
            f"{side} foot in front": along(ankle - at(f"{other}_ankle"), ahead) > hips,
        }
    spread, heading = far("left_wrist", "right_wrist"), np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))
    trunk = at("neck") - at("pelvis")
    twist = along(_horizontal(at("left_shoulder") - at("right_shoulder")), aside)
    return found | {
        "hands wide": spread > 2 * shoulders,
        "hands together": spread < 0.5 * shoulders,
        "hands closing": change(spread) < -arm,
        "feet wide": far("left_ankle", "right_ankle") > 2 * hips,
        "legs crossed": along(at("left_ankle") - at("right_ankle"), aside) < 0,
        "trunk bent": trunk[:, 2] < np.cos(np.deg2rad(20)) * np.linalg.norm(trunk, axis=-1),
        "trunk twisted": twist < np.cos(np.deg2rad(20)),
        "travelling": np.linalg.norm(change(at("pelvis"))[:, :2], axis=-1) > 2 * arm,
        "turning": np.abs(change(heading)) > np.deg2rad(60),
    }


@takes(duet=a(Duet))
def cross_distance_features(duet: Duet) -> np.ndarray:
    """How far ten joints of a are from ten joints of b, averaged over time.

    Shapes: [100], row a, column b, of `CROSS`. Units: metres. Chapter: 3. Siyao et al., "Duolando", ICLR 2024.
    """
    return joint_distances(duet, *(m.skeleton.indices(CROSS) for m in duet)).mean(0).ravel()


@takes(x=array("windows", "features"), y=array("real windows", "features"), scaled=flag)
def frechet_distance(x, y, scaled: bool = True) -> float:
    """Squared Fréchet distance between two sets of features, each taken as a Gaussian.

    ``|m_x - m_y|^2 + tr(C_x + C_y - 2 (C_x C_y)^(1/2))``, after every feature is centred and scaled by the mean and
    deviation of ``y``, the real set (``scaled`` False: as they are, in their units). The trace of the root is the sum
    of the singular values of X Y^T for the centred sets X and Y. Few windows raise the value: compare equal numbers of
    windows only, and with `split_half_distance`.
    Shapes: ``x`` [N, F], ``y`` [M, F]. Units: none. Errors: ValueError for fewer than two rows, unequal F, or
    values that are not finite. Chapter: 3. Heusel et al., "GANs trained by a two time-scale update rule", NeurIPS 2017.
    """
    x, y = (np.asarray(features, dtype=np.float64) for features in (x, y))
    if min(len(x), len(y)) < 2:
        raise ValueError(f"x {x.shape} and y {y.shape} must be two windows at least")
    return _gaussian_distance(*(standardised(y, x, y) if scaled else (x, y)))


def frechet_redrawn(x: np.ndarray, y: np.ndarray, times: np.ndarray, scaled: bool = True) -> np.ndarray:
    """`frechet_distance` of windows that are drawn again and again, each draw in a tenth of its time.

    Shapes: ``x`` [N, F], ``y`` [M, F], ``times`` [draws, N], how often windows are drawn -> [draws]. Chapter: 11.
    """
    x, y = (np.asarray(features, dtype=np.float64) for features in (x, y))
    x, y = standardised(y, x, y) if scaled else (x, y)
    real = y - y.mean(0)
    _, size, axes = np.linalg.svd(real / np.sqrt(len(y) - 1), full_matrices=False)
    real_axes, found = axes.T * size, []  # [F, R]
    for often in np.asarray(times, dtype=np.float64):
        drawn = np.flatnonzero(often)
        weight, count = often[drawn, None], often.sum()
        mean = (weight * x[drawn]).sum(0) / count
        centred = (x[drawn] - mean) * np.sqrt(weight / (count - 1))  # its covariance is centred.T @ centred
        seen = centred @ real_axes  # singular values: the root of the product of both covariances
        gram = seen @ seen.T if len(seen) < seen.shape[1] else seen.T @ seen
        root = np.sqrt(np.linalg.eigvalsh(gram).clip(0)).sum()
        off = mean - y.mean(0)
        found.append(max(off @ off + (centred**2).sum() + (real**2).sum() / (len(y) - 1) - 2 * root, 0.0))
    return np.array(found)


@takes(features=array("windows", "features"), groups=array("windows", finite=False), seed=seed, splits=count(1, 10_000))
def split_half_distance(features, groups=None, seed: int = 0, splits: int = 20) -> tuple[float, float]:
    """The real-against-real floor: the Fréchet distance of one half of the real windows from the other.

    With ``groups``, the take of each window, halves are made of whole takes, for neighbours are nearly the same dance.
    A half has N / 2 windows: hold generated sets of that size against it.
    Shapes: ``features`` [N, F], ``groups`` [N] -> (mean, standard deviation) over ``splits`` random halves.
    Errors: ValueError for values not finite, fewer than two groups, or a half of fewer than two windows. Chapter: 3.
    """
    features = np.asarray(features, dtype=np.float64)
    groups = np.arange(len(features)) if groups is None else np.asarray(groups)
    names, sizes = np.unique(groups, return_counts=True)
    least = np.sort(sizes)[: len(names) // 2].sum()  # windows in the smallest half that could be drawn
    if least < 2:
        raise ValueError(f"features: {len(features)} windows in {len(names)} groups cannot be halved; there must be "
                         "two groups at least, and no half may have less than two windows")
    (features,) = standardised(features, features)
    rng = np.random.default_rng(seed)
    halves = [np.isin(groups, rng.permutation(names)[: len(names) // 2]) for _ in range(splits)]
    found = [_gaussian_distance(features[half], features[~half]) for half in halves]
    return float(np.mean(found)), float(np.std(found))


def seen_poses(pieces: np.ndarray, skeleton: Skeleton, frames: slice | np.ndarray = slice(None)) -> np.ndarray:
    """Some frames of pieces of dances, of the 17 joints, as seen from each piece's middle frame: place and heading.

    Shapes: [N, T, J, 3] -> [N, frames * 51]. Units: metres. Chapter: 11.
    """
    batch = torch.from_numpy(np.ascontiguousarray(pieces))[:, :, None]  # [N, T, 1, J, 3]
    here = reference_frame(batch, batch.shape[1] // 2, skeleton, of="a")
    return here.to_local(batch[:, frames, 0][:, :, _indices(skeleton)]).flatten(1).numpy()


def standardised(real: np.ndarray, *sets: np.ndarray) -> list[np.ndarray]:
    """Sets of features, centred and scaled by the mean and deviation of the real one; shapes [N, F]. Chapter: 3."""
    deviation = real.std(0)
    deviation = np.where(deviation > 1e-9, deviation, 1.0)
    return [(each - real.mean(0)) / deviation for each in sets]


def _gaussian_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Squared Fréchet distance of the Gaussians with the means and covariances of x [N, F] and y [M, F]."""
    means = x.mean(0) - y.mean(0)
    # the triangular factor has the same covariance and at most F rows
    r_x, r_y = (np.asarray(np.linalg.qr((each - each.mean(0)) / np.sqrt(len(each) - 1), mode="r")) for each in (x, y))
    root = np.linalg.svd(r_x @ r_y.T, compute_uv=False).sum()
    return float(max(means @ means + (r_x**2).sum() + (r_y**2).sum() - 2 * root, 0.0))


def _common(motion: Motion, least: int) -> np.ndarray:
    if len(motion) < least:
        raise ValueError(f"{len(motion)} frames are too few for these features; they need {least}")
    return motion.positions[:, _indices(motion.skeleton)].astype(np.float64)  # [T, 17, 3]


@lru_cache(maxsize=64)
def _indices(skeleton: Skeleton) -> list[int]:
    """Looked for by name once: thousands of windows have one skeleton."""
    return skeleton.indices()


def _horizontal(vectors: np.ndarray) -> np.ndarray:
    """Unit vectors along the floor."""
    flat = vectors * (1, 1, 0)
    return flat / np.maximum(np.linalg.norm(flat, axis=-1, keepdims=True), 1e-9)


def _angle(first: np.ndarray, middle: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The angle at the middle of three joints [T, 3], degrees: 180 is straight."""
    u, v = first - middle, last - middle
    size = np.maximum(np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1), 1e-12)
    return np.degrees(np.arccos(np.clip((u * v).sum(-1) / size, -1, 1)))
