"""What is written can be read again: beyond the readers' limits a take is refused while it can still be cut."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from test_formats import NAMES, OFFSETS, PARENTS, dancer, refused

from choreo_lib import Duet, Motion, Skeleton, Source, read_duet, read_motion, write_motion
from choreo_lib.io import MotionFormatError, bvh_write, conventions, npz, sidecar

KINDS = [".bvh", ".npz", ".glb"]


def still(frames, joints, fps=30.0):
    body = Skeleton([f"j{i}" for i in range(joints)], [-1, *[0] * (joints - 1)], np.zeros((joints, 3)))
    return Motion(np.zeros((frames, joints, 3), np.float32), fps, body)


def spoiled(field, at, value):
    """A motion whose numbers were changed after it was made."""
    motion = dancer()
    getattr(motion, field)[at] = value
    return motion


def with_bones(times):
    return replace(dancer(), skeleton=Skeleton(NAMES, PARENTS, np.array(OFFSETS) * times))


def with_end(tip):
    """A Skeleton refuses such an end site itself: this one was changed behind its back."""
    motion = dancer()
    object.__setattr__(motion.skeleton, "end_sites", ((2, tip),))
    return motion


TOO_MUCH = {
    "61 minutes": (lambda: still(61 * 60 * 30, 29), ["109,800 frames", "61 minutes", "motion[:103448]", "resampled"]),
    "600 joints": (lambda: still(2, 600), ["600 joints", "512", "leave some out"]),
    "a million frames and one": (lambda: still(1_000_001, 2), ["1,000,001 frames", "motion[:1000000]"]),
    "too slow": (lambda: still(2, 2, 0.001), ["0.001 frames per second", "0.01"]),
    "too fast": (lambda: still(2, 2, 20_000), ["20000 frames per second"]),
    "far away": (lambda: spoiled("positions", (3, 2), 2e5), ["frame 3, joint 2 ('LeftFoot')", "millimetres"]),
    "a hole": (lambda: spoiled("positions", (4, 1, 2), np.nan), ["frame 4, joint 1 ('Left Leg')", "nan"]),
    "no rotation": (lambda: spoiled("rotations", (5, 7), 0), ["frame 5, joint 7 ('Head')", "quaternion"]),
    "a rotation's hole": (lambda: spoiled("rotations", (5, 7, 1), np.nan), ["frame 5, joint 7", "quaternion"]),
    "an end site of NaN": (lambda: with_end((0, np.nan, 0)), ["end site of joint 2 ('LeftFoot')", "nan"]),
    "an end site of inf": (lambda: with_end((np.inf, 0, 0)), ["end site of joint 2", "inf"]),
    "an end site far away": (lambda: with_end((0, 0, 1e6)), ["end site of joint 2", "without this end site"]),
    "an end site of two numbers": (lambda: with_end((0, 1)), ["end site of joint 2", "three"]),
    "a bone of a million metres": (lambda: with_bones(1e7), ["offset of joint 1", "1e+06"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("why", TOO_MUCH)
def test_what_would_not_be_read_back_is_not_written(tmp_path, why, kind):
    make, parts = TOO_MUCH[why]
    motion = make()
    refused(lambda: write_motion(motion, tmp_path / f"x{kind}"), f"x{kind}", *parts)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("frames, joints", [(103_448, 29), (1_000_000, 3), (5_859, 512)])
def test_the_longest_takes_are_written_and_read(tmp_path, frames, joints):
    motion = still(frames, joints)
    write_motion(motion, tmp_path / "x.npz")
    assert len(read_motion(tmp_path / "x.npz")) == frames


@pytest.mark.parametrize("at, fine", [(99_980.0, True), (100_000.0, False)])
def test_the_edge_of_the_world(tmp_path, at, fine):
    """Six digits of an angle move the end of a long bone: a BVH keeps a little away from the edge."""
    motion = Motion(dancer().positions + np.float32(at - 30), 30, dancer().skeleton, dancer().rotations)
    write_motion(motion, tmp_path / "x.npz")
    read_motion(tmp_path / "x.npz")
    motion = Motion(np.float32(at) * np.ones((3, 8, 3)) * [[[1, -1, 1]]], 30, dancer().skeleton, dancer().rotations[:3])
    if fine:
        write_motion(motion, tmp_path / "x.bvh")
        assert np.abs(read_motion(tmp_path / "x.bvh").positions - motion.positions).max() < 0.02  # float32 out there
    else:
        refused(lambda: write_motion(motion, tmp_path / "x.bvh"), "within 99990 m")


def test_files_grow_no_larger_than_they_are_read(tmp_path, monkeypatch):
    motion = dancer(400)
    monkeypatch.setattr(bvh_write, "MAX_BYTES", 60_000)
    monkeypatch.setattr(npz, "MAX_BYTES", 60_000)
    write_motion(motion[:20], tmp_path / "small.bvh")
    refused(lambda: write_motion(dancer(4000), tmp_path / "x.bvh"), "4,000 frames", "60,000 bytes", "write it in parts")
    refused(lambda: write_motion(dancer(4000), tmp_path / "x.npz"), "60,000", "write it in parts")
    monkeypatch.setattr(npz, "MAX_ARRAY_BYTES", 60_000)
    refused(lambda: write_motion(dancer(4000), tmp_path / "y.npz"), "bytes of numbers", "60,000", "a file a dancer")
    pytest.importorskip("pygltflib")
    from choreo_lib.io import gltf
    monkeypatch.setattr(gltf, "MAX_BYTES", 60_000)
    refused(lambda: write_motion(dancer(4000), tmp_path / "x.glb"), "60,000", "fewer dancers")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["small.bvh", "small.bvh.json"]


def test_words_without_end(tmp_path):
    """Names, notes, terms and end sites count too."""
    long = "x" * (sidecar.MAX_SIDECAR + 1)
    many = Skeleton(NAMES, PARENTS, OFFSETS, ((2, (0.123456789, 0.123456789, 0)),) * 80_000)
    for name, motion, parts in [
        ("a.bvh", dancer(source=Source("a set", long)), ["side-car", "shorten"]),
        ("b.bvh", dancer(skeleton=many), ["80,000 end sites"]),
        ("c.npz", dancer(source=Source("a set", long)), ["source", "shorten"]),
        ("d.npz", replace(dancer(), notes=(long,)), ["notes", "shorten"]),
        ("e.bvh", dancer(skeleton=Skeleton([long, *NAMES[1:]], PARENTS, OFFSETS)), ["4,000,001 letters"]),
    ]:
        refused(lambda motion=motion, name=name: write_motion(motion, tmp_path / name), name, *parts)
    assert not list(tmp_path.iterdir())


def test_a_scene_is_told_apart_by_its_dancers(tmp_path):
    pytest.importorskip("pygltflib")
    refused(lambda: write_motion([dancer(), spoiled("positions", (3, 2), np.nan)], tmp_path / "x.glb"),
            "dancer b, frame 3, joint 2")
    refused(lambda: write_motion(Duet(dancer(), spoiled("positions", (3, 2), np.nan)), tmp_path / "x.npz"),
            "dancer b, frame 3, joint 2")


NUMBER = st.sampled_from([0.0, -0.0, 1e-7, 0.1, 1.0, -2.5, 30.0, 1e3, 9.9e4, 1e5, 1.1e5, 1e9, 1e38])
TEXT = st.text(st.characters(), max_size=6)  # surrogates, controls, colons, braces: all of it


@st.composite
def motions(draw):
    count, frames = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    names = draw(st.lists(TEXT, min_size=count, max_size=count, unique=True))
    parents = [-1] + [draw(st.integers(0, j - 1)) for j in range(1, count)]
    triple = st.tuples(NUMBER, NUMBER, NUMBER)
    far = draw(st.sampled_from([1.0, 1.0, 50.0, 9e4, 1e5]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    offsets = rng.uniform(-far, far, (count, 3)) if draw(st.booleans()) else None
    body = Skeleton(names, parents, offsets, draw(st.lists(st.tuples(st.integers(0, count - 1), triple), max_size=2)))
    rotations = Rotation.random(frames * count, rng=rng).as_quat().reshape(frames, count, 4)
    steady = offsets is not None and draw(st.booleans())
    fps = draw(st.sampled_from([0.001, 0.01, 24, 29.97, 30, 500.2, 9999.9, 10_000, 10_001]) | st.floats(0.01, 9e3))
    more = {"name": draw(TEXT), "notes": draw(st.lists(TEXT, max_size=2)),
            "source": draw(st.none() | st.builds(Source, TEXT, TEXT, TEXT, st.booleans(), TEXT))}
    if steady:
        return Motion.from_rotations(rotations, rng.uniform(-far, far, (frames, 3)), fps, body, **more)
    return Motion(rng.uniform(-far, far, (frames, count, 3)), fps, body,
                  rotations if draw(st.booleans()) else None, **more)


@settings(max_examples=300)
@given(motions(), st.sampled_from(sorted(conventions.TO_Z_UP)), st.sampled_from([1e-6, 0.01, 0.0254, 1]))
def test_whatever_is_written_is_read_back(tmp_path_factory, motion, up, scale):
    folder = tmp_path_factory.mktemp("back")
    for kind, more, slack in ((".npz", {}, 0), (".bvh", {"up": up, "scale": scale}, 1)):
        path = folder / f"x{kind}"
        try:
            write_motion(motion, path, **more)
        except MotionFormatError as error:
            assert f"x{kind}: " in str(error) and not list(folder.glob("x" + kind + "*"))
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # our own file leaves nothing to guess
            again = read_motion(path)
        far = float(np.abs(motion.positions).max())
        np.testing.assert_allclose(again.positions, motion.positions, atol=slack * (1e-5 + 1e-6 * far), rtol=0)
        assert (again.fps, again.name, again.source) == (motion.fps, motion.name, motion.source)
        assert again.skeleton.names == motion.skeleton.names and again.skeleton.parents == motion.skeleton.parents
        ends = [sorted(body.end_sites) for body in (again.skeleton, motion.skeleton)]
        assert [j for j, _ in ends[0]] == [j for j, _ in ends[1]]
        np.testing.assert_allclose([tip for _, tip in ends[0]], [tip for _, tip in ends[1]], rtol=1e-7, atol=1e-6)
    if motion.fps <= 10_000 and (folder / "x.npz").exists():
        write_motion(Duet(motion, motion), folder / "d.npz")
        assert read_duet(folder / "d.npz").a.notes == motion.notes
