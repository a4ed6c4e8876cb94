"""The linear VAE of solo phrases: probabilistic PCA, and options that do what they say and can be switched off."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

import choreo_lib as cl
from choreo_lib.evaluation import evaluate_solo
from choreo_lib.extensions import LinearVAE, linear_vae
from choreo_lib.extensions.latents import components, interpolate
from choreo_lib.sets import augmentation, synthetic, windows


@pytest.fixture(scope="module")
def train():
    return windows.cut([m for seed in range(3) for m in synthetic.duet("canon", 300, seed=seed)], 16, stride=2)


def small(train, **changes):
    model = LinearVAE(train.skeleton, **{"frames": train.length, "latent": 24, **changes})
    model.fit_statistics(train.batches(1024))
    return model


def test_it_is_probabilistic_principal_components():
    """Against scikit-learn, whose PCA follows Tipping and Bishop too: the noise, the posterior, the reconstruction."""
    short = windows.cut(list(synthetic.duet("canon", 400, seed=1)), 4)  # more windows than coordinates
    model = small(short, project_bones=False)
    x = model.canonicalise(short[:])[0]
    flat = x.flatten(1).double().numpy()
    pca = PCA(24, svd_solver="full").fit(flat)
    assert float(model.noise_std) ** 2 == pytest.approx(pca.noise_variance_, rel=0.02)
    loadings, noise = model.loadings.double(), float(model.noise_std)
    covariance = loadings.T @ loadings + noise**2 * torch.eye(flat.shape[1])
    torch.testing.assert_close(covariance, torch.from_numpy(pca.get_covariance()), atol=1e-6, rtol=1e-3)
    reconstruction, mean, log_variance = model(x)
    want = pca.inverse_transform(pca.transform(flat))
    error = [np.sqrt(((each - flat) ** 2).mean()) for each in (reconstruction.flatten(1).numpy(), want)]
    assert error[0] < 1.02 * error[1]
    assert mean.std(0).numpy() == pytest.approx(np.ones(24), abs=0.05) and abs(mean.mean()) < 1e-3
    # Bayes' rule by the joint covariance of z and x, without the identity that the model uses
    gain = loadings @ torch.linalg.inv(covariance)
    want = (x - model.mean_window).flatten(1).double() @ gain.T
    torch.testing.assert_close(mean.double(), want, atol=2e-3, rtol=2e-3)
    posterior = torch.eye(24) - gain @ loadings.T
    torch.testing.assert_close(log_variance[0].exp().double(), posterior.diagonal(), atol=1e-6, rtol=1e-2)
    assert torch.equal(log_variance[0], log_variance[-1])


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
    model = small(train, align_heading=align_heading)
    batch = train[::40]
    shift = torch.tensor([3.0, -2.0, 0.0])
    x = model.canonicalise(batch)[0]
    torch.testing.assert_close(model.canonicalise(batch + shift)[0], x, atol=1e-4, rtol=0)
    turned = model.canonicalise(augmentation.turned(batch, torch.full((len(batch),), 2.0)) + shift)[0]
    assert ((turned - x).abs().max() < 1e-4) == align_heading


def test_single_poses(train):
    poses = windows.cut(cl.load_duet("synthetic/canon").a, 1, stride=3)
    model = small(poses, frames=1, latent=8)
    assert model(model.canonicalise(poses[:5])[0])[0].shape == (5, 1, 29 * 3)


def test_its_config_makes_it_again(train):
    model = small(train, project_bones=False, residual_rank=2)
    again = LinearVAE.from_config(json.loads(json.dumps(model.config_dict())))
    again.load_state_dict(model.state_dict())
    x = model.canonicalise(train[:4])[0]
    assert torch.equal(again(x)[0], model(x)[0]) and list(model.parameters()) == []
    assert again.config == model.config
    assert again.skeleton == replace(model.skeleton, offsets=None)


def test_more_units_than_coordinates_are_refused(train):
    with pytest.raises(ValueError, match="1 x 87 coordinates have no 256 principal components"):
        LinearVAE(train.skeleton, frames=1, latent=256)
    with pytest.raises((TypeError, ValueError), match="batch must be"):
        small(train).canonicalise(train[:2].expand(-1, -1, 2, -1, -1))


@pytest.mark.parametrize("option", linear_vae.ABLATIONS)
def test_every_option_can_be_switched_off_and_changes_something(train, option):
    """Samples differ from those of the model with all options."""
    def sampled(**changes):
        model = small(train, **{"residual_rank": 8, "latent": 8} | changes)
        model.fit_residuals(train.batches(256))
        return model.decode_motion(model.sample_latents(2), residual_seed=0)

    with_it, without = sampled(), sampled(**linear_vae.ABLATIONS[option])
    assert max(np.abs(one.positions - other.positions).max() for one, other in zip(with_it, without)) > 1e-4


def test_bones_keep_one_length(train):
    model = small(train, latent=4)
    parents, children = torch.tensor(train.skeleton.bones).T
    z = 0.5 * torch.randn(8, 4, generator=torch.Generator().manual_seed(0))

    def variation(project_bones):
        x = model.decode(z, project_bones).unflatten(2, (-1, 3))
        return float((x[:, :, children] - x[:, :, parents]).norm(dim=-1).std(1).mean())

    assert variation(None) == variation(True) < 0.3 * variation(False)


@pytest.fixture(scope="module")
def finished(train):
    model = small(train, latent=6, residual_rank=200)
    model.fit_residuals(train.batches(256))
    return model


def test_latents_are_sampled_with_the_norms_of_the_training_set(train, finished):
    real = finished.encode(finished.canonicalise(train[:])[0])[0]
    made = finished.sample_latents(4000, seed=1)
    shares = torch.tensor([0.05, 0.5, 0.95])
    torch.testing.assert_close(made.norm(dim=1).quantile(shares), real.norm(dim=1).quantile(shares), rtol=0.05, atol=0)
    assert made.mean(0).abs().max() < 0.1  # in every direction
    again, other = (finished.sample_latents(4000, seed=seed) for seed in (1, 2))
    assert torch.equal(made, again) and not torch.equal(made, other)


def test_the_residual_is_what_the_decoder_leaves_out(train, finished):
    """Sampled residuals have the covariance of real ones, and reconstructions with them the jerk of real motion."""
    x = finished.canonicalise(train[:])[0]
    again, _, _ = finished(x)
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


def test_no_motions_are_refused(finished):
    with pytest.raises(ValueError, match="no motions"):
        finished.encode_motion([])


def test_how_it_is_evaluated(train, finished):
    asked = windows.cut(list(synthetic.duet("canon", 120, seed=9)), 16)
    rows = evaluate_solo(finished, train, asked, samples=16)
    assert set(rows) == {"model", "model, N(0, 1)", "model, as points", "pca", "pca, N(0, 1)", "pca, bones kept",
                         "mean phrase", "training phrases"}
    assert rows["pca, bones kept"]["error_mm"] < rows["pca"]["error_mm"] < rows["mean phrase"]["error_mm"]
    # fitted to the same windows, the model is principal components whose bones are kept
    assert rows["model"]["error_mm"] == pytest.approx(rows["pca, bones kept"]["error_mm"], rel=1e-3)
    assert set(rows["model"]) == set(rows["pca"]) | {"active_units", "kl_nats_per_unit"}
    assert set(rows["pca"]) == set(rows["training phrases"]) | {"error_mm"} == {
        "error_mm", "bones_percent", "jerk_ratio", "range_ratio", "kinetic_fd", "jerk_ratio_training",
        "range_ratio_training", "kinetic_fd_training"}
    assert rows["training phrases"]["kinetic_fd_training"] < rows["model"]["kinetic_fd_training"]


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
