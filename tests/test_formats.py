"""Files in and out: what is read is what was danced, and what cannot be read says where it hurts."""

import io
import json
import os
import pickle
import struct
import sys
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from choreo_lib import HYBRIK_29, Duet, Motion, Skeleton, Source
from choreo_lib.io import (
    MotionFormatError,
    MotionGuessWarning,
    conventions,
    read_detections,
    read_duet,
    read_motion,
    write_motion,
)
from choreo_lib.io.joint_sets import infer_skeleton
from choreo_lib.io.record import Recording, build_motion, recording_of, steady_bones

FIXTURES = Path(__file__).parent / "fixtures"
SALSA = ["Easy_01", "Easy_02", "Easy_03", "Hard_04", "Medium_01", "Medium_02", "move_02_02", "move_03_03"]
NAMES = ["Hips", "Left Leg", "LeftFoot", "RightLeg", "RightFoot", "Spine", "Neck", "Head"]
PARENTS = [-1, 0, 1, 0, 3, 0, 5, 6]
OFFSETS = [[0, 0, 0], [.1, 0, -.45], [0, .02, -.45], [-.1, 0, -.45], [0, .02, -.45],
           [0, 0, .35], [0, 0, .2], [0, 0, .1]]
ENDS = ((2, (0.0, 0.1, 0.0)), (4, (0.0, 0.1, 0.0)), (7, (0.0, 0.0, 0.2)))


def real(name):
    """A real file, or a skip that says what to do."""
    path = Path(os.environ.get("CHOREO_DATA", "")) / name
    if "CHOREO_DATA" not in os.environ or not path.exists():
        pytest.skip(f"CHOREO_DATA is not set to a folder that holds {name}")
    return path


def quietly(read, *args, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MotionGuessWarning)
        return read(*args, **more)


def dancer(frames=12, seed=0, name="ana", source=None, skeleton=None):
    rng = np.random.default_rng(seed)
    skeleton = skeleton or Skeleton(NAMES, PARENTS, OFFSETS, ENDS)
    rotations = Rotation.random(frames * len(skeleton), rng=rng).as_quat().reshape(frames, len(skeleton), 4)
    return Motion.from_rotations(rotations, rng.normal(size=(frames, 3)), 30, skeleton, name=name, source=source)


def refused(read, *parts, **more):
    """The message of a refusal, which must hold every part."""
    with pytest.raises(MotionFormatError) as caught:
        quietly(read, **more)
    for part in parts:
        assert part in str(caught.value), f"{part!r} is not in {str(caught.value)!r}"
    return str(caught.value)


def euler_by_hand(text):
    """A second, slow BVH reader: matrices by SciPy, one joint and frame at a time. Gives file units and axes."""
    words = text.split()
    names, parents, offsets, channels, stack, at = [], [], [], [], [], 1
    while words[at] != "MOTION":
        if words[at] in ("ROOT", "JOINT"):
            names.append(words[at + 1])
            parents.append(stack[-1] if stack else -1)
            offsets.append(None)
            channels.append([])
            stack.append(len(names) - 1)
        elif words[at] == "End":
            stack.append(None)
        elif words[at] == "}":
            stack.pop()
        elif words[at] == "OFFSET" and stack[-1] is not None:
            offsets[stack[-1]] = [float(x) for x in words[at + 1:at + 4]]
        elif words[at] == "CHANNELS":
            channels[stack[-1]] = words[at + 2:at + 2 + int(words[at + 1])]
        at += 1
    frames, numbers = int(words[at + 2]), [float(x) for x in words[at + 6:]]
    out, numbers = [], iter(numbers)
    for _ in range(frames):
        world = []
        for j, parent in enumerate(parents):
            local, turn = np.array(offsets[j]), np.eye(3)
            for channel in channels[j]:
                value = next(numbers)
                if channel.endswith("position"):
                    local["XYZ".index(channel[0])] = value
                else:
                    turn = turn @ Rotation.from_euler(channel[0].lower(), value, degrees=True).as_matrix()
            place, spin = (np.zeros(3), np.eye(3)) if parent < 0 else world[parent]
            world.append((place + spin @ local, spin @ turn))
        out.append([place for place, _ in world])
    return np.array(out)


# ---- BVH

def test_odd_bvh_is_read_as_a_slow_reader_reads_it():
    text = (FIXTURES / "odd.bvh").read_text()
    want = euler_by_hand(text.replace("Left Up Leg", "Leg").replace("Left Foot", "Foot"))
    with pytest.warns(MotionGuessWarning) as heard:
        motion = read_motion(FIXTURES / "odd.bvh")
    assert {"up axis guessed: y", "unit guessed: centimetre (0.01 m)"} <= set(motion.notes) and len(heard) == 2
    want = 0.01 * np.stack([want[..., 0], -want[..., 2], want[..., 1]], axis=-1)
    np.testing.assert_allclose(motion.positions, want, atol=1e-6)
    assert motion.skeleton.names == ("Hips", "Left Up Leg", "Left Foot", "Spine", "Head")
    assert motion.fps == 60 and motion.name == "odd" and motion.source is None
    np.testing.assert_allclose(motion.skeleton.offsets[3], [0, 0, 0.31])  # the constant position channels
    np.testing.assert_allclose(motion.skeleton.end_sites[0][1], [0, -0.1, -0.05])


def test_rotations_and_offsets_give_the_positions_again():
    from choreo_lib import forward_kinematics
    motion = quietly(read_motion, FIXTURES / "odd.bvh")
    again, _ = forward_kinematics(motion.skeleton, motion.rotations, motion.positions[:, 0])
    np.testing.assert_allclose(again, motion.positions, atol=1e-6)


