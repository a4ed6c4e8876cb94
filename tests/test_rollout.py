"""Feet stand and step, and wishes are heard."""

import copy

import numpy as np
import pytest
import torch

from choreo_lib.body.motion import Motion
from choreo_lib.body.skeleton import Skeleton
from choreo_lib.evaluation import metrics
from choreo_lib.extensions import DuetForecaster, Guidance
from choreo_lib.extensions.exposure import scheduled_sample
from choreo_lib.extensions.rollout import Feet
from choreo_lib.sets import synthetic, windows

PAST = 12


@pytest.fixture(scope="module")
def duet():
    return synthetic.duet("canon", 160, seed=3)


@pytest.fixture(scope="module")
def model(duet):
    torch.manual_seed(0)
    model = DuetForecaster(duet.a.skeleton, past=PAST, ahead=10, features=16, heads=2, latent=8, hidden=16,
                           residual_components=8)
    model.fit_statistics(windows.cut([duet], PAST + 10, stride=2).batches(64))
    return model.eval()


def test_a_lost_frame_is_answered_in_the_shape_of_a_good_one(duet, model):
    past = torch.from_numpy(duet.positions[:PAST])
    for given, shape in ((past, (29, 3)), (past[None], (1, 29, 3)), (torch.stack([past, past]), (2, 29, 3))):
        stream = model.stream(given)
        frame = torch.from_numpy(duet.a.positions[PAST]).expand(shape)
        assert stream(frame).shape == stream(None).shape == shape


def on_feet(motion, positions, friction=0.0):
    x = torch.from_numpy(positions)[None]
    parents, children = zip(*motion.skeleton.bones)
    lengths = (x[:, :, children] - x[:, :, parents]).norm(dim=-1).mean(1, keepdim=True)
    made = Feet(motion.skeleton, x[:, :PAST], motion.fps, friction)(x[:, PAST:], lengths)[0]
    return Motion(made.numpy(), motion.fps, motion.skeleton)


def test_a_body_that_slides_stands_and_then_steps(duet):
    pose = duet.b.positions[40]
    slides = pose + np.arange(60, dtype=np.float32)[:, None, None] * np.float32([0.2 / 30, 0, 0])  # 0.2 m/s
    made = on_feet(duet.b, slides)
    toes = made.positions[:, made.skeleton.indices(("left_toe", "right_toe"))]
    pace = 30 * np.linalg.norm(np.diff(toes[..., :2], axis=0), axis=-1)
    assert (pace[:10] < 0.02).all() and pace.max() > 0.5  # it stands, and catches up in steps
    assert toes[..., 2].max() > toes[0, :, 2].max() + 0.02
    assert np.linalg.norm(made.positions[-1, 0] - slides[-1, 0]) < 0.05
    assert metrics.bone_variation(made).max() < 1e-3
    foot = made.positions[:, made.skeleton.indices(("left_ankle", "right_ankle"))] - toes
    assert np.linalg.norm(foot - foot[0], axis=-1).mean() < 0.03  # the foot goes along with its toe


def test_a_leg_that_is_held_in_the_air_stays_there(duet):
    raised = np.repeat(duet.b.positions[40:41], 40, 0)
    leg = [duet.b.skeleton.index(name) for name in ("left_ankle", "left_foot", "left_bigtoe")]
    raised[PAST:, leg, 2] += np.minimum(np.arange(28) / 10, 1)[:, None] * 0.3
    toe = duet.b.skeleton.indices(("left_toe",))[0]
    made = on_feet(duet.b, raised)
    assert made.positions[-10:, toe, 2].min() > raised[-1, toe, 2] - 0.1


