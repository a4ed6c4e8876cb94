"""Forecasts without a network: worked by hand, by numpy's lstsq on stacked rows, and against the published table."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import choreo_lib as cl
from choreo_lib.evaluation.baselines import (
    ConstantVelocity,
    DampedVelocity,
    Ridge,
    ZeroVelocity,
    evaluate,
    ridge,
)
from choreo_lib.sets.augmentation import mirrored, swap_dancers
from choreo_lib.sets.windows import cut

JOINTS = ("pelvis", "spine3", "left_hip", "right_hip", "left_shoulder", "right_shoulder", "left_wrist", "right_wrist")
HORIZONS = (1, 4)
SALSA_19 = tuple("Hips Spine Spine3 Neck Head".split()) + tuple(
    side + part for side in ("Left", "Right") for part in "Arm ForeArm Hand UpLeg Leg Foot ToeBase".split()
)


@pytest.fixture(scope="module")
def train():
    """Windows of five past and four future frames, from four short dances."""
    takes = [cl.synthetic.duet("canon", frames=60, seed=seed, lag=3) for seed in range(4)]
    return cut(takes, 9, stride=4, joints=JOINTS)


@pytest.fixture(scope="module")
def unseen():
    return cut(cl.synthetic.duet("canon", frames=60, seed=9, lag=3), 9, stride=5, joints=JOINTS)


def moving(path):
    """Both dancers along a path [T]: x of a's joints is the path, y of b's joints is minus it."""
    skeleton = cl.Skeleton(("hips", "head"), (-1, 0))
    a, b = np.zeros((2, len(path), 2, 3))
    a[..., 0], b[..., 1] = np.array(path)[:, None], -np.array(path)[:, None]
    return cl.Duet(cl.Motion(a, 10, skeleton, source=cl.OURS), cl.Motion(b, 10, skeleton, source=cl.OURS))


# By hand


def test_standing_still_and_going_on():
    windows = cut(moving([0, 1, 3, 9, 27, 81, 243]), 7)
    past, partner = windows[:][:, :3], windows[:][:, 3:, 0]
    # b's last y is -3, and its last step -2: at 1 and 4 frames, -3 - 2 = -5 and -3 - 8 = -11
    assert ZeroVelocity().predict(past, partner, (1, 4))[0, :, :, 1].tolist() == [[-3, -3], [-3, -3]]
    assert ConstantVelocity().predict(past, partner, (1, 4))[0, :, :, 1].tolist() == [[-5, -5], [-11, -11]]
    assert ConstantVelocity().predict(past, None, (2,), who="a")[0, 0, 0].tolist() == [7, 0, 0]


def test_damping_is_found_where_it_is_known():
    # Each step is half the one before, so after h frames (1/2 + 1/4 + ... + 1/2^h) last steps: 1/2, 7/8, 63/64.
    windows = cut(moving(-(0.5 ** np.arange(20.0))), 9)
    model = DampedVelocity().fit(windows, (1, 3, 6))
    np.testing.assert_allclose([model.steps[h] for h in (1, 3, 6)], [0.5, 0.875, 63 / 64], rtol=1e-4)
    errors = evaluate({"damped": model}, windows, (1, 3, 6)).errors["damped"]
    assert errors.max() < 1e-6
    assert DampedVelocity().fit(cut(moving(np.zeros(20)), 9), (1, 3)).steps == {1: 0, 3: 0}  # where nobody moves


def test_the_table_is_the_mean_distance():
    # One window of frames 0 to 6. Standing still: a is off by 9 - 3 and 243 - 3, b as much, in each joint.
    windows = cut(moving([0, 1, 3, 9, 27, 81, 243]), 7)
    scores = evaluate({"repeat": ZeroVelocity(), "on": ConstantVelocity()}, windows, (1, 4))
    assert scores.errors["repeat"].shape == (1, 2, 2)
    # at 10 frames a second, 1 and 4 frames are 100 and 400 ms; going on: 9 - 5 and 243 - 11
    assert scores.table() == {
        "repeat": {"error_mm@100ms": 6000.0, "error_mm@400ms": 240_000.0},
        "on": {"error_mm@100ms": 4000.0, "error_mm@400ms": 232_000.0},
    }


def test_the_table_knows_the_roles():
    still = moving([0.0] * 7)
    duet = cl.Duet(moving([0, 1, 3, 9, 27, 81, 243]).a, still.b)  # only a moves
    scores = evaluate({"repeat": ZeroVelocity()}, cut(duet, 7), (1, 4))
    assert scores.table("a")["repeat"]["error_mm@100ms"] == 6000
    assert scores.table("b")["repeat"]["error_mm@100ms"] == 0
    assert scores.table()["repeat"]["error_mm@100ms"] == 3000


# Ridge, against another way to compute it


def rows_by_hand(windows, who, horizon, past, partner, mirror=False):
    """Features and displacements of one role, window by window, in numpy and complex numbers."""
    names = list(windows.skeleton.names)
    hips, shoulders = [names.index(s + "_hip") for s in ("left", "right")], [
        names.index(s + "_shoulder") for s in ("left", "right")]  # fmt: skip
    x, y = [], []
    for window in windows[:].double().numpy():
        if mirror:
            order = [names.index(n.replace("left", "@").replace("right", "left").replace("@", "right")) for n in names]
            window = window[:, :, order] * (-1, 1, 1)
        own, other = (window[:, 1], window[:, 0]) if who == "b" else (window[:, 0], window[:, 1])
        now = own[4]  # the last of five past frames
        across = now[hips[0]] - now[hips[1]] + now[shoulders[0]] - now[shoulders[1]]
        ahead = complex(across[1], -across[0])
        turn = ahead.conjugate() / abs(ahead)

        def seen(p, turn=turn, origin=complex(*now[0, :2])):
            flat = (p[..., 0] + 1j * p[..., 1] - origin) * turn
            return np.stack([flat.real, flat.imag, p[..., 2]], -1)

        parts = [np.ones(1)]
        for k in (2, 3, 4):  # three frames of it
            parts.append(seen(own[k]).ravel())
            if past == "both":
                parts.append(seen(other[k]).ravel())
        if partner:
            parts.append(seen(other[4 + horizon]).ravel())
        x.append(np.concatenate(parts))
        y.append((seen(own[4 + horizon]) - seen(now)).ravel())
    return np.array(x), np.array(y)


def solved_by_hand(x, y, penalty):
    """Least squares over the rows and, below them, the penalty as rows of its own."""
    below = np.sqrt(penalty * len(x)) * np.eye(x.shape[1])[1:]  # the constant pays nothing
    return np.linalg.lstsq(
        np.concatenate([x, below]), np.concatenate([y, np.zeros((len(below), y.shape[1]))]), rcond=None
    )[0]


@pytest.mark.parametrize("past, partner", [("own", False), ("both", False), ("both", True), ("own", True)])
@pytest.mark.parametrize("pooled", [False, True])
def test_ridge_is_least_squares_with_the_penalty_as_rows(train, unseen, past, partner, pooled):
    model = Ridge(past, partner, pooled, frames=3, penalty=1e-5).fit(train, HORIZONS)
    ours = evaluate({"ridge": model}, unseen, HORIZONS).errors["ridge"]
    for i, horizon in enumerate(HORIZONS):
        for own, who in enumerate("ab"):
            sources = [(w, m) for w in "ab" for m in (False, True)] if pooled else [(who, False)]
            rows = [rows_by_hand(train, w, horizon, past, partner, m) for w, m in sources]
            weights = solved_by_hand(*(np.concatenate(part) for part in zip(*rows)), 1e-5)
            x, y = rows_by_hand(unseen, who, horizon, past, partner)
            off = np.linalg.norm((x @ weights - y).reshape(len(x), -1, 3), axis=-1).mean(-1)
            np.testing.assert_allclose(ours[:, own, i], off, rtol=1e-3, atol=1e-6)


def test_the_penalty_is_the_one_that_predicts_held_out_takes(train):
    model = Ridge("both", True, True, frames=3).fit(train, HORIZONS)
    # four takes in three groups: the first two together, then one and one
    groups = [[0, 1], [2], [3]]
    for horizon in HORIZONS:
        missed = np.zeros((len(ridge.PENALTIES), len(train.skeleton)))
        for held in groups:
            inside = torch.isin(train.take, torch.tensor(held))
            rows, tests = ([rows_by_hand(train.subset(m), w, horizon, "both", True, mirror)
                            for w in "ab" for mirror in seen] for m, seen in ((~inside, (False, True)),
                                                                              (inside, (False,))))  # fmt: skip
            x, y = (np.concatenate(part) for part in zip(*rows))
            u, v = (np.concatenate(part) for part in zip(*tests))
            missed += [np.linalg.norm((u @ solved_by_hand(x, y, p) - v).reshape(len(u), -1, 3), axis=2).sum(0)
                       for p in ridge.PENALTIES]  # fmt: skip
        assert model.penalties["b"][horizon] == [ridge.PENALTIES[k] for k in missed.argmin(0)]  # each joint's own
        assert model.penalties["a"] == model.penalties["b"]


@pytest.mark.parametrize("horizons, targets", [(2, 3), (1, 9)])  # the second also by squares, from sums alone
@pytest.mark.parametrize("penalty", [1e-9, 1e-2, 1.0, 100.0])
def test_errors_on_rows_held_out_are_those_of_the_regression_on_the_rest(penalty, horizons, targets):
    """By hand, row by row; the constant must be free where means are far from 0."""
    rng = np.random.default_rng(4)
    x = np.c_[np.ones(60), rng.normal(2, 1, (60, 5))]
    y = np.stack([x @ rng.normal(size=(6, targets)) + rng.normal(3, 0.3, (60, targets)) for _ in range(horizons)], 1)
    sums = [
        [torch.from_numpy(np.asarray(each)) for each in
         (X.T @ X, np.einsum("nc,nhk->chk", X, Y), (Y**2).sum((0, 2)))] + [len(X)]
        for X, Y in ((x[:20], y[:20]), (x[20:], y[20:]))
    ]  # fmt: skip
    penalties = [penalty, 2 * penalty]
    rows = [torch.from_numpy(each[:20]) for each in (x, y)]
    distances = ridge._held_out_distances(rows, sums[1], penalties, 0)  # [2, H, K / 3]
    squares = ridge._held_out_squares(*sums, penalties) if horizons == 1 else None  # [2, 1, 1]
    for h in range(horizons):
        for k in (1, 2):
            missed = y[:20, h] - x[:20] @ solved_by_hand(x[20:], y[20:, h], k * penalty)
            off = np.linalg.norm(missed.reshape(len(missed), -1, 3), axis=2).sum(0)
            np.testing.assert_allclose(distances[k - 1, h], off, rtol=1e-6)
            if squares is not None:
                assert float(squares[k - 1, h, 0]) == pytest.approx((missed**2).sum(), rel=1e-6)



def test_smooth_movement_has_smaller_penalties_than_a_billionth(train):
    """Weights of a next frame are large and cancel each other: at 1e-9 they were held too small."""
    chosen = Ridge("own", frames=8).fit(train, (1,)).penalties["b"][1]
    assert np.median(chosen) < 1e-9


def test_a_glitch_does_not_choose_the_penalty():
    """Of a hundred rows held out, one is seen wrong: it costs more squares than all others, and fewer distances."""
    rng = np.random.default_rng(0)
    x = np.c_[np.ones(400), rng.normal(size=400), 1e-3 * rng.normal(size=400)]
    y = (x[:, 1] + 100 * x[:, 2])[:, None, None] * np.ones(3)
    x[350, 2] = -0.05
    halves = [(torch.from_numpy(x[k]), torch.from_numpy(y[k])) for k in (slice(300), slice(300, 400))]
    parts = [(X.T @ X, torch.einsum("nc,nhk->chk", X, Y), (Y**2).sum((0, 2)), len(X)) for X, Y in halves]
    assert ridge.fit_ridge(parts, (1e-9, 1e-3), 0, halves)[0] == [[1e-9]]
    assert ridge.fit_ridge(parts, (1e-9, 1e-3), 0)[0] == [[1e-3]]


# What every forecaster keeps


@pytest.fixture(scope="module")
def fitted(train):
    models = {
        "repeat": ZeroVelocity(),
        "constant velocity": ConstantVelocity(),
        "damped velocity": DampedVelocity(),
        "own": Ridge("own", frames=4, penalty=1e-6),
        "partner": Ridge("both", True, frames=4, penalty=1e-6),
        "one per role": Ridge("both", True, False, frames=4, penalty=1e-6),
    }
    return {name: model.fit(train, HORIZONS) for name, model in models.items()}


def test_nobody_sees_what_comes_later(fitted, unseen):
    batch = unseen[:4]
    for name, model in fitted.items():
        before = model.predict(batch[:, :5], batch[:, 5:, 0], HORIZONS)
        later = batch[:, 5:, 0] + torch.tensor([0, 0, 0, 1.0]).reshape(
            1, 4, 1, 1
        )  # the partner moves in the last frame
        after = model.predict(batch[:, :5], later, HORIZONS)
        assert torch.equal(before[:, 0], after[:, 0])
        assert torch.equal(before[:, 1], after[:, 1]) == (name not in ("partner", "one per role"))
        assert before.shape == (4, 2, 8, 3) and before.dtype == torch.float32
        elsewhere = batch[:, :5] + torch.tensor([1.0, 0]).reshape(2, 1, 1)  # the partner's past is another
        alone = torch.equal(before, model.predict(elsewhere, batch[:, 5:, 0], HORIZONS))
        assert alone == (name not in ("partner", "one per role"))


def test_moving_the_world_moves_the_forecast(fitted, unseen):
    batch = unseen[:4].double()
    turn = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]).double()  # a quarter turn, exactly
    shift = torch.tensor([7.0, -3.0, 0.0]).double()
    there = batch @ turn.T + shift
    for model in fitted.values():
        for who, other in (("a", 1), ("b", 0)):
            here = model.predict(batch[:, :5], batch[:, 5:, other], HORIZONS, who)
            moved = model.predict(there[:, :5], there[:, 5:, other], HORIZONS, who)
            torch.testing.assert_close(here @ turn.T + shift, moved, atol=1e-6, rtol=0)


def test_what_was_pooled_knows_no_role_and_no_side(fitted, unseen):
    batch, skeleton = unseen[:4].double(), unseen.skeleton
    swap, glass = swap_dancers(batch), mirrored(batch, skeleton)
    for name, model in fitted.items():
        here = model.predict(batch[:, :5], batch[:, 5:, 0], HORIZONS)
        as_a = model.predict(swap[:, :5], swap[:, 5:, 1], HORIZONS, "a")
        other = mirrored(model.predict(glass[:, :5], glass[:, 5:, 0], HORIZONS), skeleton)
        assert torch.allclose(here, as_a, atol=1e-6) == (name != "one per role")
        assert torch.allclose(here, other, atol=1e-6) == (name != "one per role")


def test_a_longer_past_changes_nothing(fitted):
    """The same targets foretold from windows of more past: what a network may want, a baseline does not use."""
    take = cl.synthetic.duet("canon", frames=60, seed=9, lag=3)
    short, long = cut(take, 9, joints=JOINTS), cut(take, 15, joints=JOINTS)
    few, many = (evaluate(fitted, windows, HORIZONS).errors for windows in (short, long))
    for name in fitted:
        torch.testing.assert_close(few[name][6:], many[name])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_forecasts_are_the_same_on_a_gpu(fitted, train, unseen):
    here, there = (evaluate(fitted, windows, HORIZONS).errors for windows in (unseen, unseen.to("cuda")))
    again = Ridge("both", True, frames=4, penalty=1e-6).fit(train.to("cuda"), HORIZONS)
    for name in fitted:
        torch.testing.assert_close(here[name], there[name], atol=1e-5, rtol=0)
    again = evaluate({"partner": again}, unseen, HORIZONS).errors["partner"]
    torch.testing.assert_close(again, here["partner"], atol=1e-5, rtol=0)


def test_what_cannot_be_foretold_is_said(train, fitted):
    take = cl.synthetic.duet("canon", frames=60)
    with pytest.raises(
        ValueError, match="the past has 5 frames and this ridge looks at 10; cut windows of at least 14"
    ):
        Ridge().fit(train, HORIZONS)
    with pytest.raises(ValueError, match="there is one take; give penalty="):
        Ridge(frames=3).fit(cut(take, 9, joints=JOINTS), HORIZONS)
    with pytest.raises(ValueError, match="two dancers, horizons from 1 on, and 32 frames or more"):
        evaluate({"repeat": ZeroVelocity()}, cut(take.a, 40))
    with pytest.raises(ValueError, match="windows of 20 frames"):
        evaluate({"repeat": ZeroVelocity()}, cut(take, 20))
    past = train[:2][:, :5]
    with pytest.raises(ValueError, match=r"horizons \(2,\) asked for; fitted were \(1, 4\)"):
        fitted["own"].predict(past, None, (2,))
    for partner in (None, past[:, :3, 0]):
        with pytest.raises(ValueError, match="give the partner's 4 frames"):
            fitted["partner"].predict(past, partner, HORIZONS)
    with pytest.raises(ValueError, match="a past of 3 frames, and this ridge looks at 4"):
        fitted["own"].predict(past[:, :3], None, HORIZONS)
    for wrong in (dict(past="mine"), dict(penalty=0.0)):
        with pytest.raises(ValueError, match="past is"):
            Ridge(**wrong)


# The published table

# 19 joints, both roles, mm at 33/100/200/400/600/1,000 ms, computed by other code before this library had any
TABLE = {
    "validation": {
        "repeat": (14, 42, 81, 146, 194, 258),
        "constant velocity": (3.4, 19, 58, 164, 274, 489),
        "damped velocity": (3.5, 19, 54, 126, 183, 259),
        "one per role": (2.9, 10.5, 21.6, 39.4, 55.5, 87.4),
        "pooled": (3.3, 11.7, 24.6, 45.6, 64.7, 97.5),
    },
    "test": {
        "repeat": (13, 39, 75, 139, 191, 268),
        "constant velocity": (2.6, 14.6, 45, 130, 226, 410),
        "damped velocity": (2.8, 15.7, 44.9, 110, 168, 254),
        "one per role": (6.6, 25.5, 58, 123, 181, 291),
        "pooled": (5.3, 20.8, 49.7, 108, 163, 262),
    },
}


@pytest.mark.slow
def test_the_published_table_is_met(real_data):
    """Within 10 %, with 64 past frames a window and one penalty for all horizons, which meet it best on validation."""
    real_data("salsa")
    split = cl.splits("salsa")
    take = lambda role: [cl.load_duet(name) for name in split[role]]  # noqa: E731
    train = cut(take("train"), 40, stride=4, joints=SALSA_19)
    models = {
        "repeat": ZeroVelocity(),
        "constant velocity": ConstantVelocity(),
        "damped velocity": DampedVelocity(),
        "one per role": Ridge("both", True, False, penalty=7e-5),
        "pooled": Ridge("both", True, penalty=7e-5),
    }
    for model in models.values():
        model.fit(train)
    for role, wanted in TABLE.items():
        found = evaluate(models, cut(take(role), 94, joints=SALSA_19)).table()
        for row, numbers in wanted.items():
            assert list(found[row]) == [f"error_mm@{ms}ms" for ms in (33, 100, 200, 400, 600, 1000)]
            np.testing.assert_allclose(list(found[row].values()), numbers, rtol=0.1, err_msg=f"{role}: {row}")


@pytest.mark.slow
def test_a_chosen_penalty_beats_a_fixed_one_where_it_was_not_chosen(real_data):
    """On the validation take, which has no part in the choice: at the short horizons by more than half."""
    real_data("salsa")
    split = cl.splits("salsa")
    train = cut([cl.load_duet(name) for name in split["train"]], 40, stride=8, joints=SALSA_19)
    models = {"fixed": Ridge("own", penalty=7e-5).fit(train), "chosen": Ridge("own").fit(train)}
    table = evaluate(models, cut(cl.load_duet(split["validation"][0]), 64, joints=SALSA_19)).table()
    fixed, chosen = (np.array(list(table[row].values())) for row in ("fixed", "chosen"))
    assert (chosen < fixed).all() and (chosen[:2] < 0.5 * fixed[:2]).all()