def test_varying_position_channels_stretch_bones_and_say_so(tmp_path):
    text = (FIXTURES / "odd.bvh").read_text().replace("4  0 31 0 5", "4  0 37 0 5")
    (tmp_path / "stretch.bvh").write_text(text)
    motion = quietly(read_motion, tmp_path / "stretch.bvh", up="y", scale=0.01)
    length = np.linalg.norm(motion.positions[:, 3] - motion.positions[:, 0], axis=-1)
    np.testing.assert_allclose(length, [0.37, 0.31, 0.31], atol=1e-6)
    assert any("bones change length" in note and "Spine" in note for note in motion.notes)
    write_motion(motion, tmp_path / "again.bvh")
    np.testing.assert_allclose(read_motion(tmp_path / "again.bvh").positions, motion.positions, atol=2e-6)


def test_bvh_keeps_source_name_order_and_states_its_axes(tmp_path):
    names, parents = HYBRIK_29.names, HYBRIK_29.parents  # breadth first, unlike any BVH
    body = Skeleton(names, parents, np.random.default_rng(1).normal(size=(29, 3)) * 0.2)
    source = Source("a set", "its ‘makers’ }", "study only\nOFFSET", False, "https://example.org")
    motion = dancer(skeleton=body, source=source, name="née {x}")
    write_motion(motion, tmp_path / "d.bvh")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # our own file leaves nothing to guess
        again = read_motion(tmp_path / "d.bvh")
    assert again.source == source and again.name == motion.name and again.fps == 30
    assert again.skeleton.names == names and again.skeleton.parents == parents
    np.testing.assert_allclose(again.positions, motion.positions, atol=2e-6)
    assert (tmp_path / "d.bvh").read_text().startswith("HIERARCHY\nROOT pelvis\n{\n\tOFFSET 0 0 0\n\tCHANNELS 6 ")


def test_other_readers_take_our_bvh(tmp_path):
    BVH = pytest.importorskip("pymotion.io.bvh").BVH
    from pymotion.ops.skeleton import fk
    motion = dancer(source=Source("set", terms="OFFSET JOINT Frames: 3"))
    write_motion(motion, tmp_path / "d.bvh")
    other = BVH()
    other.load(tmp_path / "d.bvh")
    rotations, places, parents, offsets, _, _ = other.get_data()
    np.testing.assert_allclose(fk(rotations, places[:, 0], offsets, parents)[0], motion.positions, atol=1e-5)


def test_points_without_rotations_travel_as_bvh(tmp_path):
    motion = Motion(np.random.default_rng(0).normal(size=(9, 29, 3)), 25, HYBRIK_29)
    write_motion(motion, tmp_path / "p.bvh")
    again = read_motion(tmp_path / "p.bvh")
    np.testing.assert_allclose(again.positions, motion.positions, atol=1e-5)
    assert again.skeleton.names == HYBRIK_29.names


@pytest.mark.parametrize("middle", [-90.0, -89.99999, 0.0, 89.9999999, 90.0])
def test_angles_are_exact_at_the_poles(tmp_path, middle):
    given = Rotation.from_euler("ZYX", [[40, middle, 10], [-170, middle, 100], [0, middle, 0]], degrees=True)
    body = Skeleton(["hips", "tip"], [-1, 0], [[0, 0, 0], [0, 0, 1]])
    rotations = np.stack([given.as_quat(), given.inv().as_quat()], axis=1)  # [3, 2, 4]
    write_motion(Motion.from_rotations(rotations, np.zeros((3, 3)), 30, body), tmp_path / "x.bvh")
    again = read_motion(tmp_path / "x.bvh").rotations
    for joint, wanted in enumerate((given, given.inv())):
        assert (wanted.inv() * Rotation.from_quat(again[:, joint])).magnitude().max() < 3e-7  # float32


BROKEN = {
    "Frame Time: 0.0166667->Frame Time: 0": ["line 36", "Frame Time", "0.0001"],
    "Frame Time: 0.0166667->Frame Time: -0.1": ["line 36"],
    "Frame Time: 0.0166667->Frame Time: nan": ["line 36", "nan"],
    "Frame Time: 0.0166667->": ["Frame Time", "line 36"],
    "Frames:\t3->Frames: 1000000000000": ["line 35", "1,000,000 frames"],
    "Frames:\t3->Frames: 90000": ["line 35", "cut short"],
    "Frames:\t3->Frames: 900000": ["line 35", "3,000,000 points"],
    "Frames:\t3->Frames: 14": ["line 35", "Frames says 14", "3 lines"],
    "Frames:\t3->Frames: 0": ["line 35"],
    "Frames:\t3->Frames: three": ["line 35", "three"],
    "14  0 31->nan 0 31": ["line 38", "nan"],
    "14  0 31->1e999 0 31": ["line 38", "1e999", "place 10"],
    "14  0 31->1.4.0 0 31": ["line 38", "1.4.0"],
    "14  0 31->1-4 0 31": ["line 38", "1-4"],
    "14  0 31->0 31": ["line 38", "expected 19 numbers", "got 18"],
    "HIERARCHY->HIERARCH": ["line 1", "HIERARCHY"],
    "MOTION->": ["MOTION"],
    "OFFSET 0 -80 0->OFFSET 0 -80": ["line 11", "OFFSET"],
    "OFFSET 0 -80 0->OFFSET 0 inf 0": ["line 11", "OFFSET"],
    "OFFSET 0 -80 0->": ["'Left Foot'", "without an OFFSET"],
    "CHANNELS 1 Xrotation->CHANNELS 2 Xrotation": ["line 12", "CHANNELS says 2 and names 1"],
    "CHANNELS 1 Xrotation->CHANNELS 1 Wrotation": ["line 12", "Wrotation"],
    "CHANNELS 1 Xrotation->CHANNELS 2 Xrotation Xrotation": ["line 12", "twice"],
    "JOINT Spine->ROOT Spine": ["line 19", "second ROOT"],
    "JOINT Spine->JOINT": ["line 19", "name"],
    "JOINT Spine->BONE Spine": ["line 19", "BONE"],
    "\t}\r\n}\r\nMOTION->\t}\r\nMOTION": ["still open"],
    "\t}\r\n}\r\nMOTION->\t}\r\n}\r\n}\r\nMOTION": ["line 34", "closing brace"],
}