def test_a_toe_is_planted_until_its_target_is_fast_far_or_high_and_lands_later_than_it_left(duet):
    """One toe by itself: thresholds, hysteresis, and where it is planted again."""
    skeleton, toe = duet.b.skeleton, duet.b.skeleton.indices(("left_toe",))[0]
    still = torch.from_numpy(duet.b.positions[40]).repeat(1, 5, 1, 1)

    def steps(*moves):
        """For each frame's displacement of the target (metres): whether the toe steps; and the feet afterwards."""
        feet, target, found = Feet(skeleton, still, 30.0), still[:, -1, [toe, toe]].clone(), []
        feet.toes = [toe, toe]
        feet.floor = feet.floor[:, :1].expand(1, 2) * 0 + target[..., 2]
        feet.target = feet.at = feet.plant = target
        feet.velocity, feet.stepping = torch.zeros_like(target), torch.zeros(1, 2, dtype=torch.bool)
        for move in moves:
            target = target + torch.tensor(move)
            feet.step(target)
            found.append(bool(feet.stepping[0, 0]))
        return found, feet, target

    slow, fast = (0.4 / 30, 0.0, 0.0), (0.6 / 30, 0.0, 0.0)
    assert steps(slow)[0] == [False] and steps(fast)[0] == [True]
    assert steps(fast, slow)[0] == [True, True]  # it left, so 0.4 m/s is too fast to land
    assert steps(*[slow] * 9)[0] == [False] * 7 + [True] * 2  # 10 cm behind
    assert steps((0.0, 0.0, 0.07))[0] == [False] and steps((0.0, 0.0, 0.09))[0] == [True]
    found, feet, target = steps((0.2, 0.0, 0.0), *[(0.0, 0.0, 0.0)] * 40)
    assert found[1] and not found[-1]  # it catches up before it lands
    torch.testing.assert_close(feet.at, feet.plant, atol=1e-3, rtol=0)
    assert (feet.at - target).norm(dim=-1).max() < 0.03


def test_a_toe_lifts_before_it_travels(duet):
    """What skated was the beginning of every step: the toe followed its target while it was still on the floor."""
    pose = duet.b.positions[40]
    there = pose + np.repeat([[0.0, 0, 0], [0.5, 0, 0]], 20, 0)[:, None].astype(np.float32)  # half a metre at once
    made = on_feet(duet.b, there, friction=1.0)
    toes = made.positions[:, made.skeleton.indices(("left_toe", "right_toe"))]
    pace = 30 * np.linalg.norm(np.diff(toes[..., :2], axis=0), axis=-1)
    height = toes[..., 2] - pose[made.skeleton.indices(("left_toe", "right_toe")), 2]
    assert pace[height[1:] < 0.004].max() < 0.1 and pace.max() > 1
    assert metrics.foot_skate(made) < 0.2 * metrics.foot_skate(on_feet(duet.b, there))
    np.testing.assert_allclose(toes[-1, :, :2], there[-1, made.skeleton.indices(("left_toe", "right_toe")), :2],
                               atol=0.03)
    tip = [made.skeleton.index(f"{side}_bigtoe") for side in ("left", "right")]
    tilt = (made.positions[:, tip] - toes)[..., 2] - (pose[tip] - pose[[made.skeleton.parents[j] for j in tip]])[..., 2]
    assert np.abs(tilt).max() < 0.01  # the tip goes along


def test_feet_that_stand_and_step_already_are_left_as_they_are(duet):
    made = on_feet(duet.b, duet.b.positions)
    off = np.linalg.norm(made.positions - duet.b.positions[PAST:], axis=-1)
    assert off.mean() < 0.01 and metrics.foot_skate(made) < 0.1


def test_a_body_without_feet_is_let_be():
    stick = Skeleton(("root", "tip"), (-1, 0))
    poses = torch.randn(1, 20, 2, 3)
    assert Feet(stick, poses[:, :5], 30.0)(poses[:, 5:], torch.ones(1, 1, 1)) is not None
    torch.testing.assert_close(Feet(stick, poses[:, :5], 30.0)(poses[:, 5:], torch.ones(1, 1, 1)), poses[:, 5:])


def test_a_wish_for_distance_is_kept_better_than_chance_keeps_it(model, duet):
    for distance in (0.6, 2.0):
        made = model.rollout(duet.a, duet.b[:PAST], guidance=Guidance(distance=distance, pull=0.2))
        far = metrics.pelvis_distance(type(duet)(duet.a[PAST:], made[PAST:]))
        free = metrics.pelvis_distance(type(duet)(duet.a[PAST:], model.rollout(duet.a, duet.b[:PAST])[PAST:]))
        assert abs(far[30:] - distance).mean() < 0.5 * abs(free[30:] - distance).mean()
        assert metrics.bone_variation(made[PAST:]).max() < 1e-3


