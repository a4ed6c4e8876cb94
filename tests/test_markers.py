"""Markers: labels, gaps as gaps, units, axes, first frames, two people; C3D through ezc3d, TRC by our own reader."""

import sys
import warnings

import numpy as np
import pytest
from cases import CASES
from make_markers import LABELS, c3d, person, trc

import choreo_lib as cl
from choreo_lib import MotionFormatError, MotionGuessWarning, read_duet, read_markers, read_motion
from choreo_lib.io.conventions import unique_names


def quietly(reader, *arguments, **said):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return reader(*arguments, **said)


def refused(call, *words):
    with pytest.raises(MotionFormatError) as error:
        call()
    assert all(word in str(error.value) for word in words), str(error.value)


def saved(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def holes(points):
    """Two short gaps and one long one."""
    points = points.copy()
    points[10:13, 2] = np.nan
    points[20, 2] = np.nan
    points[5:35, 8] = np.nan
    return points


@pytest.fixture(params=["trc", "c3d"])
def make(request, tmp_path):
    """A function that writes points [T, M, 3] (metres, Z up) as one of the kinds, Y up in the TRC."""
    if request.param == "c3d":
        pytest.importorskip("ezc3d")
        return lambda points, **more: saved(tmp_path / "x.c3d", c3d(points, Y_SCREEN=["+Z"], **more))
    return lambda points, **more: saved(tmp_path / "x.trc", trc(points, **more))


def said(path):
    return {"up": "y"} if path.suffix == ".trc" else {}


# ---- both kinds

@pytest.mark.parametrize("unit", ["mm", "cm", "m"])
def test_points_come_by_label_in_metres_z_up(unit, make):
    path = make(person(), unit=unit)
    markers = quietly(read_markers, path, **said(path))
    assert markers.labels == LABELS and markers.fps == 100 and markers.gaps == () and markers.subjects == ()
    np.testing.assert_allclose(markers.positions, person(), atol=2e-5)  # a TRC in metres has five digits here
    motion = quietly(read_motion, path, **said(path))
    assert motion.skeleton.names == LABELS and any("markers, not joints" in note for note in motion.notes)
    np.testing.assert_allclose(motion.positions, person(), atol=2e-5)


def test_gaps_stay_gaps(make):
    path = make(holes(person()))
    markers = quietly(read_markers, path, **said(path))
    np.testing.assert_allclose(markers.positions, holes(person()), atol=1e-6)  # NaN where NaN was
    assert markers.gaps == (("LFHD", 10, 12), ("LFHD", 20, 20), ("LASI", 5, 34))
    refused(lambda: read_motion(path, **said(path)), "3 gaps", "LFHD in frames 10 to 12", "read_markers", ".filled(")
    refused(markers.motion, "LASI in frames 5 to 34", "without('LFHD')")


def test_short_gaps_are_filled_and_long_ones_are_not(make):
    path = make(holes(person()))
    markers = quietly(read_markers, path, **said(path))
    filled = markers.filled(0.05)
    assert filled.gaps == (("LASI", 5, 34),) and any("4 points" in note for note in filled.notes)
    np.testing.assert_allclose(filled.positions[:, 2], person()[:, 2], atol=1e-3)
    assert markers.gaps[0] == ("LFHD", 10, 12)  # what was read stays as it was
    assert len(filled.without("LASI").motion().skeleton) == len(LABELS) - 1
    assert len(filled[:5].motion()) == 5 and filled[3:].first_frame == 4
    assert markers.filled(0).gaps == markers.gaps
    edge = person()
    edge[:2, 0] = np.nan
    assert quietly(read_markers, make(edge), **said(path)).filled(1.0).gaps == (("C7", 0, 1),)  # nothing to lean on
    with pytest.raises(ValueError, match="max_gap_seconds"):
        markers.filled(-1)
    with pytest.raises(KeyError, match="no marker 'XYZ'"):
        markers.without("XYZ")


def test_the_first_frame_is_the_files(make):
    path = make(person(), first=121)
    markers = quietly(read_markers, path, **said(path))
    assert markers.first_frame == 121 and markers[10:].first_frame == 131 and len(markers) == 40


@pytest.mark.parametrize("between", [":", "_"])
def test_two_people_are_told_apart_by_their_prefix(between, make):
    both = np.concatenate([person(), person(shift=(0.8, 0, 0))], axis=1)
    path = make(both, labels=[f"{who}{between}{label}" for who in ("Ann", "Bo") for label in LABELS])
    duet = quietly(read_duet, path, **said(path))
    assert duet.a.skeleton.names == duet.b.skeleton.names == LABELS and duet.a.skeleton == duet.b.skeleton
    np.testing.assert_allclose(duet.positions[:, 0], person(), atol=1e-6)
    np.testing.assert_allclose(duet.positions[:, 1], person(shift=(0.8, 0, 0)), atol=1e-6)
    assert [m.name for m in duet] == ["x Ann", "x Bo"]
    refused(lambda: read_motion(path, **said(path)), "Ann, Bo", "read_duet(path)", ".subject('Ann')")
    with pytest.raises(KeyError, match="Ann, Bo"):
        read_markers(path, **said(path)).subject("Cy")
    both[3, 20] = np.nan
    path = make(both, labels=[f"{who}{between}{label}" for who in ("Ann", "Bo") for label in LABELS])
    refused(lambda: read_duet(path, **said(path)), "1 gap", ".filled(")


def test_one_person_is_no_duet(make):
    path = make(person())
    refused(lambda: read_duet(path, **said(path)), "1 people", "second dancer's file")
    assert len(quietly(read_duet, path, path, **said(path))) == 40


def test_an_axis_that_is_not_stated_is_guessed_by_labels(tmp_path):
    for up in ("y", "z"):
        with pytest.warns(MotionGuessWarning, match=f"up axis guessed: {up}"):
            markers = read_markers(saved(tmp_path / "x.trc", trc(person(), up=up)))
        np.testing.assert_allclose(markers.positions, person(), atol=1e-6)
    lying = person() @ np.array([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]])
    labels = [f"m{k}" for k in range(16)]
    refused(lambda: read_markers(saved(tmp_path / "x.trc", trc(lying[:4], labels=labels))), "up=")


