"""The solo model: what goes in comes out, time is time, and every part learns."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import choreo_lib as cl
from choreo_lib.extensions import SoloVAE
from choreo_lib.extensions.solo_vae import between
from choreo_lib.sets import augmentation, synthetic, windows
from choreo_lib.systems.losses import Schedule


@pytest.fixture(scope="module")
def train():
    return windows.cut([m for seed in range(3) for m in synthetic.duet("canon", 300, seed=seed)], 16, stride=2)


def small(train, **wishes):
    torch.manual_seed(0)
    model = SoloVAE(train.skeleton, **{"frames": train.length, "latent": 24, "hidden": 32, **wishes})
    model.fit_statistics(train.batches(1024))
    return model


def test_before_training_it_is_principal_components(train):
    """Against NumPy's singular values, another way to the same subspace."""
    model = small(train).eval()
    x = model.seen(train[:])[0]
    flat = x.flatten(1).double().numpy()
    axes = np.linalg.svd(flat - flat.mean(0), full_matrices=False)[2][:24]
    want = (flat - flat.mean(0)) @ axes.T @ axes + flat.mean(0)
    with torch.no_grad():
        got = model.decode(model.encode(x)[0]).flatten(1).numpy()
        codes = model.encode(x)[0]
    error = [np.sqrt(((each - flat) ** 2).mean()) for each in (got, want)]
    assert error[0] < 1.02 * error[1]
    assert codes.std(0).numpy() == pytest.approx(np.ones(24), abs=0.05) and abs(codes.mean()) < 1e-3


def test_where_the_dancer_stands_does_not_matter(train):
    model = small(train).eval()
    batch = train[::40]
    moved = augmentation.turned(batch, torch.full((len(batch),), 2.0)) + torch.tensor([3.0, -2.0, 0.0])
    torch.testing.assert_close(model.seen(batch)[0], model.seen(moved)[0], atol=1e-4, rtol=0)


def test_the_convolution_runs_along_time(train):
    """A change at one frame before the smoothing touches that frame and its two neighbours, and no other."""
    model = small(train, shortcut=False)
    x = torch.randn(1, model.to_pose.out_features, 16)
    y = x.clone()
    y[:, :, 7] += 1
    changed = (model.smoother(x) - model.smoother(y)).abs().amax((0, 1)) > 1e-6
    assert changed.nonzero().flatten().tolist() == [6, 7, 8]


def test_every_part_gets_a_gradient(train):
    model = small(train)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    for step in range(3):  # the first steps open the way: what starts at zero lets nothing through at once
        optimiser.zero_grad()
        model.loss(train[:64], step)["loss"].backward()
        optimiser.step()
    still = [name for name, p in model.named_parameters() if p.requires_grad and not p.grad.abs().sum() > 0]
    assert still == [] and "axes" not in dict(model.named_parameters())  # the components are not trained


def test_it_overfits_one_batch_below_its_components(train):
    model = small(train, latent=8, kl=Schedule(0.0))
    few = train.subset(torch.arange(0, 64, 4))
    with torch.no_grad():
        before = float(model.eval().loss(few[:], None)["error_m"])
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    for step in range(200):
        optimiser.zero_grad()
        model.loss(few[:], step)["loss"].backward()
        optimiser.step()
    with torch.no_grad():
        assert float(model.eval().loss(few[:], None)["error_m"]) < 0.5 * before


def test_noise_only_while_training_and_the_price_of_the_kl(train):
    model = small(train, kl=Schedule(0.5, "warm-up", wait=5, rise=0))
    batch = train[:32]
    assert model.eval().loss(batch, None)["squared"] == model.loss(batch, None)["squared"]
    model.train()
    assert model.loss(batch, 0)["squared"] != model.loss(batch, 0)["squared"]
    for step, price in ((0, 0.0), (9, 0.5)):
        told = {name: value.item() for name, value in model.loss(batch, step).items()}
        assert told["loss"] == pytest.approx(told["squared"] + price * told["kl_nats"], rel=1e-5)


def test_single_poses(train):
    poses = windows.cut(cl.load_duet("synthetic/canon").a, 1, stride=3)
    model = small(poses, frames=1, latent=8)
    assert model.decode(model.encode(model.seen(poses[:5])[0])[0]).shape == (5, 1, 29 * 3)
    assert torch.isfinite(model.loss(poses[:], 0)["loss"])


def test_its_config_makes_it_again(train):
    import json

    model = small(train, kl=Schedule(0.1, "cyclical", hold=3), free_bits=0.2)
    again = SoloVAE.from_config(json.loads(json.dumps(model.config())))
    again.load_state_dict(model.state_dict())
    x = model.seen(train[:4])[0]
    with torch.no_grad():
        torch.testing.assert_close(again.eval().encode(x)[0], model.eval().encode(x)[0])
    assert again.kl == model.kl and again.free_bits == model.free_bits
    assert again.skeleton == replace(model.skeleton, offsets=None)


def test_more_units_than_coordinates_are_refused(train):
    with pytest.raises(ValueError, match="1 x 87 coordinates have no 256 principal components"):
        SoloVAE(train.skeleton, frames=1, latent=256)
    assert SoloVAE(train.skeleton, frames=1, latent=256, shortcut=False).latent == 256


