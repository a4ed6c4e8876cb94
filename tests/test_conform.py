"""Anybody's recording on every shipped model's skeleton, and back; what does not fit is refused with the way on."""

import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import make_bodies as bodies
import numpy as np
import pytest
import roma
import torch
from cases import CASES

import choreo_lib as cl
from choreo_lib.body.compatibility import body_size, rest_mismatch, same_rate, skeleton_mismatch
from choreo_lib.body.reference import reference_frame
from choreo_lib.evaluation import metrics
from choreo_lib.extensions import Guidance, LinearVAE
from choreo_lib.io.joint_roles import joint_roles
from choreo_lib.sets import synthetic, windows

MODELS = ("translate-salsa", "deepfake-salsa", "duet-salsa", "duet-synthetic", "solo-salsa", "solo-synthetic",
          "strings-salsa", "strings-synthetic")
load = cache(cl.load_model)
LIMBS = {  # role: what both of our kinds of skeleton call the left one
    "hip": ("LeftUpLeg", "left_hip"), "knee": ("LeftLeg", "left_knee"), "ankle": ("LeftFoot", "left_ankle"),
    "foot": ("LeftToeBase", "left_foot"), "collar": ("LeftShoulder", "left_collar"),
    "shoulder": ("LeftArm", "left_shoulder"), "elbow": ("LeftForeArm", "left_elbow"),
    "wrist": ("LeftHand", "left_wrist"),
}  # fmt: skip


def off(report, one, other):
    """Metres between two motions of one skeleton in the joints that were mapped, the largest."""
    chosen = [one.skeleton.index(name) for name in report.mapped.values()]
    frames = min(len(one), len(other))
    assert frames >= len(one) - 1 and one.skeleton.names == other.skeleton.names
    return np.linalg.norm(one.positions[:frames, chosen] - other.positions[:frames, chosen], axis=-1).max()


def bone(motion, parent, child):
    way = motion.positions[:, motion.skeleton.index(child)] - motion.positions[:, motion.skeleton.index(parent)]
    return way / np.linalg.norm(way, axis=-1, keepdims=True)


def low(motion, names):
    return np.quantile(motion.positions[:, [motion.skeleton.index(n) for n in names], 2].min(1), 0.05)


@pytest.mark.parametrize("scheme", bodies.SCHEMES)
@pytest.mark.parametrize("rest", ["t-pose", "turned"])
def test_a_body_of_any_names_goes_onto_each_model_and_back(scheme, rest):
    motion = bodies.body(scheme, rest)
    named = bodies.SIDED[scheme]
    for name in MODELS if scheme == "mixamo" else ("translate-salsa", "duet-salsa", "duet-synthetic"):
        model = load(name)
        made, report = cl.conform(motion, model)
        assert made.skeleton.names == model.skeleton.names and made.skeleton.parents == model.skeleton.parents
        assert made.fps == motion.fps == 30 and len(made) == len(motion) and made.source == motion.source
        ours = {part: next(n for n in pair if n in made.skeleton.names) for part, pair in LIMBS.items()}
        assert {part: report.mapped[own] for part, own in ours.items()} == {part: named[part] for part in ours}
        for one, two in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
            pointing = bone(motion, named[one], named[two])
            np.testing.assert_allclose(bone(made, ours[one], ours[two]), pointing, atol=1e-3)
        feet = [joint for joint in report.mapped if re.search("(?i)foot|toe|ankle", joint)]
        assert abs(low(made, feet) - low(motion, [report.mapped[joint] for joint in feet])) < 2e-3
        assert off(report, motion, report.back(made)) < 0.03 * 1.7
        assert off(report, motion, cl.conform(made, motion)[0]) < 0.03 * 1.7
        if hasattr(model, "usual_body"):  # its bones are as long as those of the dancers it knows
            body = model.usual_body()
            lengths = [np.linalg.norm(made.positions[:, j] - made.positions[:, p], axis=-1) for p, j in body.bones]
            np.testing.assert_allclose(np.ptp(lengths, axis=1), 0, atol=1e-4)
            np.testing.assert_allclose(np.mean(lengths, axis=1), np.linalg.norm(body.offsets[1:], axis=-1), atol=1e-4)