def test_guidance_is_laid_over_what_the_model_goes_on_from(model, duet):
    """Else a model that has learned to lead back undoes it: asked for 0.8 m, a partner stayed at 1.64, in jerks."""
    guidance = Guidance(distance=0.6, contact=[("right_wrist", "left_wrist")], pull=0.3, reach=5.0)
    free, guided = (model.stream(duet.positions[:PAST], guidance=each) for each in (None, guidance))
    for frame in duet.a.positions[PAST : PAST + 25]:
        away = (free(frame) - guided(frame)).abs().max()
    assert float(away) > 0.05
    torch.testing.assert_close(guided.past, free.past)
    place = guided.offset.mean(1) * torch.tensor([1.0, 1.0, 0.0])
    guided.guidance = Guidance()  # nothing is asked for any more: the place stays, the posture is let go
    for frame in duet.a.positions[PAST + 25 : PAST + 225]:
        guided(frame)
    torch.testing.assert_close(guided.offset.mean(1)[:, :2], place[:, :2], atol=0.02, rtol=0)
    assert float((guided.offset - guided.offset.mean(1, keepdim=True)).abs().max()) < 0.02


def test_hands_that_wish_to_touch_come_nearer(model, duet):
    own, theirs = "right_wrist", "left_wrist"
    guidance = Guidance(contact=[(own, theirs)], pull=0.3, reach=5.0)
    hand, other = (duet.a.skeleton.index(name) for name in (own, theirs))

    def gap(made):
        return np.linalg.norm(made.positions[PAST:, hand] - duet.a.positions[PAST:, other], axis=-1)[20:].mean()

    free, guided = (model.rollout(duet.a, duet.b[:PAST], guidance=each) for each in (None, guidance))
    assert gap(guided) < 0.5 * gap(free)


def test_a_past_that_it_danced_itself_leads_back_to_the_true_dance(model, duet):
    long = windows.cut([duet], PAST + 10 + 20, stride=10)[:4]
    torch.manual_seed(0)
    model.train()
    window = scheduled_sample(model, long, "b")
    assert model.training and window.shape[1] == PAST + 10
    gone = next(k for k in (10, 20) if torch.equal(window[:, :, 0], long[:, k : k + PAST + 10, 0]))  # a dances on
    true = long[:, gone : gone + PAST + 10]
    off = (window - true)[:, :, 1].norm(dim=-1).mean((0, 2))  # [T]
    assert off[PAST - 1] > 1e-3 and off[-1] < 1e-6
    cut_in = torch.cat([window[:, :PAST], true[:, PAST:]], 1)  # made, and from the next frame on true: a jump

    def jolt(dance):
        return dance[:, PAST - 2 : PAST + 1, 1].diff(n=2, dim=1).norm(dim=-1).mean()

    assert jolt(window) < 0.3 * jolt(cut_in)
    model.eval()


def fresh(model, duet, **more):
    return model.stream(duet.positions[:PAST], **more)


