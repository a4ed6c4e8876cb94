"""Feet of a take that was made: they stand, the body stays a body, and what cannot be helped is left alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import choreo_lib as cl
from choreo_lib.evaluation import metrics
from choreo_lib.extensions.foot_contact import fix_foot_skate
from choreo_lib.sets import synthetic
from choreo_lib.systems.losses import rotation_difference


@pytest.fixture(scope="module")
def danced():
    return synthetic.duet("canon", 240, seed=3).a


def slid(motion, speed, bob=0.01):
    """As if a network had made it: the whole body glides, and bobs."""
    time = np.arange(len(motion)) / motion.fps
    root = motion.positions[:, 0] + np.stack([speed * time, 0 * time, bob * np.sin(7 * time)], -1)
    return cl.Motion.from_rotations(motion.rotations, root, motion.fps, motion.skeleton)


def test_feet_that_slide_stand(danced):
    before = slid(danced, 0.15)
    after = fix_foot_skate(before)
    skates = [metrics.foot_skate(motion) for motion in (danced, before, after)]
    assert skates[1] > skates[0] + 0.1 and skates[2] < skates[0] + 0.5 * (skates[1] - skates[0])
    jerks = [metrics.jerk(motion.positions, 30).mean() for motion in (before, after)]
    assert jerks[1] < 1.6 * jerks[0]


def test_the_body_stays_a_body_and_what_is_above_the_hips_follows_the_pelvis(danced):
    before = slid(danced, 0.15, bob=0.06)
    after = fix_foot_skate(before)
    parents, children = zip(*after.skeleton.bones)
    lengths = np.linalg.norm(after.positions[:, children] - after.positions[:, parents], axis=-1)
    assert np.abs(lengths - np.linalg.norm(after.skeleton.offsets[list(children)], axis=-1)).max() < 1e-4
    sunk = after.positions[:, 0] - before.positions[:, 0]
    assert np.abs(sunk[:, :2]).max() == 0 and sunk[:, 2].max() < 1e-6 and -0.13 < sunk[:, 2].min() < -0.02
    head = after.skeleton.find("head")
    np.testing.assert_allclose(after.positions[:, head] - before.positions[:, head], sunk, atol=1e-4)
    assert (after.fps, after.skeleton) == (before.fps, before.skeleton)


def test_no_knee_snaps(danced):
    legs = danced.skeleton.indices(("left_hip", "left_knee", "right_hip", "right_knee"))
    turns = danced.rotations.copy()
    turns[:, legs] = (0.0, 0.0, 0.0, 1.0)  # straight, so that they do not say which way to bend
    stiff = cl.Motion.from_rotations(turns, danced.positions[:, 0], 30, danced.skeleton)
    for motion, most in ((danced, 0.4), (stiff, 0.3)):  # radians a frame; a knee that turns about has 1.6
        after = torch.tensor(fix_foot_skate(slid(motion, 0.15, bob=0.06)).rotations[:, legs])
        assert float(rotation_difference(after[1:], after[:-1]).max()) ** 0.5 < most


def test_feet_that_stand_already_stay(danced):
    after = fix_foot_skate(danced)
    toes = danced.skeleton.indices(("left_toe", "right_toe"))
    low = danced.positions[:, toes, 2] < np.percentile(danced.positions[:, toes, 2], 5, axis=0) + 0.005
    moved = np.linalg.norm(after.positions[:, toes] - danced.positions[:, toes], axis=-1)
    assert np.median(moved[low]) < 0.02


def test_without_rotations_or_legs_nothing_is_done(danced):
    points = replace(danced, rotations=None)
    assert fix_foot_skate(points) is points
    bones = danced.skeleton
    longer = replace(danced, positions=1.15 * danced.positions)  # no body with these bones
    assert fix_foot_skate(longer) is longer
    nameless = replace(danced, skeleton=cl.Skeleton(tuple(f"p{j}" for j in range(len(bones))), bones.parents,
                                                    bones.offsets))
    assert fix_foot_skate(nameless) is nameless


def test_a_leg_held_up_is_no_floor(danced):
    """Whoever jumps for most of a take still lands where the floor is."""
    root = danced.positions[:, 0].copy()
    root[:144, 2] += 0.5
    motion = cl.Motion.from_rotations(danced.rotations, root, 30, danced.skeleton)
    toes = danced.skeleton.indices(("left_toe", "right_toe"))
    lowest = [each.positions[160:, toes, 2].min(0) for each in (motion, fix_foot_skate(motion))]
    assert np.abs(lowest[1] - lowest[0]).max() < 0.03


def test_pelvis_sinks_as_softly_at_any_rate(danced):
    speeds = []
    for fps in (30, 120):
        before = slid(danced, 0.15, bob=0.06).resampled(fps)
        speeds.append(np.abs(np.diff((fix_foot_skate(before).positions - before.positions)[:, 0, 2])).max() * fps)
    assert 0 < speeds[1] < 1.2 * speeds[0]
    assert len(fix_foot_skate(danced.resampled(2))) == len(danced.resampled(2))
