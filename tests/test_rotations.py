"""Every identity about rotations, beside SciPy's or beside what it says of itself."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from choreo_lib.body import rotations
from choreo_lib.body.kinematics import local_rotations
from choreo_lib.body.skeleton import HYBRIK_29

CHANCE = np.random.default_rng(0)


def spun(count, seed=0):
    return Rotation.random(count, rng=np.random.default_rng(seed))


def test_arrays_give_arrays_and_tensors_tensors():
    angle, points = CHANCE.normal(size=5), CHANCE.normal(size=(5, 3))
    made = rotations.rotate_points_z(angle, points)
    assert isinstance(made, np.ndarray)
    np.testing.assert_allclose(made, Rotation.from_euler("z", angle[:, None]).apply(points), atol=1e-12)
    points.setflags(write=False)
    assert torch.is_tensor(rotations.rotate_points_z(torch.tensor(0.1), torch.tensor(points[0])))
    np.testing.assert_array_equal(rotations.rotate_points_z(angle=angle, points=points), made)


def test_continuous_quaternions_are_the_same_rotations_and_never_jump():
    smooth = Rotation.from_rotvec(np.linspace([0, 0, 0], [0, 0, 7], 60)).as_quat()[:, None].repeat(2, 1)
    torn = smooth * CHANCE.choice([-1.0, 1.0], size=(60, 2, 1))
    found = rotations.continuous(torn)
    assert ((found[1:] * found[:-1]).sum(-1) > 0).all() and (found[0] == torn[0]).all()
    np.testing.assert_array_equal(np.abs(found), np.abs(torn))


@pytest.mark.parametrize("axis", "xyz")
def test_rotations_about_an_axis(axis):
    angle = CHANCE.normal(size=(4, 2))
    want = Rotation.from_euler(axis, angle.reshape(-1, 1)).as_matrix().reshape(4, 2, 3, 3)
    np.testing.assert_allclose(rotations.rotation_about(axis, angle), want, atol=1e-12)


def test_turning_quaternions_about_the_vertical_turns_their_points():
    q, angle, point = spun(6), torch.tensor(CHANCE.normal(size=6)), CHANCE.normal(size=3)
    turned = Rotation.from_quat(rotations.rotate_z(angle, torch.tensor(q.as_quat())).numpy()).apply(point)
    np.testing.assert_allclose(turned, rotations.rotate_points_z(angle, torch.tensor(q.apply(point))), atol=1e-12)


def test_the_smallest_rotation_between_directions():
    start, end, extra = CHANCE.normal(size=(3, 50, 3))
    matrix = rotations.rotation_between(start, end)
    there = rotations.unit(end)
    np.testing.assert_allclose(np.einsum("tij,tj->ti", matrix, rotations.unit(start)), there, atol=1e-9)
    angle = Rotation.from_matrix(matrix).magnitude()
    np.testing.assert_allclose(np.cos(angle), (rotations.unit(start) * there).sum(-1), atol=1e-9)
    np.testing.assert_allclose(rotations.swing(extra, start, end), np.einsum("tij,tj->ti", matrix, extra), atol=1e-9)


@pytest.mark.parametrize("start", [*np.eye(3), np.ones(3)], ids=str)
def test_opposite_directions_are_half_a_turn_apart_and_no_direction_turns_nothing(start):
    matrix = rotations.rotation_between(start, -2 * start)
    np.testing.assert_allclose(matrix @ start, -start, atol=1e-9)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(matrix) == pytest.approx(1)
    np.testing.assert_array_equal(rotations.rotation_between(start, 0 * start), np.eye(3))
    np.testing.assert_array_equal(rotations.swing(start[::-1].copy(), 0 * start, start), start[::-1])


def test_axes_lie_along_the_first_vector_and_lean_on_the_second():
    first, second = CHANCE.normal(size=(2, 20, 3))
    axes = rotations.axes_from(first, second)
    np.testing.assert_allclose(axes[..., 0], rotations.unit(first), atol=1e-12)
    np.testing.assert_allclose(axes.swapaxes(-1, -2) @ axes, np.tile(np.eye(3), (20, 1, 1)), atol=1e-12)
    assert ((axes[..., 1] * second).sum(-1) > 0).all()
    np.testing.assert_allclose((axes[..., 2] * second).sum(-1), 0, atol=1e-12)


def test_a_mean_rotation_is_scipys():
    near = spun(1) * Rotation.from_rotvec(0.3 * CHANCE.normal(size=(9, 3)))
    weights = CHANCE.uniform(0.1, 1, 9)
    np.testing.assert_allclose(rotations.mean_rotation(near.as_matrix(), weights), near.mean(weights).as_matrix(),
                               atol=1e-9)
    np.testing.assert_allclose(rotations.mean_rotation(near.as_matrix()), near.mean().as_matrix(), atol=1e-9)


@pytest.mark.parametrize("matrix", [np.eye(3)[[2, 0, 1]], np.diag([1.0, -1, 1])], ids=["turned", "mirrored"])
def test_another_basis_sees_the_same_rotation(matrix):
    q = spun(7)
    seen = Rotation.from_quat(rotations.change_basis(matrix, q.as_quat())).as_matrix()
    np.testing.assert_allclose(seen, matrix @ q.as_matrix() @ matrix.T, atol=1e-12)


def test_euler_angles_of_any_order_and_of_no_axis():
    degrees = CHANCE.uniform(-400, 400, (8, 7))
    channels = [([2, 0, 1], [0, 1, 2]), ([], []), ([1], [6]), ([2, 0, 1], [3, 5, 4])]
    found = rotations.euler_to_quaternions(degrees, channels)
    for joint, (axes, columns) in enumerate(channels):
        order = "".join("XYZ"[axis] for axis in axes)
        want = Rotation.from_euler(order, degrees[:, columns], degrees=True) if axes else Rotation.identity(8)
        assert (Rotation.from_quat(found[:, joint]) * want.inv()).magnitude().max() < 1e-9


def test_two_bones_reach_the_goal_or_point_at_it():
    start, goal = np.zeros((3, 3)), np.array([[0.3, 0.1, -0.5], [0, 0, -5.0], [0, 0, -0.01]])
    limit = np.deg2rad([2, 140])
    upper, lower = rotations.two_bone_ik(start, goal, 0.4, 0.3, np.tile([0.0, -1, 0], (3, 1)), limit)
    reached = 0.4 * upper + 0.3 * lower
    np.testing.assert_allclose(reached[0], goal[0], atol=1e-9)
    np.testing.assert_allclose(rotations.unit(reached), rotations.unit(goal), atol=1e-9)
    np.testing.assert_allclose(np.arccos((upper * lower).sum(-1))[1:], limit, atol=1e-6)
    assert (upper[:, 1] < 0).all()  # the middle joint goes where it was pushed


def test_local_rotations_are_what_leads_back_to_the_world():
    local = spun(6 * 29).as_quat().reshape(6, 29, 4)
    local = rotations.continuous(local)
    world = [Rotation.from_quat(local[:, 0])]
    for j, parent in enumerate(HYBRIK_29.parents[1:], start=1):
        world.append(world[parent] * Rotation.from_quat(local[:, j]))
    found = local_rotations(HYBRIK_29, np.stack([each.as_matrix() for each in world], 1))
    np.testing.assert_allclose(found * np.sign((found * local).sum(-1, keepdims=True)), local, atol=1e-7)
    assert ((found[1:] * found[:-1]).sum(-1) >= 0).all()
