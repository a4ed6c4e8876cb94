"""What we write opens elsewhere: three.js, assimp, bvhio, pymotion and the glTF validator read it as we do.

The npm ones need `make node` (or `npm ci` in tests/node); where node or the packages are absent they are skipped.
"""

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from cases import CASES
from scipy.spatial.transform import Rotation
from test_formats import NAMES, OFFSETS, PARENTS, euler_by_hand, quietly

from choreo_lib import (
    HYBRIK_29,
    Duet,
    Motion,
    Skeleton,
    Source,
    load_duet,
    load_model,
    read_motion,
    studio,
    write_motion,
)
from choreo_lib.io.bvh_write import plain_names

NODE = Path(__file__).parent / "node"
CLOSE = 1e-4  # metres
WAYS = {"z, metres": {}, "y, centimetres": {"up": "y", "scale": 0.01}}
MIXAMO = {  # name: (parent, offset in centimetres, Y up)
    "mixamorig:Hips": (None, (0, 98, 0)), "mixamorig:Spine": ("Hips", (0, 10, -1)),
    "mixamorig:Spine1": ("Spine", (0, 12, 0)), "mixamorig:Neck": ("Spine1", (0, 28, 1)),
    "mixamorig:Head": ("Neck", (0, 10, 3)), "mixamorig:LeftArm": ("Spine1", (18, 22, 0)),
    "mixamorig:LeftForeArm": ("LeftArm", (27, 0, 0)), "mixamorig:LeftHand": ("LeftForeArm", (26, 0, 0)),
    "mixamorig:RightArm": ("Spine1", (-18, 22, 0)), "mixamorig:RightForeArm": ("RightArm", (-27, 0, 0)),
    "mixamorig:RightHand": ("RightForeArm", (-26, 0, 0)), "mixamorig:LeftUpLeg": ("Hips", (9, -6, 0)),
    "mixamorig:LeftLeg": ("LeftUpLeg", (0, -43, 0)), "mixamorig:LeftFoot": ("LeftLeg", (0, -43, -2)),
    "mixamorig:RightUpLeg": ("Hips", (-9, -6, 0)), "mixamorig:RightLeg": ("RightUpLeg", (0, -43, 0)),
    "mixamorig:RightFoot": ("RightLeg", (0, -43, -2)),
}  # fmt: skip


def mixamo_text(frames=20) -> str:
    """A BVH as Mixamo's come: Y up, centimetres, Z X Y rotations, names with a colon, a T-pose first."""
    rng, lines, opened = np.random.default_rng(3), ["HIERARCHY"], []
    for name, (parent, offset) in MIXAMO.items():
        while opened and parent and opened[-1] != f"mixamorig:{parent}":
            lines.append("}")
            opened.pop()
        channels = "CHANNELS 3" if parent else "CHANNELS 6 Xposition Yposition Zposition"
        lines += [f"{'JOINT' if parent else 'ROOT'} {name}", "{", "OFFSET {} {} {}".format(*offset),
                  f"{channels} Zrotation Xrotation Yrotation"]
        opened.append(name)
        if name not in {f"mixamorig:{p}" for p, _ in MIXAMO.values()}:
            lines += ["End Site", "{", "OFFSET 0 5 8", "}"]
    lines += ["}"] * len(opened) + ["MOTION", f"Frames: {frames}", "Frame Time: 0.0333333"]
    turns = 25 * np.cumsum(rng.normal(size=(frames, len(MIXAMO) * 3)) * 0.3, axis=0)
    turns[0] = 0
    turns[:, 1] *= 0.2  # the hips lean a little, and the body stands
    for k, row in enumerate(turns):
        lines.append(" ".join(f"{x:.6f}" for x in (2 * k, 98 + np.sin(k), -60, *row)))
    return "\n".join(lines) + "\n"


def mixamo(folder) -> Motion:
    (folder / "mixamo.bvh").write_text(mixamo_text())
    motion = quietly(read_motion, folder / "mixamo.bvh")
    want = 0.01 * euler_by_hand(mixamo_text())
    want = np.stack([want[..., 0], -want[..., 2], want[..., 1]], axis=-1)
    np.testing.assert_allclose(motion.positions, want, atol=1e-5)
    return motion


