"""A partner for ten minutes: every fault is seen by its own metric, and bodies that go through one another are too."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicSpline

from choreo_lib import evaluation
from choreo_lib.body.motion import Duet, Motion
from choreo_lib.evaluation import metrics
from choreo_lib.evaluation.metrics.intersection import RADII, TRUNK, capsules, segment_distance
from choreo_lib.extensions import DuetForecaster
from choreo_lib.sets import synthetic, windows
from choreo_lib.sets.joining import join

SECONDS = 10.0


@pytest.fixture(scope="module")
def duet():
    return synthetic.duet("canon", 900, seed=5)


def measured(duet, positions):
    return evaluation.endurance(positions, duet.a, duet.b, SECONDS)


@pytest.fixture(scope="module")
def danced(duet):
    return measured(duet, duet.b.positions)


def test_what_was_danced_is_what_was_danced(danced):
    for name in ("height_ratio", "speed_ratio", "jerk_ratio", "skate_ratio"):
        np.testing.assert_allclose(danced[name], np.ones(3), err_msg=name)
    for name in ("drift_m", "below_floor_mm", "intersection_percent", "intersection_mm", "not_finite_percent"):
        np.testing.assert_allclose(danced[name], np.zeros(3), atol=1e-6, err_msg=name)
    np.testing.assert_allclose(danced["pose_frechet"], danced["pose_floor"])
    assert np.mean(danced["apart_percent"]) == pytest.approx(98, abs=0.5)


def test_who_shrinks_is_seen(duet, danced):
    made = measured(duet, duet.b.positions * np.float32([1, 1, 0.9]))
    np.testing.assert_allclose(made["height_ratio"], 0.9, atol=1e-6)
    assert (made["pose_frechet"] > 2 * danced["pose_floor"]).all()


def test_who_is_slow_is_seen(duet):
    made = measured(duet, CubicSpline(np.arange(900), duet.b.positions)(np.arange(900) / 2))
    assert (abs(made["speed_ratio"] - 0.5) < 0.1).all() and (made["jerk_ratio"] < 0.3).all()


def test_who_jitters_is_seen(duet):
    noise = np.random.default_rng(0).normal(0, 0.002, duet.b.positions.shape)
    made = measured(duet, duet.b.positions + noise)
    assert (made["jerk_ratio"] > 2).all() and (abs(made["height_ratio"] - 1) < 1e-3).all()


def test_who_walks_through_the_leader_is_seen(duet):
    pelvis = duet.b.skeleton.pelvis
    aside = (duet.a.positions - duet.b.positions)[:, [pelvis]] * np.float32([1, 1, 0])
    through = duet.b.positions + aside * np.linspace(0, 2, len(duet), dtype=np.float32)[:, None, None]
    made = measured(duet, through)
    assert made["intersection_percent"][1] > 50 > made["intersection_percent"][0]
    assert made["intersection_mm"].max() > 50 and not made["intersection_floor_percent"].any()
    assert evaluation.endurance(duet.b.positions, duet.a, duet.b.transformed(shift=aside[:, 0]), SECONDS
                                )["intersection_floor_percent"].min() > 50
    assert made["drift_m"][2] > 2 * made["drift_m"][0] > 0.2
    assert made["pelvis_distance_m"].argmin() == 1 and made["apart_percent"][1] < 50


def test_who_slides_sinks_or_is_no_body_is_seen(duet):
    slides = duet.b.positions + np.linspace(0, 9, len(duet), dtype=np.float32)[:, None, None] * np.float32([1, 0, 0])
    assert (measured(duet, slides)["skate_ratio"] > 2).all()  # 0.3 m/s
    sunk = duet.b.positions.copy()
    sunk[300:600, :, 2] -= 0.05
    np.testing.assert_allclose(measured(duet, sunk)["below_floor_mm"] > 30, [False, True, False])
    gone = duet.b.positions.copy()
    gone[600:630, 3] = np.nan
    made = measured(duet, gone)
    np.testing.assert_allclose(made["not_finite_percent"], [0, 0, 10])
    assert all(np.isfinite(values).all() for values in made.values())


def test_takes_of_unequal_length_are_refused(duet):
    with pytest.raises(ValueError, match="equally"):
        measured(duet, duet.b.positions[:-1])
    with pytest.raises(ValueError, match="at least 600"):
        evaluation.endurance(duet.b.positions[:400], duet.a[:400], duet.b[:400], 20.0)


def test_segments_are_as_far_apart_as_their_nearest_points():
    """Crossing, end to end, parallel, a point and a line; and drawn ones against a fine grid."""
    def apart(*ends):
        p, p2, q, q2 = np.float64(ends)[:, None]
        return segment_distance(p, p2 - p, q, q2 - q)[0]

    assert apart((-1, 0, 0), (1, 0, 0), (0, -1, 0.3), (0, 1, 0.3)) == pytest.approx(0.3)
    assert apart((0, 0, 0), (1, 0, 0), (4, 4, 0), (9, 9, 0)) == pytest.approx(5)
    assert apart((0, 0, 0), (1, 0, 0), (0.5, 2, 0), (3, 2, 0)) == pytest.approx(2)
    assert apart((0, 0, 0), (0, 0, 0), (-1, 0.7, 0), (1, 0.7, 0)) == pytest.approx(0.7)
    p, u, q, v = np.random.default_rng(0).normal(size=(4, 200, 1, 3))
    share = np.linspace(0, 1, 101)[:, None]
    grid = np.linalg.norm((p + share * u)[:, :, None] - (q + share * v)[:, None], axis=-1).min((1, 2))
    found = segment_distance(*(each[:, 0] for each in (p, u, q, v)))
    assert (found <= grid + 1e-9).all() and (grid - found < 0.02).all()


def test_bodies_side_by_side_intersect_by_what_their_capsules_lack(duet):
    skeleton = duet.b.skeleton
    ends, radii = capsules(skeleton)
    radius = {tuple(skeleton.names[j] for j in pair): r for pair, r in zip(ends, radii)}
    assert radius["pelvis", "spine1"] == radius["spine2", "spine3"] == TRUNK
    assert radius["pelvis", "left_hip"] == radius["right_hip", "right_knee"] == RADII["hip"]
    assert radius["left_elbow", "left_wrist"] == RADII["elbow"]
    assert radius["left_ankle", "left_foot"] == radius["left_foot", "left_bigtoe"] == RADII["ankle"]
    assert not any("thumb" in child for _, child in radius) and not any("middle" in child for _, child in radius)
    pose = duet.b.positions[:1] - duet.b.positions[:1, [0]] * np.float32([1, 1, 0])
    upright = np.zeros_like(pose)  # every joint on one line: two poles, each as thick as its trunk
    upright[..., 2] = pose[..., 2]
    poles = [Motion(upright + np.float32([x, 0, 0]), 30, skeleton) for x in (0.0, 2 * TRUNK - 0.03, 2 * TRUNK + 0.01)]
    assert metrics.intersection_depth(Duet(poles[0], poles[1])) == pytest.approx(0.03, abs=1e-5)
    assert metrics.intersection_depth(Duet(poles[0], poles[2])) == 0


def test_hands_that_hold_each_other_are_no_intersection():
    held = synthetic.duet("counterbalance", 120, seed=1)
    assert metrics.contact(held, within=0.12) > 0.9
    assert metrics.intersection_depth(held).max() == 0


def test_takes_are_joined_without_a_jump(duet):
    takes = [duet, synthetic.duet("mirror", 400, seed=8)]
    long = join(takes, 2400)
    assert len(long) == 2400 and "takes joined" in long.a.notes[0] and long.source == duet.source
    np.testing.assert_array_equal(long[:800].positions, duet.positions[:800])
    assert metrics.speed(long.positions, 30).max() < 1.3 * max(metrics.speed(t.positions, 30).max() for t in takes)
    assert metrics.jerk(long.positions, 30).max() < 1.3 * max(metrics.jerk(t.positions, 30).max() for t in takes)
    within = np.linalg.norm(long.positions[:, 0, 1] - long.positions[:, 0, 0], axis=-1)
    assert np.ptp(within) < 1e-4  # a bone of a's, which is the same in both takes
    assert metrics.intersection_depth(long).max() == 0


def test_what_cannot_be_joined_is_refused(duet):
    with pytest.raises(ValueError, match="take 1 has 29 joints, 30 frames a second and 100 frames"):
        join([duet, duet[:100]], 2000)


@pytest.fixture(scope="module")
def model(duet):
    torch.manual_seed(0)
    model = DuetForecaster(duet.a.skeleton, past=16, features=16, heads=2, latent=4, hidden=8, residual_components=8)
    model.fit_statistics(windows.cut([duet], 46, stride=4).batches(64))
    return model.eval()


def test_rollouts_of_both_roles_are_measured_minute_by_minute(model, duet):
    rows = evaluation.evaluate_endurance(model, [duet[:616], synthetic.duet("mirror", 616, seed=9)], SECONDS)
    assert list(rows) == ["piece 1", "piece 2"]
    for row in rows.values():
        assert row["lowest_height_ratio"] <= row["height_ratio"] <= row["highest_height_ratio"]
        assert 0 < row["speed_ratio"] < 1 and row["not_finite_percent"] == 0
    alone = model.rollout(duet.a[:616], duet.b[:16], who="b").positions[16:]
    by_hand = evaluation.endurance(alone, duet.a[16:616], duet.b[16:616], SECONDS)
    one = evaluation.evaluate_endurance(model, [duet[:616]], SECONDS)
    swapped = Duet(replace(duet.b), replace(duet.a))
    other = model.rollout(duet.b[:616], duet.a[:16], who="a").positions[16:]
    both = evaluation.endurance(other, swapped.a[16:616], swapped.b[16:616], SECONDS)
    for k, row in enumerate(one.values()):
        assert row["speed_ratio"] == pytest.approx((by_hand["speed_ratio"][k] + both["speed_ratio"][k]) / 2, rel=0.02)