def test_what_was_done_is_told():
    motion = bodies.body("mixamo")
    made, report = cl.conform(motion, load("translate-salsa"))
    assert report.mapped["LeftUpLeg"] == "mixamorig:LeftUpLeg" and report.mapped["Head"] == "mixamorig:Head"
    assert report.inserted == ("Spine", "Spine1", "Spine2", "Spine3")
    assert report.bridged == ("mixamorig:Spine", "mixamorig:Spine1", "mixamorig:Spine2")
    assert "mixamorig:HeadTop_End" in report.dropped and "mixamorig:LeftToe_End" in report.dropped
    assert report.attached == () and made.rotations is not None
    tall = load("translate-salsa").usual_body()
    legs = sum(np.linalg.norm(tall.offsets[tall.index(name)]) for name in ("LeftLeg", "LeftFoot"))
    assert report.scale == pytest.approx(legs / 0.82, abs=1e-3)
    np.testing.assert_allclose(made.positions[:, 0, :2], report.scale * motion.positions[:, 0, :2], atol=1e-4)
    assert report.bones["LeftForeArm"] == pytest.approx(100 * (0.28198 / 0.29 - 1), abs=0.1)
    told = repr(report)
    for word in ("mapped", "inserted", "bridged", "dropped", "bones", "scaled", "mixamorig:LeftArm -> LeftArm"):
        assert word in told
    assert made.notes[-1] == f"conformed from {len(motion.skeleton)} joints to 27"
    _, plain = cl.conform(bodies.body("xsens"), load("duet-synthetic"))
    assert set(plain.attached) == {"left_thumb", "right_thumb", "left_middle", "right_middle", "left_bigtoe",
                                   "right_bigtoe", "head"}  # fmt: skip


def test_feet_that_stay_are_moved_by_no_minus_zero():
    """Of a body that stands where it stood, rounding leaves a little less than nothing."""
    _, report = cl.conform(bodies.body("mixamo"), load("translate-salsa"))
    for metres, said in ((-0.0004, "+0.0 cm"), (0.0004, "+0.0 cm"), (-0.021, "-2.1 cm")):
        assert f"feet moved by {said}" in repr(replace(report, feet=metres))


def test_rest_frames_do_not_change_what_is_danced():
    """Rotations are told from the model's rest bones: the same motion in the world is the same rotations."""
    model = load("translate-salsa")
    made = [cl.conform(bodies.body("mixamo", rest), model)[0] for rest in ("t-pose", "x", "turned")]
    for other in made[1:]:
        np.testing.assert_allclose(other.positions, made[0].positions, atol=1e-4)
        turns = roma.unitquat_geodesic_distance(*(torch.from_numpy(m.rotations).double() for m in (made[0], other)))
        assert turns.max() < 2e-3
    walked = cl.forward_kinematics(made[0].skeleton, made[0].rotations, made[0].positions[:, 0])[0]
    np.testing.assert_allclose(walked, made[0].positions, atol=1e-4)


def test_the_salsa_names_with_other_rest_frames_are_refused_or_translated_alike():
    model = load("translate-salsa")
    own = model.usual_body()
    moved = synthetic.duet(frames=90, seed=5).a
    given, _ = cl.conform(moved, own)  # a dance of the model's own rest frames
    assert rest_mismatch(given.skeleton, own) == ""
    told = []
    for rest in ("x", "turned"):
        skeleton, world = bodies._other_rest(own, cl.forward_kinematics(
            own, given.rotations.astype(float), given.positions[:, 0].astype(float))[1], rest)
        other = cl.Motion.from_rotations(bodies._local(skeleton, world), given.positions[:, 0], 30, skeleton)
        np.testing.assert_allclose(other.positions, given.positions, atol=1e-4)  # the same in the world
        with pytest.raises(ValueError, match="rest bones to .* point elsewhere.*conform"):
            model.translate(other)
        made, _ = cl.conform(other, model)
        told.append(model.translate(made).positions)
    np.testing.assert_allclose(told[1], told[0], atol=1e-3)
    # a twist told from the plane of a limb is near to the one that its maker meant
    turns = roma.unitquat_geodesic_distance(*(torch.from_numpy(m.rotations).double() for m in (made, given)))
    assert np.degrees(turns.numpy()).mean() < 12


