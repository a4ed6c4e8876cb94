"""This book's solo model: what it adds to the published system does what it says, and can be switched off."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import choreo_lib as cl
from choreo_lib.extensions import PhraseVAE, solo_vae
from choreo_lib.extensions.latents import components, interpolate
from choreo_lib.sets import augmentation, synthetic, windows
from choreo_lib.systems.losses import Schedule, kl_loss, kl_per_unit


@pytest.fixture(scope="module")
def train():
    return windows.cut([m for seed in range(3) for m in synthetic.duet("canon", 300, seed=seed)], 16, stride=2)


def small(train, **changes):
    torch.manual_seed(0)
    model = PhraseVAE(train.skeleton, **{"frames": train.length, "latent": 24, "hidden": 32, **changes})
    model.fit_statistics(train.batches(1024))
    return model


def test_before_training_it_is_principal_components(train):
    """Against NumPy's singular values, another way to the same subspace."""
    model = small(train).eval()
    x = model.canonicalise(train[:])[0]
    flat = x.flatten(1).double().numpy()
    axes = np.linalg.svd(flat - flat.mean(0), full_matrices=False)[2][:24]
    want = (flat - flat.mean(0)) @ axes.T @ axes + flat.mean(0)
    with torch.no_grad():
        latents = model.encode(x)[0]
        got = model.decode(latents).flatten(1).numpy()
    error = [np.sqrt(((each - flat) ** 2).mean()) for each in (got, want)]
    assert error[0] < 1.02 * error[1]
    assert latents.std(0).numpy() == pytest.approx(np.ones(24), abs=0.05) and abs(latents.mean()) < 1e-3


def test_components_of_fewer_directions_than_asked_for():
    x = torch.zeros(40, 6)
    x[:, 2] = torch.linspace(-1, 1, 40)
    stds, directions = components(x, 9)
    assert float(stds[0]) == pytest.approx(float(x[:, 2].std()), rel=1e-4)
    assert abs(directions[0]).tolist() == pytest.approx([0, 0, 1, 0, 0, 0], abs=1e-5)
    assert stds[6:].tolist() == pytest.approx([1e-6] * 3) and directions[6:].abs().sum() == 0


@pytest.mark.parametrize("align_heading", [True, False])
def test_the_frame_of_reference(train, align_heading):
    """Where a dancer stands never matters; where the dancer faces matters without the option alone."""
    model = small(train, align_heading=align_heading).eval()
    batch = train[::40]
    shift = torch.tensor([3.0, -2.0, 0.0])
    x = model.canonicalise(batch)[0]
    torch.testing.assert_close(model.canonicalise(batch + shift)[0], x, atol=1e-4, rtol=0)
    turned = model.canonicalise(augmentation.turned(batch, torch.full((len(batch),), 2.0)) + shift)[0]
    assert ((turned - x).abs().max() < 1e-4) == align_heading


def test_every_part_gets_a_gradient(train):
    model = small(train)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    for step in range(3):  # a layer that starts at zero passes no gradient to those before it in the first step
        optimiser.zero_grad()
        model.loss(train[:64], step)["loss"].backward()
        optimiser.step()
    still = [name for name, p in model.named_parameters() if not p.grad.abs().sum() > 0]
    assert still == [] and "components" not in dict(model.named_parameters())  # the components are not trained


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


def test_the_loss_with_its_kl_weight_and_free_bits(train):
    model = small(train, kl=Schedule(0.5, "warm-up", wait=5, rise=0), free_bits=2.9, mse_weight=3.0)
    batch = train[:32]
    assert model.eval().loss(batch, None)["mse"] == model.loss(batch, None)["mse"]
    model.train()
    assert model.loss(batch, 0)["mse"] != model.loss(batch, 0)["mse"]
    units = kl_per_unit(*model.encode(model.canonicalise(batch)[0]))
    penalty = float(kl_loss(units, 2.9).detach())
    assert penalty > 1.01 * float(units.sum())
    for step, weight in ((0, 0.0), (9, 0.5), (None, 0.5)):
        terms = {name: value.item() for name, value in model.loss(batch, step).items()}
        assert terms["loss"] == pytest.approx(3 * terms["mse"] + weight * penalty, rel=1e-5)
        assert terms["kl_nats"] == pytest.approx(float(units.sum()), rel=1e-5)


