"""Dancers put in one space: from joints about the pelvis and the pixels where they were seen. Taught in chapter 2."""

from typing import NamedTuple

import numpy as np

from ..core.arguments import a, each, number, shown, takes
from ..io.conventions import fail
from ..io.estimators import Detections

_SIZES = ((640, 480), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160))


class Placement(NamedTuple):
    """Where the camera says everybody stands, and how well it can know.

    Shapes: ``positions`` [N, J, 3], one a detection, metres, Z up, x to the camera's right, y away from it;
    ``uncertainty`` [N, 3], the standard deviation of each place along x, y, z, metres; ``residual`` [N], pixels
    between a joint seen and a joint put back, root mean square. ``focal`` and ``image_size`` in pixels are what was
    given or assumed. Chapter: 2.
    """

    positions: np.ndarray
    uncertainty: np.ndarray
    residual: np.ndarray
    focal: float
    image_size: tuple[int, int]
    assumed: bool


@takes(detections=a(Detections))
def place(detections: Detections, focal: float | None = None, image_size: tuple[int, int] | None = None) -> Placement:
    """Find for each detection the place from which its 3D joints project on its pixels.

    ``image_size`` (width, height) in pixels; None: the smallest usual video size that holds every box. ``focal``, the
    focal length in pixels; None: the image's diagonal (as CLIFF assumes: Li et al., ECCV 2022). The joints, about the
    pelvis, are X, Y, Z; the pelvis is at t. Then u = focal (X + tx) / (Z + tz) + centre, and the same for v:
    linear in t once multiplied out, and solved by least squares weighted by each key point's confidence.
    Errors: MotionFormatError (a ValueError), naming the detection whose pixels fit no place before the camera.
    Chapter: 2.
    """
    keypoints = detections.keypoints
    if keypoints is None:
        fail("detections", f"{detections.tool} leaves no pixels to place anybody by")
    if not len(detections) or detections.pred_xyz_jts.shape[1:] != (len(detections.skeleton), 3):
        fail("detections", f"expected pred_xyz_jts [N, {len(detections.skeleton)}, 3]; got shape "
                           f"{detections.pred_xyz_jts.shape}")
    for name in ("box", "keypoints", "pred_xyz_jts"):
        good = np.isfinite(getattr(detections, name)).reshape(len(detections), -1).all(axis=1)
        _all(detections, good, f"expected finite numbers in {name}")
    joints = detections.pred_xyz_jts  # [N, 24, 3], camera frame: Y down, Z away
    pixels, weight = keypoints[:, : joints.shape[1], :2], keypoints[:, : joints.shape[1], 2:]
    _all(detections, np.ptp(pixels, axis=1).max(axis=1) >= 1, "its key points lie within one pixel; are they in pixels "
         "of the whole image? If only this one is wrong, leave it out")
    if image_size is None:
        far = (detections.box[:, :2] + detections.box[:, 2:]).max(axis=0)
        holds = (size for size in _SIZES if far[0] <= size[0] and far[1] <= size[1])
        image_size = next(holds, (int(np.ceil(far[0])), int(np.ceil(far[1]))))
    assumed = focal is None
    check_lens(focal, image_size)
    wide, high = (float(side) for side in image_size)
    focal = float(np.hypot(wide, high)) if focal is None else float(focal)
    off = pixels - np.array([wide, high]) / 2  # [N, J, 2]
    weight = np.repeat(np.sqrt(np.maximum(weight, 1e-3)), 2, axis=2).reshape(len(joints), -1, 1)
    lens = np.broadcast_to(focal * np.eye(2), (*off.shape, 2))
    rows = np.concatenate([lens, -off[..., None]], axis=-1)  # [N, J, 2, 3]
    right = off * joints[..., 2:] - focal * joints[..., :2]
    rows = rows.reshape(len(joints), -1, 3) * weight
    right = right.reshape(len(joints), -1, 1) * weight
    spread = np.linalg.inv(rows.transpose(0, 2, 1) @ rows)
    there = spread @ rows.transpose(0, 2, 1) @ right  # [N, 3, 1]
    placed = joints + there.transpose(0, 2, 1)
    near = (placed[..., 2] > 0).all(axis=1) & (np.abs(placed) < 1000).all(axis=(1, 2))
    _all(detections, near, "its pixels put it behind the camera or a kilometre away; are keypoints in pixels of the "
         "whole image and pred_xyz_jts in metres? If only this one is wrong, leave it out")
    misfit = ((right - rows @ there) ** 2).sum(axis=(1, 2)) / (2 * joints.shape[1] - 3)
    uncertainty = np.sqrt(misfit[:, None] * np.diagonal(spread, axis1=1, axis2=2))
    seen = focal * placed[..., :2] / placed[..., 2:]
    residual = np.sqrt(((seen - off) ** 2).sum(axis=2).mean(axis=1))
    upright = lambda x: np.stack([x[..., 0], x[..., 2], -x[..., 1]], axis=-1)  # noqa: E731
    return Placement(upright(placed), np.abs(upright(uncertainty)), residual, focal, (int(wide), int(high)), assumed)


def check_lens(focal, image_size) -> None:
    """Refuse a focal length or a size of the image that is none. Errors: MotionFormatError."""
    try:
        if focal is not None:
            number(1, 1e6)("focal", focal)
        if image_size is not None:
            each(number(above=0, high=1e6), size=2)("image_size", image_size)
    except (TypeError, ValueError):
        fail("detections", "expected focal in pixels and image_size as (width, height) in pixels; got "
                           f"{shown(focal)} and {shown(image_size)}")


def _all(detections: Detections, good: np.ndarray, trouble: str) -> None:
    """Refuse detections that are not all good, naming the first."""
    if not good.all():
        first = int(good.argmin())
        fail("detections", trouble, f"record {first} ({detections.image_id[first]})")