@pytest.mark.skipif(CASES is None, reason="CHOREO_CASES is not set to a folder of inputs that showed a fault")
@pytest.mark.filterwarnings("ignore")
def test_the_two_files_with_other_rest_frames():
    model = load("translate-salsa")
    read = [cl.read_motion(CASES / f"salsa_names_{rest}_rest.bvh") for rest in ("tpose", "xaxis")]
    for motion in read:
        with pytest.raises(ValueError, match="conform"):
            model.translate(motion)
    one, other = (model.translate(cl.conform(motion, model)[0]) for motion in read)
    np.testing.assert_allclose(one.positions, other.positions, atol=1e-3)


@pytest.mark.skipif(CASES is None, reason="CHOREO_CASES is not set to a folder of inputs that showed a fault")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("file", ["a1_mixamo_yup_cm_tpose.bvh", "static_reference_root.bvh", "n_unreal.bvh",
                                  "n_maya.bvh", "n_blender_dotL.bvh", "names_biped_spaces.bvh",
                                  "names_suffix_side.bvh"])  # fmt: skip
def test_files_that_showed_a_fault_go_onto_each_model_and_back(file):
    motion = cl.read_motion(CASES / file)
    for name in MODELS:
        made, report = cl.conform(motion, load(name))
        assert off(report, motion, report.back(made)) < 0.03 * 1.55


def test_a_real_rig_whose_rest_pose_is_none():
    path = Path(os.environ.get("CHOREO_DATA", "")) / "fbx" / "85_12.fbx"
    if not path.is_file():
        pytest.skip("CHOREO_DATA is not set to a folder that holds fbx/85_12.fbx")
    motion = cl.read_motion(path)[:400]
    for name in ("translate-salsa", "duet-salsa", "duet-synthetic", "strings-salsa"):
        made, report = cl.conform(motion, load(name))
        assert off(report, motion, report.back(made)) < 0.03 * 1.7
    with pytest.raises(ValueError, match="rest pose.*report.back"):
        cl.conform(made, motion.skeleton)


def test_a_rest_pose_that_is_none_is_refused_where_only_it_is_known():
    made, _ = cl.conform(bodies.body("mixamo"), load("duet-salsa"))
    turned = bodies.body("mixamo", "turned")
    with pytest.raises(ValueError, match="rest pose.*report.back"):
        cl.conform(made, turned.skeleton)
    assert off(cl.conform(turned, load("duet-salsa"))[1], turned, cl.conform(made, turned)[0]) < 0.03 * 1.7


def test_what_fits_comes_back_as_it_is():
    dance = bodies.dance()
    for model in (load("duet-synthetic"), load("solo-synthetic"), load("strings-synthetic")):
        made, report = cl.conform(dance, model)
        assert made.positions is dance.positions or np.array_equal(made.positions, dance.positions)
        assert report.scale == 1 and not report.inserted
    own = load("translate-salsa").usual_body()
    given, _ = cl.conform(dance, own)
    again, _ = cl.conform(given, load("translate-salsa"))
    assert np.array_equal(given.rotations, again.rotations)
    # the same rest bones at other lengths: the same rotations, on the other body
    other = cl.Skeleton(own.names, own.parents, own.offsets * 0.9)
    small, report = cl.conform(given, other)
    assert small.skeleton == other and report.scale == pytest.approx(0.9, abs=1e-3)
    np.testing.assert_allclose(small.rotations, given.rotations, atol=1e-6)