def turning(seed=0, frames=12, skeleton=None):
    """A body whose joints turn smoothly."""
    rng = np.random.default_rng(seed)
    body = skeleton or Skeleton(NAMES, PARENTS, OFFSETS, ((2, (0, 0.1, 0)), (2, (0, 0, -0.1)), (7, (0, 0, 0.2))))
    turns = Rotation.from_rotvec(np.cumsum(rng.normal(size=(frames, len(body), 3)) * 0.2, 0).reshape(-1, 3)).as_quat()
    root = np.cumsum(rng.normal(size=(frames, 3)) * 0.05, axis=0)
    return Motion.from_rotations(turns.reshape(frames, len(body), 4), root, 30, body, name="ana",
                                 source=Source("a set", "its ‘makers’ }", "OFFSET JOINT Frames: 3"))


def odd_names(_):
    """Names that a reader breaks at, cuts, takes for its own or confuses with another once they are plain."""
    names = ["my MOTION", "Left Leg", "Left_Leg", "Left", "mixamorig:Arm", "Thigh.L", "a{b}#c", "ENDSITE", "JOINT ROOT",
             "née[2]/x"]
    rng = np.random.default_rng(1)
    return turning(1, skeleton=Skeleton(names, [-1, 0, 1, 0, 3, 0, 5, 5, 6, 8], rng.normal(size=(10, 3)) * 0.3))


def stretching(_):
    """Bones that change length: position channels beside rotations."""
    motion = turning(2)
    grown = motion.positions.copy()
    grown[:, [2, 7]] += np.linspace(0, 0.2, len(grown))[:, None, None]
    return Motion(grown, 30, motion.skeleton, motion.rotations)


def points(_):
    """A body that a camera saw: no rotations, no bone of one length, joints in no order of limbs."""
    canon = load_duet("synthetic/canon").a[:12].positions
    noise = np.random.default_rng(0).normal(size=canon.shape) * 0.01
    return Motion(canon + noise, 25, HYBRIK_29)


def case(_):
    if CASES is None:
        pytest.skip("the folder of cases is not here (CHOREO_CASES, or ../shared/cases)")
    return quietly(read_motion, CASES / "a1_mixamo_yup_cm_tpose.bvh")


@cache
def partner():
    """A partner whom the studio made: points of a network, to which rotations were found."""
    return studio.partner(load_duet("synthetic/canon").a[:60], load_model("duet-synthetic"), seed=3).made[0]


DANCES = {"mixamo": mixamo, "odd names": odd_names, "stretching": stretching, "points": points, "case": case,
          "a made partner": lambda _: partner()}


