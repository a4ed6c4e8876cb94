"""How models are judged: the same windows for everybody, and rows that are known beforehand."""

import numpy as np
import pytest
import torch

from choreo_lib import evaluation
from choreo_lib.body.reference import reference_frame
from choreo_lib.extensions import DuetForecaster
from choreo_lib.sets import synthetic, windows


@pytest.fixture(scope="module")
def judged():
    duets = [synthetic.duet("canon", 300, seed=seed) for seed in range(4)]
    train, asked = windows.cut(duets[:3], 44, stride=12), windows.cut(duets[3], 44, stride=12)
    torch.manual_seed(0)
    model = DuetForecaster(train.skeleton, past=14, features=16, heads=2, latent=4, hidden=8, residual_components=16)
    model.fit_statistics(train.batches(64))
    model.fit_residuals(train.batches(64))
    kept = ("pelvis", "head", "hip", "shoulder", "knee", "wrist")  # ridges of all joints would take half a minute
    joints = [name for name in train.skeleton.names if name.endswith(kept)]
    return duets, train, asked, joints, evaluation.evaluate_duet(model, train, asked, joints, seconds=8.0)


def test_an_untrained_model_glides_on(judged):
    """Nine steps tell more of the next than the one that `baselines.DampedVelocity` knows, and nothing of the far."""
    rows = judged[-1]
    near, far = "error_mm@33ms", "error_mm@1000ms"
    assert rows["model"][near] < 0.5 * rows["damped velocity"][near]
    assert rows["model"][far] == pytest.approx(rows["damped velocity"][far], rel=0.1)
    assert rows["repeat"][far] > 100


def test_who_does_not_look_at_the_partner_is_not_misled_by_a_stranger(judged):
    rows = judged[-1]
    assert rows["stranger"]["error_mm@1000ms"] == pytest.approx(rows["model"]["error_mm@1000ms"], rel=1e-3)


def test_samples_and_rollouts_are_measured(judged):
    model = judged[-1]["model"]
    assert 1 < model["samples_over_sure"] < 2 and 0.2 < model["best_of_10_over_mean"] < 1
    assert model["bones_percent"] < 0.1 and 0 <= model["apart_percent"] <= 100
    assert 0 < model["speed_ratio"] < 1  # a speed that tires comes to rest
    assert 0 <= model["leaders_ratio"] < 0.2  # who listens to nobody dances the same for everyone
    assert 0 <= model["coupling_auc"] <= 1 and judged[-1]["danced"]["coupling_auc"] > 0.5


def test_takes_come_back_whole(judged):
    duets, train, *_ = judged
    for take, duet in zip(windows.takes_of(train), duets):
        np.testing.assert_array_equal(take.positions, duet.positions)


def test_windows_of_some_joints_are_as_if_cut_so(judged):
    duets, train, _, joints, _ = judged
    narrow, cut = train.with_joints(joints), windows.cut(duets[:3], 44, stride=12, joints=joints)
    assert torch.equal(narrow[:], cut[:]) and narrow.skeleton == cut.skeleton


def test_a_stranger_stands_where_the_true_partner_stands_and_dances_his_own_dance(judged):
    """The same place and heading at the last known frame; what he does there is another take's."""
    _, train, asked, _, _ = judged

    class Watched:
        skeleton = train.skeleton

        def predict(self, past, partner, horizons, who):
            self.past, self.partner = past, partner

    watched, batch = Watched(), asked[:5]
    evaluation.ShuffledPartner(watched, train).predict(batch[:, :14], batch[:, 14:, 0], [30], "b")
    assert torch.equal(watched.past[:, :, 1], batch[:, :14, 1]) and watched.partner.shape == batch[:, 14:, 0].shape
    shown = torch.cat([watched.past, torch.stack([watched.partner] * 2, 2)], 1)
    there, here = (reference_frame(x, 13, train.skeleton, of="a") for x in (shown, batch))
    torch.testing.assert_close(there.origin, here.origin, atol=1e-4, rtol=0)
    torch.testing.assert_close((there.heading - here.heading).cos(), torch.ones(5), atol=1e-6, rtol=0)
    seen, known = (
        reference_frame(x, 13, train.skeleton, of="a").to_local(x[:, :, 0]) for x in (shown, train[:])
    )
    nearest = (seen[:, None] - known).abs().amax((2, 3, 4)).amin(1)  # [5]
    assert (nearest < 1e-4).all()