def test_points_get_rotations_from_their_planes():
    """A body known only as points dances on the skeleton of a model of rotations."""
    dance = bodies.dance(90)
    points = replace(dance, rotations=None, skeleton=cl.HYBRIK_29)
    model = load("translate-salsa")
    made, report = cl.conform(points, model)
    known, _ = cl.conform(dance, model)
    assert made.rotations is not None and off(report, points, report.back(made)) < 0.03 * 1.7
    hands = [made.skeleton.index(name) for name in ("LeftHand", "RightHand", "LeftFoot", "RightFoot", "Head")]
    assert np.linalg.norm(made.positions - known.positions, axis=-1)[:, hands].mean() < 0.02
    assert model.translate(made).positions.shape == (90, 27, 3)
    bare = replace(made, rotations=None, skeleton=cl.Skeleton(made.skeleton.names, made.skeleton.parents))
    with pytest.raises(ValueError, match="only points.*conform"):
        model.translate(bare)
    turned, _ = cl.conform(bare, model)  # the model's own joints, of which the places alone are known
    assert turned.rotations is not None and np.abs(turned.positions - made.positions).max() < 0.03
    # a limb is turned so that its elbow's and knee's planes are where the points show them
    for joint, sign in (("LeftForeArm", -1), ("RightForeArm", 1), ("LeftLeg", 1), ("RightLeg", 1)):
        hinge = {-1: [0, 0, -1.0], 1: [0, 0, 1.0]}[sign] if "Arm" in joint else [1.0, 0, 0]
        world = cl.forward_kinematics(made.skeleton, made.rotations, made.positions[:, 0])[1]
        at = made.skeleton.index(joint)
        axis = roma.quat_action(torch.from_numpy(world[:, at]), torch.tensor(hinge).float().expand(90, 3)).numpy()
        above, tip = made.skeleton.parents[at], made.skeleton.parents.index(at)
        plane = np.cross(*(made.positions[:, two] - made.positions[:, one] for one, two in ((above, at), (at, tip))))
        plane /= np.linalg.norm(made.positions[:, at] - made.positions[:, above], axis=-1, keepdims=True)
        plane /= np.linalg.norm(made.positions[:, tip] - made.positions[:, at], axis=-1, keepdims=True)
        bent = np.linalg.norm(plane, axis=-1) > 0.45
        if bent.any():
            assert ((axis * plane).sum(-1) / np.linalg.norm(plane, axis=-1))[bent].min() > 0.99
    back, _ = cl.conform(made, points)
    assert back.skeleton == cl.HYBRIK_29 and back.rotations is None


def test_a_spine_that_bends_elsewhere_keeps_its_neck():
    """Seen as points, a trunk of other bones leans until the neck lies where it lay."""
    dance = bodies.dance(60)
    turns = dance.rotations.copy()
    for name, degrees in (("spine1", 40), ("spine3", -25)):
        bend = torch.tensor([np.sin(np.radians(degrees) / 2), 0, 0, np.cos(np.radians(degrees) / 2)]).float()
        j = dance.skeleton.index(name)
        turns[:, j] = roma.quat_product(torch.from_numpy(turns[:, j]), bend.expand(60, 4)).numpy()
    bowed = cl.Motion.from_rotations(turns, dance.positions[:, 0], 30, dance.skeleton)
    made, report = cl.conform(bowed, load("duet-salsa"))
    home = report.back(made)
    at = [bowed.skeleton.index(name) for name in ("neck", "left_shoulder", "right_shoulder")]
    assert np.linalg.norm(home.positions[:, at] - bowed.positions[:, at], axis=-1).max() < 0.015


def test_a_hand_that_turns_about_itself_is_seen_by_its_thumb():
    body = bodies.body("mixamo")
    turns = body.rotations.copy()
    j, half = body.skeleton.index("mixamorig:LeftHand"), torch.linspace(0, np.pi / 4, 60)
    twist = torch.stack([half.sin(), 0 * half, 0 * half, half.cos()], -1)  # about the hand's own bone
    turns[:, j] = roma.quat_product(torch.from_numpy(turns[:, j]), twist).numpy()
    waved = cl.Motion.from_rotations(turns, body.positions[:, 0], 30, body.skeleton)
    made, report = cl.conform(waved, load("duet-salsa"))
    thumb = body.skeleton.index("mixamorig:LeftHandThumb1")
    assert np.linalg.norm(report.back(made).positions[:, thumb] - waved.positions[:, thumb], axis=-1).max() < 0.015


