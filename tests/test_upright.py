"""Lists of people who come without an up axis: turned where heads and feet say so, refused where nothing does."""

import numpy as np
import pytest

import choreo_lib as cl
from choreo_lib.body.skeleton import Skeleton
from choreo_lib.io.conventions import TO_Z_UP

ALL = ["canon", "mirror", "drives"]


def dance(name="canon", frames=90):
    return cl.load_duet(f"synthetic/{name}")[:frames].positions.astype(float)


def as_up(x, up):
    """The same people in a world whose up axis is another."""
    return list(x @ np.array(TO_Z_UP[up], float))


def off(duet, x):
    return np.linalg.norm(duet.positions - x, axis=-1).mean()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("up", TO_Z_UP)
def test_people_who_stand_along_another_axis_are_turned_and_that_is_told(name, up):
    x = dance(name)
    duet, report = cl.clean(as_up(x, up), 30)
    assert off(duet, x) < 0.01
    assert report.up == up and not report.up_stated
    told = [row for row in report.rows if row[0] == "up axis"]
    assert bool(told) == (up != "z") and all(up in row and "found" in row[3] for row in told)
    assert any(f"up axis {up} found" in note for note in duet.a.notes) == (up != "z")


@pytest.mark.parametrize("joints", [24, 29])
def test_people_in_a_cameras_frame_are_put_on_the_floor(joints):
    x = dance()[:, :, :joints]
    seen = np.stack([x[..., 0], 1.2 - x[..., 2], x[..., 1] + 4.0], axis=-1)  # X right, Y down, Z away, camera at 1.2 m
    duet, report = cl.clean(list(seen), 30)
    assert report.up == "-y" and abs(duet.positions[..., 2].min(axis=(1, 2))).mean() < 0.05
    assert off(duet, x + duet.positions.mean((0, 1, 2)) - x.mean((0, 1, 2))) < 0.01


@pytest.mark.parametrize("up", TO_Z_UP)
def test_what_is_said_is_believed(up):
    x = dance()
    duet, report = cl.clean(as_up(x, up), 30, up=up)
    assert off(duet, x) < 0.01 and report.up == up and report.up_stated
    lying, report = cl.clean(as_up(x, "y"), 30, up="z")
    assert report.up == "z" and off(lying, np.array(as_up(x, "y"))) < 0.01


BARE = [0, 1, 2, 4, 5, 7, 8, 12, 16, 17, 18, 19, 20, 21, 24]  # few joints, whose number nobody knows by name


@pytest.mark.parametrize("up", TO_Z_UP)
def test_bodies_without_names_are_turned_by_their_steady_end(up):
    x = dance("canon", 120)[:, :, BARE]
    duet, report = cl.clean(as_up(x, up), 30)
    assert report.up == up and off(duet, x) < 0.03


def test_bodies_without_names_and_without_a_steady_end_are_asked_about():
    x = dance("canon", 120)[:, :, BARE]
    x = x + np.sin(np.arange(120) / 5)[:, None, None, None] * (0, 0, 0.4)  # head and feet go up and down alike
    chain = Skeleton([f"joint_{j}" for j in range(len(BARE))], range(-1, len(BARE) - 1))  # no legs in its tree either
    with pytest.raises(cl.MotionFormatError, match="no axis shows itself as up.*up='y'"):
        cl.clean(as_up(x, "y"), 30, chain)
    assert cl.clean(list(x), 30, chain)[1].up == "z"


def lying(x):
    """Both dance on, laid down: feet to head along x, and moving over the floor as they did."""
    down = x @ np.array(TO_Z_UP["x"], float)
    middle, before = down.mean(2, keepdims=True), x.mean(2, keepdims=True)
    return down - middle + before * (1.5, 1.5, 0.1) + (0, 0, 0.2)


def test_those_who_lie_throughout_are_asked_about():
    x = lying(dance(frames=200))
    with pytest.raises(cl.MotionFormatError, match="longest along x.*up='z'"):
        cl.clean(list(x), 30)
    assert off(cl.clean(list(x), 30, up="z")[0], x) < 0.02


def test_floor_work_this_way_and_that_stays_as_it_is():
    x = lying(dance(frames=200))
    angle = np.linspace(0, 2 * np.pi, len(x))
    turn = np.stack([[np.cos(angle), -np.sin(angle), 0 * angle], [np.sin(angle), np.cos(angle), 0 * angle],
                     [0 * angle, 0 * angle, 1 + 0 * angle]]).transpose(2, 0, 1)  # [T, 3, 3]
    x = np.einsum("tij,tdkj->tdki", turn, x)
    duet, report = cl.clean(list(x), 30)
    assert report.up == "z" and off(duet, x) < 0.02


def test_a_skeleton_of_ones_own_is_asked_for_its_head_and_feet():
    names = ("hips", "head", "left_knee", "left_ankle", "right_knee", "right_ankle", "left_wrist", "right_wrist")
    body = Skeleton(names, (-1, 0, 0, 2, 0, 4, 1, 1))
    x = dance()[:, :, [0, 24, 4, 7, 5, 8, 20, 21]]
    duet, report = cl.clean(as_up(x, "y"), 30, body)
    assert report.up == "y" and off(duet, x) < 0.05  # hips to knees is no bone


@pytest.mark.parametrize("more, error, said", [
    ({"up": "w"}, ValueError, "up=.*'-y'.*'w'"), ({"up": 5}, ValueError, "up="), ({"up": ["y"]}, ValueError, "up="),
    ({"smoothing": "x"}, ValueError, "smoothing.*'x'"), ({"smoothing": None}, ValueError, "smoothing"),
    ({"smoothing": 0}, ValueError, "smoothing"),
    ({"smoothing": float("nan")}, ValueError, "smoothing"), ({"smoothing": True}, ValueError, "smoothing"),
    ({"smoothing": [1]}, ValueError, "smoothing"), ({"skeleton": "smpl"}, TypeError, "skeleton.*str"),
    ({"source": "me"}, TypeError, "source.*str"), ({"fps": None}, ValueError, "fps"),
    ({"fps": "x"}, ValueError, "fps"), ({"fps": [30]}, ValueError, "fps"),
    ({"detections": None}, ValueError, "expected a path"),
    ({"detections": 5}, ValueError, "expected a path"), ({"detections": [[1, 2], [3]]}, ValueError, "frame 0"),
    ({"detections": b"x.json"}, ValueError, "expected a path"), ({"detections": {}}, ValueError, "expected a path"),
    ({"detections": "no/such.json"}, ValueError, "no such file"), ({"detections": ""}, ValueError, ""),
])  # fmt: skip
def test_wrong_arguments_are_named(more, error, said):
    with pytest.raises(error, match=f"(?s){said}"):
        cl.clean(**{"detections": list(dance(frames=20)), "fps": 30} | more)
