"""BVH and NPY as others make them: the right reading, or a refusal that names the way on.

Every kind is made from code here (truth by SciPy, see make_bvh.py); the inputs that showed the faults are read where
they are found (see cases.py).
"""

import itertools
import json
import warnings

import numpy as np
import pytest
import torch
from cases import CASES
from make_bvh import STYLES, UPS, bvh, dance, kinematics, lying, save
from scipy.spatial.transform import Rotation
from test_formats import euler_by_hand

import choreo_lib as cl
from choreo_lib.io import sidecar
from choreo_lib.io.bvh_numbers import rate_of
from choreo_lib.io.bvh_tree import without_comment
from choreo_lib.io.points import layout_of
from choreo_lib.io.up_axis import guess_up


def case(name):
    """One of the inputs, or a skip that says what to do."""
    if CASES is None or not (CASES / name).exists():
        pytest.skip(f"CHOREO_CASES is not set to a folder that holds {name}")
    return CASES / name


def heard(read, *paths, **said):
    """What a reader gives and what it warns of, as one text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", cl.MotionGuessWarning)
        made = read(*paths, **said)
    return made, " / ".join(str(warning.message) for warning in caught)


def refused(read, *paths, parts, **said):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cl.MotionGuessWarning)
        with pytest.raises(cl.MotionFormatError) as caught:
            read(*paths, **said)
    for part in parts:
        assert part in str(caught.value), f"{part!r} is not in {caught.value}"


def told(motion):
    """The notes that a file with nothing odd about it has not."""
    return [note for note in motion.notes if " guessed: " not in note]


# ---- names

@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("up", UPS)
def test_every_spelling_stands_where_the_truth_stands(tmp_path, style, up):
    root, turns = dance()
    lines, _ = bvh(root, turns, up=up, style=style)
    motion, said = heard(cl.read_motion, save(tmp_path / "a.bvh", lines))
    np.testing.assert_allclose(motion.positions, kinematics(root, turns), atol=1e-4)
    assert not told(motion) and f"up='{up}'" in said and "scale=0.01" in said
    if style != "unknown":
        assert motion.skeleton.left_right_pairs == tuple((j, j + 4) for j in (5, 6, 7, 8, 13, 14, 15, 16))
        assert motion.skeleton.pelvis == 0


@pytest.mark.parametrize("name", ["n_unreal", "n_maya", "n_blender_dotL", "names_suffix_side", "names_biped_spaces"])
def test_usual_names_have_an_up_a_facing_and_pairs(name):
    motion, said = heard(cl.read_motion, case(name + ".bvh"))
    assert "up='y'" in said and 1.4 < motion.positions[..., 2].max() < 1.9 and motion.positions[..., 2].min() > -0.1
    assert len(motion.skeleton.left_right_pairs) >= 8
    cl.body.reference.reference_frame(torch.tensor(motion.positions[None, :, None]), 0, motion.skeleton, of="a")


# ---- rest pose against motion

QUARTERS = {"about x": [[1, 0, 0], [0, 0, -1], [0, 1, 0]], "about -x": [[1, 0, 0], [0, 0, 1], [0, -1, 0]],
            "about y": [[0, 0, 1], [0, 1, 0], [-1, 0, 0]], "about z": [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
            "upside down": [[1, 0, 0], [0, -1, 0], [0, 0, -1]]}  # fmt: skip


@pytest.mark.parametrize("rest", QUARTERS)
@pytest.mark.parametrize("up", UPS)
@pytest.mark.parametrize("seed, hop, travel", [(0, 0.0, 0.6), (1, 0.0, 0.0), (2, 0.3, 0.1)])
def test_a_dancer_who_stands_decides_and_both_are_told(tmp_path, rest, up, seed, hop, travel):
    root, turns = dance(seed=seed, hop=hop, travel=travel)
    lines, _ = bvh(root, turns, up=up, rest=np.array(QUARTERS[rest], float))
    motion, said = heard(cl.read_motion, save(tmp_path / "a.bvh", lines))
    np.testing.assert_allclose(motion.positions, kinematics(root, turns), atol=1e-4)
    vertical = np.array(UPS[up])[2]
    turned = not np.allclose(np.array(QUARTERS[rest]) @ vertical, vertical)
    assert ("rest pose" in said) == turned == ("rest pose" in " ".join(motion.notes))


@pytest.mark.parametrize("about", ["x", "y", "-x", "-y"])
@pytest.mark.parametrize("up, travel", zip(UPS, (0.6, 0.0, 0.1, 0.0)))
def test_who_dances_on_the_floor_is_left_lying(tmp_path, about, up, travel):
    quarter = np.pi / 2 * np.eye(3)["xyz".index(about[-1])] * (-1 if about[0] == "-" else 1)
    root, turns = lying(*dance(seed=3, travel=travel), Rotation.from_rotvec(quarter).as_matrix())
    motion, said = heard(cl.read_motion, save(tmp_path / "a.bvh", bvh(root, turns, up=up)[0]))
    np.testing.assert_allclose(motion.positions, kinematics(root, turns), atol=1e-4)
    assert "mostly lies" in said  # told all the same


@pytest.mark.parametrize("name, up", [("zup_dance_yup_rest", "z"), ("yup_dance_zup_rest", "y"),
                                      ("a4_rest_lying_motion_standing", "y")])  # fmt: skip
def test_rest_poses_that_lie(name, up):
    motion, said = heard(cl.read_motion, case(name + ".bvh"))
    assert f"up axis guessed: {up}" in motion.notes and "rest pose" in said
    matrix = np.array(UPS[up], float)
    want = 0.01 * euler_by_hand(case(name + ".bvh").read_text()) @ matrix.T
    np.testing.assert_allclose(motion.positions, want, atol=1e-4)


# ---- bodies whose names say nothing

def unnamed(positions, up, path, seed=0):
    """The axis guessed for shuffled points without names, or None where it is asked for."""
    shuffled = np.random.default_rng(seed).permutation(positions.shape[1])
    np.save(path, positions[:, shuffled] @ np.array(UPS[up], float))
    try:
        motion, _ = heard(cl.read_motion, path, scale=1, fps=30)
    except cl.MotionFormatError as error:
        assert "up=" in str(error)
        return None
    return next(note for note in motion.notes if note.startswith("up axis guessed"))[17:]


@pytest.mark.parametrize("hop", [0.0, 0.25, 0.4])
def test_hopping_points_are_never_upside_down(tmp_path, hop):
    """Feet that slide and hop tell little: right, or asked for."""
    for seed, up in itertools.product(range(6), UPS):
        assert unnamed(kinematics(*dance(90, seed, hop=hop)), up, tmp_path / "p.npy", seed) in (up, None), seed


def test_points_on_feet_that_stand_are_upright(tmp_path):
    found = []
    for seed, up in itertools.product(range(4), UPS):
        duet = cl.synthetic.duet(("canon", "independent", "mirror", "contact")[seed], frames=90, seed=seed)
        found += [(up, unnamed(motion.positions[20:80, :22], up, tmp_path / "p.npy", seed)) for motion in duet]
    assert all(got in (up, None) for up, got in found)
    assert sum(got == up for up, got in found) > 0.6 * len(found), found  # a guard that always asks would be none


@pytest.mark.parametrize("take", ["Easy_01", "Hard_04", "Medium_02", "move_03_03"])
def test_real_dancers_without_names_are_never_upside_down(take, tmp_path):
    from test_formats import real

    found, rng = [], np.random.default_rng(0)
    for who in ("female", "male"):
        motion, _ = heard(cl.read_motion, real(f"salsa/{take}_{who}_30fps.bvh"))
        keep = [j for j, name in enumerate(motion.skeleton.names) if not name.endswith(("End", "Thumb1", "3"))]
        for first in range(0, len(motion) - 60, 40):
            up = str(rng.choice(list(UPS)))
            found.append((up, unnamed(motion.positions[first:first + 60, keep], up, tmp_path / "p.npy", first)))
    assert all(got in (up, None) for up, got in found)
    assert sum(got == up for up, got in found) > 0.7 * len(found)


def test_hops_without_names():
    motion, _ = heard(cl.read_motion, case("points_hops_yup_m.npy"))
    assert "up axis guessed: y" in motion.notes
    chinese, _ = heard(cl.read_motion, case("names_chinese_hops.bvh"))
    assert "up axis guessed: y" in chinese.notes and chinese.positions[..., 2].min() > -0.05
    want = 0.01 * euler_by_hand(case("names_chinese_hops.bvh").read_text()) @ np.array(UPS["y"], float).T
    np.testing.assert_allclose(chinese.positions, want, atol=1e-4)


def test_a_still_body_of_points_is_asked_about():
    still = np.repeat(kinematics(*dance(1))[:, :], 30, axis=0)
    body = cl.Skeleton([f"p{j}" for j in range(21)], range(-1, 20))
    assert guess_up(body, still)[0] is None


# ---- mirrored files, unlikely units

@pytest.mark.parametrize("up", UPS)
@pytest.mark.parametrize("style", ["motionbuilder", "maya", "daz"])
def test_a_mirrored_file_is_told(tmp_path, up, style):
    root, turns = dance()
    path = save(tmp_path / "a.bvh", bvh(root, turns, up=up, style=style, mirror=True)[0])
    _, said = heard(cl.read_motion, path, up=up)
    assert "toes point against the facing" in said and "left-handed" in said and "right-handed scene" in said
    _, said = heard(cl.read_motion, save(tmp_path / "b.bvh", bvh(root, turns, up=up, style=style)[0]), up=up)
    assert "toes" not in said
    path = save(tmp_path / "c.bvh", bvh(*lying(root, turns, QUARTERS["about x"]), up=up)[0])
    _, said = heard(cl.read_motion, path, up=up)
    assert "toes" not in said


def test_left_handed():
    motion, said = heard(cl.read_motion, case("left_handed.bvh"))
    assert "toes point against the facing" in said and "up axis guessed: y" in motion.notes


@pytest.mark.parametrize("stated, fits", [(1, "0.01"), (0.0001, "0.01"), (0.1, "0.01")])
def test_a_stated_unit_that_makes_giants_is_warned_of_with_one_that_does_not(tmp_path, stated, fits):
    path = save(tmp_path / "a.bvh", bvh(*dance())[0])

    def state(unit):
        sidecar.sidecar_path(path).write_text(json.dumps({
            "format": sidecar.FORMAT, "sha256": sidecar.fingerprint(path.read_bytes()), "up": "y", "unit": unit}))

    state(stated)
    motion, said = heard(cl.read_motion, path)
    assert f"pass scale={fits}" in said and " m tall" in motion.notes[-1]
    for said in (0.01, 5):  # a caller's word
        assert heard(cl.read_motion, path, scale=said)[1] == ""
    state(0.01)
    assert heard(cl.read_motion, path)[1] == ""


# ---- everyday BVH

RATES = {"0.033": 30, "0.0333": 30, "0.03333": 30, "0.0333333": 30, "0.033333335": 30, "0.0417": 24, "0.0416": 24,
         "0.041667": 24, "0.042": 24, "0.0167": 60, "0.0166": 60, "0.016": 60, "0.017": 60, "0.016667": 60,
         "0.00833": 120, "0.0083": 120, "0.008": 120, "0.008333": 120, "0.0083333": 120, "0.04": 25, "0.040000": 25,
         "0.02": 50, "0.01": 100, "0.010000": 100, "0.005": 200, "0.0042": 240, "0.004167": 240, "0.05": 20, "0.1": 10,
         "0.0667": 15, "0.0833": 12, "0.033000": 30, "3.33e-2": 30, "1": 1, "0.5": 2, "0.0125": 80, "0.0208": 48,
         "0.041708": 23.976, "0.0417083": 23.976, "0.0333667": 29.97, "0.033367": 29.97, "0.0166833": 59.94,
         "0.016683": 59.94, "0.00834167": 119.88, "0.0083417": 119.88, "0.0370370": 27, "0.0285714": 35,
         "0.037": 27.027, "0.0123": 81.3008}  # fmt: skip


@pytest.mark.parametrize("printed", RATES)
def test_a_frame_time_is_the_usual_rate_that_was_printed(tmp_path, printed):
    assert rate_of(printed) == pytest.approx(RATES[printed], rel=2e-5)
    motion, _ = heard(cl.read_motion, save(tmp_path / "a.bvh", bvh(*dance(4), time=printed)[0]))
    assert motion.fps == pytest.approx(RATES[printed], rel=2e-5)
    noted = abs(RATES[printed] * float(printed) - 1) > 5e-4
    assert any(note.startswith(f"Frame Time {printed} is read as") for note in motion.notes) == noted


def test_rates_that_cases_print():
    assert [heard(cl.read_motion, case(f"g_ft_{text}.bvh"))[0].fps for text in ("0.0166", "0.0417")] == [60, 24]


def test_frame_time_of_nonsense_gives_way_to_fps(tmp_path):
    for time in ("0", "-1", "nan", "1000", "much"):
        path = save(tmp_path / "a.bvh", bvh(*dance(4), time=time)[0])
        refused(cl.read_motion, path, parts=["Frame Time", "pass fps="])
        assert heard(cl.read_motion, path, fps=25)[0].fps == 25
    assert heard(cl.read_motion, case("frame_time_zero.bvh"), fps=30)[0].fps == 30


@pytest.mark.parametrize("off", [-10, -5, -1, 1, 5, 10])
def test_frames_that_are_off_by_some_are_read_and_told(tmp_path, off):
    root, turns = dance()
    motion, said = heard(cl.read_motion, save(tmp_path / "a.bvh", bvh(root, turns, frames=60 + off)[0]))
    np.testing.assert_allclose(motion.positions, kinematics(root, turns), atol=1e-4)
    assert f"Frames says {60 + off} and 60 lines" in said and f"Frames says {60 + off}" in " ".join(told(motion))


def test_frames_that_are_off_by_far_are_refused(tmp_path):
    for count in (600, 3, 90):
        path = save(tmp_path / "a.bvh", bvh(*dance(), frames=count)[0])
        refused(cl.read_motion, path, parts=[f"Frames says {count}"])


@pytest.mark.parametrize("name", ["g_frames_one_less.bvh", "g_frames_one_more.bvh"])
def test_cases_whose_count_is_off(name):
    motion, said = heard(cl.read_motion, case(name))
    assert len(motion) == 60 and "60 frames were read" in said


def test_a_file_cut_short_is_read_to_its_last_whole_line_and_told(tmp_path):
    root, turns = dance()
    lines, first = bvh(root, turns)
    text, path = "\n".join(lines) + "\n", tmp_path / "a.bvh"
    want = kinematics(root, turns)
    for cut in (2, 7, 60, 300):  # bytes: a digit, most of a number, some numbers, half a line
        path.write_text(text[:-cut])
        motion, said = heard(cl.read_motion, path)
        assert len(motion) == 59 and f"line {first + 60} is cut short" in said
        np.testing.assert_allclose(motion.positions, want[:59], atol=1e-4)
    path.write_text(text.replace("Frames: 60", "Frames: 65")[:-4])
    motion, said = heard(cl.read_motion, path)
    assert len(motion) == 59 and "is cut short" in said and "Frames says 65" in said
    path.write_text(text[:-1])  # whole, though no line feed follows
    assert len(heard(cl.read_motion, path)[0]) == 60 and "cut short" not in heard(cl.read_motion, path)[1]
    path.write_text("\n".join(lines[:first + 30] + [lines[first + 30][:50]] + lines[first + 31:]))
    refused(cl.read_motion, path, parts=[f"line {first + 31}", "expected 66 numbers"])  # in the middle: not cut, broken
    path.write_text("\n".join(lines[:first + 30] + [lines[first + 30][:50]]))  # far more than some frames are missing
    refused(cl.read_motion, path, parts=[f"line {first + 31}", "cut short", "frame 31 of 60"])


COMMENTS = ["# a word", "// a word", "#", "  # 1 2 3", "\t//", "#HIERARCHY", "# MOTION"]


@pytest.mark.parametrize("comment", COMMENTS)
def test_comments_may_stand_anywhere(tmp_path, comment):
    root, turns = dance(12)
    lines, first = bvh(root, turns)
    want = kinematics(root, turns)
    for at in (0, 1, 2, 3, 5, first - 3, first - 2, first - 1, first, first + 3, len(lines)):
        motion, _ = heard(cl.read_motion, save(tmp_path / "a.bvh", lines[:at] + [comment] + lines[at:]))
        np.testing.assert_allclose(motion.positions, want, atol=1e-4, err_msg=f"line {at}")
    ended = [line + ("" if line.split()[0] in "{}" else "  " + comment.strip()) for line in lines]
    motion, _ = heard(cl.read_motion, save(tmp_path / "b.bvh", ended))
    np.testing.assert_allclose(motion.positions, want, atol=1e-4)
    assert "# a word" not in " ".join(motion.skeleton.names) and len(motion) == 12


def test_a_name_may_hold_a_sharp():
    assert without_comment("JOINT Bone#3") == "JOINT Bone#3" and without_comment("JOINT Bone #3") == "JOINT Bone #3"
    assert without_comment("JOINT a # left").split() == ["JOINT", "a"] and without_comment("# x") == ""
    assert without_comment("OFFSET 0 1 2 #3").split() == ["OFFSET", "0", "1", "2"]


@pytest.mark.parametrize("name", ["g_comment_in_motion.bvh", "g_comment_data.bvh", "g_endsite_channels.bvh"])
def test_cases_with_comments_and_channels_of_nought(name):
    motion, _ = heard(cl.read_motion, case(name))
    assert len(motion) == 60 and not told(motion) and "up axis guessed: y" in motion.notes


def test_end_sites_without_channels_may_say_so(tmp_path):
    root, turns = dance(6)
    motion, _ = heard(cl.read_motion, save(tmp_path / "a.bvh", bvh(root, turns, extra="CHANNELS 0")[0]))
    np.testing.assert_allclose(motion.positions, kinematics(root, turns), atol=1e-4)
    path = save(tmp_path / "b.bvh", bvh(root, turns, extra="CHANNELS 3 Zrotation Xrotation Yrotation")[0])
    refused(cl.read_motion, path, parts=["line ", "End Site", "CHANNELS 0"])


@pytest.mark.parametrize("coding", ["utf-16", "utf-8-sig"])
def test_wide_letters_are_read(tmp_path, coding):
    root, turns = dance(6)
    (tmp_path / "a.bvh").write_bytes("\r\n".join(bvh(root, turns)[0]).encode(coding))
    motion, _ = heard(cl.read_motion, tmp_path / "a.bvh")
    np.testing.assert_allclose(motion.positions, kinematics(root, turns), atol=1e-4)


def test_decimal_commas_are_called_so(tmp_path):
    lines, first = bvh(*dance(6))
    for at, place in ((3, "line 4"), (first - 1, f"line {first}"), (first + 2, f"line {first + 3}")):
        path = save(tmp_path / "a.bvh", lines[:at] + [lines[at].replace(".", ",")] + lines[at + 1:])
        refused(cl.read_motion, path, parts=[place, "comma for its decimal point"])


def test_joined_files_are_called_so(tmp_path):
    lines, first = bvh(*dance(6))
    path = save(tmp_path / "a.bvh", lines + lines)
    for read in (cl.read_motion, cl.read_duet):
        refused(read, path, parts=[f"line {len(lines) + 1}", "second HIERARCHY", "Split them", "read_duet"])
    refused(cl.read_duet, save(tmp_path / "d.bvh", lines + ["MOTION"] + lines[first - 2:]), parts=["second MOTION"])
    at = lines.index("MOTION")
    path = save(tmp_path / "b.bvh", lines[:at] + lines)
    refused(cl.read_motion, path, parts=[f"line {at + 1}", "second HIERARCHY"])


def test_bones_without_length_are_called_so(tmp_path):
    lines = ["OFFSET 0 0 0" if "OFFSET" in line else line for line in bvh(*dance(6))[0]]
    refused(cl.read_motion, save(tmp_path / "a.bvh", lines), parts=["bones without length"])
    assert len(heard(cl.read_motion, save(tmp_path / "a.bvh", lines), up="y", scale=1)[0]) == 6


@pytest.mark.parametrize("noise, size", [(1e-6, 0), (4e-5, 0), (0.5, 1)])
def test_bones_change_length_only_where_they_do(tmp_path, noise, size):
    """Position channels on every joint: as printed digits and single precision leave them, and truly stretched."""
    root, turns = dance(20)
    lines, first = bvh(root, turns)
    rng, numbers = np.random.default_rng(0), [line.split() for line in lines[first:]]
    where = [k for k, line in enumerate(lines) if "OFFSET" in line and "End Site" not in lines[k - 2]]
    bones = [np.array(lines[k].split()[1:], float) for k in where]
    lines = [line.replace("CHANNELS 3", "CHANNELS 6 Xposition Yposition Zposition") for line in lines]
    out = []
    for row in numbers:
        new = row[:6]
        for j, bone in enumerate(bones[1:], start=1):
            new += [f"{x:.6f}" for x in bone + rng.uniform(-noise, noise, 3)] + row[3 + 3 * j:6 + 3 * j]
        out.append(" ".join(new))
    motion, _ = heard(cl.read_motion, save(tmp_path / "a.bvh", lines[:first] + out))
    assert any("bones change length" in note for note in motion.notes) == bool(size)
    assert np.abs(motion.positions - kinematics(root, turns)).max() < (1e-4 if not size else 0.1)


def test_blenders_export_has_bones_that_keep_their_length():
    motion, _ = heard(cl.read_motion, case("a5_blender_export_of_fbx_armature.bvh"))
    assert not told(motion)
    want = 0.01 * euler_by_hand(case("a5_blender_export_of_fbx_armature.bvh").read_text()) @ np.array(UPS["y"], float).T
    np.testing.assert_allclose(motion.positions, want, atol=1e-4)


# ---- duets

def two(frames=40):
    """Two dances in one world, 1.4 m apart."""
    a, b = dance(frames, 1, travel=.2), dance(frames, 2, travel=.2)
    return a, (b[0] + [1.4, 0, 0], b[1])


def both(tmp_path, of_a=(), of_b=()):
    a, b = two()
    return (save(tmp_path / "a.bvh", bvh(*a, **dict(of_a))[0]), save(tmp_path / "b.bvh", bvh(*b, **dict(of_b))[0]),
            np.stack([kinematics(*a), kinematics(*b)], 1))


def test_two_roots_are_a_duet(tmp_path):
    a, b = two()
    one, first = bvh(*a, style="mixamo")
    other, _ = bvh(*b, style="mixamo")
    at = one.index("MOTION")
    second = [line.replace("mixamorig:", "b:") for line in other[1:at]]
    numbers = [f"{x} {y}" for x, y in zip(one[first:], other[first:])]
    path = save(tmp_path / "two.bvh", one[:at] + second + one[at:first] + numbers)
    duet, _ = heard(cl.read_duet, path)
    np.testing.assert_allclose(duet.positions, np.stack([kinematics(*a), kinematics(*b)], 1), atol=1e-4)
    assert duet.b.skeleton.names[0] == "b:Hips" and (duet.a.name, duet.b.name) == ("two a", "two b")
    refused(cl.read_motion, path, parts=[f"line {at + 1}", "2 skeletons", "read_duet(path)", "duet.a"])
    save(path, one[:at] + second + one[at:])
    refused(cl.read_duet, path, parts=["2 ROOTs, and a line has the numbers of one", "read_duet"])
    refused(cl.read_duet, save(path, one), parts=["one ROOT", "second dancer's file"])
    three = [f"{x} {y} {x}" for x, y in zip(one[first:], other[first:])]
    save(path, one[:at] + second + [line.replace("b:", "c:") for line in second] + one[at:first] + three)
    refused(cl.read_duet, path, parts=["3 skeletons"])


def test_two_lines_a_frame_are_refused(tmp_path):
    """Nothing says whether two dancers' lines take turns or stand one behind the other; a wrong guess is 2.8 m off."""
    a, b = two()
    (one, first), (other, _) = (bvh(*each) for each in (a, b))
    at = one.index("MOTION")
    head = one[:at] + other[1:at] + one[at:first]
    for numbers in (one[first:] + other[first:], [row for pair in zip(one[first:], other[first:]) for row in pair]):
        path = save(tmp_path / "ab.bvh", head + numbers)
        refused(cl.read_duet, path, parts=[f"line {len(head) + 1}", "numbers of one", "read_duet"])