def node(who, file) -> dict:
    """What tests/node/read.mjs prints, or a skip that says what to install."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed; three.js, assimp and the glTF validator are not asked")
    if not (NODE / "node_modules" / "three").is_dir():
        pytest.skip("tests/node has no node_modules (run: make node); three.js, assimp and the validator are not asked")
    done = subprocess.run(["node", "read.mjs", who, str(file)], cwd=NODE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "THREE" not in done.stderr, done.stderr[-2000:]  # "No target node found for track", "HIERARCHY expected"
    return json.loads(done.stdout)


def limb_by_limb(skeleton):
    """The joints in the order that a tree of nodes is walked."""
    order, todo = [], [0]
    while todo:
        order.append(todo.pop())
        todo += [child for parent, child in reversed(skeleton.bones) if parent == order[-1]]
    return order


def by_three(path):
    found = node("bvh-three", path)
    return found["names"], np.array(found["places"])


def by_assimp(path):
    found = node("bvh-assimp", path)
    return found["names"], np.array(found["places"])


def by_bvhio(path):
    bvhio = pytest.importorskip("bvhio")
    root = bvhio.readAsHierarchy(str(path))
    joints = [joint for joint, _, _ in root.layout()]
    places = []
    for frame in range(root.getKeyframeRange()[1] + 1):
        root.loadPose(frame)
        places.append([tuple(joint.PositionWorld) for joint in joints])
    return [joint.Name for joint in joints], np.array(places)


def by_pymotion(path):
    BVH = pytest.importorskip("pymotion.io.bvh").BVH
    other = BVH()
    other.load(str(path))
    rotations, local, parents, *_ = other.get_data()
    turned = Rotation.from_quat(rotations[..., [1, 2, 3, 0]].reshape(-1, 4)).as_matrix()  # theirs are w x y z
    turned, places = turned.reshape(*rotations.shape[:2], 3, 3), np.array(local, float)
    for j, parent in enumerate(parents):
        if j:
            places[:, j] = places[:, parent] + (turned[:, parent] @ local[:, j, :, None])[..., 0]
            turned[:, j] = turned[:, parent] @ turned[:, j]
    return list(other.data["names"]), places


READERS = {"three.js": by_three, "assimp": by_assimp, "bvhio": by_bvhio, "pymotion": by_pymotion,
           "SciPy": lambda path: (re.findall(r"(?:ROOT|JOINT) (\S+)", path.read_text()),
                                  euler_by_hand(path.read_text()))}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dance", DANCES)
def test_a_bvh_written_here_is_danced_the_same_elsewhere(tmp_path, dance, way, reader):
    motion = DANCES[dance](tmp_path)
    path = tmp_path / "dance.bvh"
    write_motion(motion, path, **WAYS[way])
    names, places = READERS[reader](path)
    order, plain = limb_by_limb(motion.skeleton), plain_names(motion.skeleton.names)
    assert names == [plain[j] for j in order]
    if "scale" in WAYS[way]:
        places = 0.01 * np.stack([places[..., 0], -places[..., 2], places[..., 1]], axis=-1)
    assert places.shape == (len(motion), len(order), 3)
    assert np.abs(places - motion.positions[:, order]).max() < CLOSE


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dance", DANCES)
def test_and_comes_back_as_it_was_with_its_side_car_and_without(tmp_path, dance, way):
    motion = DANCES[dance](tmp_path)
    path = tmp_path / "dance.bvh"
    write_motion(motion, path, **WAYS[way])
    again = read_motion(path)
    assert np.abs(again.positions - motion.positions).max() < 1e-5
    assert again.skeleton.names == motion.skeleton.names and again.skeleton.parents == motion.skeleton.parents
    (tmp_path / "dance.bvh.json").unlink()
    bare = quietly(read_motion, path, **(WAYS[way] or {"up": "z", "scale": 1}))
    assert np.abs(bare.positions - motion.positions[:, limb_by_limb(motion.skeleton)]).max() < 1e-5


def test_the_bvh_is_plain(tmp_path):
    write_motion(odd_names(None), tmp_path / "d.bvh")
    head, rest = (tmp_path / "d.bvh").read_text().split("MOTION\n")
    for line in head.splitlines():
        assert re.fullmatch(r"HIERARCHY|\t*([{}]|(ROOT|JOINT) [^\s#{}:./\[\]]+|End Site|OFFSET( \S+){3}|"
                            r"CHANNELS [36]( [XYZ](posi|rota)tion)+)", line), line
    assert re.match(r"Frames: 12\nFrame Time: 0.0333333333\n([-0-9. ]+\n){12}\Z", rest)
    assert plain_names(["a b", "a:b", "a_b", "", "ENDSITE"]) == ["a_b", "a_b_2", "a_b_3", "joint", "ENDSITE_2"]


# ---- GLB

SCENES = {
    "solo": lambda folder: [mixamo(folder)], "case": lambda folder: [case(folder)],
    "duet": lambda _: list(load_duet("synthetic/canon")[:12]), "points": lambda _: [points(None), points(None)],
    "stretching": lambda _: [stretching(None)], "one frame": lambda _: [turning()[:1]],
    "three": lambda _: [turning(seed) for seed in range(3)], "odd names": lambda _: [odd_names(None)],
    "300 joints": lambda _: [turning(0, 3, Skeleton([f"j{i}" for i in range(300)], range(-1, 299),
                                                    np.full((300, 3), 0.01)))],
    "a made partner": lambda _: [load_duet("synthetic/canon").a[: len(partner())], partner()],
    "one joint": lambda _: [Motion(np.zeros((3, 1, 3)), 30, Skeleton(["dot"], [-1]))],
}  # fmt: skip


def written(scene, folder):
    pytest.importorskip("pygltflib")
    dancers = SCENES[scene](folder)
    write_motion(Duet(*dancers) if scene == "duet" else dancers, folder / "d.glb")
    return dancers


@pytest.mark.parametrize("scene", SCENES)
def test_the_validator_finds_nothing_in_a_glb(tmp_path, scene):
    written(scene, tmp_path)
    report = node("glb-validator", tmp_path / "d.glb")
    assert report["issues"]["messages"] == [] and report["info"]["hasSkins"]
    assert report["issues"]["numErrors"] == report["issues"]["numWarnings"] == 0


@pytest.mark.parametrize("scene", SCENES)
def test_a_glb_is_danced_the_same_in_three(tmp_path, scene):
    """Joints where they were, and the skinned body with them: a bead around each, and each bone's tip at its end."""
    dancers = written(scene, tmp_path)
    found = node("glb-three", tmp_path / "d.glb")
    assert found["skins"] == [len(dancer.skeleton) for dancer in dancers]
    want = np.concatenate([m.positions[:, limb_by_limb(m.skeleton)] for m in dancers], axis=1)
    places = np.array(found["places"])
    places = np.stack([places[..., 0], -places[..., 2], places[..., 1]], axis=-1)
    assert np.abs(places - want).max() < CLOSE
    np.testing.assert_allclose(found["times"], np.arange(len(want)) / dancers[0].fps, atol=1e-6)
    for k, motion in enumerate(dancers):
        body = np.array([frame[k] for frame in found["corners"]])  # [T, corners, 3]
        body = np.stack([body[..., 0], -body[..., 2], body[..., 1]], axis=-1)
        solids = body.reshape(len(body), -1, 24, 3)  # eight triangles each: first a bead a joint, then a solid a bone
        joints = len(motion.skeleton)
        assert np.abs(solids[:, :joints].mean(axis=2) - motion.positions).max() < CLOSE
        bones = [(j, c) for j, c in motion.skeleton.bones if np.linalg.norm(
            motion.positions[0, c] - motion.positions[0, j]) > 0.05]
        assert scene in ("300 joints", "one joint") or len(bones) >= 5
        for j, c in bones:
            near = np.abs(solids - motion.positions[:, None, None, c]).max(axis=-1).min(axis=-1)  # [T, solids]
            assert (near[:, joints:] < CLOSE).all(axis=0).any(), f"no bone of {motion.skeleton.names[j]} ends there"