@pytest.mark.parametrize("change", BROKEN)
def test_a_broken_bvh_names_the_line(tmp_path, change):
    old, new = change.split("->")
    data = (FIXTURES / "odd.bvh").read_bytes()
    assert old.encode() in data
    (tmp_path / "broken.bvh").write_bytes(data.replace(old.encode(), new.encode(), 1))
    refused(lambda: read_motion(tmp_path / "broken.bvh"), "broken.bvh", *BROKEN[change])


def test_twin_names_are_told_apart(tmp_path):
    text = (FIXTURES / "odd.bvh").read_text().replace("JOINT Head", "JOINT Spine")
    (tmp_path / "twins.bvh").write_text(text)
    motion = quietly(read_motion, tmp_path / "twins.bvh", up="y", scale=0.01)
    assert motion.skeleton.names[-2:] == ("Spine", "Spine_2")
    assert "joint name 'Spine' stood twice; the later one is now 'Spine_2'" in motion.notes


def test_a_chain_deeper_than_the_recursion_limit_of_a_small_stack(tmp_path):
    count = conventions.MAX_JOINTS
    body = Skeleton([f"j{i}" for i in range(count)], range(-1, count - 1), np.full((count, 3), 0.002))
    motion = dancer(frames=2, skeleton=body)
    write_motion(motion, tmp_path / "chain.bvh")
    np.testing.assert_allclose(read_motion(tmp_path / "chain.bvh").positions, motion.positions, atol=1e-4)
    text = (tmp_path / "chain.bvh").read_text().replace("ROOT j0", "ROOT j0\n{\nOFFSET 0 0 0\nCHANNELS 0\nJOINT k", 1)
    (tmp_path / "chain.bvh").write_text(text)
    refused(lambda: read_motion(tmp_path / "chain.bvh"), "512 joints")


@pytest.mark.parametrize("take", SALSA)
@pytest.mark.parametrize("who", ["female", "male"])
def test_salsa_agrees_with_pymotion_and_comes_back(tmp_path, take, who):
    path = real(f"salsa/{take}_{who}_30fps.bvh")
    BVH = pytest.importorskip("pymotion.io.bvh").BVH
    from pymotion.ops.skeleton import fk
    motion = quietly(read_motion, path)
    assert set(motion.notes) == {"up axis guessed: z", "unit guessed: metre (1 m)"}
    other = BVH()
    other.load(path)
    rotations, places, parents, offsets, _, _ = other.get_data()
    assert np.abs(fk(rotations, places[:, 0], offsets, parents)[0] - motion.positions).max() < 1e-5
    write_motion(motion, tmp_path / "again.bvh")
    again = read_motion(tmp_path / "again.bvh")
    assert np.abs(again.positions - motion.positions).max() < 2e-6
    assert again.skeleton == motion.skeleton and again.fps == 30


@st.composite
def bodies(draw):
    count = draw(st.integers(1, 12))
    parents = [-1] + [draw(st.integers(0, j - 1)) for j in range(1, count)]
    word = st.text("abcXYZ_é09 -", min_size=1, max_size=8).map(lambda s: " ".join(s.split())).filter(bool)
    names = draw(st.lists(word, min_size=count, max_size=count, unique=True))
    number = st.floats(-2, 2, width=32)
    offsets = draw(st.lists(st.tuples(number, number, number), min_size=count, max_size=count))
    ends = draw(st.lists(st.tuples(st.integers(0, count - 1), st.tuples(number, number, number)), max_size=3))
    return Skeleton(names, parents, offsets, tuple(ends))


@settings(deadline=None, max_examples=60)
@given(bodies(), st.integers(1, 6), st.integers(0, 2**32 - 1), st.sampled_from([12, 24, 29.97, 30, 59.94, 60, 120]))
def test_bvh_round_trip(tmp_path_factory, body, frames, seed, fps):
    path = tmp_path_factory.mktemp("bvh") / "x.bvh"
    rng = np.random.default_rng(seed)
    rotations = Rotation.random(frames * len(body), rng=rng).as_quat().reshape(frames, len(body), 4)
    motion = Motion.from_rotations(rotations, rng.normal(size=(frames, 3)), fps, body)
    write_motion(motion, path)
    again = read_motion(path)
    assert again.skeleton.names == body.names and again.skeleton.parents == body.parents
    assert len(again.skeleton.end_sites) == len(body.end_sites)
    assert abs(again.fps - fps) < 1e-5
    np.testing.assert_allclose(again.positions, motion.positions, atol=1e-5)


# ---- NPZ

@settings(deadline=None, max_examples=60)
@given(bodies(), st.integers(1, 6), st.integers(0, 2**32 - 1), st.floats(0.01, 10_000), st.booleans(),
       st.text(max_size=20).filter(lambda s: s.isprintable()))
def test_npz_loses_no_bit(tmp_path_factory, body, frames, seed, fps, turns, name):
    path = tmp_path_factory.mktemp("npz") / "x.npz"
    rng = np.random.default_rng(seed)
    motion = Motion(rng.normal(size=(frames, len(body), 3)), fps, body,
                    rng.normal(size=(frames, len(body), 4)) if turns else None,
                    Source(name, "ä\x00", redistribute=bool(seed % 2)), name, ("a note", "žluťoučký"))
    write_motion(motion, path)
    again = read_motion(path)
    assert again.positions.tobytes() == motion.positions.tobytes()
    assert (again.rotations is None) == (motion.rotations is None)
    if turns:
        assert again.rotations.tobytes() == motion.rotations.tobytes()
    assert again.skeleton == body and again.skeleton.end_sites == body.end_sites
    assert (again.fps, again.source, again.name, again.notes) == (fps, motion.source, name, motion.notes)
    first = path.read_bytes()
    write_motion(again, path)
    assert path.read_bytes() == first


