"""Rotations found from points: near to known ones, steady, without flips, and joints where they were."""

from dataclasses import replace
from functools import cache

import make_bodies as bodies
import numpy as np
import pytest
from scipy.spatial.transform import Rotation as R

import choreo_lib as cl
from choreo_lib.io.local_rotations import _fitted, recover_rotations, turning_in_time
from choreo_lib.io.steadiness import steady, steady_hinges, transport
from choreo_lib.sets.registry import DatasetError


def points_of(motion):
    """The same dance, of which only points are known."""
    return cl.Motion(motion.positions, motion.fps, cl.Skeleton(motion.skeleton.names, motion.skeleton.parents))


def off_mm(one, other):
    return 1000 * np.linalg.norm(one.positions - other.positions, axis=-1)


def degrees(one, other):
    """The angle between rotations, [...]."""
    return np.degrees(2 * np.arccos(np.abs((one * other).sum(-1)).clip(0, 1)))


def steps(motion):
    return degrees(motion.rotations[1:], motion.rotations[:-1])


def twists(motion):
    """How each joint is turned about its first bone, [T, J], radians, without jumps."""
    body, found = motion.skeleton, np.zeros(motion.rotations.shape[:2])
    for joint, child in {parent: child for parent, child in reversed(body.bones)}.items():
        bone = body.offsets[child] / np.linalg.norm(body.offsets[child])
        local = motion.rotations[:, joint]
        found[:, joint] = np.unwrap(2 * np.arctan2(local[:, :3] @ bone, local[:, 3]))
    return found


def spins(motion):
    """How fast each joint turns about its first bone, [T - 1, J], radians a frame.

    An angle of twist says nothing where a bone points back against its rest pose: there it turns over at once.
    """
    body, found = motion.skeleton, np.zeros((len(motion) - 1, len(motion.skeleton)))
    for joint, child in {parent: child for parent, child in reversed(body.bones)}.items():
        before, after = (R.from_quat(motion.rotations[part, joint]) for part in (slice(-1), slice(1, None)))
        bone = body.offsets[child] / np.linalg.norm(body.offsets[child])
        found[:, joint] = (before.inv() * after).as_rotvec() @ bone
    return found


def bent(frames=120, twist=0.0):
    """An upper and a lower bone that bends and stretches, and the axis about which it does, [T, 3] each."""
    time = np.linspace(0, 4, frames)
    swing = 0.6 * np.sin(2 * time)
    upper = np.stack([np.sin(swing), 0 * swing, -np.cos(swing)], -1)
    axis = np.tile([0.0, 1.0, 0.0], (frames, 1))
    bend = 0.7 + 0.7 * np.cos(3 * time)
    lower = np.cos(bend)[:, None] * upper + np.sin(bend)[:, None] * np.cross(axis, upper)
    return upper, lower, axis


@cache
def salsa(name="Easy_03"):
    try:
        return cl.load_duet(f"salsa/{name}")
    except DatasetError:
        pytest.skip("the salsa set is not here")


def test_points_alone_are_enough_for_every_bone():
    motion = bodies.dance(90)
    found = recover_rotations(motion)
    assert found.rotations.shape == (90, 29, 4) and found.skeleton.offsets is not None
    assert off_mm(found, motion).max() < 1, "every joint is where it was"
    again = cl.Motion.from_rotations(found.rotations, found.positions[:, 0], 30, found.skeleton)
    assert off_mm(again, found).max() < 0.1
    assert steps(found).max() < 40


def test_bones_in_a_line_leave_the_twist_as_it_was():
    """Two bones of one joint that lie in a line show where it points, and nothing of how it is turned about itself."""
    body = cl.Skeleton(("root", "up", "down"), (-1, 0, 0), np.array([[0, 0, 0], [0, 0, 0.3], [0, 0, -0.3]]))
    turned = np.tile(R.from_euler("z", 40, degrees=True).as_matrix(), (2, 3, 1, 1))
    target = np.zeros((2, 3, 3))
    target[:, 1] = R.from_euler("x", 20, degrees=True).apply([0, 0, 0.3])
    target[:, 2] = -target[:, 1]
    found = _fitted(body, turned, target)
    np.testing.assert_allclose(found[:, 0] @ [0, 0, 0.3], target[:, 1], atol=1e-3)
    least = np.degrees(R.from_matrix(found[:, 0] @ turned[:, 0].swapaxes(1, 2)).magnitude())
    np.testing.assert_allclose(least, 20, atol=0.5)


def test_bones_are_stiff_and_the_rest_pose_is_a_t():
    found = recover_rotations(bodies.dance(60))
    rest = np.zeros((29, 3))
    for parent, child in found.skeleton.bones:
        rest[child] = rest[parent] + found.skeleton.offsets[child]
    wrist, elbow, head, knee = rest[found.skeleton.indices(("left_wrist", "left_elbow", "head", "left_knee"))]
    arm = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    assert abs(arm[0]) > 0.95 and head[2] > 0.4 and knee[2] < -0.3
    with pytest.raises(ValueError, match="left_hip"):
        recover_rotations(cl.Motion(np.zeros((3, 2, 3)), 30, cl.Skeleton(("root", "tip"), (-1, 0))))