def test_two_roots_of_one_motion_are_refused():
    refused(cl.read_duet, case("g_two_roots.bvh"), parts=["2 ROOTs"])
    refused(cl.read_motion, case("g_two_roots.bvh"), parts=["read_duet"])


def test_one_axis_and_one_unit_a_file(tmp_path):
    a, b, want = both(tmp_path, {"up": "y"}, {"up": "z", "unit": 1})
    refused(cl.read_duet, a, b, parts=["up axis z, not y", "up=('y', 'z')", "scale="])
    duet, said = heard(cl.read_duet, a, b, up=("y", "z"), scale=(0.01, 1))
    np.testing.assert_allclose(duet.positions, want, atol=1e-4)
    assert said == ""
    np.testing.assert_allclose(heard(cl.read_duet, a, b, up=["y", None], scale=(None, 1))[0].positions, want, atol=1e-4)
    refused(cl.read_duet, a, b, up=("y", "z", "x"), parts=["up=", "got 3"])
    refused(cl.read_duet, a, b, up=("y", "w"), parts=["up=", "'w'"])
    refused(cl.read_duet, a, up=("y", "z"), parts=["up=", "one file"])
    refused(cl.read_duet, a, b, up=("y", "z"), scale=0.01, parts=["m tall", "scale=(0.01, 1)"])


