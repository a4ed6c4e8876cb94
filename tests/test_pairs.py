"""Files that belong together, nearly belong together, and do not: matched by name and resampled, or refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

import choreo_lib as cl
from choreo_lib.io import joint_weights, match_skeletons, read_pairs


@pytest.fixture(scope="module")
def duet():
    return cl.synthetic.duet("canon", frames=90, seed=2)


def reordered(motion, rename=str):
    """The same dancer with joints in another order (children still after parents) and other names."""
    names, parents = motion.skeleton.names, motion.skeleton.parents
    order = [0]
    while len(order) < len(names):  # always the last that may come
        order.append(max(j for j in range(len(names)) if j not in order and parents[j] in order))
    skeleton = cl.Skeleton(tuple(rename(names[j]) for j in order), tuple(
        order.index(parents[j]) if parents[j] >= 0 else -1 for j in order), motion.skeleton.offsets[order])
    assert order != sorted(order)
    return replace(motion, skeleton=skeleton, positions=motion.positions[:, order],
                   rotations=motion.rotations[:, order])


def test_joints_are_matched_by_their_names(duet):
    strange = reordered(duet.b, lambda name: "mixamorig:" + name.replace("_", " ").title())
    made = match_skeletons(duet.a, strange)
    assert made.b.skeleton.names == duet.b.skeleton.names and made.b.skeleton.parents == duet.b.skeleton.parents
    np.testing.assert_array_equal(made.b.positions, duet.b.positions)
    np.testing.assert_array_equal(made.b.rotations, duet.b.rotations)
    np.testing.assert_array_equal(made.b.skeleton.offsets, duet.b.skeleton.offsets)
    assert "renamed" in made.b.notes[-1] and "is pelvis" in made.b.notes[-1] and made.a is duet.a


def test_fingers_that_only_one_has_are_left_out_and_said(duet):
    body = duet.b.skeleton
    parents = (*body.parents, body.index("left_wrist"), len(body))
    more = cl.Skeleton((*body.names, "left_index", "left_index_tip"), parents,
                       np.concatenate([body.offsets, [[0, 0, 0.1]] * 2]))
    hand = body.index("left_wrist")
    rich = cl.Motion(np.concatenate([duet.b.positions, duet.b.positions[:, [hand, hand]]], 1), 30, more,
                     np.concatenate([duet.b.rotations, duet.b.rotations[:, :2]], 1))
    made = match_skeletons(duet.a, rich)
    np.testing.assert_array_equal(made.b.positions, duet.b.positions)
    assert made.b.notes[-1].endswith("left_index, left_index_tip")
    assert match_skeletons(rich, duet.a).a.notes == made.b.notes[:-1] + (made.b.notes[-1].replace("a has", "b has"),)


def test_clocks_and_lengths_come_together(duet):
    fast = duet.b.resampled(60)
    made = match_skeletons(duet.a, fast)
    assert made.fps == 30 and abs(len(made) - 90) <= 1 and "60 to 30" in made.b.notes[0]
    assert np.abs(made.positions[:, 1] - duet.b.positions[: len(made)]).max() < 1e-4
    made = match_skeletons(duet.a, duet.b[:86])
    assert len(made) == 86 and "90 to 86" in made.a.notes[-1]


def broken(motion, j, **change):
    names, parents = list(motion.skeleton.names), list(motion.skeleton.parents)
    names[j] = change.get("name", names[j])
    parents[j] = change.get("parent", parents[j])
    return replace(motion, skeleton=cl.Skeleton(tuple(names), tuple(parents), motion.skeleton.offsets))


@pytest.mark.parametrize(("change", "word"), [
    (lambda m: m[:60], "share their time"),
    (lambda m: broken(m, 0, name="hips"), "root"),
    (lambda m: broken(m, m.skeleton.index("left_elbow"), name="left_mid"), "carries"),
    (lambda m: broken(m, m.skeleton.index("left_wrist"), parent=0), "hangs from"),
    (lambda m: broken(m, m.skeleton.index("left_wrist"), name="Left-Elbow"), "called alike"),
])  # fmt: skip
def test_two_kinds_of_skeleton_are_refused(duet, change, word):
    with pytest.raises(cl.MotionFormatError, match=word):
        match_skeletons(duet.a, change(duet.b))


@pytest.fixture
def files(duet, tmp_path):
    cl.write_motion(duet.a, tmp_path / "one.bvh")
    cl.write_motion(duet.b, tmp_path / "other.bvh")
    return tmp_path


def listed(folder, *pairs):
    (folder / "pairs.json").write_text(json.dumps(list(pairs)))
    return read_pairs(folder / "pairs.json")


def test_pairs_are_read_as_their_list_says(duet, files):
    whole, part, late = listed(files, {"a": "one.bvh", "b": "other.bvh"},
                               {"a": "one.bvh", "b": "other.bvh", "frames": [10, 40], "scale": 0.5},
                               {"a": "one.bvh", "b": "other.bvh", "frames_a": [5, 85], "frames_b": [0, 80]})
    np.testing.assert_allclose(whole.positions, duet.positions, atol=1e-4)
    np.testing.assert_allclose(part.positions, 0.5 * duet.positions[10:40], atol=1e-4)
    np.testing.assert_allclose(late.positions[:, 0], duet.positions[5:85, 0], atol=1e-4)
    np.testing.assert_allclose(late.positions[:, 1], duet.positions[:80, 1], atol=1e-4)


def test_a_pair_of_a_list_may_have_an_axis_and_a_unit_a_file(duet, files):
    cl.write_motion(duet.b, files / "yup.bvh", up="y", scale=0.01)
    (files / "yup.bvh.json").unlink()  # as others write it
    (files / "one.bvh.json").unlink()
    (made,) = listed(files, {"a": "one.bvh", "b": "yup.bvh", "up": ["z", "y"], "scale": [1, 0.01]})
    order = [duet.b.skeleton.index(name) for name in made.b.skeleton.names]  # a BVH goes limb by limb
    np.testing.assert_allclose(made.b.positions, duet.b.positions[:, order], atol=1e-4)
    with pytest.raises(cl.MotionFormatError, match="pair 0, up=: expected one value"):
        listed(files, {"a": "one.bvh", "b": "yup.bvh", "up": ["z"]})


@pytest.mark.parametrize(("pair", "word"), [
    ({"a": "one.bvh"}, "pair 0: expected"), ({"a": "one.bvh", "b": 3}, "pair 0: expected"),
    ({"a": "one.bvh", "b": "other.bvh", "frames": [80, 200]}, r"frames \[80, 200\] of a take of 90"),
    ({"a": "one.bvh", "b": "other.bvh", "frames": 5}, "frames 5"),
    ({"a": "one.bvh", "b": "other.bvh", "frames_a": [0, 20]}, "share their time"),
    ({"a": "one.bvh", "b": "other.bvh", "speed": 2}, "speed is not known"),
    ({"a": "one.bvh", "b": "other.bvh", "fps": -3}, "frames per second"),
    ({"a": "one.bvh", "b": "nobody.bvh"}, "nobody.bvh"),
])  # fmt: skip
def test_a_list_that_is_wrong_is_refused_with_the_place(files, pair, word):
    with pytest.raises(cl.MotionFormatError, match=word):
        listed(files, pair)


def test_no_list_is_no_list(tmp_path):
    with pytest.raises(cl.MotionFormatError, match="expected a list"):
        listed(tmp_path)


def weighed(folder, said, skeleton):
    (folder / "joints.json").write_text(json.dumps(said))
    return joint_weights(folder / "joints.json", skeleton)


def test_weights_are_said_by_name(duet, tmp_path):
    body = duet.a.skeleton
    made = dict(zip(body.names, weighed(tmp_path, {"*wrist": 0.5, "left_wrist": 0.25}, body)))
    assert made["left_wrist"] == 0.25 and made["right_wrist"] == 0.5 and made["pelvis"] == 1
    for said, word in (({"*tail*": 1}, "no joint"), ({"pelvis": -1}, "at least 0"), ({"pelvis": True}, "weight True"),
                       ({"*": 0}, "nothing to learn"), ([1], "expected an object")):
        with pytest.raises(cl.MotionFormatError, match=word):
            weighed(tmp_path, said, body)
