"""Judges of translations and deepfakes: what they say of a model that knows the answer, and of one that does not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import choreo_lib as cl
from choreo_lib import evaluation
from choreo_lib.body.reference import reference_frame
from choreo_lib.body.skeleton import positions_of
from choreo_lib.evaluation import baselines, rotations
from choreo_lib.extensions import VAERNN
from choreo_lib.sets import windows

SIZES = {"frames": 16, "latent": 32, "codes": 2, "hidden": 8, "dense": 8, "form": "6d"}


def couple(seed, frames=160):
    """A dancer and a shadow in the same place, shorter and stooping, so that there is a manner to be seen."""
    a = cl.synthetic.duet("canon", frames, seed=seed).a
    stooped = a.rotations.copy()
    stooped[:, a.skeleton.index("spine1")] = [np.sin(0.3), 0.0, 0.0, np.cos(0.3)]
    short = cl.synthetic.body(1.55)
    return cl.Duet(a, cl.Motion.from_rotations(stooped, a.positions[:, 0], 30, short, source=cl.OURS))


@pytest.fixture(scope="module")
def cuts():
    return [windows.cut([couple(seed) for seed in seeds], 16, 8, rotations=True)
            for seeds in (range(12), range(600, 602))]


class Knows(VAERNN):
    """Answers with the recording: what it reads it throws away."""

    def told(self, batch, route):
        heard, self.said, frame, body = super().told(batch, route)
        return heard, self.said, frame, body

    def decode(self, codes, who, beside=None):
        x = self.said if len(self.said) == len(codes) else super().decode(codes, who, beside)[0]
        return x, self.rotations(x), x[..., -3:] + (0 if self.fakes else beside)


@pytest.mark.parametrize("kind", [VAERNN, Knows])
def test_a_translation_is_judged_beside_its_rivals(cuts, kind):
    train, asked = cuts
    model = kind(train.skeleton, ("ab",), **SIZES)
    model.fit_statistics(train.batches(64))
    rows = evaluation.evaluate_translation(model, train, asked)
    assert list(rows) == ["model", "ridge", "usual partner", "danced"]
    assert rows["ridge"]["error_mm"] < 0.5 * rows["usual partner"]["error_mm"]  # a shadow is nearly a straight line
    assert rows["ridge"]["pair_auc"] > 0.95
    told = rows["model"]
    assert told["error_mm"] == told["error_mm_ab"] and set(told) >= {
        "root_mm", "aligned_mm", "degrees", "kl_nats", "active_units", "jerk_ratio", "speed_ratio", "skate_ratio",
        "beyond_percent", "seam_ratio"}
    assert told["seam_ratio"] > 0 and rows["danced"]["beyond_percent"] < 10
    if kind is Knows:
        assert told["error_mm"] < 0.01 and told["degrees"] < 0.05 and told["pair_auc"] == 1.0
    else:  # untrained: about the usual partner, and not better than a straight line
        assert rows["ridge"]["error_mm"] < told["error_mm"] < 2 * rows["usual partner"]["error_mm"]


def test_a_deepfake_is_judged_both_ways(cuts):
    train, asked = cuts
    model = VAERNN(train.skeleton, ("aa", "bb"), shortcut=True, **SIZES)
    model.fit_statistics(train.batches(64))
    rows = evaluation.evaluate_deepfake(model, train, asked)
    assert rows["danced"]["right_percent"] > 95 and rows["own"]["right_percent"] > 90
    told = rows["model"]
    assert told["rebuilt_mm"] == pytest.approx(rows["components"]["rebuilt_mm"], rel=1e-4)  # its networks are untrained
    assert told["rebuilt_mm"] < 40 and told["speed_correlation"] > 0.5
    assert told["taken_percent"] > 60  # the stoop is most of the manner, and goes with the usual pose
    for name in ("taken_percent", "rebuilt_mm", "speed_correlation"):
        assert told[name] == pytest.approx((told[f"{name}_ab"] + told[f"{name}_ba"]) / 2)


def test_manner_sees_no_bones_and_no_place(cuts):
    train, asked = cuts
    manner = evaluation.IdentityClassifier(train, steps=40)
    batch = asked[:8][:, :, 0]
    other = batch.clone()
    other[..., 1:, :3] *= 1.4  # another body
    moved = cl.augmentation.turned(batch[:, :, None], torch.linspace(-3, 3, 8))[:, :, 0]
    moved[..., 0, :2] += 5.0
    torch.testing.assert_close(manner.seen(other), manner.seen(batch))
    torch.testing.assert_close(manner.seen(moved), manner.seen(batch), rtol=1e-3, atol=1e-3)
    again = evaluation.IdentityClassifier(train, steps=40)
    assert all(torch.equal(p, q) for p, q in zip(manner.parameters(), again.parameters(), strict=True))


def test_what_is_beyond_the_training_takes_is_counted(cuts):
    train, _ = cuts
    dancer = windows.takes_of(train)[0].a
    assert rotations._beyond(train, dancer, "a") == 0
    wild = dancer.rotations.copy()
    wild[:, 5] = [1.0, 0.0, 0.0, 0.0]
    share = rotations._beyond(train, replace(dancer, rotations=wild), "a")
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


def test_the_usual_partner_is_the_mean(cuts):
    train = replace(cuts[0], frames=positions_of(cuts[0].skeleton, cuts[0].frames))
    usual = baselines.MeanPartner().fit(train)
    seen = []
    for batch in (train[:], cl.augmentation.mirrored(train[:], train.skeleton)):
        seen.append(reference_frame(batch, 8, train.skeleton, of="a").to_local(batch)[:, :, 1])
    want = torch.cat(seen).mean(0)
    made = reference_frame(train[:3], 8, train.skeleton, of="a").to_local(usual.predict(train[:3]))
    torch.testing.assert_close(made, want.expand(3, -1, -1, -1), rtol=1e-3, atol=1e-4)


def test_windows_are_written_by_a_model_at_rest(cuts):
    train, asked = cuts
    torch.manual_seed(0)
    model = VAERNN(train.skeleton, ("ab",), **SIZES, layers=2, dropout=0.5)
    model.fit_statistics(train.batches(64))
    one, other = (evaluation.written(model.train(), asked[:4], "ab") for _ in range(2))
    assert one.shape == (4, 16, len(train.skeleton), 3) and torch.equal(one, other) and not model.training