def test_one_axis_for_two_unlike_files_is_warned_of(tmp_path):
    a, b, _ = both(tmp_path, {"up": "y"}, {"up": "z"})
    duet, said = heard(cl.read_duet, a, b, up="y", scale=0.01)
    assert "dancer a stands and dancer b lies" in said and "up=('y', 'z')" in said
    assert any("lies" in note for note in duet.b.notes)
    far = save(tmp_path / "far.bvh", bvh(two()[1][0] + [80, 0, 0], two()[1][1])[0])
    assert "m apart" in heard(cl.read_duet, a, far, up="y", scale=0.01)[1]


def test_the_case_of_two_axes():
    a, b = case("plain_ycm.bvh"), case("duet_b_zup40.bvh")
    refused(cl.read_duet, a, b, parts=["up=('y', 'z')"])
    duet, _ = heard(cl.read_duet, a, b, up=("y", "z"))
    for motion, path, up in zip(duet, (a, b), "yz"):
        want = 0.01 * euler_by_hand(path.read_text()) @ np.array(UPS[up], float).T
        np.testing.assert_allclose(motion.positions, want, atol=1e-4)


def test_rates_and_lengths_come_together_and_are_told(tmp_path):
    a, b = dance(40, 1), dance(161, 2, fps=120)
    paths = (save(tmp_path / "a.bvh", bvh(*a)[0]),
             save(tmp_path / "b.bvh", bvh(b[0] + [1.4, 0, 0], b[1], time="0.0083333", style="mixamo")[0]))
    duet, said = heard(cl.read_duet, *paths)
    assert duet.fps == 30 and len(duet) == 40 and "resampled from 120 to 30" in said and "cut from 41 to 40" in said
    np.testing.assert_allclose(duet.a.positions, kinematics(*a), atol=1e-4)
    np.testing.assert_allclose(duet.b.positions, kinematics(*b)[:160:4] + [1.4, 0, 0], atol=1e-4)
    assert duet.b.skeleton.names == duet.a.skeleton.names
    short = save(tmp_path / "short.bvh", bvh(*dance(20, 3))[0])
    refused(cl.read_duet, paths[0], short, parts=["a.bvh has 40 frames at 30", "short.bvh 20", "io.match_skeletons"])