def test_npz_keeps_a_duet_and_its_planted_truth(tmp_path):
    from choreo_lib.sets import synthetic
    duet = synthetic.duet("canon", frames=60, seed=3)
    write_motion(duet, tmp_path / "d.npz")
    again = read_duet(tmp_path / "d.npz")
    assert again.coupling == duet.coupling and again.source == duet.source
    assert again.positions.tobytes() == duet.positions.tobytes()
    refused(lambda: read_motion(tmp_path / "d.npz"), "read_duet")
    write_motion(duet.a, tmp_path / "a.npz")
    refused(lambda: read_duet(tmp_path / "a.npz"), "one dancer")
    refused(lambda: read_motion(tmp_path / "a.npz", up="y"), "leave up=")


def npz(path, **arrays):
    np.savez_compressed(path, **arrays)
    return path


def test_npz_bombs_pickles_and_lies_are_refused(tmp_path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("header.npy", "w", force_zip64=True) as member:
            for _ in range(300):
                member.write(bytes(1_000_000))
    assert path.stat().st_size < 1_000_000
    refused(lambda: read_motion(path), "300,000,000 bytes", "200,000,000")
    write_motion(dancer(), path)
    good = path.read_bytes()
    for cut in (10, 100, len(good) // 2, len(good) - 10):
        path.write_bytes(good[:cut])
        refused(lambda: read_motion(path), "cut short or no NPZ")
    for at in range(60, len(good) - 300, 97):  # one bit in the packed numbers: the checksum sees it
        path.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1:])
        try:
            quietly(read_motion, path)
        except MotionFormatError:
            pass
    refused(lambda: read_motion(npz(path, positions=np.zeros((2, 2, 3)))), "not written by choreo_lib")
    np.savez(path, header=np.array([{"a": 1}], dtype=object))
    refused(lambda: read_motion(path), "pickled objects", "header")
    for packing in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(path, "w", packing) as archive:
            archive.writestr("joints.npy", bytes(100))
        refused(lambda: read_motion(path), "packed in a way NPZ is not")


def rewritten(path, motion, change):
    """The motion's NPZ with its header or arrays changed by ``change(header, arrays)``."""
    write_motion(motion, path)
    with np.load(path) as archive:
        arrays = dict(archive)
    header = json.loads(arrays["header"].tobytes())
    change(header, arrays)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("change, parts", [
    (lambda h, a: h.update(version=2), ["version 1", "got 2"]),
    (lambda h, a: h.update(kind="duet"), ["'duet' with two"]),
    (lambda h, a: h["dancers"][0].update(fps=float("inf")), ["'fps'"]),
    (lambda h, a: h["dancers"][0].update(fps=0), ["dancer a", "frames per second"]),
    (lambda h, a: h["dancers"][0].pop("parents"), ["'parents'"]),
    (lambda h, a: h["dancers"][0].update(parents=[5] * 8), ["parent 5"]),
    (lambda h, a: h["dancers"][0].update(names=["x"] * 8), ["stands twice"]),
    (lambda h, a: h["dancers"][0].update(ends=[[99, [0, 0, 0]]]), ["joint 99"]),
    (lambda h, a: a.pop("a_positions"), ["a_positions"]),
    (lambda h, a: a.update(a_positions=a["a_positions"][:, :3]), ["8 joints"]),
    (lambda h, a: a.update(a_positions=a["a_positions"].astype(float)), ["a_positions", "float64"]),
    (lambda h, a: a["a_positions"].__setitem__((3, 2, 1), np.nan), ["frame 3, joint 2 ('LeftFoot')", "nan"]),
    (lambda h, a: a["a_rotations"].__setitem__((3, 2), 0), ["frame 3, joint 2", "zero"]),
    (lambda h, a: a["a_offsets"].__setitem__((3, 2), np.inf), ["offsets"]),
])
def test_npz_headers_are_checked_field_by_field(tmp_path, change, parts):
    path = rewritten(tmp_path / "x.npz", dancer(), change)
    refused(lambda: read_motion(path), "x.npz", *parts)


# ---- points

def test_interleaved_rows_become_two_dancers(tmp_path):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(1, 29, 3)) + np.cumsum(rng.normal(size=(40, 1, 3)) * 0.001, axis=0)
    b = a + [1.0, 0, 0]
    rows = np.stack([a, b], axis=1).reshape(80, 29, 3)
    np.save(tmp_path / "d.npy", rows)
    duet = read_duet(tmp_path / "d.npy", up="-y", scale=1, fps=30)
    want = np.stack([a[..., 0], a[..., 2], -a[..., 1]], axis=-1)
    np.testing.assert_allclose(duet.a.positions, want, atol=1e-6)
    np.testing.assert_allclose(duet.b.positions, want + [1, 0, 0], atol=1e-6)
    assert duet.a.skeleton.names[:2] == ("pelvis", "left_hip") and len(duet.a.skeleton.bones) == 28
    np.save(tmp_path / "e.npy", np.stack([a, b], axis=1))
    np.testing.assert_array_equal(read_duet(tmp_path / "e.npy", up="-y", scale=1, fps=30).positions, duet.positions)
    refused(lambda: read_motion(tmp_path / "d.npy"), "take turns", "read_duet")
    refused(lambda: read_motion(tmp_path / "e.npy"), "read_duet")
    np.save(tmp_path / "odd.npy", rows[:-1])
    refused(lambda: read_duet(tmp_path / "odd.npy"), "even number of rows", "79")


