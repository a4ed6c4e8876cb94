"""Classical answers to who moves whom: against slow loops and explicit regressions, and on planted drives."""

from __future__ import annotations

import numpy as np
import pytest

import choreo_lib as cl
from choreo_lib.evaluation import metrics
from choreo_lib.evaluation.baselines.coupling import (
    cross_correlation_coupling,
    granger_coupling,
    partner_swap,
    ridge_coupling,
)
from choreo_lib.sets import synthetic
from choreo_lib.sets.synthetic import Drive
from choreo_lib.sets.synthetic.body import JOINT_INDEX

METHODS = [
    cross_correlation_coupling,
    lambda duet, **more: cross_correlation_coupling(duet, whiten=5, **more),
    granger_coupling,
    ridge_coupling,
]
IDS = ["correlation", "whitened", "granger", "ridge"]
CHAIN = cl.Skeleton(("pelvis", "elbow", "wrist"), (-1, 0, 1))


def wandering(seed, frames=60):
    """A duet of three-joint bodies whose every joint drifts at random, smoothly."""
    noise = np.random.default_rng(seed).normal(size=(2, frames + 6, 3, 3))
    smooth = sum(noise[:, k : k + frames] for k in range(6)).cumsum(1) / 30
    return cl.Duet(*(cl.Motion(path, 10.0, CHAIN) for path in smooth))


def signals(duet):
    """For both directions: senders' velocities from the root, receivers' from their parents, [T - 1, 3, 3] each."""
    a, b = (m.positions.astype(float) for m in duet)
    for sender, receiver in ((a, b), (b, a)):
        yield np.diff(sender - sender[:, :1], axis=0) * 10, np.diff(receiver - receiver[:, [0, 0, 1]], axis=0) * 10


def innovations(signal, order):
    """Least squares of each joint's velocity on its own last frames, one weight a frame for all coordinates."""
    signal = signal - signal.mean(0)
    left = np.zeros((len(signal) - order, 3, 3))
    for j in range(3):
        rows = [[signal[t - k, j, c] for k in range(1, order + 1)] for t in range(order, len(signal)) for c in range(3)]
        now = [signal[t, j, c] for t in range(order, len(signal)) for c in range(3)]
        weights = np.linalg.lstsq(np.array(rows), np.array(now), rcond=None)[0]
        left[:, j] = (np.array(now) - np.array(rows) @ weights).reshape(-1, 3)
    return left


@pytest.mark.parametrize("whiten", [0, 3])
def test_correlation_is_what_loops_give(whiten):
    duet = wandering(0)
    found = cross_correlation_coupling(duet, max_lag=0.5, whiten=whiten)
    for direction, (sent, received) in enumerate(signals(duet)):
        if whiten:
            sent, received = innovations(sent, whiten), innovations(received, whiten)
        for i in (1, 2):
            for j in (1, 2):
                scores = []
                for lag in range(1, 6):
                    x, y = sent[:-lag, i], received[lag:, j]
                    x, y = x - x.mean(0), y - y.mean(0)
                    scores.append((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()))
                assert found.score[direction, i, j] == pytest.approx(max(scores), abs=1e-4)
                assert found.lag[direction, i, j] == 1 + np.argmax(scores)


def test_granger_is_the_ratio_of_two_least_squares():
    duet, order, lags = wandering(1), 3, 4
    found = granger_coupling(duet, max_lag=0.4, order=order, ridge=1e-9)
    for direction, (sent, received) in enumerate(signals(duet)):
        sent = innovations(sent, order)  # its frame 0 is frame `order` of the others
        sent, received = sent - sent.mean(0), received - received.mean(0)
        times = range(lags + order, len(received))
        for i in (1, 2):
            for j in (1, 2):
                own = np.array([[received[t - k, j, c] for k in range(1, order + 1)] for t in times for c in range(3)])
                past = np.array(
                    [[sent[t - order - k, i, c] for k in range(1, lags + 1)] for t in times for c in range(3)])
                now = np.array([received[t, j, c] for t in times for c in range(3)])
                alone = np.linalg.lstsq(own, now, rcond=None)[1][0]
                weights, both = np.linalg.lstsq(np.hstack([own, past]), now, rcond=None)[:2]
                assert found.score[direction, i, j] == pytest.approx(np.log(alone / both[0]), abs=1e-4)
                assert found.lag[direction, i, j] == 1 + np.abs(weights[order:]).argmax()