def test_dropout_only_while_training(train):
    model = small(train, dropout=0.5, shortcut=False).train()
    x = model.canonicalise(train[:4])[0]
    with torch.no_grad():
        assert not torch.equal(model.encode(x)[0], model.encode(x)[0])
        assert not torch.equal(model.decode(torch.zeros(2, 24)), model.decode(torch.zeros(2, 24)))
        model.eval()
        assert torch.equal(model.encode(x)[0], model.encode(x)[0])


def test_single_poses(train):
    poses = windows.cut(cl.load_duet("synthetic/canon").a, 1, stride=3)
    model = small(poses, frames=1, latent=8)
    assert model.decode(model.encode(model.canonicalise(poses[:5])[0])[0]).shape == (5, 1, 29 * 3)
    assert torch.isfinite(model.loss(poses[:], 0)["loss"])


def test_its_config_makes_it_again(train):
    model = small(train, kl=Schedule(0.1, "cyclical", hold=3), free_bits=0.2, phase_features=2)
    again = PhraseVAE.from_config(json.loads(json.dumps(model.config())))
    again.load_state_dict(model.state_dict())
    x = model.canonicalise(train[:4])[0]
    with torch.no_grad():
        torch.testing.assert_close(again.eval().encode(x)[0], model.eval().encode(x)[0])
    assert again.settings == model.settings
    assert again.skeleton == replace(model.skeleton, offsets=None)


def test_more_units_than_coordinates_are_refused(train):
    with pytest.raises(ValueError, match="1 x 87 coordinates have no 256 principal components"):
        PhraseVAE(train.skeleton, frames=1, latent=256)
    assert PhraseVAE(train.skeleton, frames=1, latent=256, shortcut=False).components.shape == (0, 87)


@pytest.mark.parametrize("option", solo_vae.ABLATIONS)
def test_every_option_can_be_switched_off_and_changes_something(train, option):
    """Reconstructions, samples or training losses differ from those of the model with all options."""
    def facts(**changes):
        model = small(train, **{"residual_rank": 8, "dropout": 0.5, "latent": 8} | changes)
        with torch.no_grad():
            model.decoder.lstm.bias_hh_l0.normal_()
            model.decoder.smooth.weight.normal_(std=0.1)
            model.fit_residuals(train.batches(256))
            torch.manual_seed(1)
            loss = model.train().loss(train[:8], 0)["loss"]
            x = model.decode_motion(model.sample_latents(2), residual_seed=0)
            return float(loss), x[0].positions, x[1].positions

    with_it, without = facts(), facts(**solo_vae.ABLATIONS[option])
    assert max(np.abs(one - other).max() for one, other in zip(with_it, without)) > 1e-4


def test_bones_keep_one_length(train):
    model = small(train, latent=4).eval()
    parents, children = torch.tensor(train.skeleton.bones).T
    z = 0.5 * torch.randn(8, 4, generator=torch.Generator().manual_seed(0))

    def variation(project_bones):
        x = model.decode(z, project_bones).unflatten(2, (-1, 3))
        return float((x[:, :, children] - x[:, :, parents]).norm(dim=-1).std(1).mean())

    with torch.no_grad():
        assert variation(None) == variation(True) < 0.3 * variation(False)


@pytest.fixture(scope="module")
def finished(train):
    model = small(train, latent=6, residual_rank=200)
    model.fit_residuals(train.batches(256))
    return model


def test_latents_are_sampled_with_the_norms_of_the_training_set(train, finished):
    with torch.no_grad():
        real = finished.encode(finished.canonicalise(train[:])[0])[0]
    made = finished.sample_latents(4000, seed=1)
    shares = torch.tensor([0.05, 0.5, 0.95])
    torch.testing.assert_close(made.norm(dim=1).quantile(shares), real.norm(dim=1).quantile(shares), rtol=0.05, atol=0)
    assert made.mean(0).abs().max() < 0.1  # in every direction
    again, other = (finished.sample_latents(4000, seed=seed) for seed in (1, 2))
    assert torch.equal(made, again) and not torch.equal(made, other)


