"""Rotations of one dancer into the other's: beside loops, SciPy and by hand, on synthetic dancers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation, Slerp

import choreo_lib as cl
from choreo_lib.body.blending import limit_turns, overlap_add
from choreo_lib.body.kinematics import positions_of
from choreo_lib.body.rotations import slerp, turn_angle
from choreo_lib.extensions import MotionTranslator
from choreo_lib.extensions.motion_translator import ABLATIONS
from choreo_lib.extensions.window_translator import Config
from choreo_lib.sets import windows
from choreo_lib.systems import losses
from choreo_lib.systems.losses import Schedule

SMALL = {"frames": 16, "latent": 8, "hidden": 12, "dense": 16}


def random_rotations(*shape, seed=0, dtype=torch.float64):
    return torch.nn.functional.normalize(
        torch.randn(*shape, 4, generator=torch.Generator().manual_seed(seed), dtype=dtype), dim=-1)


@pytest.fixture(scope="module")
def duet():
    """Two bodies of different sizes, one of whom turns right round."""
    made = cl.synthetic.duet("canon", frames=150, seed=4)
    tall = cl.synthetic.body(1.9, legs=1.1)
    b = cl.Motion.from_rotations(made.b.rotations, made.b.positions[:, 0], 30, tall, source=cl.OURS)
    return cl.Duet(made.a, b)


@pytest.fixture(scope="module")
def cut(duet):
    return windows.cut(duet, 16, 3, rotations=True)


def make(cut, routes=("ab",), **settings):
    torch.manual_seed(0)
    model = MotionTranslator(cut.skeleton, routes=routes, **{**SMALL, **settings})
    model.fit_statistics(cut.batches(16))
    return model


# Rotations


def test_the_difference_of_rotations_is_what_scipy_measures():
    one, other = random_rotations(200), random_rotations(200, seed=1)
    angle = (Rotation.from_quat(one) * Rotation.from_quat(other).inv()).magnitude()
    np.testing.assert_allclose(losses.rotation_difference(one, other), 4 * np.sin(angle / 2) ** 2, atol=1e-9)


def test_q_and_minus_q_cost_the_same_and_pull_the_same_way():
    one, other = random_rotations(50), random_rotations(50, seed=1)
    found = []
    for sign in (1, -1):
        free = one.clone().requires_grad_()
        losses.rotation_difference(free, sign * other).sum().backward()
        found.append((losses.rotation_difference(one, sign * other), free.grad))
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])
    assert found[0][1].abs().max() > 0.1
    assert torch.equal(losses.rotation_difference(-one, other), found[0][0])


def test_slerp_goes_as_scipy_goes_and_the_shorter_way():
    one, other = random_rotations(60), random_rotations(60, seed=1)
    share = torch.linspace(0, 1, 60, dtype=torch.float64)
    for sign in (1, -1):
        made = slerp(one, sign * other, share)
        for k in range(60):
            want = Slerp([0, 1], Rotation.from_quat(np.stack([one[k], other[k]])))(share[k])
            assert (Rotation.from_quat(made[k].numpy()) * want.inv()).magnitude() < 1e-6


def test_forward_kinematics_has_its_gradient_in_double_precision(duet):
    skeleton = cl.Skeleton(duet.a.skeleton.names[:5], duet.a.skeleton.parents[:5], duet.a.skeleton.offsets[:5])
    q, root, bones = random_rotations(2, 5), torch.randn(2, 3).double(), torch.randn(2, 5, 3).double()
    run = lambda *x: cl.forward_kinematics(skeleton, torch.nn.functional.normalize(x[0], dim=-1), *x[1:])[0]  # noqa: E731
    assert torch.autograd.gradcheck(run, [x.requires_grad_() for x in (q, root, bones)])


# Blending


def test_blended_windows_of_one_take_are_the_take(duet):
    batch = windows.cut(duet.a, 16, 8, rotations=True)[:][:, :, 0].double()
    signs = torch.where(torch.rand(len(batch), 1, 1, 1) < 0.5, -1.0, 1.0)  # each window has a sign of its own
    q, root = overlap_add(batch[..., 3:] * signs, batch[..., 0, :3])
    last = len(q)
    assert last == (len(batch) + 1) * 8
    np.testing.assert_allclose(root, duet.a.positions[:last, 0], atol=1e-6)
    far = losses.rotation_difference(q, torch.from_numpy(duet.a.rotations[:last]).double())
    assert far.max() < 1e-5  # the recording is in single precision


def test_a_seam_is_a_hann_window_and_slerp():
    q, root = random_rotations(2, 8, 3), torch.randn(2, 8, 3, generator=torch.Generator().manual_seed(3)).double()
    made, path = overlap_add(q, root)
    hann = np.sin(np.pi * (np.arange(8) + 0.5) / 8) ** 2
    for k in range(4):
        np.testing.assert_allclose(path[4 + k], hann[4 + k] * root[0, 4 + k] + hann[k] * root[1, k], atol=1e-12)
        for j in range(3):
            pair = Rotation.from_quat(np.stack([q[0, 4 + k, j], q[1, k, j]]))
            want = Slerp([0, 1], pair)(hann[k])
            assert (Rotation.from_quat(made[4 + k, j].numpy()) * want.inv()).magnitude() < 1e-6


def test_half_a_turn_in_one_frame_is_made_in_steps_that_a_body_makes():
    angles = torch.cat([torch.zeros(30), torch.full((30,), 2.5)]) + 0.05 * torch.arange(60)  # 146 degrees at frame 30
    turning = torch.stack([0 * angles, 0 * angles, (angles / 2).sin(), (angles / 2).cos()], -1)
    still = torch.tensor([0.0, 0.0, 0.0, 1.0]).expand(60, 4)
    q = torch.stack([turning * torch.where(torch.arange(60) % 7 == 3, -1, 1)[:, None], still], 1)  # [F, 2, 4]
    made = limit_turns(q, torch.tensor([0.3, 0.0]))
    steps = turn_angle(made[:-1], made[1:])
    assert steps.max() <= 0.3 * 1.05 + 1e-3 and steps[20:40, 0].sum() > 2.5 + 0.5
    changed = (made != q).any(-1)
    assert not changed[:, 1].any() and 8 <= changed[:, 0].sum() <= 12 and changed[30, 0]
    assert torch.equal(limit_turns(q, torch.tensor([2.6, 0.0])), q)
    short = limit_turns(q[29:32], torch.tensor([0.3, 0.0]))  # too short: an even turn
    torch.testing.assert_close(*turn_angle(short[:-1, 0], short[1:, 0]), atol=1e-3, rtol=0)


def test_a_translation_turns_no_faster_than_the_training_set(duet):
    model = MotionTranslator(duet.a.skeleton, **SMALL)
    model.fit_statistics([windows.cut(duet, 16, 8, rotations=True)[:]])

    def turns(motion):
        rotations = torch.from_numpy(motion.rotations)
        return turn_angle(rotations[:-1], rotations[1:])

    torch.testing.assert_close(model.largest_turn, torch.stack([turns(each).amax(0) for each in duet]), atol=2e-3,
                               rtol=0)
    wild = model.encode_motion(duet.a)
    wild = wild._replace(latents=1e3 * torch.randn(wild.latents.shape, generator=torch.Generator().manual_seed(0)))
    made = turns(model.decode_motion(wild, feet=False))
    model.largest_turn.fill_(torch.pi)
    assert turns(model.decode_motion(wild, feet=False)).max() > 0.5
    assert (made <= 1.06 * torch.stack([turns(each).amax(0) for each in duet])[1].clamp_min(0.0524)).all()


# The model


@pytest.mark.parametrize("settings", [
    {}, {"routes": ("ba",), "rotation_format": "6d"}, {"routes": ("ab", "ba"), "segments": 4},
    {"velocity": 1.0, "dropout": 0.1}, {"skip": False, "show_positions": False},
])  # fmt: skip
def test_it_learns_and_the_gradient_reaches_every_parameter(cut, settings):
    model = make(cut, **settings, kl=Schedule(1e-5))
    optimiser, first = torch.optim.Adam(model.parameters(), 5e-3), None
    for step in range(60):
        terms = model.loss(cut[:16], step)
        optimiser.zero_grad()
        terms["loss"].backward()
        optimiser.step()
        first = first or terms["loss"].item()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not without and terms["loss"].item() < 0.7 * first
    again = MotionTranslator.from_config(model.config_dict())
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval().loss(cut[:4], 0)["loss"], model.eval().loss(cut[:4], 0)["loss"])


def test_each_loss_is_what_it_says(cut):
    weights = [1.0 + k % 3 for k in range(len(cut.skeleton))]
    model = make(cut, ("ab",), joint_weights=weights, norm=2.0, position=3.0, rotation=4.0, velocity=5.0,
                 kl=Schedule(0.5))
    model.eval()
    batch = cut[:6]
    terms = model.loss(batch, None)
    weights_of = {"norm": 2, "position": 3, "rotation": 4, "velocity": 5, "kl": 0.5}
    want = sum(weight * terms[name] for name, weight in weights_of.items())
    torch.testing.assert_close(terms["loss"], want)
    source, _, frame, body = model.source_and_target(batch, "ab")
    mean, log_variance = model.encode(source, "a")
    raw, q, root = model.decode(mean, "b", source[..., -3:])
    made = cl.forward_kinematics(cut.skeleton, q, root, body)[0]
    true = frame.to_local(positions_of(cut.skeleton, batch[:, :, 1]))  # each with its own dancer's bones
    off = (made - true).norm(dim=-1)
    torch.testing.assert_close(terms["position"], (off * torch.tensor(weights)).sum(-1).mean() / sum(weights))
    torch.testing.assert_close(terms["error_m"], off.mean())
    steps = (made - true).diff(dim=1).norm(dim=-1)
    torch.testing.assert_close(terms["velocity"], (steps * torch.tensor(weights)).sum(-1).mean() / sum(weights))
    lengths = raw[..., :-3].unflatten(-1, (-1, 4)).norm(dim=-1)
    torch.testing.assert_close(terms["norm"], ((lengths - 1) ** 2).mean())
    torch.testing.assert_close(terms["kl_nats"], losses.kl_per_unit(mean.flatten(1), log_variance.flatten(1)).sum())


def test_the_sign_of_a_quaternion_in_the_data_changes_nothing(cut):
    for rotation_format in ("quaternion", "6d"):
        model = make(cut, rotation_format=rotation_format).eval()
        batch = cut[:5]
        flipped = batch.clone()
        flipped[:, :, :, 1::2, 3:] *= -1
        for name, value in model.loss(batch, 0).items():
            torch.testing.assert_close(model.loss(flipped, 0)[name], value)


def test_moving_the_room_moves_what_is_made_with_it(duet, cut):
    model = make(cut)
    moved = duet.a.transformed((2, -1, 0), turn=2.5)
    here, there = model.translate(duet.a, "ab"), model.translate(moved, "ab")
    np.testing.assert_allclose(there.positions, here.transformed((2, -1, 0), turn=2.5).positions, atol=2e-4)


def test_a_partner_is_where_the_dancer_is_and_has_the_body_asked_for(duet, cut):
    model = make(cut)
    made = model.translate(duet.a, body=duet.b.skeleton)
    assert len(made) == len(duet.a) and made.skeleton == duet.b.skeleton and made.rotations is not None
    parents, children = zip(*made.skeleton.bones)
    lengths = np.linalg.norm(made.positions[:, children] - made.positions[:, parents], axis=-1)
    assert np.abs(lengths - np.linalg.norm(made.skeleton.offsets[list(children)], axis=-1)).max() < 1e-5
    usual = np.linalg.norm(duet.positions[:, 1, 0] - duet.positions[:, 0, 0], axis=-1).mean()
    far = np.linalg.norm(made.positions[:, 0] - duet.a.positions[:, 0], axis=-1)  # untrained: the usual place beside
    assert abs(far.mean() - usual) < 0.5 * usual
    assert not model.translate(replace(duet.a, source=None)).source.redistribute


@pytest.mark.parametrize("share", [0.85, 1.15])
def test_a_root_is_as_high_as_the_legs_are_long(duet, cut, share):
    """Small and tall couples, read by a model that knows the usual one: nobody floats, nobody sinks in."""
    def sized(motion):
        body = replace(motion.skeleton, offsets=share * motion.skeleton.offsets)
        return cl.Motion.from_rotations(motion.rotations, share * motion.positions[:, 0], motion.fps, body)

    small = [sized(motion) for motion in duet]
    made = make(cut).translate(small[0], body=small[1].skeleton, feet=False)
    assert abs(made.positions[:, 0, 2].mean() / small[1].positions[:, 0, 2].mean() - 1) < 0.06


def test_latents_of_the_same_moment_have_the_same_time(duet, cut):
    sequence = make(cut, segments=4).encode_motion(duet.a)
    assert sequence.latents.shape == (len(sequence.moments), 4, 8)
    assert sequence.moments[:3].tolist() == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]


@pytest.mark.parametrize(("setting", "word"), [
    ({"routes": ("ab", "bb")}, "routes"), ({"rotation_format": "euler"}, "quaternion or 6d"),
    ({"segments": 3}, "whole segments"), ({"joint_weights": [1.0]}, "weights"), ({"frames": 15}, "overlap"),
    ({"routes": ("aa", "bb")}, "StyleTransport"),
])  # fmt: skip
def test_what_it_cannot_be_is_refused(cut, setting, word):
    with pytest.raises(ValueError, match=word):
        MotionTranslator(cut.skeleton, **{**SMALL, **setting})


@pytest.mark.parametrize(("change", "route", "word"), [
    (lambda m: m[:15], None, "15 frames"), (lambda m: replace(m, rotations=None), None, "no joint rotations"),
    (lambda m: replace(m, fps=25), None, "25 frames a second"), (lambda m: m, "ba", "this model has ab"),
    (lambda m: cl.load_duet("synthetic/mirror").a, None, None),
])  # fmt: skip
def test_what_it_cannot_read_is_refused(duet, cut, change, route, word):
    model = make(cut)
    if word is None:
        assert len(model.translate(change(duet.a))) == 300  # other takes of the same joints are welcome
        return
    with pytest.raises(ValueError, match=word):
        model.translate(change(duet.a), route)


def test_what_it_cannot_write_is_refused(duet, cut):
    model = make(cut)
    with pytest.raises(ValueError, match="joints"):
        model.translate(duet.a, body=cl.Skeleton(("pelvis",), (-1,), np.zeros((1, 3))))


def test_latents_walk_swing_and_are_interpolated(duet, cut):
    sequence = make(cut, segments=4).encode_motion(duet.a)
    walk = sequence.random_walk(0.3, seed=1)
    assert walk.shape == (int(sequence.moments.max()) + 1, 8) and torch.equal(walk, sequence.random_walk(0.3, seed=1))
    steps = walk.diff(dim=0)
    assert 0.3 < float((steps > 0).float().mean()) < 0.7  # both ways
    changed = sequence.offset(walk).latents - sequence.latents
    torch.testing.assert_close(changed[1:, :2], changed[:-1, 2:])  # windows that overlap agree about a moment
    wave = sequence.sinusoid(3, 2.0, 8)
    assert (wave[:, [0, 1, 2, 4]] == 0).all()
    spread = float(sequence.latents[..., 3].std())
    torch.testing.assert_close(wave[:8, 3], 2 * spread * torch.sin(torch.arange(8) * torch.pi / 4))
    torch.testing.assert_close(sequence.offset(torch.ones(8)).latents, sequence.latents + 1)
    other = sequence._replace(latents=torch.zeros_like(sequence.latents))
    torch.testing.assert_close(sequence.interpolate(other, 0.25).latents, 0.75 * sequence.latents)
    with pytest.raises(ValueError, match="windows"):
        sequence.interpolate(other._replace(latents=other.latents[:2]), 0.5)


# The options


def test_every_ablation_switches_an_option_off_and_changes_what_is_learned(cut):
    """From a model that has everything; a loss that stays the same would mean that the option does nothing."""
    everything = {"rotation_format": "6d", "segments": 4, "velocity": 5.0, "dropout": 0.3}

    def learned(**off):
        model = make(cut, **{**everything, **off})
        with torch.no_grad():  # networks that say something, or dropout and the skip connection could not show
            for parameter in model.parameters():
                parameter.add_(0.01)
        torch.manual_seed(1)
        return float(model.loss(cut[:4], None)["loss"])

    known = set(Config.__dataclass_fields__)
    assert all(set(off) <= known for off in ABLATIONS.values())
    reference = learned()
    assert learned() == reference
    assert not [name for name, off in ABLATIONS.items() if abs(learned(**off) - reference) < 1e-6]


@pytest.mark.parametrize("training", [True, False])
def test_no_verb_leaves_the_model_in_another_mode(duet, cut, training):
    model = make(cut, dropout=0.5).train(training)
    one, other = model.translate(duet.a), model.translate(duet.a)
    assert model.training is training and all(part.training is training for part in model.modules())
    np.testing.assert_array_equal(one.positions, other.positions)  # without dropout, whatever the mode


def test_a_translated_dancer_reads_in_another_library_to_the_same_positions(duet, cut, tmp_path):
    BVH = pytest.importorskip("pymotion.io.bvh").BVH
    from pymotion.ops.skeleton import fk

    made = make(cut).translate(duet.a, body=duet.b.skeleton)
    cl.write_motion(made, tmp_path / "made.bvh")
    other = BVH()
    other.load(tmp_path / "made.bvh")
    rotations, places, parents, offsets, _, _ = other.get_data()
    positions, names = fk(rotations, places[:, 0], offsets, parents)[0], list(other.data["names"])
    order = [names.index(name) for name in made.skeleton.names]  # a file goes limb by limb
    assert np.abs(positions[:, order] - made.positions).max() < 1e-4