def test_ridge_is_least_squares_with_a_penalty_row_a_weight():
    duet, lags, ridge = wandering(2), 4, 0.5
    found = ridge_coupling(duet, max_lag=0.4, whiten=0, ridge=ridge)
    for direction, (sent, received) in enumerate(signals(duet)):
        sent, received = (x - x.mean(0) for x in (sent, received))
        size = lambda x: np.maximum(np.sqrt((x**2).mean((0, 2), keepdims=True)), 1e-12)  # noqa: E731
        sent, received = sent / size(sent), received / size(received)
        sent[:, 0] = 0  # the root does not move against itself
        times = range(lags, len(sent))
        terms = [(i, k) for i in range(3) for k in range(1, lags + 1)]
        rows = np.array([[sent[t - k, i, c] for i, k in terms] for t in times for c in range(3)])
        penalty = ridge * (rows**2).sum() / len(rows)
        padded = np.vstack([rows, np.sqrt(penalty) * np.eye(rows.shape[1])])
        for j in (1, 2):
            now = np.array([received[t, j, c] for t in times for c in range(3)])
            weights = np.linalg.lstsq(padded, np.r_[now, np.zeros(rows.shape[1])], rcond=None)[0].reshape(3, lags)
            np.testing.assert_allclose(found.score[direction, :, j], np.linalg.norm(weights, axis=1), atol=1e-5)
            assert list(found.lag[direction, 1:, j]) == list(1 + np.abs(weights[1:]).argmax(1))


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_one_strong_drive_is_found_with_its_lag_and_direction(method):
    drive = Drive(("b", "left_knee"), ("a", "right_wrist"), 7, 0.9)
    knee, wrist = JOINT_INDEX["left_knee"], JOINT_INDEX["right_wrist"]
    ranks = []
    for seed in range(5, 9):
        found = method(synthetic.duet("drives", 300, seed=seed, drives=[drive]))
        assert found.score.shape == found.lag.shape == (2, 29, 29)
        assert abs(found.lag[1, knee, wrist] - 7) <= 1
        assert found.score[1, knee, wrist] > 1.5 * found.score[0, wrist, knee]
        ranks.append((found.score[1] >= found.score[1, knee, wrist]).sum())
    assert np.median(ranks) <= 10  # of 841; the shared beat ties spines and knees as well


@pytest.mark.parametrize(("method", "least_auc", "least_precision"),
                         list(zip(METHODS, (0.94, 0.98, 0.97, 0.96), (0.15, 0.35, 0.3, 0.2))), ids=IDS)  # fmt: skip
def test_planted_drives_are_told_from_the_other_pairs(method, least_auc, least_precision):
    areas, precisions, hits, right = [], [], [], []
    for seed in range(6):
        duet = synthetic.duet("drives", 300, seed=seed)
        found, matrix = method(duet), duet.coupling.matrix() > 0
        truth = np.stack([matrix[:29, 29:], matrix[29:, :29]])
        areas.append(metrics.auc(found.score, truth))
        precisions.append(metrics.average_precision(found.score, truth))  # guessing gives 6 / 1682
        for drive in duet.coupling.drives:
            way, i, j = "ab".index(drive.source[0]), JOINT_INDEX[drive.source[1]], JOINT_INDEX[drive.target[1]]
            hits.append(abs(found.lag[way, i, j] - drive.lag) <= 1)
            right.append(found.score[way, i, j] > found.score[1 - way, j, i])
    assert np.mean(areas) > least_auc and np.mean(precisions) > least_precision
    assert np.mean(hits) > 0.9 and np.mean(right) > 0.9


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_strings_do_not_depend_on_where_the_room_lies_or_who_is_called_a(method):
    duet = synthetic.duet("drives", 120, seed=7)
    here = method(duet, max_lag=0.5)
    there = method(cl.Duet(*(m.transformed((3, -1, 0), turn=1.2) for m in duet)), max_lag=0.5)
    np.testing.assert_allclose(there.score, here.score, atol=0.01)  # what float32 rounds off
    other = method(cl.Duet(duet.b, duet.a), max_lag=0.5)
    np.testing.assert_allclose(other.score, here.score[::-1], atol=1e-9)
    assert not here.score[:, 0].any() and not here.score[:, :, 0].any()


@pytest.mark.parametrize("method", METHODS, ids=IDS)
@pytest.mark.filterwarnings("error")
def test_a_dancer_who_stands_still_has_no_strings(method):
    duet = synthetic.duet("independent", 120, seed=8)
    frozen = cl.Motion(np.repeat(duet.b.positions[:1], 120, axis=0), 30.0, duet.b.skeleton)
    found = method(cl.Duet(duet.a, frozen), max_lag=0.5)
    np.testing.assert_allclose(found.score, 0, atol=1e-9)
    assert found.lag.min() >= 1


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_a_short_duet_is_refused(method):
    with pytest.raises(ValueError, match="smaller max_lag"):
        method(synthetic.duet("drives", 60, seed=0))


