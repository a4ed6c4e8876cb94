"""FBX: which take, which dancer, which unit; and a file that breaks ufbx breaks no reader of ours."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from cases import CASES
from make_fbx import Stack, body, still, sway, write

from choreo_lib import MotionFormatError, MotionGuessWarning, read_duet, read_motion
from choreo_lib.io import fbx, fbx_scene
from choreo_lib.io.conventions import TO_Z_UP

pytest.importorskip("ufbx")


def case(name):
    if CASES is None:
        pytest.skip("the inputs that once showed a fault are not here; CHOREO_CASES names their folder")
    return CASES / name


def quietly(reader, *arguments, **said):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return reader(*arguments, **said)


def refused(call, *words):
    with pytest.raises(MotionFormatError) as error:
        call()
    assert all(word in str(error.value) for word in words), str(error.value)


def is_the_dance(motion, start=(0.0, 0.0, 0.9)):
    """`sway`, worked out by hand: 0.4 m/s along x, and a forearm that turns about the axis that looks at the viewer."""
    time = np.arange(30) / 30
    names = [name.rpartition(":")[2] for name in motion.skeleton.names]
    hips, elbow, arm = (motion.positions[:, names.index(name)] for name in ("Hips", "LeftForeArm", "LeftArm"))
    assert len(motion) == 30 and motion.fps == 30
    np.testing.assert_allclose(hips, np.array(start) + np.stack([0.4 * time, 0 * time, 0 * time], -1), atol=1e-4)
    turn = np.radians(60 * np.sin(2 * time))
    np.testing.assert_allclose(elbow - arm, 0.28 * np.stack([np.cos(turn), 0 * turn, np.sin(turn)], -1), atol=1e-4)


# ---- takes

REST, DANCE = Stack("Armature|T-pose", still(frames=2)), Stack("Armature|dance", sway())


@pytest.mark.parametrize("stacks, taken", [((REST, DANCE), 1), ((DANCE, REST), 0),
                                           ((Stack("long rest", still(frames=200)), REST, DANCE), 2),
                                           ((REST, DANCE, Stack("short", sway(frames=10))), 1),
                                           ((Stack("short", sway(frames=10)), DANCE), 1)])
def test_the_longest_take_that_moves_is_read_and_the_others_are_named(stacks, taken, tmp_path):
    path = write(tmp_path / "x.fbx", body(), stacks)
    motion = quietly(read_motion, path)
    is_the_dance(motion)
    note = next(note for note in motion.notes if "animation stacks" in note)
    assert f"{stacks[taken].name!r} was read" in note
    assert all(repr(stack.name) in note for stack in stacks)
    assert all(note.count(repr(stack.name)) == 1 for stack in stacks)


def test_a_take_is_chosen_by_name_or_number(tmp_path):
    path = write(tmp_path / "x.fbx", body(), (REST, DANCE))
    for take in (1, -1, "Armature|dance", "dance", "DANCE"):
        is_the_dance(quietly(read_motion, path, take=take))
    for take in (0, "T-pose"):
        assert len(quietly(read_motion, path, take=take)) == 2
    for take in (2, -3, "walk", True, 1.0, ["dance"]):
        refused(lambda take=take: read_motion(path, take=take), "take=", "0 'Armature|T-pose'", "1 'Armature|dance'")
    refused(lambda: read_motion(write(tmp_path / "y.fbx", body(), (Stack("a|x", sway()), Stack("b|x", sway()))),
                                take="x"), "take=")  # two that are spelled so


def test_take_is_said_of_an_fbx_only(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((4, 5, 3)))
    for reader in (read_motion, read_duet):
        refused(lambda reader=reader: reader(tmp_path / "x.npy", take=0), "take=", ".fbx")


@pytest.mark.parametrize("stated", [None, (0.0, 0.0), (0.2, 0.2), (0.5, 0.1)])
def test_a_take_without_a_usable_range_is_read_from_its_keys(stated, tmp_path):
    motion = quietly(read_motion, write(tmp_path / "x.fbx", body(), [Stack("a", sway(), stated=stated)]))
    is_the_dance(motion)


def test_a_stated_range_is_kept(tmp_path):
    motion = quietly(read_motion, write(tmp_path / "x.fbx", body(), [Stack("a", sway(), stated=(0.0, 0.5))]))
    assert len(motion) == 16 and motion.notes == ()


def test_a_file_without_animation_is_one_pose(tmp_path):
    assert len(quietly(read_motion, write(tmp_path / "x.fbx", body()))) == 1


# ---- dancers

TWO = {"Lead": (0, 90, -30), "Follow": (0, 90, 30)}


def two(tmp_path, moving=("Lead", "Follow"), **more):
    nodes, curves = {}, {}
    for name, start in TWO.items():
        nodes |= body(f"{name}:", shift=np.subtract(start, (0, 90, 0)), **more)
        curves |= (sway if name in moving else still)(f"{name}:", start=start)
    return nodes, [Stack("a", curves)]


def test_two_dancers_in_one_file_are_a_duet(tmp_path):
    path = write(tmp_path / "x.fbx", *two(tmp_path))
    duet = quietly(read_duet, path)
    is_the_dance(duet.a, (0, 0.3, 0.9))
    is_the_dance(duet.b, (0, -0.3, 0.9))
    assert (duet.a.name, duet.b.name) == ("x Lead", "x Follow") and duet.a.skeleton.names[0] == "Lead:Hips"
    refused(lambda: read_motion(path), "2 dancers", "'Lead:Hips'", "'Follow:Hips'", "read_duet(path)", "duet.a")


def test_two_dancers_under_one_shared_bone_are_a_duet(tmp_path):
    nodes, stacks = two(tmp_path, parent="World")
    for kind in ("LimbNode", "Null"):  # a null above them is no bone
        path = write(tmp_path / "x.fbx", {"World": (None, (0, 0, 0), kind)} | nodes, stacks)
        duet = quietly(read_duet, path)
        is_the_dance(duet.a, (0, 0.3, 0.9))
        is_the_dance(duet.b, (0, -0.3, 0.9))


def test_where_one_of_two_stands_still_read_motion_takes_the_other(tmp_path):
    path = write(tmp_path / "x.fbx", *two(tmp_path, moving=("Follow",)))
    motion = quietly(read_motion, path)
    is_the_dance(motion, (0, -0.3, 0.9))
    assert any("'Lead:Hips'" in note for note in motion.notes)
    assert len(quietly(read_duet, path)) == 30


def test_a_prop_is_no_dancer(tmp_path):
    sword = {f"Sword{i}": (f"Sword{i - 1}" if i else None, (0, 10, 0), "LimbNode") for i in range(12)}
    path = write(tmp_path / "x.fbx", sword | body(), [DANCE])
    motion = quietly(read_motion, path)
    is_the_dance(motion)
    assert any("2 skeletons" in note and "'Sword0'" in note for note in motion.notes)
    refused(lambda: read_duet(path), "one dancer", "second dancer's file")


def test_three_dancers_are_too_many_unless_two_dance(tmp_path):
    nodes, stacks = two(tmp_path)
    nodes |= body("Third:", shift=(0, 0, 90))
    path = write(tmp_path / "x.fbx", nodes, stacks)
    assert quietly(read_duet, path).b.name == "x Follow"  # the third stands still
    stacks[0].curves.update(sway("Third:", start=(0, 90, 90)))
    write(path, nodes, stacks)
    for reader in (read_duet, read_motion):
        refused(lambda reader=reader: reader(path), "3 dancers", "'Third:Hips'", "Export")


def test_two_files_of_one_dancer_each_take_a_take(tmp_path):
    paths = [write(tmp_path / f"{who}.fbx", body(shift=np.subtract(start, (0, 90, 0))),
                   (REST, Stack("d", sway(start=start)))) for who, start in TWO.items()]
    is_the_dance(quietly(read_duet, *paths, take="d").a, (0, 0.3, 0.9))


# ---- units

def test_a_unit_misstated_is_read_and_told(tmp_path):
    path = write(tmp_path / "x.fbx", body(), [DANCE], unit=100.0)
    with pytest.warns(MotionGuessWarning, match=r"m tall.*scale=0\.01"):
        motion = read_motion(path)
    assert np.ptp(motion.positions[0, :, 2]) > 100
    is_the_dance(quietly(read_motion, path, scale=0.01))


@pytest.mark.parametrize("axes, up, wanted", [
    ([0, 2, 4], "y", TO_Z_UP["y"]), ([0, 4, 3], "z", np.eye(3)),  # numbered +x -x +y -y +z -z
    ([2, 4, 0], "z", [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]), ([3, 4, 0], "z", [[0, -1, 0], [-1, 0, 0], [0, 0, 1]])])
def test_right_up_and_front_are_the_whole_basis(axes, up, wanted):
    """The last is left-handed, and its basis mirrors it back."""
    basis, stated = fbx._basis(axes)
    np.testing.assert_array_equal(basis, wanted)
    assert stated == up


def test_z_up_is_read_as_stated(tmp_path):
    turned = {name: (parent, (x, -z, y), kind) for name, (parent, (x, y, z), kind) in body().items()}
    motion = quietly(read_motion, write(tmp_path / "x.fbx", turned, up=2))
    straight = quietly(read_motion, write(tmp_path / "y.fbx", body()))
    np.testing.assert_allclose(motion.positions, straight.positions, atol=1e-6)


# ---- a process of its own

RUN = """
import sys, warnings
import numpy as np
from choreo_lib import MotionFormatError, read_duet, read_motion
warnings.simplefilter("ignore")
data, path, rng, read = [open(p, "rb").read() for p in sys.argv[2:]], sys.argv[1], np.random.default_rng(5), 0
for case in range({count}):
    one = bytearray(data[case % len(data)])
    for i in rng.integers(0, len(one), {flips}):
        one[i] ^= 1 << int(rng.integers(0, 8))
    open(path, "wb").write(one)
    for reader in (read_motion, read_duet):
        try:
            reader(path)
            read += 1
        except MotionFormatError:
            pass
