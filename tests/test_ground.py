"""The ground floor: skeletons, forward kinematics, motions, duets and their sources."""

import numpy as np
import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

import choreo_lib as cl


def chain(seed=0, joints=6):
    rng = np.random.default_rng(seed)
    parents = (-1,) + tuple(int(rng.integers(0, j)) for j in range(1, joints))
    return cl.Skeleton(tuple(f"j{i}" for i in range(joints)), parents, rng.normal(size=(joints, 3)))


def dancer(seed=0, frames=12, source=cl.OURS):
    rng = np.random.default_rng(seed)
    skeleton = chain(seed)
    turns = Rotation.random(frames * len(skeleton), random_state=seed).as_quat().reshape(frames, len(skeleton), 4)
    return cl.Motion.from_rotations(turns, rng.normal(size=(frames, 3)), 30, skeleton, source=source)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_forward_kinematics_agrees_with_scipy(seed):
    rng = np.random.default_rng(seed)
    skeleton = chain(seed)
    turns = Rotation.random(len(skeleton), random_state=seed)
    root = rng.normal(size=3)
    world, where = [turns[0]], [root]
    for j in range(1, len(skeleton)):
        parent = skeleton.parents[j]
        where.append(where[parent] + world[parent].apply(skeleton.offsets[j].copy()))
        world.append(world[parent] * turns[j])
    positions, rotations = cl.forward_kinematics(skeleton, turns.as_quat(), root)
    np.testing.assert_allclose(positions, where, atol=1e-12)
    for got, true in zip(rotations, world, strict=True):
        assert (Rotation.from_quat(got) * true.inv()).magnitude() < 1e-9


def test_gradients_flow_through_forward_kinematics():
    skeleton = chain()
    turns = roma.random_unitquat((3, len(skeleton)), dtype=torch.float64).requires_grad_()
    run = lambda q: cl.forward_kinematics(skeleton, roma.quat_normalize(q), torch.zeros(3, 3).double())[0]  # noqa: E731
    assert torch.autograd.gradcheck(run, (turns,))


def test_another_body_can_be_lent_its_bones():
    skeleton, motion = chain(), dancer()
    double, _ = cl.forward_kinematics(skeleton, motion.rotations, 2 * motion.positions[:, 0], 2 * skeleton.offsets)
    np.testing.assert_allclose(double, 2 * motion.positions, atol=1e-5)


@pytest.mark.parametrize(
    ("names", "parents", "word"),
    [
        (("a", "a"), (-1, 0), "twice"),
        (("a", "b"), (-1, 1), "parent"),
        (("a", "b"), (0, -1), "root"),
        (("a",), (), "one parent"),
        ((), (), "one parent"),
    ],
)
def test_a_broken_skeleton_is_refused_by_name(names, parents, word):
    with pytest.raises(ValueError, match=word):
        cl.Skeleton(names, parents)


def test_pairs_are_found_by_their_names():
    skeleton = cl.Skeleton(("root", "LeftArm", "RightArm", "l_toe", "r_toe", "collar"), (-1, 0, 0, 0, 0, 0))
    assert skeleton.pairs == ((1, 2), (3, 4))
    assert {len({a, b}) for a, b in cl.HYBRIK_29.pairs} == {2} and len(cl.HYBRIK_29.pairs) == 11


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (dict(fps=0), "fps"),
        (dict(fps=float("nan")), "fps"),
        (dict(positions=np.zeros((5, 2, 3))), "positions"),
        (dict(positions=np.full((4, 6, 3), np.nan)), "frame 0, joint 0"),
        (dict(positions=np.zeros((0, 6, 3))), "no frames"),
        (dict(rotations=np.zeros((12, 6, 4))), "zero"),
        (dict(rotations=np.ones((3, 6, 4))), "equal"),
    ],
)
def test_bad_motion_is_refused_with_the_place(change, word):
    fields = dict(positions=dancer().positions, fps=30, skeleton=chain()) | change
    with pytest.raises(ValueError, match=word):
        cl.Motion(**fields)


def test_slices_keep_time_and_source():
    motion = dancer()
    assert len(motion[2:8]) == 6 and motion[::2].fps == 15 and motion[2:8].source == cl.OURS
    with pytest.raises(ValueError, match="no frames"):
        motion[5:5]
    with pytest.raises(TypeError, match="sliced"):
        motion[3]


def test_resampling_keeps_frames_that_both_rates_share():
    motion = dancer()
    np.testing.assert_allclose(motion.resampled(60).positions[::2], motion.positions, atol=1e-5)
    length = lambda p: np.linalg.norm(p[:, 1] - p[:, 0], axis=-1)  # noqa: E731
    assert np.ptp(length(motion.resampled(47).positions)) < 1e-5
    assert motion.resampled(47).duration == pytest.approx(motion.duration, abs=1.5 / 30)


def test_moving_a_motion_moves_points_and_rotations_alike():
    moved = dancer().moved((1, 2, 3), turn=0.7)
    again, _ = cl.forward_kinematics(moved.skeleton, moved.rotations, moved.positions[:, 0])
    np.testing.assert_allclose(again, moved.positions, atol=1e-5)


def test_a_duet_needs_one_clock():
    a = dancer()
    with pytest.raises(ValueError, match="frames of both"):
        cl.Duet(a, a[:5])
    with pytest.raises(ValueError, match="resampled"):
        cl.Duet(a, cl.Motion(a.positions, 25, a.skeleton))
    assert cl.Duet(a, a).positions.shape == (12, 2, 6, 3)


def test_terms_travel_with_the_motion():
    study = cl.Source("salsa", "its makers", "study only")
    duet = cl.Duet(dancer(), dancer(1, source=study).moved((1, 0, 0)).resampled(60).resampled(30))
    assert not duet.source.redistribute and "study only" in duet.source.terms
    assert not cl.Source.join(cl.OURS, None).redistribute, "what is unknown is not free"
    assert cl.Duet(dancer(), dancer()).source == cl.OURS