def test_a_glb_binds_a_body_that_turns_in_its_rest_pose_on_the_floor(tmp_path):
    """What Blender makes the armature's rest pose of."""
    gl = pytest.importorskip("pygltflib")
    motion = mixamo(tmp_path)
    write_motion(motion, tmp_path / "d.glb")
    doc = gl.GLTF2().load(str(tmp_path / "d.glb"))
    (skin,) = doc.skins
    accessor = doc.accessors[skin.inverseBindMatrices]
    view = doc.bufferViews[accessor.bufferView]
    matrices = np.frombuffer(doc.binary_blob(), "<f4", accessor.count * 16, view.byteOffset).reshape(-1, 4, 4)
    np.testing.assert_array_equal(matrices[:, :3, :3], np.tile(np.eye(3, dtype="<f4"), (len(matrices), 1, 1)))
    bind = -matrices[:, 3, :3]  # column by column
    rest = np.zeros((len(MIXAMO), 3))
    for j, parent in enumerate(motion.skeleton.parents[1:], start=1):
        rest[j] = rest[parent] + list(MIXAMO.values())[j][1]
    np.testing.assert_allclose(bind, 0.01 * (rest - (0, rest[:, 1].min(), 0)), atol=1e-6)
    assert skin.joints == list(range(skin.skeleton, skin.skeleton + len(MIXAMO)))
    top = doc.nodes[doc.scenes[0].nodes[0]]
    assert top.skin == 0 and top.mesh == 0 and top.children == [skin.skeleton] and top.translation is None