def test_a_unit_that_cannot_be_is_told(make):
    path = make(person() * 100)
    with pytest.warns(MotionGuessWarning, match="scale="):
        read_markers(path, **said(path))
    assert np.ptp(quietly(read_markers, path, scale=1e-5, **said(path)).positions[0, :, 2]) < 2


def test_what_nobody_labelled_and_what_nobody_saw_is_left_out(make):
    more = np.concatenate([person(), person()[:, :3], np.full((40, 1, 3), np.nan)], axis=1)
    path = make(more, labels=[*LABELS, "*17", "C7", "*18", "LOST"])
    markers = quietly(read_markers, path, **said(path))
    assert markers.labels == (*LABELS, "C7_2")
    assert any("2 trajectories" in note for note in markers.notes) and any("LOST" in note for note in markers.notes)


def test_a_point_at_exactly_the_origin_was_not_seen(make):
    points = person()
    points[7, 3] = 0
    path = make(points)
    assert quietly(read_markers, path, **said(path)).gaps == (("RFHD", 7, 7),)


def test_a_gap_is_filled_along_the_curve_on_both_of_its_sides():
    path = np.linspace(0, 1, 60)[:, None, None] ** 3 * np.ones((1, 1, 3))
    seen, straight = path.copy(), path.copy()
    seen[18:27] = np.nan
    straight[18:27, 0] = np.linspace(path[17, 0], path[27, 0], 11)[1:-1]
    filled = cl.Markers(("A",), seen, 100.0).filled(0.1)
    assert filled.gaps == () and np.abs(filled.positions - path).max() < 0.4 * np.abs(straight - path).max()


def test_a_label_that_stands_twice_leaves_the_others_as_they_are():
    notes = []
    assert unique_names(["A", "A", "A_2", "B", "A"], notes, "label") == ["A", "A_3", "A_2", "B", "A_4"]
    assert notes == ["label 'A' stood twice; the later one is now 'A_3'",
                     "label 'A' stood twice; the later one is now 'A_4'"]


# ---- C3D

def test_c3d_without_ezc3d_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(ImportError, match=r"choreo-lib\[c3d\]"):
        read_motion(saved(tmp_path / "x.c3d", c3d(person())))


@pytest.mark.parametrize("spoiled, words", [
    (lambda data: data[:400], "second byte"), (lambda data: data[:-2000], "cut short"),
    (lambda data: data[:6] + b"\x01\x00\xff\xff" + data[10:], "frames"),
    (lambda data: data[:2] + b"\xff\xff" + data[4:], "markers"), (lambda data: b"\xff" + data[1:], "outside"),
    (lambda data: b"HTML" + data[4:], "second byte")])
