"""Metrics: against numbers worked out by hand, against slow loops, and against other libraries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.spatial.transform import Rotation

import choreo_lib as cl
from choreo_lib.body.joint_names import COMMON
from choreo_lib.evaluation import metrics
from choreo_lib.evaluation.metrics.frechet import relations
from choreo_lib.sets import synthetic

SALSA = (
    "Hips Spine Spine1 Spine2 Spine3 Neck Head RightShoulder RightArm RightForeArm RightHand RightHandEnd "
    "RightHandThumb1 LeftShoulder LeftArm LeftForeArm LeftHand LeftHandEnd LeftHandThumb1 RightUpLeg RightLeg "
    "RightFoot RightToeBase LeftUpLeg LeftLeg LeftFoot LeftToeBase"
).split()


def figure(paths: dict, fps=30.0) -> cl.Motion:
    """A motion of a few named joints, all hung from the first: name -> path [T, 3]."""
    skeleton = cl.Skeleton(tuple(paths), (-1,) + (0,) * (len(paths) - 1))
    return cl.Motion(np.stack(list(paths.values()), axis=1), fps, skeleton)


def still(place, frames=10):
    return np.tile(np.asarray(place, float), (frames, 1))


# --- errors

def test_joint_error_by_hand():
    true = np.random.default_rng(0).normal(size=(4, 5, 3))
    shifted = true + (3, 4, 0)  # a right-angled triangle: every joint is 5 away
    np.testing.assert_allclose(metrics.mpjpe(shifted, true), np.full(4, 5.0))
    np.testing.assert_allclose(metrics.mpjpe(shifted, true, "root"), 0, atol=1e-12)
    nudged = true.copy()
    nudged[:, 2] += (0, 0, 1)  # one joint of five is 1 away
    np.testing.assert_allclose(metrics.mpjpe(nudged, true), 0.2)
    nudged = true.copy()
    nudged[:, 0] += (0, 0, 1)  # the root is 1 away: seen from it, the four others are
    np.testing.assert_allclose(metrics.mpjpe(nudged, true, "root"), 0.8)


def test_procrustes_is_scipys_rotation_with_the_best_scale():
    rng = np.random.default_rng(1)
    true, predicted = rng.normal(size=(2, 6, 9, 3))
    expected = []
    for p, t in zip(predicted, true):
        p, t = p - p.mean(0), t - t.mean(0)
        turned = Rotation.align_vectors(t, p)[0].apply(p)
        scale = (turned * t).sum() / (turned**2).sum()  # least squares along the turned shape
        expected.append(np.linalg.norm(scale * turned - t, axis=-1).mean())
    np.testing.assert_allclose(metrics.mpjpe(predicted, true, "procrustes"), expected, rtol=1e-9)


def test_procrustes_undoes_turns_shifts_and_scale_but_no_mirror():
    true = np.random.default_rng(2).normal(size=(3, 8, 3))
    spun = Rotation.from_euler("xyz", (1, 2, 3)).apply(true.reshape(-1, 3)).reshape(true.shape) * 1.7 + (5, 0, 1)
    assert metrics.mpjpe(spun, true, "procrustes").max() < 1e-12
    assert metrics.mpjpe(true * (-1, 1, 1), true, "procrustes").min() > 0.05


@pytest.mark.parametrize("align", [None, "root", "procrustes"])
def test_joint_error_of_tensors_is_a_tensor_with_gradients(align):
    true, predicted = np.random.default_rng(3).normal(size=(2, 4, 6, 3))
    leaf = torch.tensor(predicted, requires_grad=True)
    error = metrics.mpjpe(leaf, torch.tensor(true), align)
    error.sum().backward()
    np.testing.assert_allclose(error.detach().numpy(), metrics.mpjpe(predicted, true, align))
    assert torch.isfinite(leaf.grad).all() and leaf.grad.abs().sum() > 0
    same = torch.tensor(true, requires_grad=True)  # no error, and still a gradient that is a number
    metrics.mpjpe(same, torch.tensor(true)).sum().backward()
    assert torch.isfinite(same.grad).all()


def test_joint_error_compares_many_samples_with_one_truth():
    true = np.zeros((7, 4, 3))
    samples = np.stack([true + (0, 0, s) for s in (1, 2, 3)])
    np.testing.assert_allclose(metrics.mpjpe(samples, true), np.repeat([[1.0], [2.0], [3.0]], 7, axis=1))


def test_a_bootstrap_block_never_crosses_takes():
    # Two takes, one block each: two draws from {0, 1}, so means 0, 1/2, 1 with chances 1/4, 1/2, 1/4, and the
    # quantiles at 20 and 80 % are 0 and 1. Blocks across the border would bring in 1/4 and 3/4.
    takes = [np.zeros(4), np.ones(4)]
    assert metrics.block_bootstrap(takes, block=4, level=0.6) == (0.0, 1.0)
    assert metrics.block_bootstrap(takes, block=4, level=0.4) == (0.5, 0.5)


def test_blocks_cover_the_mean_of_dependent_values_and_single_frames_do_not():
    rng = np.random.default_rng(4)
    covered = {1: 0, 50: 0}
    for _ in range(60):
        noise = rng.normal(size=1200)
        series = np.empty(1200)
        series[0] = noise[0] / np.sqrt(1 - 0.95**2)
        for t in range(1, 1200):  # mean zero, each value 0.95 of the one before
            series[t] = 0.95 * series[t - 1] + noise[t]
        for block in covered:
            low, high = metrics.block_bootstrap(series, block, samples=300)
            covered[block] += low <= 0 <= high
    assert covered[1] / 60 < 0.5 and covered[50] / 60 > 0.75


def test_best_of_and_diversity_by_hand():
    assert metrics.best_of([[1, 4], [3, 2]]) == 1.5  # the best are 1 and 2
    samples = np.zeros((3, 5, 2, 3))
    samples[1, ..., 0], samples[2, ..., 0] = 1, 3  # pairs 1, 3 and 2 apart
    assert metrics.diversity(samples) == pytest.approx(2.0)
    assert metrics.diversity(torch.tensor(samples)) == pytest.approx(2.0)


def test_auc_and_average_precision_by_hand():
    scores, truth = [0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]
    assert metrics.auc(scores, truth) == 0.75  # of four (true, false) pairs, 0.35 against 0.4 is lost
    assert metrics.average_precision(scores, truth) == pytest.approx((1 / 1 + 2 / 3) / 2)  # true at ranks 1 and 3
    assert metrics.auc([1, 1, 0], [1, 0, 0]) == 0.75  # a tie and a win
    assert metrics.average_precision([1, 1, 0], [1, 0, 0]) == 0.5  # the tied two are passed together


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_auc_and_average_precision_are_what_counting_gives(cases):
    scores, truth = (np.array(x) for x in zip(*cases))
    if truth.all() or not truth.any():
        with pytest.raises(ValueError, match="both true and false"):
            metrics.auc(scores, truth)
        return
    wins = [(s > f) + 0.5 * (s == f) for s in scores[truth] for f in scores[~truth]]
    assert metrics.auc(scores, truth) == pytest.approx(np.mean(wins))
    precision = [truth[scores >= s].mean() for s in scores[truth]]  # among all that score as high or higher
    assert metrics.average_precision(scores, truth) == pytest.approx(np.mean(precision))


# --- one body

def test_velocity_speed_and_jerk_by_hand():
    t = np.arange(12) / 30
    path = np.stack([t**3, 0 * t, 2 * t], axis=-1)[:, None]
    # the third difference of t^3 at spacing h is 6 h^3 at every place, and that of a line is none
    np.testing.assert_allclose(metrics.jerk(path, 30), np.full((9, 1), 6.0), rtol=1e-6)
    np.testing.assert_allclose(metrics.velocity(path, 30)[..., 2], 2.0)
    np.testing.assert_allclose(metrics.speed(path * (0, 1, 1), 30), 2.0)
    both = metrics.jerk(torch.tensor(path, requires_grad=True), 30)
    assert both.requires_grad and both.shape == (9, 1)
    np.testing.assert_allclose(both.detach(), metrics.jerk(path, 30))


def test_pace_is_the_mean_speed():
    t = np.arange(20)[:, None] / 30
    motion = figure({"pelvis": t * (1, 0, 0), "head": t * (0, 3, 4)})
    np.testing.assert_allclose(metrics.mean_speed(motion), 3.0, rtol=1e-5)  # 1 and 5 m/s
    np.testing.assert_allclose(metrics.mean_speed(motion, ["head"]), 5.0, rtol=1e-5)
    np.testing.assert_allclose(metrics.mean_speed(motion, [0]), 1.0, rtol=1e-5)


@pytest.mark.parametrize("floor", [0.0, 0.7, -2.0])
def test_foot_skate_counts_slides_on_the_floor_only(floor):
    t = np.arange(60) / 30
    lifted = (t >= 1) * 0.3  # the left foot slides for a second, then flies ten times as fast
    left = np.stack([np.where(t < 1, 0.3 * t, 0.3 + 3 * (t - 1)), 0 * t, floor + lifted], axis=-1)
    right = np.stack([0 * t, 0.1 * t, floor + 0 * t], axis=-1)
    motion = figure({"pelvis": still((0, 0, 1), 60), "left_toe": left, "right_toe": right})
    # 29 steps at 0.3 m/s on the left, 59 at 0.1 m/s on the right
    assert metrics.foot_skate(motion) == pytest.approx((29 * 0.3 + 59 * 0.1) / 88, rel=1e-4)
    rising = t[:10, None] * (0, 0, 5)  # no two frames within a centimetre of the lowest
    flying = {"pelvis": rising, "left_toe": left[:10] + rising, "right_toe": right[:10] + rising}
    assert np.isnan(metrics.foot_skate(figure(flying)))


def test_names_are_found_in_every_kind_of_skeleton():
    body = dict(zip(COMMON, range(17)))
    assert len(body) == 17
    salsa = cl.Skeleton(tuple(SALSA), (-1,) + tuple(range(26)))
    wanted = ["Hips", "Neck", "Head"] + [
        side + bone for side in ("Left", "Right")
        for bone in ("Arm", "ForeArm", "Hand", "UpLeg", "Leg", "Foot", "ToeBase")]  # fmt: skip
    assert [SALSA[j] for j in salsa.indices()] == wanted
    prefixed = cl.Skeleton(tuple("Neo_" + name for name in SALSA), (-1,) + tuple(range(26)))
    assert prefixed.indices() == salsa.indices()
    hybrik = ["pelvis", "neck", "head"] + [
        f"{side}_{part}" for side in ("left", "right")
        for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "foot")]  # fmt: skip
    assert [cl.HYBRIK_29.names[j] for j in cl.HYBRIK_29.indices()] == hybrik
    assert [cl.HYBRIK_29.names[j] for j in cl.HYBRIK_29.hands] == [
        f"{side}_{part}" for part in ("wrist", "thumb", "middle") for side in ("left", "right")]  # fmt: skip
    with pytest.raises(ValueError, match="left_wrist.*joint_01"):
        cl.Skeleton(("joint_00", "joint_01"), (-1, 0)).index("left_wrist")


def test_bone_variation_by_hand():
    swing = np.where(np.arange(10)[:, None] % 2, 1.2, 1.0) * (0, 0, 1)  # mean 1.1, deviation 0.1
    motion = figure({"pelvis": still((0, 0, 0)), "neck": swing, "jaw": still((0, 0, 0.01)), "hip": still((0, 0.5, 0))})
    np.testing.assert_allclose(metrics.bone_variation(motion), [0.1 / 1.1, np.nan, 0], rtol=1e-5)


# --- two bodies

def test_apart_nearest_and_contact_by_hand():
    t = np.arange(10)[:, None]
    a = figure({"pelvis": still((0, 0, 1)), "left_wrist": still((0.5, 0, 1)), "right_wrist": still((0, 9, 0))})
    away = (0.5, 0, 1) + t * (0, 0.02, 0)
    b = figure({"pelvis": still((3, 4, 1)), "left_wrist": still((9, 9, 9)), "right_wrist": away})
    duet = cl.Duet(a, b)
    np.testing.assert_allclose(metrics.pelvis_distance(duet), 5)
    np.testing.assert_allclose(metrics.nearest(duet), t[:, 0] * 0.02, atol=1e-6)
    assert metrics.contact(duet, within=0.05) == pytest.approx(0.3)  # 0, 2 and 4 cm
    assert metrics.contact(duet, ["left_wrist"]) == 0 and metrics.contact(duet, ["pelvis"], within=5.1) == 1


def test_planted_hand_contact_is_seen():
    assert metrics.contact(synthetic.duet("contact", 200, seed=1)) > 0.98
    assert metrics.contact(synthetic.duet("independent", 200, seed=1)) < 0.05


def wave(frames, seed, channels=None):
    """Noise, smoothed over a few frames."""
    noise = np.random.default_rng(seed).normal(size=(frames + 8, channels or 1))
    smooth = np.stack([np.convolve(c, np.hanning(11)[1:-1], "valid") for c in noise.T], -1)
    return smooth if channels else smooth[:, 0]


def test_cross_correlation_is_what_a_loop_over_windows_gives():
    x, y = wave(200, 0, 3), wave(200, 1, 3)
    found = metrics.cross_correlation(x, y, fps=10, window=4, max_lag=1, step=0.7)
    expected = []
    for start in range(10, 200 - 40 - 10 + 1, 7):
        likeness = [np.mean([np.corrcoef(x[start : start + 40, k], y[start + lag : start + lag + 40, k])[0, 1]
                             for k in range(3)]) for lag in range(-10, 11)]  # fmt: skip
        expected.append((max(likeness), (np.argmax(likeness) - 10) / 10, (start + 20) / 10))
    np.testing.assert_allclose(np.stack(found, axis=-1), expected, atol=1e-9)


def test_the_lag_says_who_follows():
    x = wave(300, 2)
    late = 3 - 2 * np.roll(x, 7)  # what is turned upside down does not count as alike
    assert metrics.cross_correlation(x, late, 30).peak.max() < 0.9
    found = metrics.cross_correlation(x, 3 + 2 * np.roll(x, 7), 30)
    np.testing.assert_allclose(found.lag, 7 / 30)
    np.testing.assert_allclose(found.peak, 1)
    back = metrics.cross_correlation(np.roll(x, 7), x, 30)
    np.testing.assert_allclose(back.lag, -7 / 30)


def test_chance_prefers_no_lag():
    """Of 61 lags, 20 are more than 20 frames from the middle; chance should find a third of its peaks there."""
    rng = np.random.default_rng(5)
    lags = np.abs(metrics.cross_correlation(rng.normal(size=20000), rng.normal(size=20000), 30, step=1.5).lag)
    assert len(lags) > 400
    assert (lags > 20.5 / 30).mean() == pytest.approx(20 / 61, abs=0.06)


def test_a_still_channel_counts_as_zero():
    x = np.stack([wave(200, 3), np.full(200, 0.1)], axis=-1)
    found = metrics.cross_correlation(x, x, 30)
    np.testing.assert_allclose(found.peak, 0.5)  # 1 and 0
    assert not found.lag.any()
    nothing = metrics.cross_correlation(x[:, 1], x[:, 1], 30)
    assert not nothing.peak.any() and np.isnan(nothing.lag).all()


def test_coupling_finds_a_canon():
    canons = [metrics.coupling(synthetic.duet("canon", 600, seed=seed, lag=12)) for seed in range(4)]
    strangers = [metrics.coupling(synthetic.duet("independent", 600, seed=seed)) for seed in range(4)]
    assert [np.median(found.lag) for found in canons] == pytest.approx([0.4] * 4, abs=1 / 30 + 1e-9)
    # strangers have a beat as well, so the best of 61 lags is high for them too
    assert np.mean([np.median(found.peak) for found in canons]) > 0.85
    assert 0.4 < np.mean([np.median(found.peak) for found in strangers]) < 0.75


def pulsing(shift=0, fps=30.0, seconds=6):
    """A joint that stops once a second: its speed is 1 - cos(2 pi t), t measured from `shift` seconds."""
    t = np.arange(round(seconds * fps)) / fps - shift
    return figure({"pelvis": np.stack([t - np.sin(2 * np.pi * t) / (2 * np.pi), 0 * t, 0 * t], -1)}, fps)


def test_beats_are_where_the_dancer_stops():
    np.testing.assert_array_equal(metrics.beats(pulsing()), [30, 60, 90, 120, 150])
    assert len(metrics.beats(figure({"pelvis": still((0, 0, 1), 60)}))) == 0
    # one step from frame 0 to 30, a pause, and one step from 150 to 180: by symmetry the pause's middle is frame 90
    step = pulsing(seconds=1).positions[:, 0]
    paused = np.concatenate([step, np.tile((1, 0, 0), (120, 1)), step + (1, 0, 0), [(2, 0, 0)]])
    np.testing.assert_array_equal(metrics.beats(figure({"pelvis": paused})), [90])


def test_beats_of_a_dance_are_the_published_ones():
    """The mean speed over joints, a Gaussian of 5 frames at 30 a second, and every frame below both its neighbours."""
    dance = synthetic.duet("canon", 300, seed=2).a
    speed = np.linalg.norm(np.gradient(dance.positions.astype(float), axis=0), axis=-1).mean(1)
    weights = np.exp(-(np.arange(-20, 21) ** 2) / 50)
    calm = np.convolve(np.pad(speed, 20, "symmetric"), weights / weights.sum(), "valid")
    low = 1 + np.flatnonzero((calm[1:-1] < calm[:-2]) & (calm[1:-1] < calm[2:]))
    assert len(low) > 5
    np.testing.assert_array_equal(metrics.beats(dance), low)


@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_beat_echo_by_hand(fps):
    a, b = pulsing(fps=fps), pulsing(0.1, fps)
    assert metrics.beat_echo(a, a) == 1
    # every beat of a has one of b a tenth of a second, which is one sigma, later
    assert metrics.beat_echo(a, b) == pytest.approx(np.exp(-0.5), rel=1e-6)
    assert metrics.beat_echo(a, b, sigma=0.2) == pytest.approx(np.exp(-0.125), rel=1e-6)
    silent = figure({"pelvis": still((0, 0, 1), len(a))}, fps)
    assert metrics.beat_echo(a, silent) == 0 and np.isnan(metrics.beat_echo(silent, a))


# --- many windows

def tpose(frames=30, height=1.7, path=None):
    skeleton = synthetic.body(height)
    rest = np.zeros((frames, len(skeleton), 4))
    rest[..., 3] = 1
    root = np.tile((0.0, 0.0, 0.95), (frames, 1)) if path is None else path
    return cl.Motion.from_rotations(rest, root, 30.0, skeleton)


def test_kinetic_features_by_hand():
    t = np.arange(31)[:, None] / 30
    found = metrics.kinetic_features(tpose(31, path=t * (2, 0, 0) + t**2 * (0, 0, 1.5))).reshape(17, 3)
    # 2 m/s across: 4; up: steps of 1.5 ((k + 1)^2 - k^2) / 30 m/s for k = 0 to 29; acceleration 3 m/s^2
    up = np.mean([(1.5 * (2 * k + 1) / 30) ** 2 for k in range(30)])
    np.testing.assert_allclose(found, np.tile((4, up, 3), (17, 1)), rtol=2e-3)


STANDING = {"pelvis": (0, 0, 1), "neck": (0, 0, 1.5), "head": (0, 0, 1.7)} | {
    f"{side}_{part}": (x, sign * y, z)
    for side, sign in (("left", 1), ("right", -1))
    for part, (x, y, z) in {
        "shoulder": (0, 0.2, 1.45), "elbow": (0, 0.2, 1.15), "wrist": (0, 0.2, 0.85), "hip": (0, 0.1, 1),
        "knee": (0, 0.1, 0.55), "ankle": (0, 0.1, 0.1), "toe": (0.15, 0.1, 0.02)}.items()
}  # fmt: skip
"""She looks along X: upper arms 0.3 m, shanks 0.45 m, shoulders 0.4 m and hips 0.2 m apart, and no relation is true."""


@pytest.mark.parametrize(("where", "going", "wanted"), [
    ({}, {}, ""),
    ({"left_wrist": (0.35, 0.2, 1.15)}, {}, "left hand in front, left elbow bent"),  # 0.35 m ahead, a right angle
    ({"left_wrist": (0.25, 0.2, 1.15)}, {}, "left elbow bent"),  # in front begins one upper arm ahead
    ({"left_elbow": (0, 0.2, 1.75), "left_wrist": (0, 0.2, 2.05)}, {}, "left hand above the neck, hands wide"),
    ({"left_elbow": (0, 0.5, 1.45), "left_wrist": (0, 0.8, 1.45)}, {}, "left hand far aside, hands wide"),
    ({"left_wrist": (0, 0, 0.85), "right_wrist": (0, -0.1, 0.85)}, {}, "hands together"),  # less than 0.2 m apart
    ({"left_knee": (0.3, 0.1, 0.55)}, {}, "left knee bent"),  # 113 degrees
    ({"left_ankle": (0, 0.1, 0.25)}, {}, "left foot raised"),  # by 0.15 m, half of a shank that is now 0.3 m
    ({"left_ankle": (0.25, 0.1, 0.1)}, {}, "left foot in front"),
    ({"left_ankle": (0, -0.15, 0.1)}, {}, "legs crossed"),
    ({"left_ankle": (0, 0.4, 0.1)}, {}, "feet wide"),
    ({"neck": (0.3, 0, 1.4)}, {}, "trunk bent"),  # 37 degrees
    ({"left_shoulder": (0.14, 0.14, 1.45), "right_shoulder": (-0.14, -0.14, 1.45)}, {}, "trunk twisted"),  # 45 degrees
    ({}, {"left_wrist": (0, 0, 0.5)}, "left hand rising"),  # above 0.3 m/s
    ({}, {"left_wrist": (0, 0, -1.5)}, "left hand quick"),  # above 1.2 m/s
    ({}, {"left_wrist": (0, -0.4, 0)}, "hands closing"),  # above 0.3 m/s
    ({}, {"left_ankle": (0, 0.8, 0)}, "left foot quick"),  # above 0.6 m/s
    ({}, dict.fromkeys(STANDING, (0.8, 0, 0)), "travelling"),  # above 0.6 m/s; no hand or foot is quick on its body
    ({}, dict.fromkeys(STANDING, (0.5, 0, 0)), ""),
])  # fmt: skip
def test_relations_by_hand(where, going, wanted):
    t = np.arange(3)[:, None] / 30
    motion = figure({name: place + t * going.get(name, (0, 0, 0)) for name, place in (STANDING | where).items()})
    true = {name for name, frames in relations(motion).items() if frames.all()}
    assert true == set(wanted.split(", ")) - {""}


def test_relations_see_a_turn_and_a_walk():
    t = np.arange(60) / 30
    spin = np.stack([tpose(1).transformed(turn=2.0 * angle).positions[0] for angle in t])  # 115 degrees a second
    spinning = relations(cl.Motion(spin, 30.0, synthetic.body()))
    assert spinning["turning"].all() and not spinning["travelling"].any()
    walking = relations(tpose(60, path=t[:, None] * (1, 0, 0) + (0, 0, 0.95)))  # 1 m/s; upper arm 0.29 m
    assert walking["travelling"].all() and not walking["turning"].any() and not walking["left foot quick"].any()


def test_geometric_features_belong_to_the_body():
    motion = synthetic.duet("drives", 200, seed=3).a
    found = metrics.geometric_features(motion)
    assert found.shape == (29,) and (found > 0).sum() > 15
    # turned and moved, or all 1.3 times as large, it is the same dance (float32 may tip a frame or two)
    np.testing.assert_allclose(metrics.geometric_features(motion.transformed((4, -2, 0), 1.1)), found, atol=0.011)
    large = cl.Motion(motion.positions * 1.3, 30.0, motion.skeleton)
    np.testing.assert_allclose(metrics.geometric_features(large), found, atol=0.011)


def test_a_mirrored_dance_exchanges_left_and_right():
    motion = synthetic.duet("drives", 200, seed=4).a
    flipped = motion.positions * (-1, 1, 1)
    for left, right in motion.skeleton.left_right_pairs:
        flipped[:, [left, right]] = flipped[:, [right, left]]
    one, two = (relations(m) for m in (motion, cl.Motion(flipped, 30.0, motion.skeleton)))
    other = {"left": "right", "right": "left"}
    for name, frames in one.items():
        side, _, rest = name.partition(" ")
        twin = two[f"{other[side]} {rest}" if side in other else name]
        # body lengths are taken on the left, and the bodies are symmetric
        assert (frames != twin).mean() <= 0.011, name


def test_cross_distance_by_hand():
    a = tpose()
    found = metrics.cross_distance_features(cl.Duet(a, a.transformed((3, 4, 0)))).reshape(10, 10)
    np.testing.assert_allclose(np.diag(found), 5, rtol=1e-5)
    ankles = 2 * 0.055 * 1.7  # b's right ankle is that much nearer on x than its left: sqrt((3 -+ it)^2 + 4^2)
    np.testing.assert_allclose(found[1, 2], np.hypot(3 - ankles, 4), rtol=1e-5)
    np.testing.assert_allclose(found[2, 1], np.hypot(3 + ankles, 4), rtol=1e-5)


def test_frechet_distance_by_hand():
    # y has mean 0 and deviation 1, so it scales nothing; sample variances are 2 and 8
    assert metrics.frechet_distance([[2.0], [4.0]], [[-1.0], [1.0]]) == pytest.approx(9)
    assert metrics.frechet_distance([[1.0], [5.0]], [[-1.0], [1.0]]) == pytest.approx(9 + (8**0.5 - 2**0.5) ** 2)
    # the same in centimetres and beside a feature that never changes
    x, y = np.array([[1.0, 7], [5, 7]]), np.array([[-1.0, 7], [1, 7]])
    assert metrics.frechet_distance(x * (100, 1), y * (100, 1)) == pytest.approx(11)
    assert metrics.frechet_distance(x + (0, 2), y) == pytest.approx(15)  # and where it does change: 2 squared more


def reference(x, y, root):
    x, y = (x - y.mean(0)) / y.std(0), (y - y.mean(0)) / y.std(0)
    cx, cy = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(cx) + np.trace(cy) - 2 * root(cx, cy)


def test_frechet_distance_is_scipys_matrix_root():
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(80, 5)) @ rng.normal(size=(5, 5)) + 1, rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5))
    expected = reference(x, y, lambda cx, cy: np.trace(sqrtm(cx @ cy)).real)
    assert metrics.frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_with_fewer_windows_than_features():
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(12, 40)), rng.normal(size=(9, 40))

    def by_eigenvalues(cx, cy):
        value, vector = np.linalg.eigh(cx)
        half = vector * np.sqrt(np.clip(value, 0, None)) @ vector.T
        return np.sqrt(np.clip(np.linalg.eigvalsh(half @ cy @ half), 0, None)).sum()

    assert metrics.frechet_distance(x, y) == pytest.approx(reference(x, y, by_eigenvalues), rel=1e-5)
    assert metrics.frechet_distance(y, y) == pytest.approx(0, abs=1e-9)


def test_real_floor_halves_by_take():
    rng = np.random.default_rng(8)
    takes = np.repeat(np.arange(4), 50)
    features = rng.normal(size=(200, 3)) + 3 * rng.normal(size=(4, 3))[takes]  # takes differ more than windows do
    loose, tight = metrics.split_half_distance(features)[0], metrics.split_half_distance(features, takes)[0]
    assert tight > 3 * loose
    # two takes can be halved in one way only: the floor is their distance, whichever comes first
    two = takes < 2
    mean, deviation = metrics.split_half_distance(features[two], takes[two], splits=5)
    z = (features[two] - features[two].mean(0)) / features[two].std(0)
    a, b = z[:50], z[50:]
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb - 2 * sqrtm(ca @ cb).real)
    assert mean == pytest.approx(expected, rel=1e-6) and deviation == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("call", "says"), [
    (lambda: metrics.mpjpe(np.zeros((2, 3, 3)), np.zeros((2, 4, 3))), "same joints"),
    (lambda: metrics.mpjpe(np.zeros((3, 3)), np.zeros((3, 3)), "hips"), "procrustes"),
    (lambda: metrics.block_bootstrap(np.zeros(10), 6), "shortest take"),
    (lambda: metrics.diversity(np.zeros((1, 4, 5, 3))), "at least two"),
    (lambda: metrics.cross_correlation(np.zeros(100), np.zeros(100), 30), "too few"),
    (lambda: metrics.cross_correlation(np.zeros(300), np.zeros(301), 30), "one shape"),
    (lambda: metrics.frechet_distance(np.zeros((5, 3)), np.zeros((5, 4))), "same features"),
    (lambda: metrics.frechet_distance(np.full((5, 3), np.nan), np.zeros((5, 3))), "finite"),
    (lambda: metrics.split_half_distance(np.zeros((5, 3)), np.zeros(5)), "two groups"),
    (lambda: metrics.split_half_distance(np.zeros((4, 3)), [0, 1, 1, 1]), "no half"),
    (lambda: metrics.split_half_distance(np.full((8, 3), np.nan)), "finite"),
    (lambda: metrics.auc([1, np.nan], [1, 0]), "1 nan"),
    (lambda: metrics.cross_correlation(np.full(300, np.nan), np.zeros(300), 30), "finite"),
    (lambda: metrics.kinetic_features(tpose(2)), "too few"),
    (lambda: metrics.mean_speed(tpose(1)), "at least two"),
])  # fmt: skip
def test_errors_say_what_to_do(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_recorded_salsa_lies_where_the_page_says(real_data):
    real_data("salsa")
    duets = [cl.load_duet(name) for name in ("salsa/Easy_01", "salsa/Hard_04")]
    for duet in duets:
        assert 0.2 < metrics.pelvis_distance(duet).min() and metrics.pelvis_distance(duet).max() < 1.6
        for motion in duet:
            assert metrics.foot_skate(motion) < 0.1 < metrics.foot_skate(motion, 0.05)
            assert 31 <= metrics.jerk(motion.positions, motion.fps).mean() <= 75
            assert np.nanmax(metrics.bone_variation(motion)) < 1e-4
    stranger = cl.Duet(duets[0].a, duets[1].b[: len(duets[0])])
    assert metrics.beat_echo(*duets[0]) > 0.5 > metrics.beat_echo(*stranger)


def test_a_video_has_no_bones(real_data):
    real_data("ilya-hannah")
    variation = metrics.bone_variation(cl.load_duet("ilya-hannah").a)
    assert 0.05 < np.nanmedian(variation) < 0.2