def test_npy_refuses_pickles_objects_lies_and_what_is_not_finite(tmp_path):
    path = tmp_path / "x.npy"
    path.write_bytes(pickle.dumps(np.zeros((4, 29, 3))))
    refused(lambda: read_motion(path), "expected a NumPy array")
    np.save(path, np.array([{}, []], dtype=object), allow_pickle=True)
    refused(lambda: read_motion(path), "pickled objects")
    np.save(path, np.zeros((4, 29, 2)))
    refused(lambda: read_motion(path), "(4, 29, 2)")
    points = np.zeros((4, 29, 3))
    points[2, 7, 1] = np.inf
    np.save(path, points)
    refused(lambda: read_motion(path), "[2, 7, 1]", "inf")
    np.save(path, np.zeros((4, 29, 3)))
    refused(lambda: read_motion(path), "up=")
    refused(lambda: read_motion(path, up="z"), "scale=")
    data = path.read_bytes()
    path.write_bytes(data.replace(b"(4, 29, 3)", b"(9999999999999, 29, 3)"[:10]).replace(b"(4, 29,", b"(4e9,29,"))
    refused(lambda: read_motion(path))
    path.write_bytes(data[:-8])
    refused(lambda: read_motion(path), "cut short")
    path.write_bytes(data + bytes(8))
    refused(lambda: read_motion(path), "leaves 8 bytes over")


def test_unnamed_points_get_the_tree_they_move_by(tmp_path):
    body = Skeleton(["root", "spine", "head", "hip", "foot"], [-1, 0, 1, 0, 3],
                    [[0, 0, 0], [0, 0, .4], [0, 0, .3], [.1, 0, -.4], [0, 0, -.45]])
    rng = np.random.default_rng(0)
    swing = Rotation.from_rotvec(rng.normal(size=(300 * 5, 3)) * 0.6).as_quat().reshape(300, 5, 4)
    points = Motion.from_rotations(swing, np.zeros((300, 3)), 30, body).positions[:, [4, 2, 0, 3, 1]]  # shuffled
    found, order = infer_skeleton(points)
    bones = {frozenset((order[p], order[c])) for p, c in found.bones}
    assert bones == {frozenset(x) for x in [(2, 4), (4, 1), (2, 3), (3, 0)]}
    (tmp_path / "m.json").write_text(json.dumps(points.transpose(1, 0, 2).tolist()))
    motion = read_motion(tmp_path / "m.json", up="z", scale=1, fps=30)
    np.testing.assert_allclose(motion.positions, points[:, order], atol=1e-6)
    assert motion.skeleton.names == tuple(f"joint_{j:02d}" for j in order)
    assert any("turned round" in note for note in motion.notes)


@pytest.mark.parametrize("text, parts", [
    ("", ["empty"]), ("[", ["line 1, column 2"]), ("[]", ["list"]), ("{}", ["list"]), ("[" * 100_000, []),
    ("[[[1,2,3]],[[1,2,NaN]]]", ["NaN"]), ("[[[1,2,3]],[[1,2,1e999]]]", ["entry 1, 0", "finite"]),
    ("[[[1,2,3]],[[1,2]]]", ["entry 1, 0"]), ("[[[1,2,3]],[[1,2,\"3\"]]]", ["entry 1, 0"]),
    ("[[[1,2,3]],[[1,2,null]]]", ["entry 1, 0"]), ("[[[1,2,3]],[]]", ["entry 1"]),
    ("[[[1,2,3]],[[1,2," + "9" * 5000 + "]]]", []), ("[1,2,3]", ["entry 0"]),
])
def test_marker_json_refusals(tmp_path, text, parts):
    (tmp_path / "m.json").write_text(text)
    refused(lambda: read_motion(tmp_path / "m.json"), "m.json", *parts)


def detection(**change):
    record = {"image_id": "dir/img_0012.jpg", "idx": 3, "score": 2.5, "box": [1, 2, 3, 4],
              "keypoints": list(range(87)), "pred_xyz_jts": np.zeros((24, 3)).tolist()}
    return {key: value for key, value in (record | change).items() if value is not None}


