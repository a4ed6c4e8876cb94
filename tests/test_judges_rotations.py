"""How translations and deepfakes are evaluated: of a model that knows the answer, and of one that does not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import choreo_lib as cl
from choreo_lib import evaluation
from choreo_lib.body.kinematics import positions_of
from choreo_lib.body.reference import reference_frame
from choreo_lib.evaluation import baselines, rotations
from choreo_lib.extensions import MotionTranslator, StyleTransport
from choreo_lib.sets import windows
from choreo_lib.systems import VAERNN

SIZES = {"frames": 16, "latent": 32, "segments": 2, "hidden": 8, "dense": 8, "rotation_format": "6d"}


def couple(seed, frames=160):
    """A dancer and a shadow in the same place, shorter and stooping, so that there is a style to be seen."""
    a = cl.synthetic.duet("canon", frames, seed=seed).a
    stooped = a.rotations.copy()
    stooped[:, a.skeleton.index("spine1")] = [np.sin(0.3), 0.0, 0.0, np.cos(0.3)]
    short = cl.synthetic.body(1.55)
    return cl.Duet(a, cl.Motion.from_rotations(stooped, a.positions[:, 0], 30, short, source=cl.OURS))


@pytest.fixture(scope="module")
def cuts():
    return [windows.cut([couple(seed) for seed in seeds], 16, 8, rotations=True)
            for seeds in (range(12), range(600, 602))]


class Knows(MotionTranslator):
    """Predicts the recording, whatever the latents are."""

    def source_and_target(self, batch, route):
        source, self.target, frame, bones = super().source_and_target(batch, route)
        return source, self.target, frame, bones

    def decode(self, latent, who, origin=0.0):
        fits = len(self.target) == len(latent)
        return self.decoded(self.target, origin) if fits else super().decode(latent, who, origin)


@pytest.mark.parametrize("kind", [MotionTranslator, Knows])
def test_a_translation_is_evaluated_beside_its_baselines(cuts, kind):
    train, asked = cuts
    model = kind(train.skeleton, **SIZES)
    model.fit_statistics(train.batches(64))
    rows = evaluation.evaluate_translation(model, train, asked)
    assert list(rows) == ["model", "ridge", "mean partner", "ground truth"]
    assert rows["ridge"]["error_mm"] < 0.5 * rows["mean partner"]["error_mm"]  # a shadow is nearly a straight line
    assert rows["ridge"]["pair_auc"] > 0.95
    measured = rows["model"]
    assert measured["error_mm"] == measured["error_mm_ab"] and set(measured) >= {
        "root_error_mm", "aligned_error_mm", "rotation_error_deg", "kl_nats", "active_units",
        "jerk_ratio", "speed_ratio", "foot_skate_ratio", "out_of_range_percent", "seam_ratio"}
    assert measured["seam_ratio"] > 0 and rows["ground truth"]["out_of_range_percent"] < 10
    if kind is Knows:
        assert measured["error_mm"] < 0.01 and measured["rotation_error_deg"] < 0.05 and measured["pair_auc"] == 1.0
    else:  # untrained: about the mean partner, and not better than a straight line
        assert rows["ridge"]["error_mm"] < measured["error_mm"] < 2 * rows["mean partner"]["error_mm"]


def test_a_deepfake_is_evaluated_both_ways(cuts):
    train, asked = cuts
    linear = StyleTransport(train.skeleton)
    linear.fit_statistics(train.batches(64))
    torch.manual_seed(0)
    network = VAERNN(train.skeleton, routes=("aa", "bb"), frames=16, latent=8, hidden=8, dense=8)
    name = "style_transfer_accuracy_percent"
    rows, untrained = (evaluation.evaluate_deepfake(model, train, asked) for model in (linear, network))
    assert list(rows) == ["model", "mean matching", "ground truth"]
    assert rows["ground truth"]["classifier_accuracy_percent"] > 95
    measured = rows["model"]
    assert measured["speed_correlation"] > 0.9
    assert measured[name] > 90 and rows["mean matching"][name] > 90  # the stoop is most of the style: a mean pose
    assert untrained["model"][name] == pytest.approx(50, abs=15) and untrained["model"]["speed_correlation"] < 0.9
    for each in (name, "speed_correlation", "jerk_ratio", "foot_skate_ratio"):
        assert measured[each] == pytest.approx((measured[f"{each}_ab"] + measured[f"{each}_ba"]) / 2)


def test_the_classifier_sees_no_bones_and_no_place(cuts):
    train, asked = cuts
    classifier = evaluation.IdentityClassifier(train, steps=40)
    batch = asked[:8][:, :, 0]
    other = batch.clone()
    other[..., 1:, :3] *= 1.4  # another body
    moved = cl.augmentation.turned(batch[:, :, None], torch.linspace(-3, 3, 8))[:, :, 0]
    moved[..., 0, :2] += 5.0
    torch.testing.assert_close(classifier.features(other), classifier.features(batch))
    torch.testing.assert_close(classifier.features(moved), classifier.features(batch), rtol=1e-3, atol=1e-3)
    again = evaluation.IdentityClassifier(train, steps=40)
    assert all(torch.equal(p, q) for p, q in zip(classifier.parameters(), again.parameters(), strict=True))


def test_what_is_beyond_the_training_takes_is_counted(cuts):
    train, _ = cuts
    dancer = windows.takes_of(train)[0].a
    assert rotations._out_of_range(train, dancer, "a") == 0
    wild = dancer.rotations.copy()
    wild[:, 5] = [1.0, 0.0, 0.0, 0.0]
    share = rotations._out_of_range(train, replace(dancer, rotations=wild), "a")
    assert share == pytest.approx(100 / (len(dancer.skeleton) - 1), rel=1e-3)


def test_a_translation_by_ridge_is_the_solution_of_its_equations(cuts):
    train, asked = (replace(cut, frames=positions_of(cut.skeleton, cut.frames)) for cut in cuts)
    ridge = baselines.RidgeTranslation().fit(train, "ba")
    xs, ys = [], []
    for batch in (train[:], cl.augmentation.mirrored(train[:], train.skeleton)):
        frame = reference_frame(batch, 8, train.skeleton, of="b")
        seen = frame.to_local(batch).double()
        xs.append(torch.cat([torch.ones(len(seen), 1), seen[:, ::4, 1].flatten(1)], 1))
        ys.append(seen[:, :, 0].flatten(1))
    x, y = torch.cat(xs), torch.cat(ys)
    price = ridge.penalty * len(x) * torch.eye(x.shape[1], dtype=torch.float64)
    price[0, 0] = 0
    torch.testing.assert_close(ridge.weights, torch.linalg.solve(x.T @ x + price, x.T @ y), rtol=1e-3, atol=1e-5)
    batch = asked[:5]
    frame = reference_frame(batch, 8, asked.skeleton, of="b")
    columns = torch.cat([torch.ones(5, 1), frame.to_local(batch)[:, ::4, 1].flatten(1)], 1).double()
    want = frame.to_world((columns @ ridge.weights).unflatten(1, (16, -1, 3)).float())
    torch.testing.assert_close(ridge.predict(batch), want, rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="one take"):
        baselines.RidgeTranslation().fit(train.subset(train.take == 0))


def test_the_mean_partner_is_the_mean(cuts):
    train = replace(cuts[0], frames=positions_of(cuts[0].skeleton, cuts[0].frames))
    partner = baselines.MeanPartner().fit(train)
    seen = []
    for batch in (train[:], cl.augmentation.mirrored(train[:], train.skeleton)):
        seen.append(reference_frame(batch, 8, train.skeleton, of="a").to_local(batch)[:, :, 1])
    want = torch.cat(seen).mean(0)
    made = reference_frame(train[:3], 8, train.skeleton, of="a").to_local(partner.predict(train[:3]))
    torch.testing.assert_close(made, want.expand(3, -1, -1, -1), rtol=1e-3, atol=1e-4)


def test_windows_are_predicted_without_dropout_and_the_mode_stays(cuts):
    train, asked = cuts
    torch.manual_seed(0)
    model = MotionTranslator(train.skeleton, **SIZES, layers=2, dropout=0.5)
    model.fit_statistics(train.batches(64))
    one, other = (evaluation.predicted_positions(model.train(), asked[:4], "ab") for _ in range(2))
    assert one.shape == (4, 16, len(train.skeleton), 3) and torch.equal(one, other) and model.training
