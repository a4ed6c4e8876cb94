"""Dancers put back in one space: from joints about their own pelvis and the pixels where they were seen.

Taught in chapter 2, "From video to a duet".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..formats.pointcloud import Detections

_SIZES = ((640, 480), (1280, 720), (1920, 1080), (2560, 1440), (3840, 2160))


class Placement(NamedTuple):
    """Where the camera says everybody stands, and how well it can know.

    Shapes: ``positions`` [N, J, 3], one a detection, metres, Z up, x to the camera's right, y away from it;
    ``uncertainty`` [N, 3], the standard deviation of each place along x, y, z, metres; ``residual`` [N], pixels
    between a joint seen and a joint put back, root mean square. ``focal`` and ``image_size`` in pixels are what was
    given or assumed: with another focal length every distance from the camera grows in proportion.
    Chapter: 2.
    """

    positions: np.ndarray
    uncertainty: np.ndarray
    residual: np.ndarray
    focal: float
    image_size: tuple[int, int]
    assumed: bool


def place(detections: Detections, focal: float | None = None, image_size: tuple[int, int] | None = None) -> Placement:
    """Find for each detection the place from which its 3D joints project on its pixels.

    ``image_size`` (width, height) in pixels; None: the smallest usual video size that holds every box. ``focal``, the
    focal length in pixels; None: the image's diagonal (as CLIFF assumes: Li et al., ECCV 2022). The joints, about the
    pelvis, are X, Y, Z; the pelvis is at t. Then u = focal (X + tx) / (Z + tz) + centre, and the same for v:
    linear in t once multiplied out, and solved by least squares weighted by each key point's confidence.
    Chapter: 2.
    """
    joints = detections.pred_xyz_jts  # [N, 24, 3], camera frame: Y down, Z away
    pixels, weight = detections.keypoints[:, : joints.shape[1], :2], detections.keypoints[:, : joints.shape[1], 2:]
    if image_size is None:
        far = (detections.box[:, :2] + detections.box[:, 2:]).max(axis=0)
        image_size = next((size for size in _SIZES if far[0] <= size[0] and far[1] <= size[1]), tuple(np.ceil(far)))
    assumed = focal is None
    focal = float(np.hypot(*image_size)) if assumed else float(focal)
    off = pixels - np.array(image_size) / 2  # [N, J, 2]
    weight = np.repeat(np.sqrt(np.maximum(weight, 1e-3)), 2, axis=2).reshape(len(joints), -1, 1)
    zeros, ones = np.zeros(off.shape[:2]), np.ones(off.shape[:2])
    rows = np.stack([np.stack([focal * ones, zeros, -off[..., 0]], axis=-1),
                     np.stack([zeros, focal * ones, -off[..., 1]], axis=-1)], axis=2)  # [N, J, 2, 3]
    right = off * joints[..., 2:] - focal * joints[..., :2]
    rows = rows.reshape(len(joints), -1, 3) * weight
    right = right.reshape(len(joints), -1, 1) * weight
    spread = np.linalg.inv(rows.transpose(0, 2, 1) @ rows)
    there = spread @ rows.transpose(0, 2, 1) @ right  # [N, 3, 1]
    misfit = ((right - rows @ there) ** 2).sum(axis=(1, 2)) / (2 * joints.shape[1] - 3)
    uncertainty = np.sqrt(misfit[:, None] * np.diagonal(spread, axis1=1, axis2=2))
    placed = joints + there.transpose(0, 2, 1)
    if (placed[..., 2] <= 0).any():
        first = int(np.argwhere((placed[..., 2] <= 0).any(axis=1))[0, 0])
        raise ValueError(f"detection {first} ({detections.image_id[first]}): its pixels put it behind the camera; "
                         "are keypoints in pixels of the whole image and pred_xyz_jts in metres?")
    seen = focal * placed[..., :2] / placed[..., 2:]
    residual = np.sqrt(((seen - off) ** 2).sum(axis=2).mean(axis=1))
    upright = lambda x: np.stack([x[..., 0], x[..., 2], -x[..., 1]], axis=-1)  # noqa: E731
    return Placement(upright(placed), np.abs(upright(uncertainty)), residual, focal,
                     tuple(int(n) for n in image_size), assumed)