def test_both_of_a_duet_stay_together():
    duet = synthetic.duet(frames=90, seed=4)
    moved = cl.Duet(*(each.transformed((3.0, -2.0, 0)) for each in duet))
    made, reports = cl.conform(moved, load("duet-salsa"))
    assert isinstance(made, cl.Duet) and reports[0].scale == reports[1].scale != 1
    np.testing.assert_allclose(
        metrics.pelvis_distance(made), reports[0].scale * metrics.pelvis_distance(moved), atol=0.02
    )
    partner = load("duet-salsa").rollout(made.a, made.b[:64])
    assert partner.skeleton.names == load("duet-salsa").skeleton.names
    home = reports[1].back(partner)
    assert home.skeleton == moved.b.skeleton
    gaps = np.linalg.norm(home.positions[:, 0] - moved.a.positions[:, 0], axis=-1)[64:]
    assert 0.2 < gaps.min() and gaps.max() < 3


def test_rates_that_are_one_are_one():
    assert same_rate(29.97, 30) and same_rate(30.03, 30) and same_rate(30.03, 29.97) and same_rate(24, 23.976)
    assert not same_rate(30, 29.9) and not same_rate(25, 24)
    dance, duet = bodies.dance(90), synthetic.duet(frames=90, seed=4)
    for fps in (29.97, 30.03):
        late = replace(dance, fps=fps)
        assert load("duet-synthetic").rollout(late, steps=5).fps == 30
        assert len(load("solo-synthetic").encode_motion(late[: load("solo-synthetic").frames])[0]) == 1
        pair = cl.Duet(*(replace(each, fps=fps) for each in duet))
        assert len(load("strings-synthetic")._windows(pair, 64, None)) > 0
        assert len(windows.cut([dance, late], 30)) > 0
        cl.Duet(dance, late)
        made, report = cl.conform(late, load("duet-synthetic"))
        assert made.fps == 30 and np.array_equal(made.positions, late.positions) and report.fps == (fps, 30)
        assert report.back(made).fps == fps
    with pytest.raises(ValueError, match="dancer b at 25"):
        cl.Duet(dance, replace(dance, fps=25))


def test_other_rates_are_resampled_and_back():
    motion = bodies.body("unreal")
    twice = motion.resampled(60)
    made, report = cl.conform(twice, load("duet-salsa"))
    assert made.fps == 30 and report.fps == (60, 30) and "60 -> 30" in repr(report)
    home = report.back(made)
    assert home.fps == 60 and off(report, twice, home) < 0.03 * 1.7
    kept, _ = cl.conform(twice, load("strings-salsa"))  # it knows ten frames a second, and reads every so many
    assert kept.fps == 60


@pytest.mark.parametrize("name", ["duet-salsa", "solo-salsa", "translate-salsa", "strings-salsa"])
def test_a_misfit_names_its_joints_and_the_way_on(name):
    model, motion = load(name), bodies.body("unreal")
    verb = {"duet-salsa": lambda m: model.rollout(m), "solo-salsa": lambda m: model.encode_motion(m[:model.frames]),
            "translate-salsa": lambda m: model.translate(m),
            "strings-salsa": lambda m: model._windows(cl.Duet(m, m), 10, None)}[name]  # fmt: skip
    with pytest.raises(ValueError, match=r"lacks Hips, Spine.*has besides pelvis, spine_01.*choreo_lib\.conform"):
        verb(motion)
    made, _ = cl.conform(motion, model)
    if name != "strings-salsa":
        with pytest.raises(ValueError, match="at 27.5 frames a second.*conform"):
            verb(replace(made, fps=27.5))
    with pytest.raises(ValueError, match="another order: joint 1 is Spine1"):
        names = list(made.skeleton.names)
        names[1], names[2] = names[2], names[1]
        verb(replace(made, skeleton=cl.Skeleton(names, made.skeleton.parents, made.skeleton.offsets)))