print("alive", read)
"""


def many(count, flips, path, *files):
    root = str(Path(__file__).parents[1])
    paths = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
    done = subprocess.run([sys.executable, "-c", RUN.format(count=count, flips=flips), str(path), *map(str, files)],
                          capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths})
    assert done.returncode == 0 and "alive" in done.stdout, f"exit {done.returncode}: {done.stderr[-2000:]}"
    return int(done.stdout.split()[-1])


def test_two_hundred_reads_in_a_row_and_spoiled_ones_leave_the_reader_alive(tmp_path):
    one = write(tmp_path / "one.fbx", body(), (REST, DANCE))
    pair = write(tmp_path / "pair.fbx", *two(tmp_path))
    assert many(100, 0, tmp_path / "x.fbx", one, pair) == 100  # 200 reads; each file is for one of the two readers
    fixture = Path(__file__).parent / "fixtures" / "handmade.fbx"
    many(30, 3, tmp_path / "x.fbx", one, pair, fixture)


def test_where_ufbx_breaks_off_the_file_is_refused_and_the_reader_lives_on(tmp_path, monkeypatch):
    """Whatever ends the other process (a signal, an exit) is a word about the file."""
    path = write(tmp_path / "x.fbx", body(), [DANCE])
    child = Path(fbx_scene.__file__).with_name("fbx_child.py").read_text(encoding="utf-8")
    folder = tmp_path / "library"
    folder.mkdir()
    monkeypatch.setattr(fbx_scene, "__file__", str(folder / "fbx_scene.py"))
    for place, end in (("        anims, about", "        os._exit(7)\n        anims, about"),
                       ("        reply(None)", "        os._exit(0)"),
                       ("    reply(about)", "    os.kill(os.getpid(), 9)")):
        assert place in child
        (folder / "fbx_child.py").write_text(child.replace(place, end, 1), encoding="utf-8")
        refused(lambda: read_motion(path), "broke off", "exit")
    monkeypatch.undo()
    is_the_dance(read_motion(path))


# ---- files that showed a fault

def test_the_blender_export_with_two_stacks():
    motion = quietly(read_motion, case("f3_blender_two_stacks.fbx"))
    assert len(motion) == 90 and np.ptp(motion.positions, axis=0).max() > 0.1
    assert any("'Armature|mixamo.com' was read" in note and "'Armature|A_Take 001'" in note for note in motion.notes)


def test_the_file_of_two_dancers():
    duet = quietly(read_duet, case("fbx_two_dancers.fbx"))
    assert len(duet) == 30 and duet.positions.shape[2] == 21
    assert [m.name.split()[-1] for m in duet] == ["Lead", "Follow"]
    refused(lambda: read_motion(case("fbx_two_dancers.fbx")), "read_duet(path)")


def test_the_file_whose_unit_is_wrong():
    with pytest.warns(MotionGuessWarning, match=r"scale=0\.01"):
        read_motion(case("fbx_unit_m_wrong.fbx"))
    assert 1.2 < np.ptp(quietly(read_motion, case("fbx_unit_m_wrong.fbx"), scale=0.01).positions[0, :, 2]) < 2



def step(frames=60, lying=False) -> dict:
    """Curves of a body that steps in turn as it walks; ``lying``: on its back, floor work."""
    time = np.arange(frames) / 30
    swing, none = np.sin(2 * np.pi * time), np.zeros(frames)
    bend = lambda angle: np.stack([angle, none, none], axis=-1)  # noqa: E731
    high = 12 + none if lying else 90 + 2 * np.abs(swing)
    curves = {"Hips": {"T": np.stack([40 * time, high, 30 * np.sin(time)], axis=-1), "R": bend(none - 90 * lying)}}
    for side, lift in (("Left", np.maximum(swing, 0)), ("Right", np.maximum(-swing, 0))):
        curves[side + "UpLeg"], curves[side + "Leg"] = {"R": bend(-20 * lift)}, {"R": bend(40 * lift)}
    return curves


def test_an_up_axis_that_is_misstated_is_warned_of_and_floor_work_is_not(tmp_path):
    path = write(tmp_path / "a.fbx", body(), [Stack("a", step())], up=2)
    with pytest.warns(MotionGuessWarning, match="stands along y, and the file says that z is up.*up='y'"):
        motion = read_motion(path)
    assert np.ptp(motion.positions[0, :, 2]) < 0.5  # as the file says
    for up, lying, said in ((2, False, {"up": "y"}), (2, False, {"up": "z"}), (1, False, {}), (1, True, {})):
        write(path, body(), [Stack("a", step(lying=lying))], up=up)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            motion = read_motion(path, **said)
        assert (np.ptp(motion.positions[0, :, 2]) > 1.3) == (not lying and said != {"up": "z"})


def test_a_range_of_days_gives_way_to_the_keys(tmp_path):
    motion = read_motion(write(tmp_path / "a.fbx", body(), [Stack("a", step(), stated=(0.0, 1e6))]))
    assert len(motion) == 60 and "no usable range" in motion.notes[0]
