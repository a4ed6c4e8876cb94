"""Directions, rotation matrices and two-bone limbs: the geometry of a synthetic body. Taught in chapter 1."""

from __future__ import annotations

import numpy as np


def about(axis: str, angle: np.ndarray) -> np.ndarray:
    """Rotation matrices [..., 3, 3] about one axis by angles [...] in radians. Chapter: 1."""
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    rows = {
        "x": (one, zero, zero, zero, c, -s, zero, s, c),
        "y": (c, zero, s, zero, one, zero, -s, zero, c),
        "z": (c, -s, zero, s, c, zero, zero, zero, one),
    }[axis]
    return np.stack(rows, axis=-1).reshape(np.shape(angle) + (3, 3))


def unit(vector: np.ndarray) -> np.ndarray:
    """Vectors [..., 3] scaled to length one. Chapter: 1."""
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9)


def frame(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rotation matrices [..., 3, 3] whose first column is `first` and whose second leans on `second`. Chapter: 1."""
    x = unit(first)
    z = unit(np.cross(x, second))
    return np.stack([x, np.cross(z, x), z], axis=-1)


def two_bone_ik(start, goal, upper: float, lower: float, bend, limit) -> tuple[np.ndarray, np.ndarray]:
    """Directions of two bones [T, 3] that lead from `start` to `goal`, the joint between them pushed along `bend`.

    Out of reach, the limb points at the goal as far as its joint limit allows. Chapter: 1. By the law of cosines.
    """
    line = goal - start
    distance_at = lambda flexion: np.sqrt(upper**2 + lower**2 + 2 * upper * lower * np.cos(flexion))  # noqa: E731
    distance = np.clip(np.linalg.norm(line, axis=-1), distance_at(limit[1]), distance_at(limit[0]))[..., None]
    along = unit(line)
    side = unit(bend - (bend * along).sum(-1, keepdims=True) * along)
    near = (upper**2 - lower**2 + distance**2) / (2 * distance)
    off = np.sqrt(np.maximum(upper**2 - near**2, 0))
    middle = along * near + side * off
    return unit(middle), unit(along * distance - middle)


def rotation_between(rotations: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """World rotations [T, 3, 3] turned by the shortest way that brings directions `old` to `new` [T, 3].

    Rodrigues' formula, in the form that needs no angle. Chapter: 1.
    """
    cross, dot = np.cross(old, new), (old * new).sum(-1)[..., None, None]
    skew = np.zeros(cross.shape[:-1] + (3, 3))
    skew[..., 0, 1], skew[..., 0, 2], skew[..., 1, 2] = -cross[..., 2], cross[..., 1], -cross[..., 0]
    skew -= np.swapaxes(skew, -1, -2)
    return (np.eye(3) + skew + skew @ skew / np.maximum(1 + dot, 1e-6)) @ rotations