def test_the_residual_is_what_the_decoder_leaves_out(train, finished):
    """Sampled residuals have the covariance of real ones, and reconstructions with them the jerk of real motion."""
    with torch.no_grad():
        x = finished.canonicalise(train[:])[0]
        again = finished.decode(finished.encode(x)[0])
    real_residual = (x - again).flatten(1)
    sampled = (finished.add_residual(again, seed=3) - again).flatten(1)
    assert float(sampled.square().mean()) == pytest.approx(float(real_residual.square().mean()), rel=0.1)
    first = finished.residuals[0] / finished.residuals[0].norm()
    assert float((sampled @ first).std()) == pytest.approx(float((real_residual @ first).std()), rel=0.1)
    white = again + real_residual.square().mean().sqrt() * torch.randn_like(again)  # of the same size
    real, smooth, detailed, jitter = (float(x.diff(n=3, dim=1).unflatten(2, (-1, 3)).norm(dim=-1).mean())
                                      for x in (x, again, again + sampled.view_as(x), white))
    assert smooth < 0.8 * real < detailed < 1.3 * real < 0.2 * jitter
    bare = small(train, latent=6)
    bare.fit_residuals(train.batches(256))
    assert torch.equal(bare.add_residual(again), again)


def test_the_residual_is_not_the_latent_again(train):
    """Both are sampled by seeds, as many numbers here, and the same seed must not give the same numbers."""
    model = small(train, latent=6, residual_rank=6)
    model.residuals.copy_(torch.eye(*model.residuals.shape))
    x = torch.zeros(1, model.frames, model.mean_window.shape[1])
    weights = model.add_residual(x, seed=7).flatten()[:6]
    assert torch.nn.functional.cosine_similarity(weights, model.sample_latents(1, seed=7)[0], dim=0).abs() < 0.9


def test_a_motion_is_encoded_and_decoded_where_it_was(train, finished):
    duet = cl.load_duet("synthetic/canon")[20:36]
    model = small(windows.cut(list(duet), 16), latent=4)  # two windows, which four components hold exactly
    latents, reference = model.encode_motion(duet.a)
    again = model.decode_motion(latents, reference, source=duet.a.source)[0]
    assert again.positions == pytest.approx(duet.a.positions, abs=1e-4)
    assert (again.fps, again.source, again.skeleton.names) == (duet.a.fps, duet.a.source, duet.a.skeleton.names)
    latents, _ = finished.encode_motion(list(duet))
    assert latents.shape == (2, 6) and len(finished.decode_motion(finished.sample_latents(3))) == 3
    plain, detailed = (finished.decode_motion(latents[0], residual_seed=seed)[0].positions for seed in (None, 4))
    assert np.abs(plain - detailed).max() > 1e-3


@pytest.mark.parametrize("harm", ["frames", "fps", "joints"])
def test_a_motion_of_another_kind_is_refused(finished, harm):
    motion = cl.load_duet("synthetic/canon").a[:16]
    if harm == "frames":
        motion = motion[:12]
    elif harm == "fps":
        motion = replace(motion, fps=25.0)
    else:
        motion = replace(motion, skeleton=cl.Skeleton(("hips", *motion.skeleton.names[1:]), motion.skeleton.parents),
                         rotations=None)
    words = {"frames": "has 12 frames; this model encodes 16", "fps": r"at 25 .* the model knows 29 at 30\..*conform",
             "joints": "it lacks pelvis and it has besides hips"}[harm]
    with pytest.raises(ValueError, match=f"motion 0.*{words}"):
        finished.encode_motion(motion)


def test_encoding_and_fitting_leave_the_mode_as_it_was(train):
    model = small(train, dropout=0.5, latent=4).train()
    motion = cl.load_duet("synthetic/canon").a[20:36]
    first, second = (model.encode_motion(motion)[0] for _ in range(2))
    assert torch.equal(first, second)  # encoded without dropout
    model.decode_motion(first)
    model.fit_residuals(train.batches(256))
    model.sample(1)
    assert all(module.training for module in model.modules())
    with pytest.raises(ValueError, match="no motions"):
        model.encode_motion([])


def test_no_latent_on_the_way_is_nearer_to_the_origin():
    a, b = torch.tensor([2.0, 0, 0]), torch.tensor([0, 4.0, 0])
    way = interpolate(a, b, 5)
    torch.testing.assert_close(way[[0, -1]], torch.stack([a, b]))
    torch.testing.assert_close(way.norm(dim=1), torch.linspace(2, 4, 5))
    cos = torch.nn.functional.cosine_similarity(way[1:], way[:-1])
    torch.testing.assert_close(cos, torch.full((4,), float(np.cos(np.pi / 8))))
    assert torch.isfinite(interpolate(a, a, 3)).all() and torch.equal(interpolate(0 * a, a, 3)[1], a / 2)
    with pytest.raises(ValueError, match="opposite"):
        interpolate(a, -2 * a, 3)