BAD = {
    "a NaN": lambda x: np.where(np.arange(x.size).reshape(x.shape) == 40, np.nan, x), "all NaN": lambda x: x * np.nan,
    "infinite": lambda x: x + np.inf, "nobody": lambda x: None, "a kilometre off": lambda x: x + 1000,
    "one joint far": lambda x: np.where(np.arange(len(x))[:, None] == 7, 1e30, x),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_frame_that_is_no_pose_is_held_counted_and_danced_past(model, duet, kind):
    stream, other = fresh(model, duet), fresh(model, duet)
    for t in range(PAST, PAST + 40):
        lost = t in (PAST, PAST + 7, PAST + 8, PAST + 20)
        given = BAD[kind](duet.a.positions[t]) if lost else duet.a.positions[t]
        made = stream(given)
        last = t - 1 - (t == PAST + 8) if lost else t
        torch.testing.assert_close(made, other(duet.a.positions[last]))  # as if the last good frame had come again
        assert made.shape == (29, 3) and bool(made.isfinite().all())
        assert stream.held_in_a_row == (lost + (t == PAST + 8))
    assert stream.held_frames == 4 and stream.frame_number == 40 and other.held_frames == 0


def test_memory_that_is_written_into_again_is_not_looked_at_again(model, duet):
    """A caller may have one tensor for the past and one for all frames."""
    model = copy.deepcopy(model)
    torch.nn.init.normal_(model.output_proj.weight, std=0.03)  # so that an answer says what was looked at
    past, frame = torch.tensor(duet.positions[:PAST]), torch.empty(29, 3)
    stream, other = model.stream(past), fresh(model, duet)
    past.zero_()
    for t in range(PAST, PAST + 14):
        frame.copy_(torch.tensor(duet.a.positions[t]) if t != PAST + 3 else torch.tensor(torch.nan))
        torch.testing.assert_close(stream(frame), other(frame.numpy().copy()))


def test_after_a_second_without_a_pose_it_says_so_and_goes_on_with_the_next(model, duet):
    stream, pose = fresh(model, duet), duet.a.positions[PAST]
    for _ in range(5):
        stream(pose)
    for _ in range(int(model.fps)):
        assert bool(stream(pose * np.nan).isfinite().all())
    assert stream.held_in_a_row == 30
    for _ in range(2):
        with pytest.raises(ValueError, match="frame 35: no pose.*more than a second"):
            stream(pose * np.nan)
    assert stream.frame_number == 35 and stream.held_frames == 30
    assert bool(stream(pose).isfinite().all()) and stream.held_in_a_row == 0 and stream.frame_number == 36


def test_of_several_at_once_only_the_one_that_is_lost_is_held(model, duet):
    past = torch.tensor(duet.positions[:PAST]).expand(2, -1, -1, -1, -1)
    stream, other = model.stream(past), model.stream(past)
    for t in range(PAST, PAST + 25):
        frame = torch.tensor(duet.a.positions[t]).repeat(2, 1, 1)
        same = frame.clone()
        if t == PAST + 9:
            frame[1] = torch.nan
            same[1] = torch.tensor(duet.a.positions[t - 1])
        torch.testing.assert_close(stream(frame), other(same))
    assert stream.held_frames == 1


def test_a_take_with_far_places_is_danced_to(model, duet):
    a, b = (dancer.transformed((300.0, -200.0, 0)) for dancer in duet)
    made = model.rollout(a, b[:PAST])
    near = model.rollout(duet.a, duet.b[:PAST])
    np.testing.assert_allclose(made.positions - near.positions, np.broadcast_to((300, -200, 0), made.positions.shape),
                               atol=0.05)  # fmt: skip


@pytest.mark.parametrize("more, said", [
    ({"every": 2.5}, "every"), ({"every": 0}, "every"), ({"every": 99}, "every"), ({"every": None}, "every"),
    ({"who": "c"}, "who"), ({"who": None}, "who"), ({"who": 1}, "who"), ({"temperature": -1}, "temperature"),
    ({"temperature": float("nan")}, "temperature"), ({"temperature": "hot"}, "temperature"), ({"seed": 1.5}, "seed"),
    ({"seed": "x"}, "seed"), ({"seed": -1}, "seed"), ({"guidance": "near"}, "guidance"),
    ({"guidance": Guidance(contact=[("hand", "left_wrist")])}, "guidance.*'hand'"), ({"past": None}, "past"),
    ({"past": "x"}, "past"),
    ({"past": np.zeros((PAST, 2, 24, 3))}, "past.*29"), ({"past": np.zeros((3, 2, 29, 3))}, "a past of 3 frames.*12"),
    ({"past": np.full((PAST, 2, 29, 3), np.nan)}, "past.*NaN"), ({"past": np.zeros((PAST, 29, 3))}, "past"),
])  # fmt: skip
def test_a_stream_names_the_argument_that_is_wrong(model, duet, more, said):
    with pytest.raises((TypeError, ValueError), match=said):
        model.stream(**{"past": duet.positions[:PAST]} | more)


@pytest.mark.parametrize("frame", [np.zeros((24, 3)), np.zeros((29, 2)), np.zeros(29), np.zeros((2, 29, 3)), 5, "x",
                                   [[1, 2, 3]], [[1, 2], [3]], {}, np.zeros((1, 1, 29, 3)), b"abc"])  # fmt: skip
def test_a_frame_of_other_joints_is_named(model, duet, frame):
    stream = fresh(model, duet)
    with pytest.raises((TypeError, ValueError), match="frame must be"):
        stream(frame)
    assert stream.frame_number == 0 and stream(duet.a.positions[PAST]).shape == (29, 3)


@pytest.mark.parametrize("more, said", [
    ({"steps": 0}, "steps"), ({"steps": -3}, "steps"), ({"steps": 2.5}, "steps"), ({"count": 0}, "count"),
    ({"count": "two"}, "count"), ({"who": "c"}, "who"), ({"temperature": -1}, "temperature"), ({"every": 2.5}, "every"),
    ({"every": 0}, "every"), ({"every": 99}, "every"), ({"random_seed": 1.5}, "random_seed"),
    ({"leader": None}, "leader must"), ({"seed": 4}, "seed"), ({"guidance": "near"}, "guidance"),
    ({"guidance": Guidance(contact=[("hand", "left_wrist")])}, "guidance.*'hand'"),
])  # fmt: skip
def test_a_rollout_names_the_argument_that_is_wrong(model, duet, more, said):
    with pytest.raises((TypeError, ValueError), match=said):
        model.rollout(**{"leader": duet.a, "seed": duet.b[:PAST]} | more)