@pytest.fixture(scope="module")
def finished(train):
    model = small(train, latent=6, detail=200)
    model.fit_residuals(train.batches(256))
    return model


def test_codes_are_drawn_as_far_out_as_the_dancers_are(train, finished):
    with torch.no_grad():
        real = finished.encode(finished.seen(train[:])[0])[0]
    drawn = finished.draw(4000, seed=1)
    shares = torch.tensor([0.05, 0.5, 0.95])
    torch.testing.assert_close(drawn.norm(dim=1).quantile(shares), real.norm(dim=1).quantile(shares), rtol=0.05, atol=0)
    assert drawn.mean(0).abs().max() < 0.1  # in every direction
    assert torch.equal(drawn, finished.draw(4000, seed=1)) and not torch.equal(drawn, finished.draw(4000, seed=2))


def test_detail_is_what_the_decoder_leaves_out(train, finished):
    """Drawn by chance it has the covariance of the residuals, and what is rebuilt moves as abruptly as real."""
    with torch.no_grad():
        x = finished.seen(train[:])[0]
        again = finished.decode(finished.encode(x)[0])
    left = (x - again).flatten(1)
    drawn = (finished.with_detail(again, seed=3) - again).flatten(1)
    assert float(drawn.square().mean()) == pytest.approx(float(left.square().mean()), rel=0.1)
    first = finished.detail[0] / finished.detail[0].norm()
    along = left @ first, drawn @ first
    assert float(along[1].std()) == pytest.approx(float(along[0].std()), rel=0.1)
    white = again + left.square().mean().sqrt() * torch.randn_like(again)  # of the same size, every frame for itself
    real, soft, detailed, jitter = (float(x.diff(n=3, dim=1).unflatten(2, (-1, 3)).norm(dim=-1).mean())
                                    for x in (x, again, again + drawn.view_as(x), white))
    assert soft < 0.8 * real < detailed < 1.3 * real < 0.2 * jitter
    bare = small(train, latent=6)
    bare.fit_residuals(train.batches(256))
    assert torch.equal(bare.with_detail(again), again)


def test_a_phrase_is_read_and_danced_where_it_was(train, finished):
    motion = cl.load_duet("synthetic/canon").a[20:36]
    model = small(windows.cut([motion, cl.load_duet("synthetic/canon").b[20:36]], 16), latent=4)  # two phrases by heart
    codes, place = model.read(motion)
    again = model.dance(codes, place, source=motion.source)[0]
    assert again.positions == pytest.approx(motion.positions, abs=1e-4)
    assert (again.fps, again.source, again.skeleton.names) == (motion.fps, motion.source, motion.skeleton.names)
    codes, _ = finished.read([motion, motion])
    assert codes.shape == (2, 6) and len(finished.dance(finished.draw(3))) == 3
    plain, detailed = (finished.dance(codes[0], detail=seed)[0].positions for seed in (None, 4))
    assert np.abs(plain - detailed).max() > 1e-3


@pytest.mark.parametrize("harm", ["frames", "fps", "joints"])
def test_a_phrase_of_another_kind_is_refused(finished, harm):
    motion = cl.load_duet("synthetic/canon").a[:16]
    if harm == "frames":
        motion = motion[:12]
    elif harm == "fps":
        motion = replace(motion, fps=25.0)
    else:
        motion = replace(motion, skeleton=cl.Skeleton(("hips", *motion.skeleton.names[1:]), motion.skeleton.parents),
                         rotations=None)
    with pytest.raises(ValueError, match="phrase 0 has .* this model reads 16 at 30 of 29"):
        finished.read(motion)


def test_between_two_codes_no_code_is_nearer_to_the_middle():
    a, b = torch.tensor([2.0, 0, 0]), torch.tensor([0, 4.0, 0])
    way = between(a, b, 5)
    torch.testing.assert_close(way[[0, -1]], torch.stack([a, b]))
    torch.testing.assert_close(way.norm(dim=1), torch.linspace(2, 4, 5))
    cos = torch.nn.functional.cosine_similarity(way[1:], way[:-1])
    torch.testing.assert_close(cos, torch.full((4,), float(np.cos(np.pi / 8))))
    assert torch.isfinite(between(a, a, 3)).all() and torch.equal(between(0 * a, a, 3)[1], a / 2)
    with pytest.raises(ValueError, match="opposite"):
        between(a, -2 * a, 3)


def test_detail_is_not_the_code_again(finished):
    """Both are drawn by seeds, and the same seed must not give the same numbers."""
    model = finished
    z = model.draw(1, seed=7)[0]
    x = torch.zeros(1, model.frames, model.middle.shape[1])
    weights = model.with_detail(x, seed=7).flatten(1) @ torch.linalg.pinv(model.detail)  # [1, K]
    assert torch.nn.functional.cosine_similarity(weights[0, :6], z, dim=0).abs() < 0.9


def test_reading_is_at_rest(train):
    model = small(train, dropout=0.5).train()
    motion = cl.load_duet("synthetic/canon").a[20:36]
    assert torch.equal(model.read(motion)[0], model.train().read(motion)[0])
    with pytest.raises(ValueError, match="no phrases"):
        model.read([])
