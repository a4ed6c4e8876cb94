"""The published solo system: as it is described, and without the prototype's faults."""

import json

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from choreo_lib.body.skeleton import Skeleton
from choreo_lib.sets import augmentation, synthetic, windows
from choreo_lib.systems.losses import Schedule
from choreo_lib.systems.solo_vae import Config, Decoder, SoloVAE
from choreo_lib.training import TrainConfig, fit


@pytest.fixture(scope="module")
def train():
    return windows.cut([m for seed in range(2) for m in synthetic.duet("canon", 200, seed=seed)], 16, stride=4)


def small(train, **changes):
    torch.manual_seed(0)
    model = SoloVAE(train.skeleton, **{"frames": train.length, "latent": 16, "hidden": 48, **changes})
    model.fit_statistics(train.batches(256))
    return model


def test_it_has_the_weights_of_the_published_network():
    """5,101,395 parameters at 53 markers, with the 394 units that its text names."""
    model = SoloVAE(Skeleton([f"m{k}" for k in range(53)], (-1, *[0] * 52)), hidden=394)
    assert sum(p.numel() for p in model.parameters()) == 5_101_395
    published = Config()
    assert (published.frames, published.latent, published.hidden, published.layers) == (64, 256, 384, 2)
    assert (published.mse_weight, published.kl) == (2.0, Schedule(1e-4))


def test_the_convolution_runs_over_time():
    """A change at one frame before the convolution touches that frame and its two neighbours."""
    decoder = Decoder(4, 9, 6, 2)
    h = torch.randn(1, 12, 6)
    after = h.clone()
    after[:, 7] += 1
    decoder.lstm.forward = lambda x: (h, None)  # decoder(z) is then the convolution alone
    before = decoder(torch.zeros(1, 12, 4))
    decoder.lstm.forward = lambda x: (after, None)
    changed = (decoder(torch.zeros(1, 12, 4)) - before).abs().amax((0, 2)) > 1e-6
    assert before.shape == (1, 12, 9) and changed.nonzero().flatten().tolist() == [6, 7, 8]


def test_the_ends_are_repeated_and_not_padded_with_zeros():
    decoder = Decoder(4, 9, 6, 2)
    decoder.lstm.forward = lambda x: (torch.ones(1, 12, 6), None)
    x = decoder(torch.zeros(1, 12, 4))
    torch.testing.assert_close(x, x[:, :1].expand_as(x))


def test_the_decoder_rectifies_what_its_lstm_gets():
    decoder = Decoder(4, 9, 6, 2)
    torch.nn.init.zeros_(decoder.input_proj.weight)

    def made(bias):
        torch.nn.init.constant_(decoder.input_proj.bias, bias)
        return decoder(torch.zeros(1, 12, 4))

    assert torch.equal(made(-1.0), made(-2.0)) and not torch.equal(made(1.0), made(2.0))


def test_windows_are_root_centred_and_standardised(train):
    model, batch = small(train), train[:]
    x, frame = model.canonicalise(batch)
    pelvis = x.unflatten(2, (-1, 3))[:, 8, train.skeleton.pelvis]  # the middle of 16 frames
    assert pelvis[:, :2].abs().max() < 1e-6 and (pelvis[:, 2] > 0.5).all()
    torch.testing.assert_close(frame.to_world(x.unflatten(2, (1, -1, 3))), batch, atol=1e-5, rtol=0)
    moved = batch + torch.tensor([3.0, -2.0, 0.0])
    torch.testing.assert_close(model.canonicalise(moved)[0], x, atol=1e-5, rtol=0)
    turned = augmentation.turned(batch, torch.full((len(batch),), 1.0))  # headings stay: aligning them is an extension
    assert (model.canonicalise(turned)[0] - x).abs().max() > 0.1
    standard = (x - model.mean_window) / model.scale
    assert standard.mean(0).abs().max() < 1e-4 and float(standard.std()) == pytest.approx(1, abs=1e-3)
    with pytest.raises(ValueError, match=r"one dancer.*29, 3\]; got"):
        model.canonicalise(batch.expand(-1, -1, 2, -1, -1))