def test_misfits_in_words():
    body = cl.HYBRIK_29
    assert skeleton_mismatch(body, body) == ""
    hung = cl.Skeleton(body.names, (*body.parents[:-1], 0))
    assert skeleton_mismatch(hung, body) == "right_bigtoe hangs from pelvis where right_foot is wanted"
    with pytest.raises(ValueError, match="take 1.*hangs from pelvis.*conform"):
        windows.cut([bodies.dance(), replace(bodies.dance(), skeleton=hung, rotations=None)], 10)
    own = bodies.dance().skeleton
    arms = own.offsets.copy()
    arms[own.index("left_elbow")] = (0, 0, -0.3)
    hanging = replace(bodies.dance(), skeleton=cl.Skeleton(own.names, own.parents, arms))
    assert "left_elbow point elsewhere (by up to 90 degrees)" in rest_mismatch(hanging.skeleton, own)
    with pytest.raises(ValueError, match="take 1.*rest bones"):
        windows.cut([bodies.dance(), hanging], 10, rotations=True)
    assert len(windows.cut([bodies.dance(), hanging], 10))  # of points rest bones say nothing


def lying(motion):
    """Y and Z exchanged, as where a file's up axis was misread."""
    turned = motion.positions[..., [0, 2, 1]] * [1, -1, 1]
    return replace(motion, positions=turned, rotations=None)


def test_a_leader_who_lies_or_is_a_giant_is_refused():
    model = load("duet-synthetic")
    dance = bodies.dance(90)
    for leader, words in ((lying(dance), "lies.*up="), (replace(dance, positions=dance.positions * 100), "scale="),
                          (replace(dance, positions=dance.positions * 0.01), "scale=")):  # fmt: skip
        with pytest.raises(ValueError, match=f"^leader .*{words}"):
            model.rollout(leader, steps=5)
        past = np.stack([leader.positions, dance.positions], 1)[: model.past]
        with pytest.raises(ValueError, match=f"dancer a of the past .*{words}"):
            model.stream(past)
    some = dance.positions.copy()
    some[:60] = lying(dance).positions[:60]  # floor work for two seconds of three
    assert len(model.rollout(replace(dance, positions=some, rotations=None), steps=5)) == 5
    salsa, _ = cl.conform(dance, load("translate-salsa"))
    down = salsa.rotations.copy()
    fall = torch.tensor([np.sin(np.pi / 4), 0, 0, np.cos(np.pi / 4)]).float()
    down[:, 0] = roma.quat_product(fall.expand(len(down), 4), torch.from_numpy(down[:, 0])).numpy()
    with pytest.raises(ValueError, match="lies"):
        load("translate-salsa").translate(cl.Motion.from_rotations(down, salsa.positions[:, 0], 30, salsa.skeleton))
    big = cl.Skeleton(salsa.skeleton.names, salsa.skeleton.parents, salsa.skeleton.offsets * 100)
    with pytest.raises(ValueError, match="scale="):
        load("translate-salsa").translate(cl.Motion.from_rotations(salsa.rotations, salsa.positions[:, 0], 30, big))


def test_a_past_of_other_joints_is_refused():
    with pytest.raises(ValueError, match=r"past must be.*pelvis, left_hip.*got \[40, 2, 5, 3\].*conform"):
        load("duet-synthetic").stream(np.zeros((40, 2, 5, 3), np.float32))


def test_size_is_measured_along_bones_whatever_the_pose():
    dance = bodies.dance()
    own = dance.skeleton
    assert body_size(own) == pytest.approx(body_size(own, dance.positions), rel=1e-3)
    assert body_size(own, lying(dance).positions) == pytest.approx(body_size(own), rel=1e-3)
    assert body_size(cl.Skeleton(("root", "tip"), (-1, 0)), np.zeros((1, 2, 3))) is None