def test_a_c3d_that_claims_more_than_it_has_is_refused_before_it_is_opened(spoiled, words, tmp_path, monkeypatch):
    pytest.importorskip("ezc3d")
    from choreo_lib.io import marker_files as reader
    monkeypatch.setattr(reader, "_ask", lambda *a: pytest.fail("asked ezc3d"))
    refused(lambda: read_markers(saved(tmp_path / "x.c3d", spoiled(c3d(person())))), "x.c3d")
    with pytest.raises(MotionFormatError, match="joints" if words == "markers" else words):
        read_markers(tmp_path / "x.c3d")


def test_a_residual_of_minus_one_is_a_gap_whatever_its_coordinates(tmp_path, monkeypatch):
    """ezc3d 1.7.2 gives NaN there; a version that gave the stored place would change nothing."""
    pytest.importorskip("ezc3d")
    from choreo_lib.io import marker_files as reader
    whole = reader._ask

    def told(*given):
        about, points = whole(*given)
        points = points.copy()
        points[4, 2, 3] = -1
        return about, points
    monkeypatch.setattr(reader, "_ask", told)
    path = saved(tmp_path / "x.c3d", c3d(person(), Y_SCREEN=["+Z"]))
    assert quietly(read_markers, path).gaps == (("LFHD", 4, 4),)


def test_outputs_of_a_model_are_no_markers(tmp_path):
    pytest.importorskip("ezc3d")
    more = np.concatenate([person(), np.full((40, 1, 3), 0.045)], axis=1)
    path = saved(tmp_path / "x.c3d", c3d(more, labels=[*LABELS, "LKneeAngles"], ANGLES=["LKneeAngles"],
                                         Y_SCREEN=["+Z"]))
    markers = quietly(read_markers, path)
    assert markers.labels == LABELS and any("outputs of a model" in note for note in markers.notes)


# ---- TRC

@pytest.mark.parametrize("change, words", [
    (lambda text: text.replace("PathFileType", "PathType"), ("line 1", "PathFileType")),
    (lambda text: text.replace("Frame#", "Rows"), ("line 4",)),
    (lambda text: "\n".join(text.split("\n")[:5] + ["", ""]), ("no frames",)),
    (lambda text: text.replace("\n5\t", "\n5\t7\t"), ("line 11", "fields")),
    (lambda text: text.replace("\n5\t", "\ninf\t"), ("line 11", "frame's number")),
    (lambda text: text.replace("1600.00000", "1600,5", 1), ("decimal comma", "line 7", "'LFHD', y")),
    (lambda text: text.replace("1600.00000", "abc", 1), ("expected a number", "line 7")),
    (lambda text: text.replace("1600.00000", "1_600", 1), ("expected a number", "line 7"))])
def test_a_trc_is_refused_with_its_line(change, words, tmp_path):
    path = saved(tmp_path / "x.trc", change(trc(person())))
    refused(lambda: read_markers(path, up="y"), *words)


def test_counts_that_are_off_and_frames_that_are_missing_are_told(tmp_path):
    path = saved(tmp_path / "x.trc", trc(person(), NumFrames=99, NumMarkers=3))
    with pytest.warns(MotionGuessWarning, match="NumFrames says 99 and there are 40 rows"):  # it may be cut short
        notes = read_markers(path, up="y").notes
    assert any("NumFrames says 99" in note for note in notes) and any("NumMarkers says 3" in note for note in notes)
    frames = [*range(1, 21), *range(24, 44)]
    markers = quietly(read_markers, saved(path, trc(person(), frames=frames)), up="y")
    assert len(markers) == 43 and set(markers.gaps) == {(label, 20, 22) for label in LABELS}
    markers = quietly(read_markers, saved(path, trc(person()).replace("\n", "\r\n")), up="y")
    np.testing.assert_allclose(markers.positions, person(), atol=1e-6)
    assert quietly(read_markers, saved(path, trc(person(), DataRate="?")), up="y").fps == 100


def test_what_is_no_marker_file_is_refused(tmp_path):
    refused(lambda: read_markers(tmp_path / "x.bvh"), ".c3d", ".trc")
    refused(lambda: read_markers(tmp_path / "no.trc"), "no such file")


# ---- files that showed a fault

def case(name):
    if CASES is None:
        pytest.skip("the inputs that once showed a fault are not here; CHOREO_CASES names their folder")
    return CASES / name


def test_the_take_of_one_and_the_take_of_two():
    one = quietly(read_motion, case("f_take.trc"), up="y")
    np.testing.assert_allclose(one.positions[0, 0], [-0.631145, -0.067042, 1.450816], atol=1e-6)
    pytest.importorskip("ezc3d")
    two = quietly(read_duet, case("f_two.c3d"), up="y")
    np.testing.assert_allclose(two.a.positions, one.positions, atol=1e-4)
    assert len(two) == 120 and two.fps == 100 and cl.play(two)
