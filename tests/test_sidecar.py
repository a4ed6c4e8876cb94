"""The side-car of a BVH: believed of the bytes it was written for, of no others, and never trusted blindly."""

import json
import os
import warnings

import numpy as np
import pytest
from test_formats import dancer, quietly, refused

from choreo_lib import Source, read_duet, read_motion, write_motion
from choreo_lib.io import conventions, sidecar

SOURCE = Source("a set", "its ‘makers’", "study only", url="https://example.org")


@pytest.fixture
def path(tmp_path):
    write_motion(dancer(source=SOURCE, name="née {x}"), tmp_path / "d.bvh", up="y", scale=0.01)
    return tmp_path / "d.bvh"


def words(path):
    return json.loads(sidecar.sidecar_path(path).read_text())


def told(motion):
    return [note for note in motion.notes if "side-car" in note]


def test_it_states_what_a_bvh_cannot(path):
    assert sorted(each.name for each in path.parent.iterdir()) == ["d.bvh", "d.bvh.json"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is left to guess
        again = read_motion(path)
    assert (again.source, again.name, again.fps, again.notes) == (SOURCE, "née {x}", 30, ())
    assert words(path)["up"] == "y" and words(path)["unit"] == 0.01 and words(path)["source"]["terms"] == "study only"
    assert "Left Leg" in words(path)["names"] and "Left Leg" not in path.read_text()


def test_a_side_car_is_no_motion(path):
    for read in (read_motion, read_duet):
        refused(lambda read=read: read(sidecar.sidecar_path(path)), "d.bvh.json", "side-car of a BVH", "take d.bvh")


@pytest.mark.parametrize("fps", [29.97, 23.976, 37.123456789, 500.2, 9999.5, 0.01])
def test_the_rate_comes_back_to_the_last_digit(tmp_path, fps):
    write_motion(dancer(), tmp_path / "d.bvh")
    motion = dancer()
    object.__setattr__(motion, "fps", fps)
    write_motion(motion, tmp_path / "d.bvh")
    assert read_motion(tmp_path / "d.bvh").fps == fps
    assert quietly(read_motion, tmp_path / "d.bvh", fps=12).fps == 12  # the caller's word comes first


def test_it_is_not_believed_of_other_bytes(path):
    text = path.read_text()
    path.write_text(text.replace("Frames: 12", "Frames: 11").rsplit("\n", 2)[0] + "\n")
    again = quietly(read_motion, path, up="y", scale=0.01)
    assert len(again) == 11 and again.source is None and again.name == "d"
    assert told(again) == ["side-car not believed: d.bvh.json was written for other bytes; the BVH has changed since"]
    write_motion(dancer(seed=1), path.with_name("other.bvh"))
    path.with_name("other.bvh").replace(path)  # another dance, moved over it without its side-car
    again = quietly(read_motion, path, up="z", scale=1)
    assert told(again) and again.source is None


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_it_is_believed_whatever_ends_the_lines(path, ends):
    path.write_bytes(path.read_bytes().replace(b"\n", ends.encode()))
    assert read_motion(path).source == SOURCE and told(read_motion(path)) == []


@pytest.mark.parametrize("spoiled", [b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b"[" * 100_000,
                                     b'{"a": ' + b"9" * 5000, b'{"format": "another tool"}',
                                     b" " * (sidecar.MAX_SIDECAR + 1)])  # fmt: skip
def test_what_is_no_side_car_is_told_and_left_alone(path, spoiled):
    beside = sidecar.sidecar_path(path)
    beside.write_bytes(spoiled)
    again = quietly(read_motion, path, up="y", scale=0.01)
    assert told(again) == ["side-car not believed: d.bvh.json is none, or is cut short"] and again.source is None
    before = path.read_bytes()
    refused(lambda: write_motion(dancer(seed=2), path), "d.bvh.json", "would be overwritten", "another name")
    assert path.read_bytes() == before and beside.read_bytes() == spoiled
    assert len(list(path.parent.iterdir())) == 2


VALUES = [None, True, -1, 0, 1, 2.5, 1e300, float("nan"), float("inf"), "", "y", "w", "x" * 500, [], [0], ["a"],
          [None] * 8, ["a"] * 8, list(range(8)), list("abcdefgh"), {}, {"name": 3},
          {"name": "x", "redistribute": "yes"}, 10**400]  # fmt: skip


@pytest.mark.parametrize("key", ["up", "unit", "fps", "name", "names", "order", "source", "sha256", "format"])
def test_each_word_counts_only_where_it_can_be_meant(path, key):
    """A side-car that fits its BVH and states nonsense is no worse than none."""
    good = words(path)
    for value in VALUES:
        sidecar.sidecar_path(path).write_text(json.dumps(good | {key: value}))
        again = quietly(read_motion, path, up="y", scale=0.01)
        assert len(again) == 12 and len(set(again.skeleton.names)) == 8 and 0.01 <= again.fps <= 10_000
        assert again.source is None or not again.source.verified


@pytest.mark.parametrize("fails", [".bvh", ".json"])
def test_a_stop_between_the_two_files_leaves_what_is_read_safely(path, monkeypatch, fails):
    """The BVH is renamed first: stopped there nothing has changed; stopped after it, the old words are not believed."""
    before, real = [path.read_bytes(), sidecar.sidecar_path(path).read_bytes()], os.replace

    def stops(half, final):
        if str(final).endswith(fails):
            raise OSError(5, "Input/output error")
        real(half, final)

    monkeypatch.setattr(os, "replace", stops)
    refused(lambda: write_motion(dancer(seed=4), path), "could not be written")
    monkeypatch.undo()
    after = [path.read_bytes(), sidecar.sidecar_path(path).read_bytes()]
    assert len(list(path.parent.iterdir())) == 2 and after[1] == before[1]
    if fails == ".bvh":
        assert after == before and read_motion(path).source == SOURCE
    else:
        again = quietly(read_motion, path, up="z", scale=1)
        assert told(again) and again.source is None and np.abs(again.positions - dancer(seed=4).positions).max() < 1e-5


@pytest.mark.parametrize("more, parts", [
    ({"up": "w"}, ["up=", "'w'", "'-y'"]), ({"up": ["y"]}, ["up="]), ({"up": None}, ["up="]),
    ({"scale": 0}, ["scale=", "0.01"]), ({"scale": "cm"}, ["scale=", "'cm'"]), ({"scale": float("nan")}, ["scale="]),
    ({"scale": None}, ["scale="]), ({"scale": 1e9}, ["scale="]),
    ({"scale": 2.0}, ["scale=", "larger than a metre"])])  # fmt: skip
def test_axes_and_units_that_are_none_are_refused(tmp_path, more, parts):
    for name in ("d.bvh", "d.npz", "d.glb"):
        refused(lambda name=name: write_motion(dancer(), tmp_path / name, **more), name, *parts)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("up", conventions.TO_Z_UP)
@pytest.mark.parametrize("scale", [1e-6, 0.001, 0.0254, 1.0])
def test_any_axis_and_unit_keeps_a_micrometre(tmp_path, up, scale):
    write_motion(dancer(), tmp_path / "d.bvh", up=up, scale=scale)
    assert np.abs(read_motion(tmp_path / "d.bvh").positions - dancer().positions).max() < 2e-6
    assert np.abs(quietly(read_motion, tmp_path / "d.bvh", up=up, scale=scale).positions
                  - dancer().positions).max() < 2e-6


def test_other_formats_have_an_axis_and_unit_of_their_own(tmp_path):
    refused(lambda: write_motion(dancer(), tmp_path / "d.glb", up="y"), "d.glb", "Y up and metres by its standard")
    refused(lambda: write_motion(dancer(), tmp_path / "d.npz", scale=0.01), "d.npz", "Z up and metres")
    write_motion(dancer(), tmp_path / "d.npz", up="z", scale=1)