def test_forward_samples_in_training_and_takes_the_mean_in_evaluation(train):
    model = small(train)
    x = model.canonicalise(train[:8])[0]
    with torch.no_grad():
        reconstruction, mean, log_variance = model(x)
        assert (reconstruction.shape, mean.shape, log_variance.shape) == (x.shape, (8, 16), (8, 16))
        assert not torch.equal(model(x)[0], reconstruction)
        model.eval()
        assert torch.equal(model(x)[0], model.decode(mean))


def test_the_loss_is_twice_the_mse_plus_beta_kl(train):
    model = small(train, kl=Schedule(0.3, "warm-up", low=0.1, wait=2)).eval()
    batch = train[:8]
    x = model.canonicalise(batch)[0]
    with torch.no_grad():
        reconstruction, mean, log_variance = model(x)
        mse = ((reconstruction - x) / model.scale).pow(2).mean()
        kl = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(1).mean()
        for step, beta in ((0, 0.1), (2, 0.3), (None, 0.3)):
            terms = model.loss(batch, step)
            torch.testing.assert_close(terms["loss"], 2 * mse + beta * kl)
            torch.testing.assert_close(terms["kl_nats"], kl)
        error = (reconstruction - x).view(8, 16, -1, 3).norm(dim=-1).mean()
        torch.testing.assert_close(terms["error_m"], error)


def test_every_weight_gets_a_gradient(train):
    model = small(train)
    model.loss(train[:16], 0)["loss"].backward()
    assert [name for name, p in model.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_it_overfits_one_batch(train):
    model = small(train, hidden=96, kl=Schedule(0.0))
    batch = train[:: len(train) // 8][:8]
    optimiser = torch.optim.Adam(model.parameters(), 4e-3)
    errors = []
    for step in range(150):
        terms = model.loss(batch, step)
        optimiser.zero_grad()
        terms["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        errors.append(float(terms["mse"]))
    assert errors[-1] < 0.2 * errors[0]


def test_static_poses():
    poses = windows.cut(synthetic.duet("canon", 60, seed=1).a, 1)
    model = small(poses, latent=4)
    assert model.frames == 1 and model.sample(3).shape == (3, 1, 29, 3)
    assert torch.isfinite(model.loss(poses[:], 0)["loss"])


def test_reconstructions_and_samples(train):
    model = small(train).train()
    batch, shift = train[:4], torch.tensor([1.0, 2.0, 0.0])
    made = model.reconstruct(batch)
    assert made.shape == batch.shape
    torch.testing.assert_close(model.reconstruct(batch + shift), made + shift, atol=1e-4, rtol=0)
    one, same, other = model.sample(5, seed=3), model.sample(5, seed=3), model.sample(5, seed=4)
    assert one.shape == (5, 16, 29, 3) and torch.equal(one, same) and not torch.equal(one, other)
    z = model.sample_latents(20_000)
    assert z.mean(0).abs().max() < 0.05 and (z.std(0) - 1).abs().max() < 0.05
    assert model.training


def test_it_is_trained_by_the_loop_and_built_from_its_config(train, tmp_path):
    model = small(train)
    before = float(model.eval().loss(train[:], None)["mse"])
    config = TrainConfig(epochs=2, batch_size=16, lr=3e-3, warmup=2)
    fit(model, train, config, tmp_path, train, device="cpu", progress=False)
    assert float(model.eval().loss(train[:], None)["mse"]) < before
    again = SoloVAE.from_config(json.loads(json.dumps(model.config_dict())))
    again.load_state_dict(model.state_dict())
    assert again.config == model.config
    assert torch.equal(again.reconstruct(train[:2]), model.reconstruct(train[:2]))
    with pytest.raises(TypeError, match="colour"):
        SoloVAE(train.skeleton, colour="red")