def test_detections(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(json.dumps([detection(), detection(image_id=13, idx=[4.0])]))
    found = read_detections(path)
    assert len(found) == 2 and found.frame.tolist() == [12, 13] and found.person.tolist() == [3, 4]
    assert found.keypoints.shape == (2, 29, 3) and found.keypoints[0, 1, 2] == 5
    assert found.pred_xyz_jts.shape == (2, 24, 3) and found.box[0].tolist() == [1, 2, 3, 4]
    for read in (read_motion, read_duet):
        refused(lambda read=read: read(path), "choreo_lib.clean")


@pytest.mark.parametrize("change, parts", [
    ({"box": None}, ["record 1", "'box'"]), ({"keypoints": [0] * 86}, ["record 1, keypoints", "29 x 3", "86"]),
    ({"pred_xyz_jts": [[0, 0, 0]] * 29}, ["record 1, pred_xyz_jts", "24 x 3"]),
    ({"score": "high"}, ["record 1, score"]),
    ({"image_id": "x.jpg"}, ["record 1, image_id", "x.jpg"]), ({"idx": 1.5}, ["record 1, idx"]),
    ({"box": [1, 2, 3, 1e999]}, ["finite"])])
def test_detections_are_checked_record_by_record(tmp_path, change, parts):
    path = tmp_path / "r.json"
    path.write_text(json.dumps([detection(), detection(**change)]))
    refused(lambda: read_detections(path), "r.json", *parts)
    path.write_text("[]")
    refused(lambda: read_detections(path), "at least one")


def test_real_points():
    with pytest.warns(MotionGuessWarning):
        duet = read_duet(real("duet/sample_dance.npy"))
    assert len(duet) == 1800 and "up axis guessed: -y" in duet.a.notes and "unit guessed: metre (1 m)" in duet.a.notes
    head, foot = (duet.a.skeleton.index(name) for name in ("head", "left_foot"))
    assert np.median(duet.positions[:, :, head, 2] - duet.positions[:, :, foot, 2]) > 1
    solo = quietly(read_motion, real("solo/data.selected.X.json"))
    assert len(solo) == 2000 and len(solo.skeleton) == 15 and "up axis guessed: z" in solo.notes
    found = read_detections(real("duet/test-results.json"))
    assert len(found) == 576 and len(set(found.frame)) == 297


# ---- FBX

def test_handmade_fbx():
    pytest.importorskip("ufbx")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # axes and unit stand in the file
        motion = read_motion(FIXTURES / "handmade.fbx")
    assert motion.fps == 30 and len(motion) == 61 and motion.notes == ()
    names = motion.skeleton.names
    np.testing.assert_allclose(motion.positions[30, names.index("Hips")], [1, 0, 0.95], atol=1e-6)
    half = np.sqrt(0.5)  # the spine bends 45 degrees about the axis that points at the viewer
    spine, head = (motion.positions[30, names.index(name)] for name in ("Spine", "Head"))
    np.testing.assert_allclose(head - spine, [-0.3 * half, 0, 0.3 * half], atol=1e-5)
    left, foot = (motion.positions[0, names.index(name)] for name in ("LeftLeg", "LeftFoot"))
    # a turn of -30 degrees about x lifts a hanging leg to the front: towards -y, where a Z up body looks
    np.testing.assert_allclose(foot - left, [0, -0.45 * 0.5, -0.45 * np.sqrt(0.75)], atol=1e-5)
    assert len(read_motion(FIXTURES / "handmade.fbx", fps=10)) == 21
    inches = read_motion(FIXTURES / "handmade.fbx", scale=0.0254)
    np.testing.assert_allclose(inches.positions, motion.positions * 2.54, rtol=1e-5, atol=1e-6)


def test_fbx_without_ufbx_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ufbx", None)
    with pytest.raises(ImportError, match=r"choreo-lib\[fbx\]"):
        read_motion(FIXTURES / "handmade.fbx")


@pytest.mark.parametrize("take", ["85_12", "85_03"])
def test_real_fbx_is_a_body_of_steady_bones(take):
    pytest.importorskip("ufbx")
    motion = read_motion(real(f"fbx/{take}.fbx"))
    parent, child = np.array(motion.skeleton.bones).T
    length = np.linalg.norm(motion.positions[:, child] - motion.positions[:, parent], axis=-1)
    assert (length.std(axis=0) / length.mean(axis=0)).max() < 1e-4
    height = np.percentile(np.ptp(motion.positions[..., 2], axis=1), 99)
    assert 1.5 < height < 2.0
    assert np.percentile(motion.positions[..., 2].min(axis=1), 50) > -0.1  # feet on the floor, not on the ceiling
    from choreo_lib import forward_kinematics
    again, _ = forward_kinematics(motion.skeleton, motion.rotations, motion.positions[:, 0])
    assert np.abs(again - motion.positions).max() < 1e-4


# ---- GLB

def glb_positions(path, frame):
    """World places of every node at one frame, from the bytes alone: no library of ours, no pygltflib."""
    data = Path(path).read_bytes()
    assert data[:4] == b"glTF" and struct.unpack("<I", data[8:12])[0] == len(data)
    size = struct.unpack("<I", data[12:16])[0]
    doc, blob = json.loads(data[20:20 + size]), data[28 + size:]

    def numbers(index):
        accessor = doc["accessors"][index]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
        start = doc["bufferViews"][accessor["bufferView"]].get("byteOffset", 0) + accessor.get("byteOffset", 0)
        return np.frombuffer(blob, "<f4", accessor["count"] * width, start).reshape(-1, width)

    nodes = [dict(node) for node in doc["nodes"]]
    for channel in doc["animations"][0]["channels"]:
        sampler = doc["animations"][0]["samplers"][channel["sampler"]]
        nodes[channel["target"]["node"]][channel["target"]["path"]] = numbers(sampler["output"])[frame]
    places = {}

    def walk(index, matrix):
        node, local = nodes[index], np.eye(4)
        local[:3, :3] = Rotation.from_quat(node.get("rotation", [0, 0, 0, 1])).as_matrix()
        local[:3, 3] = node.get("translation", [0, 0, 0])
        places[index] = (matrix @ local)[:3, 3]
        for child in node.get("children", []):
            walk(child, matrix @ local)

    for top in doc["scenes"][doc["scene"]]["nodes"]:
        walk(top, np.eye(4))
    return doc, np.array([places[i] for i in range(len(nodes))]), numbers


def test_glb_keeps_every_joint_where_it_was(tmp_path):
    gl = pytest.importorskip("pygltflib")
    source = Source("set", "its makers", "study only", url="https://example.org")
    duet = Duet(dancer(40, 1, "ana", source), dancer(40, 2, "bo", source))
    write_motion(duet, tmp_path / "d.glb")
    assert len(gl.GLTF2().load(str(tmp_path / "d.glb")).nodes) == 18
    for frame in (0, 1, 17, 39):
        doc, places, numbers = glb_positions(tmp_path / "d.glb", frame)
        places = np.stack([places[:, 0], -places[:, 2], places[:, 1]], axis=-1)  # Y up to Z up
        np.testing.assert_allclose(places[1:9], duet.a.positions[frame], atol=1e-5)
        np.testing.assert_allclose(places[10:18], duet.b.positions[frame], atol=1e-5)
    assert doc["asset"]["extras"]["source"] == {"name": "set", "credit": "its makers", "terms": "study only",
                                                "redistribute": False, "url": "https://example.org"}
    assert doc["nodes"][9]["extras"]["source"]["terms"] == "study only" and doc["nodes"][9]["name"] == "bo"
    times = numbers(doc["animations"][0]["samplers"][0]["input"])[:, 0]
    np.testing.assert_allclose(times, np.arange(40) / 30, atol=1e-6)
    for node in doc["nodes"]:
        assert node.get("children", [0]) and np.isfinite(node.get("translation", [0])).all()
    for sampler in doc["animations"][0]["samplers"]:  # neighbours alike, so that blending takes the short way
        if doc["accessors"][sampler["output"]]["type"] == "VEC4":
            turn = numbers(sampler["output"])
            assert ((turn[1:] * turn[:-1]).sum(axis=1) >= 0).all()


def test_glb_of_several_who_share_a_clock(tmp_path):
    pytest.importorskip("pygltflib")
    several = [dancer(40, seed, name) for seed, name in enumerate(("danced", "rebuilt", "translated"))]
    write_motion(several, tmp_path / "d.glb")
    doc, places, _ = glb_positions(tmp_path / "d.glb", 11)
    places = np.stack([places[:, 0], -places[:, 2], places[:, 1]], axis=-1)
    for k, motion in enumerate(several):
        np.testing.assert_allclose(places[9 * k + 1 : 9 * k + 9], motion.positions[11], atol=1e-5)
    assert [doc["nodes"][top]["name"] for top in doc["scenes"][0]["nodes"]] == ["danced", "rebuilt", "translated"]
    refused(lambda: write_motion([several[0], several[1][:30]], tmp_path / "x.glb"), "one clock", "30 frames",
            "40 frames")
    duet = Duet(several[0], replace(several[1], fps=30.0003))  # as near as a duet allows
    write_motion(duet, tmp_path / "near.glb")
    for path in ("x.bvh", "x.npz"):
        with pytest.raises(TypeError, match="list"):
            write_motion(several, tmp_path / path)


def test_glb_in_an_independent_loader(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    pytest.importorskip("pygltflib")
    motion = dancer(5)
    write_motion(motion, tmp_path / "d.glb")
    scene = trimesh.load(tmp_path / "d.glb")
    assert len(scene.geometry) == 1  # one skinned body, in its rest pose; trimesh knows no skins
    for j, name in enumerate(motion.skeleton.names):
        place = scene.graph.get(name)[0][:3, 3]
        np.testing.assert_allclose([place[0], -place[2], place[1]], motion.positions[0, j], atol=1e-5)
    assert all(np.isfinite(body.vertices).all() for body in scene.geometry.values())


def test_glb_of_points_and_of_salsa(tmp_path):
    pytest.importorskip("pygltflib")
    points = Motion(np.random.default_rng(0).normal(size=(9, 29, 3)), 25, HYBRIK_29)
    motions = [points]
    if "CHOREO_DATA" in os.environ:
        motions.append(quietly(read_motion, real("salsa/Easy_01_male_30fps.bvh")))
    for motion in motions:
        write_motion(motion, tmp_path / "d.glb")
        for frame in (0, 4, len(motion) - 1):
            _, places, _ = glb_positions(tmp_path / "d.glb", frame)
            places = np.stack([places[:, 0], -places[:, 2], places[:, 1]], axis=-1)
            np.testing.assert_allclose(places[1:], motion.positions[frame], atol=1e-5)


def test_glb_without_pygltflib_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pygltflib", None)
    with pytest.raises(ImportError, match=r"choreo-lib\[gltf\]"):
        write_motion(dancer(), tmp_path / "d.glb")
    assert not list(tmp_path.iterdir())


# ---- the border

def test_turns_are_proper_rotations_that_bring_up_up():
    for up, matrix in conventions.TO_Z_UP.items():
        axis = np.eye(3)["xyz".index(up[-1])] * (-1 if up[0] == "-" else 1)
        np.testing.assert_array_equal(np.array(matrix) @ axis, [0, 0, 1])
        assert np.linalg.det(matrix) == pytest.approx(1)
    np.testing.assert_array_equal(np.array(conventions.TO_Z_UP["y"]) @ [1, 2, 3], [1, -3, 2])
    np.testing.assert_array_equal(np.array(conventions.TO_Z_UP["-y"]) @ [1, 2, 3], [1, 3, -2])


@pytest.mark.parametrize("up", conventions.TO_Z_UP)
@pytest.mark.parametrize("unit", [1.0, 0.01, 0.001, 0.0254, 0.056444])
def test_up_and_unit_are_guessed_from_the_body(tmp_path, up, unit):
    still = np.broadcast_to([0, 0, 0, 1.0], (4, 8, 4))
    want = Motion.from_rotations(still, np.zeros((4, 3)), 30, Skeleton(NAMES, PARENTS, OFFSETS, ENDS))
    back = np.array(conventions.TO_Z_UP[up]).T / unit
    body = Skeleton(NAMES, PARENTS, np.array(OFFSETS) @ back.T, [(j, back @ np.array(tip)) for j, tip in ENDS])
    other = Motion.from_rotations(still, np.zeros((4, 3)), 30, body)
    path = tmp_path / "x.bvh"
    write_motion(other, path)
    (tmp_path / "x.bvh.json").unlink()  # without our word, as from elsewhere
    with pytest.warns(MotionGuessWarning, match=rf"up='{up}'"):
        motion = read_motion(path)
    np.testing.assert_allclose(motion.positions, want.positions, atol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(read_motion(path, up=up, scale=unit).positions, want.positions, atol=1e-4)


def test_arguments_and_places_that_make_no_sense(tmp_path):
    path = FIXTURES / "odd.bvh"
    refused(lambda: read_motion(path, up="w"), "up=", "'w'")
    refused(lambda: read_motion(path, up="y", scale=0), "scale=")
    refused(lambda: read_motion(path, up="y", scale=float("nan")), "scale=")
    refused(lambda: read_motion(path, fps=-3), "fps")
    refused(lambda: read_motion(tmp_path), "folder")
    refused(lambda: read_motion(tmp_path / "no.bvh"), "no such file", "no.bvh")
    refused(lambda: read_motion(tmp_path / "no.mov"), ".bvh, .c3d, .fbx, .json, .npy, .npz, .trc")
    refused(lambda: write_motion(dancer(), tmp_path / "x.fbx"), ".bvh, .glb, .npz")
    refused(lambda: write_motion(Duet(dancer(), dancer()), tmp_path / "x.bvh"), "one dancer")
    refused(lambda: write_motion(dancer(), tmp_path / "no" / "x.bvh"), "cannot write")
    refused(lambda: read_duet(path), "second dancer")
    (tmp_path / "folder.npz").mkdir()
    refused(lambda: read_motion(tmp_path / "folder.npz"), "folder")
    with pytest.raises(TypeError, match="ndarray"):
        write_motion(np.zeros(3), tmp_path / "x.bvh")


def test_two_files_make_a_duet_only_if_they_fit(tmp_path):
    for name, motion in {"a": dancer(12, 1), "b": dancer(12, 2), "short": dancer(11, 3), "cut": dancer(4, 3)}.items():
        write_motion(motion, tmp_path / f"{name}.bvh")
    assert len(read_duet(tmp_path / "a.bvh", tmp_path / "b.bvh")) == 12
    duet = quietly(read_duet, tmp_path / "a.bvh", tmp_path / "short.bvh")
    assert len(duet) == 11 and "cut from 12 to 11 frames" in duet.a.notes
    refused(lambda: read_duet(tmp_path / "a.bvh", tmp_path / "cut.bvh"), "a.bvh and cut.bvh", "12 frames", "4 at 30",
            "match", "motion[start:stop]")
    text = (FIXTURES / "odd.bvh").read_text().replace(" 90 0", " 9 0")
    (tmp_path / "inch.bvh").write_text(text.replace("35 0", "3 0").replace("-80", "-20").replace("31 0", "3 0"))
    refused(lambda: read_duet(FIXTURES / "odd.bvh", tmp_path / "inch.bvh"), "up= and scale=")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x.bvh"
    write_motion(dancer(), path)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    assert sorted(before) == ["x.bvh", "x.bvh.json"]

    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")
    monkeypatch.setattr("builtins.open", lambda *a, **k: Full())
    refused(lambda: write_motion(dancer(seed=5), path), "No space left")
    monkeypatch.undo()
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_a_long_block_is_blamed_as_a_short_one_is(tmp_path):
    """The words of a big file are counted piece by piece; no word may be lost where two pieces meet."""
    head = ("HIERARCHY\nROOT a\n{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition\nJOINT b\n{\n"
            "OFFSET 0 0 1\nCHANNELS 1 Xrotation\n}\n}\nMOTION\nFrames: %d\nFrame Time: 0.01\n")
    path, frames = tmp_path / "long.bvh", 300_000
    rows = "10.5 20.25 -30 4\n" * frames
    path.write_text(head % frames + rows)
    assert len(read_motion(path, up="z", scale=1)) == frames
    path.write_text(head % (frames + 60_001) + rows)
    refused(lambda: read_motion(path, up="z", scale=1), "line 13", "360,001", "300,000 lines")
    path.write_text(head % (frames + 1) + rows + "1 2")
    assert len(quietly(read_motion, path, up="z", scale=1)) == frames
    path.write_text(head % frames + "1 2 3\n" + rows)
    refused(lambda: read_motion(path, up="z", scale=1), "line 15", "expected 4 numbers", "got 3")


# ---- the one way of a file

def test_a_recording_is_checked_resolved_and_converted():
    """The caller's word comes before the file's, and the file's before a guess; rotations turn with the world."""
    body, turned = dancer().skeleton, np.array(conventions.TO_Z_UP["y"], float)
    told = dict(path="a.x", names=body.names, parents=body.parents, offsets=body.offsets @ turned * 100,
                rotations=dancer().rotations.astype(float), translations=None, fps=60,
                positions=dancer().positions.astype(float) @ turned * 100)
    stated = build_motion(Recording(**told, up="y", unit=0.01))
    np.testing.assert_allclose(stated.positions, dancer().positions, atol=1e-5)
    np.testing.assert_allclose(stated.skeleton.offsets, body.offsets, atol=1e-9)
    assert (stated.fps, stated.name) == (60, "a")
    said = build_motion(Recording(**told, up="z", unit=7.0), up="y", scale=0.01, fps=25)
    np.testing.assert_array_equal(said.positions, stated.positions)
    assert said.fps == 25
    np.testing.assert_array_equal(build_motion(Recording(**told, ours=True)).positions, np.float32(told["positions"]))
    refused(lambda: build_motion(Recording(**{**told, "fps": -1}, ours=True)), "a.x: its frame rate")
    refused(lambda: build_motion(Recording(**told, ours=True), fps=-1), "fps=")
    told["positions"][3, 2, 1] = np.nan
    refused(lambda: build_motion(Recording(**told, up="y", unit=0.01)), "frame 3, joint 2 ('LeftFoot')", "nan")
    refused(lambda: build_motion(Recording(**{**told, "parents": [5] * 8})), "parent 5")


@pytest.mark.parametrize("up, scale", [("z", 1.0), ("-x", 0.01)])
def test_what_a_writer_takes_a_reader_gives_back(up, scale):
    record = recording_of("a.x", dancer(), up, scale)
    again = build_motion(record)
    np.testing.assert_allclose(again.positions, dancer().positions, atol=1e-5)
    np.testing.assert_allclose(np.abs((again.rotations * dancer().rotations).sum(-1)), 1, atol=1e-6)
    assert again.skeleton.names == dancer().skeleton.names and steady_bones(record).tolist() == [False] + [True] * 7
    record.translations[4, 3] += 2e-5 / scale
    assert not steady_bones(record)[3]
    record.translations[:, 0] = record.offsets[0]
    assert not steady_bones(record)[0], "a root that stands still has its place in every frame"
