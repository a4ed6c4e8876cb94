"""The nearest frames of a forecast as a mean of ridge regression and of the network's prediction."""

import pytest
import torch

import choreo_lib as cl
from choreo_lib.evaluation import baselines
from choreo_lib.extensions import DuetForecaster
from choreo_lib.extensions.ridge_blend import RidgeBlend
from choreo_lib.sets.windows import cut
from choreo_lib.training import artifacts, checkpoints

SIZES = {"past": 12, "ahead": 10, "features": 16, "heads": 2, "latent": 8, "hidden": 16, "residual_components": 4,
         "ridge_frames": 6}  # fmt: skip


@pytest.fixture(scope="module")
def windows():
    return cut([cl.synthetic.duet("canon", 90, seed=seed) for seed in range(4)], 22, 2)


@pytest.fixture(scope="module")
def ridge(windows):
    return baselines.Ridge("own", frames=10, penalty=1e-6).fit(windows, range(1, 7))


def forecaster(windows, **changes):
    torch.manual_seed(0)
    model = DuetForecaster(windows.skeleton, **SIZES | changes).eval()
    model.fit_statistics(windows.batches(64))
    return model


def test_it_regresses_as_the_baseline_does_and_is_stored_in_full(windows, ridge, tmp_path):
    model = forecaster(windows)
    model.ridge.fit(ridge.weights["a"])
    model.ridge.shares.fill_(1)
    checkpoints.write_weights(tmp_path / "model.safetensors", model, half=True)
    other = forecaster(windows)
    checkpoints.read_weights(tmp_path / "model.safetensors", other)
    batch = windows[::7]
    for who in "ab":
        partner = batch[:, 12:, "ba".index(who)]
        expected = ridge.predict(batch[:, :12], partner, range(1, 7), who)
        for each in (model, other):
            assert torch.allclose(each.predict(batch[:, :12], partner, range(1, 7), who), expected, atol=2e-5)


def test_the_share_is_that_of_the_nearer_one():
    blend, own, danced = RidgeBlend(3, 4, 6), torch.randn(50, 4, 6), torch.randn(50, 5, 6)
    with torch.no_grad():
        blend.weights.normal_(std=0.1)
    regressed = blend.regressed(own)
    truth = torch.cat([regressed, danced[:, 3:]], 1)
    blend.fit_shares([(own, danced, truth), (own, danced, truth)])
    assert blend.shares.tolist() == pytest.approx([1, 1, 2 / 3])  # the last tapers off
    assert torch.allclose(blend(own, danced)[:, :2], truth[:, :2])
    blend.fit_shares([(own, truth, truth + 1e-3 * danced)])
    truth[:, 0] = torch.lerp(danced[:, 0], regressed[:, 0], 0.25)
    blend.fit_shares([(own, danced, truth)])
    assert blend.shares[0] == pytest.approx(0.25) and torch.allclose(blend(own, danced)[:, 0], truth[:, 0], atol=1e-6)
    nothing = danced.clone()
    blend.fit_shares([(own, nothing, danced)])
    assert blend.shares.tolist() == [0, 0, 0] and torch.equal(blend(own, danced), danced)


def test_it_is_fitted_after_training_and_left_out_of_rollouts(windows, ridge):
    model = forecaster(windows)
    torch.nn.init.normal_(model.output_proj.weight, std=0.02)
    batch, take = windows[::9], cl.synthetic.duet("canon", 60, seed=9)
    plain = model.predict(batch[:, :12], batch[:, 12:, 0], [1, 6, 7])
    danced = model.rollout(take.a, take.b[:12], steps=25).positions
    model.fit_ridge(ridge.weights["a"], windows.batches(64))
    assert (model.ridge.shares > 0.25).all()  # the network has not learned anything
    blended = model.predict(batch[:, :12], batch[:, 12:, 0], [1, 6, 7])
    assert not torch.allclose(plain[:, :2], blended[:, :2], atol=1e-4) and torch.equal(plain[:, 2], blended[:, 2])
    assert (model.rollout(take.a, take.b[:12], steps=25).positions == danced).all()
    without = forecaster(windows, ridge_frames=0)
    without.fit_ridge(ridge.weights["a"], windows.batches(64))
    assert without.ridge is None and without.predict(batch[:, :12], batch[:, 12:, 0], [1]).isfinite().all()


def test_one_take_is_too_few_to_choose_a_penalty_and_enough_to_train(windows):
    model = forecaster(windows)
    artifacts.finish(model, windows.subset(windows.take == 0), windows.subset(windows.take == 1))
    assert not model.ridge.shares.any()