def test_the_pelvis_is_where_the_legs_meet():
    """A root that stays at the origin is no pelvis: distances, places and models look at the hips."""
    duet = synthetic.duet(frames=60, seed=4)

    def reference(motion):
        names = ("Reference", *motion.skeleton.names)
        parents = (-1, *(p + 1 for p in motion.skeleton.parents))
        still = np.concatenate([np.zeros((len(motion), 1, 3), np.float32), motion.positions], 1)
        return cl.Motion(still, motion.fps, cl.Skeleton(names, parents))

    held = cl.Duet(*(reference(each) for each in duet))
    assert held.a.skeleton.pelvis == 1
    np.testing.assert_allclose(metrics.pelvis_distance(held), metrics.pelvis_distance(duet), atol=1e-6)
    assert held.a.skeleton.index("pelvis") == 1
    for of in ("a", "b", "duet"):
        one, other = (reference_frame(torch.from_numpy(d.positions)[None], 20, d.a.skeleton, of=of)
                      for d in (duet, held))
        torch.testing.assert_close(one.origin, other.origin)
        torch.testing.assert_close(one.heading, other.heading)
    assert cl.plots.best_side(tuple(held)) == cl.plots.best_side(tuple(duet))
    guidance = Guidance(distance=3.0, pull=1.0)
    poses = [torch.from_numpy(np.stack([m.positions[20] for m in d])) for d in (duet, held)]
    one, other = (guidance(pose[1], pose[0], d.a.skeleton) for pose, d in zip(poses, (duet, held)))
    torch.testing.assert_close(one, other[1:])
    assert torch.norm((other[1] - poses[1][0, 1])[:2]) == pytest.approx(3, abs=1e-4)
    alone = LinearVAE(held.a.skeleton, frames=16, latent=4, align_heading=False)
    seen, place = alone.canonicalise(torch.from_numpy(held.a.positions[None, :16, None]))
    np.testing.assert_allclose(place.origin[0, :2], held.a.positions[8, 1, :2], atol=1e-6)
    made, report = cl.conform(held.a, load("duet-synthetic"))
    assert report.dropped == ("Reference",) and report.mapped["pelvis"] == "pelvis"
    home = report.back(made)
    assert home.skeleton.names[0] == "Reference" and off(report, held.a, home) < 0.02


def test_what_cannot_be_conformed_is_refused_in_words():
    with pytest.raises(TypeError, match="motion must be a Motion or a Duet; got ndarray"):
        cl.conform(np.zeros((3, 29, 3)), cl.HYBRIK_29)
    with pytest.raises(TypeError, match="model must be .*; got str"):
        cl.conform(bodies.dance(), "duet-salsa")
    strange = cl.Skeleton([f"bone{k}" for k in range(29)], cl.HYBRIK_29.parents)
    with pytest.raises(ValueError, match="no joint is known as left_hip, .*among bone0"):
        cl.conform(cl.Motion(bodies.dance().positions, 30, strange), load("duet-salsa"))
    _, report = cl.conform(bodies.body("mixamo"), load("duet-salsa"))
    with pytest.raises(ValueError, match="joints pelvis"):
        report.back(bodies.dance())


def test_twist_bones_fingers_and_props_are_no_limbs():
    names = ["root", "pelvis", "spine_01", "spine_02", "neck_01", "head", "jaw", "eye_l", "clavicle_l", "upperarm_l",
             "upperarm_twist_01_l", "lowerarm_l", "hand_l", "index_01_l", "thumb_01_l", "clavicle_r", "upperarm_r",
             "lowerarm_r", "hand_r", "thigh_l", "thigh_twist_01_l", "calf_l", "foot_l", "ball_l", "thigh_r", "calf_r",
             "foot_r", "ball_r", "ik_foot_root", "ik_foot_l", "sword_r"]  # fmt: skip
    parents = [-1, 0, 1, 2, 3, 4, 5, 5, 3, 8, 9, 9, 11, 12, 12, 3, 15, 16, 17, 1, 19, 19, 21, 22, 1, 24, 25, 26, 0, 28,
               18]  # fmt: skip
    found = {role: names[j] for role, j in joint_roles(cl.Skeleton(names, parents)).items()}
    assert found == {"pelvis": "pelvis", "neck": "neck_01", "head": "head", "left_collar": "clavicle_l",
                     "right_collar": "clavicle_r", "left_shoulder": "upperarm_l", "right_shoulder": "upperarm_r",
                     "left_elbow": "lowerarm_l", "right_elbow": "lowerarm_r", "left_wrist": "hand_l",
                     "right_wrist": "hand_r", "left_hand": "index_01_l", "left_thumb": "thumb_01_l",
                     "left_hip": "thigh_l", "right_hip": "thigh_r", "left_knee": "calf_l", "right_knee": "calf_r",
                     "left_ankle": "foot_l", "right_ankle": "foot_r", "left_toe": "ball_l",
                     "right_toe": "ball_r"}  # fmt: skip