def test_a_straight_or_trembling_limb_does_not_flip():
    upper, lower, axis = bent()
    trembling = lower + np.random.default_rng(0).normal(scale=0.02, size=lower.shape)
    found, seen = steady_hinges(upper, trembling, axis)
    assert np.degrees(np.arccos((found * axis).sum(-1).clip(-1, 1))).max() < 8
    frame_by_frame = np.cross(upper, trembling)
    assert ((frame_by_frame * axis).sum(-1) < 0).any(), "which it does, told frame by frame"
    assert seen.min() < 0.1 < 0.8 < seen.max()


def test_a_limb_stretched_too_far_bends_about_the_same_axis():
    upper, lower, axis = bent()
    over = np.where((np.arange(len(upper)) > 60)[:, None],
                    np.cos(-0.15) * upper + np.sin(-0.15) * np.cross(axis, upper), lower)
    found, _ = steady_hinges(upper, over, axis)
    assert (found * axis).sum(-1).min() > 0.9


def test_steady_follows_what_is_sure_and_bridges_what_is_not():
    time = np.linspace(0, 1, 60)
    path = np.stack([np.sin(3 * time), time], -1)
    broken = path.copy()
    broken[20:30] += 5
    weights = np.where((np.arange(60) >= 20) & (np.arange(60) < 30), 1e-6, 1.0)
    np.testing.assert_allclose(steady(broken, weights, 1.0), path, atol=0.02)
    np.testing.assert_allclose(steady(path, np.full(60, 1e6), 1.0), path, atol=1e-4)


def test_transport_follows_a_bone_without_turning_about_it():
    time = np.linspace(0, 2, 100)
    bones = np.stack([np.cos(time), np.sin(time), 0 * time], -1)
    carried = transport(bones)
    np.testing.assert_allclose(carried @ bones[0], bones, atol=1e-6)
    np.testing.assert_allclose(carried @ [0, 0, 1.0], np.tile([0, 0, 1.0], (100, 1)), atol=1e-6)


@pytest.mark.parametrize("who", ["a", "b"])
def test_danced_rotations_are_found_again(who):
    danced = getattr(salsa(), who)
    found = recover_rotations(points_of(danced), danced.skeleton)
    true, ours = twists(danced), twists(found)
    turning = true.std(0) > 0.02
    off = np.degrees(np.abs((ours - true + np.pi) % (2 * np.pi) - np.pi))[:, turning]
    assert off_mm(found, danced).mean() < 0.5 and off.mean() < 8
    jerk = [np.abs(np.diff(x[:, turning], 3, axis=0)).mean() for x in (ours, true)]
    assert jerk[0] < jerk[1], "twist is steadier than danced"
    assert steps(found).max() < 1.3 * steps(danced).max(), "and nothing flips"


def test_a_made_salsa_partner_turns_as_a_danced_one(tmp_path):
    duet = salsa()[:300]
    made = cl.load_model("duet-salsa").rollout(duet.a, duet.b[:24])
    found = recover_rotations(made)
    assert np.quantile(off_mm(found, made), 0.999, axis=0).max() < 5, "every joint is where its point was"
    assert steps(found).max() < 30
    jerk = [np.abs(np.diff(spins(each)[24:], 2, axis=0)).mean() for each in (found, duet.b)]
    assert jerk[0] < jerk[1], "twist is steadier than danced"
    cl.write_motion(made, tmp_path / "made.bvh")
    back = cl.read_motion(tmp_path / "made.bvh")
    np.testing.assert_allclose(back.positions, made.positions, atol=1e-5)
    assert np.abs(back.rotations[..., 3]).min() < 0.99, "and in a file its joints turn"
    recovered = replace(found, name="made")
    cl.write_motion(recovered, tmp_path / "stiff.bvh")
    assert " 6 " not in (tmp_path / "stiff.bvh").read_text().split("MOTION")[0].split("JOINT", 1)[1]


def test_nobody_turns_faster_than_a_dancer_can():
    """Points whose shoulders pass through each other turn a chest by half a turn from one frame to the next."""
    calm = cl.load_duet("synthetic/canon").a[:60]
    right, left, *below = (calm.skeleton.index(name) for name in (
        "right_shoulder", "left_shoulder", "right_elbow", "right_wrist", "left_elbow", "left_wrist"))
    points = calm.positions.copy()
    points[30:, [right, *below[:2], left, *below[2:]]] = points[30:, [left, *below[2:], right, *below[:2]]]
    crossed = points_of(replace(calm, positions=points, rotations=None))
    allowed = 1.06 * 1500 / calm.fps  # `limit_turns` lets pass what is about the limit
    assert steps(recover_rotations(crossed)).max() < allowed
    assert np.isfinite(recover_rotations(crossed).positions).all()
    fast = bodies.body("mixamo", frames=40)
    sudden = fast.rotations.copy()
    sudden[20:, 0] = (R.from_euler("z", 170, degrees=True) * R.from_quat(sudden[20:, 0])).as_quat()
    fast = replace(fast, rotations=sudden)
    slow = turning_in_time(fast)
    assert steps(fast).max() > 160 and steps(slow).max() < 1.06 * 1500 / fast.fps
    np.testing.assert_allclose(slow.rotations[[0, -1]], sudden[[0, -1]], atol=1e-6)
    assert turning_in_time(calm) is calm, "who turns slower stays as they are"