def test_cases_of_other_rates_joints_and_lengths():
    a = case("d_a_fingers_30.bvh")
    duet, said = heard(cl.read_duet, a, case("d_b_nofingers_120.bvh"))
    assert duet.positions.shape == (300, 2, 25, 3) and duet.fps == 30 and "left out" in said and "resampled" in said
    duet, said = heard(cl.read_duet, a, case("d_b_301.bvh"))
    assert duet.positions.shape == (300, 2, 31, 3) and "cut from 301 to 300" in said


def test_rows_of_two_dancers_are_told_apart(tmp_path):
    a, b = (kinematics(*each) for each in two(60))
    path = tmp_path / "x.npy"
    said = dict(up="z", scale=1, fps=30)
    layouts = {"interleaved": np.stack([a, b], 1).reshape(120, 21, 3), "stacked": np.concatenate([a, b])}
    want = np.stack([a, b], 1)
    for name, rows in layouts.items():
        assert layout_of(rows) == name
        np.save(path, rows)
        for more in ({}, {"layout": name}):
            duet, _ = heard(cl.read_duet, path, **said, **more)
            place = [int(np.abs(want[0, 0] - point).sum(-1).argmin()) for point in duet.a.positions[0]]
            np.testing.assert_allclose(duet.positions, want[:, :, place], atol=1e-5)
    assert "read_duet" in heard(cl.read_motion, path, **said)[1]  # stacked: one dancer who jumps
    np.save(path, a)
    refused(cl.read_duet, path, **said, parts=["as one dancer does", "nearly coincide", "layout='interleaved'"])
    np.save(path, np.stack([a, a + .002], 1).reshape(120, 21, 3))  # two who coincide
    refused(cl.read_duet, path, **said, parts=["layout="])
    assert len(heard(cl.read_duet, path, layout="interleaved", **said)[0]) == 60
    np.save(path, np.concatenate([a[:30], b[:90]]) if len(b) >= 90 else np.concatenate([a[:30], b, a[:30]]))
    refused(cl.read_duet, path, **said, parts=["layout="])  # it jumps, and not in the middle
    for wrong in ("rows", 5, ["stacked"]):
        refused(cl.read_duet, path, layout=wrong, parts=["layout=", "'interleaved' or 'stacked'"])
    np.save(path, want)
    refused(cl.read_duet, path, layout="stacked", parts=["layout=", "parted already"])
    np.save(path, want.swapaxes(0, 1))
    refused(cl.read_duet, path, parts=["swapaxes(0, 1)"])
    refused(cl.read_motion, path, parts=["2 dancers", "read_duet"])
    for one, way in ((a[None], "array[0]"), (a[:, None], "array[:, 0]")):
        np.save(path, one)
        refused(cl.read_motion, path, parts=["one dancer", way])


def test_an_npy_of_an_old_kind_is_refused_without_a_warning(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((4, 5, 3)))
    path.write_bytes(path.read_bytes().replace(b"'<f8'", b"'a8' "))  # what NumPy 2 warns of by itself
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(cl.MotionFormatError, match="expected .*numbers"):
            cl.read_motion(path)


def test_one_dancer_is_no_duet():
    refused(cl.read_duet, case("npy_one_dancer_even.npy"), up="z", parts=["nearly coincide", "layout="])


def test_a_static_root_is_no_pelvis(tmp_path):
    motion, _ = heard(cl.read_motion, case("static_reference_root.bvh"))
    assert motion.skeleton.names[motion.skeleton.pelvis] == "Hips"


def test_every_case_is_read_or_names_the_way_on():
    if CASES is None:
        pytest.skip("CHOREO_CASES is not set")
    for path in sorted([*CASES.glob("*.bvh"), *CASES.glob("*.npy")]):
        try:
            motion, _ = heard(cl.read_motion, path)
            assert np.isfinite(motion.positions).all() and np.ptp(motion.positions[..., 2]) < 3
        except cl.MotionFormatError as error:
            assert "=" in str(error) or "read_duet" in str(error), error