def marked(number, frames=100):
    """A duet whose every frame says who and when it is: x is the take, y the frame."""
    path = np.stack([np.full(frames, number), np.arange(frames), np.zeros(frames)], axis=-1)[:, None]
    return cl.Duet(*(cl.Motion(path, 10.0, cl.Skeleton(("pelvis",), (-1,))) for _ in "ab"))


def test_partner_swap_keeps_pairs_together_and_strangers_apart():
    seen = []

    def measure(a, b):
        (x, y), (u, v) = a.positions[0, 0, :2], b.positions[0, 0, :2]
        seen.append((len(a), len(b), x, y, u, v))
        return x == u

    found = partner_swap([marked(0), marked(1), marked(2, 75)], measure, seconds=2.5)
    assert len(found.true) == len(found.swapped) == 4 + 4 + 3
    assert found.true.all() and not found.swapped.any() and found.auc == 1
    true, swapped = np.array(seen[0::2]), np.array(seen[1::2])
    assert (true[:, :2] == 25).all() and (swapped[:, :2] == 25).all()
    assert (true[:, 3] == true[:, 5]).all() and list(true[:4, 3]) == [0, 25, 50, 75]
    assert len(set(swapped[:, 4])) == 3 and len(set(swapped[:, 5])) > 4  # every take, and many places in it
    again = partner_swap([marked(0), marked(1), marked(2, 75)], lambda a, b: b.positions[0, 0, 1], seconds=2.5)
    np.testing.assert_array_equal(again.swapped, swapped[:, 5])  # the same seed draws the same strangers


def test_strangers_can_come_from_elsewhere_and_windows_overlap():
    seen = []

    def measure(a, b):
        seen.append((a.positions[0, 0, 0], b.positions[0, 0, 0], a.positions[0, 0, 1]))
        return 0.0

    partner_swap([marked(0)], measure, seconds=2.5, hop=1.0, others=[marked(7), marked(8)])
    true, swapped = np.array(seen[0::2]), np.array(seen[1::2])
    assert (true[:, :2] == 0).all() and set(swapped[:, 1]) == {7, 8}
    assert list(true[:3, 2]) == [0, 10, 20]
    with pytest.raises(ValueError, match="12 s long"):
        partner_swap([marked(0)], measure, seconds=12, others=[marked(7)])


def test_own_steps_tell_a_carried_hand_from_one_that_follows():
    """The elbow is driven; the wrist goes where the elbow swings it. Only without its own steps does it seem driven."""
    drive = synthetic.Drive(("a", "left_knee"), ("b", "right_elbow"), 5, 0.9)
    ratio = {False: [], True: []}
    for seed in range(6):
        duet = synthetic.duet("drives", 120, seed=seed, drives=[drive])
        knee, elbow, wrist = (duet.a.skeleton.index(name) for name in ("left_knee", "right_elbow", "right_wrist"))
        for local, found in ratio.items():
            score = cross_correlation_coupling(duet, 0.5, whiten=5, local=local).score[0, knee]
            found.append(score[wrist] / score[elbow])
    assert np.mean(ratio[True]) < np.mean(ratio[False]) - 0.1
    for rival in (granger_coupling, ridge_coupling):
        assert not np.allclose(rival(duet, 0.5, local=True).score, rival(duet, 0.5).score)


def test_partner_swap_says_what_it_needs():
    with pytest.raises(ValueError, match="at least two"):
        partner_swap([marked(0)], lambda a, b: 0)
    with pytest.raises(ValueError, match="12 s long"):
        partner_swap([marked(0), marked(1)], lambda a, b: 0, seconds=12)


def pace_coupling(joints=None):
    return lambda a, b: metrics.coupling(cl.Duet(a, b), joints).peak.mean()


def test_coupling_tells_planted_canons_from_strangers():
    canons = [synthetic.duet("canon", 400, seed=seed) for seed in range(5)]
    assert partner_swap(canons, pace_coupling()).auc > 0.85


def test_coupling_tells_salsa_partners_from_strangers(real_data):
    """Training takes only; one seed of strangers gives 0.73 to 0.84 for all joints, 0.87 to 0.93 for the hands."""
    real_data("salsa")
    duets = [cl.load_duet(name) for name in cl.splits("salsa")["train"]]
    assert 0.7 < partner_swap(duets, pace_coupling()).auc < 0.9
    assert partner_swap(duets, pace_coupling(("left_wrist", "right_wrist"))).auc > 0.85
