"""The published neural relational inference on the shelf: what must hold whatever it has learned."""

import math
from types import SimpleNamespace

import pytest
import torch

from choreo_lib.sets.particles import simulate
from choreo_lib.systems.edges import dense_edges, kl_per_edge, ordered_pairs, pair_features, sum_to_receivers
from choreo_lib.systems.nri import NRI

DECODERS = ("mlp", "recurrent")


@pytest.fixture(scope="module")
def springs():
    return simulate("springs", 6, 4, frames=30, seed=3)


def model(**settings):
    torch.manual_seed(0)
    made = NRI(**{"hidden": 16, "frames": 30, "prediction_steps": 5, **settings})
    made.fit_statistics(simulate("springs", 20, 4, frames=30, seed=1))
    return made


def test_published_settings():
    settings = NRI().config
    assert (settings.hidden, settings.tau, settings.variance, settings.prediction_steps, settings.frames) == (
        256, 0.5, 5e-5, 10, 49)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("hard", [False, True])
def test_the_reconstruction_trains_every_tensor_of_the_encoder(decoder, hard, springs):
    made = model(decoder=decoder, hard=hard).train()
    made.loss(springs, 0)["nll_nats"].backward()
    for name, weights in made.encoder.named_parameters():
        assert weights.grad is not None and weights.grad.abs().max() > 0, name


@pytest.mark.parametrize("decoder", DECODERS)
def test_one_batch_overfits(decoder, springs):
    made = model(decoder=decoder, hidden=32).train()
    optimiser = torch.optim.Adam(made.parameters(), 5e-3)
    losses = []
    for step in range(60):
        loss = made.loss(springs, step)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]


def test_kl_in_nats():
    prior = torch.tensor([0.8, 0.2])
    logits = torch.tensor([[0.5, 0.5], [0.8, 0.2], [0.999999, 0.000001]]).log()
    expected = [0.5 * math.log(0.5 / 0.8) + 0.5 * math.log(0.5 / 0.2), 0.0, math.log(1 / 0.8)]
    assert torch.allclose(kl_per_edge(logits, prior), torch.tensor(expected), atol=1e-4)


def test_the_loss_is_the_bound_an_edge(springs):
    made = model(prior=[0.8, 0.2]).eval()
    with torch.no_grad():
        losses, (predicted, logits) = made.loss(springs, None), made(springs.states)
        likelihood = torch.distributions.Normal(predicted / made.scale, 5e-5**0.5)
        nll = -likelihood.log_prob(springs.states[:, 1:] / made.scale)
        nll = nll - math.log(5e-5**0.5 * math.sqrt(2 * math.pi))  # without the constant
    assert float(losses["nll_nats"]) == pytest.approx(float(nll.sum()) / (6 * 12), rel=1e-4)
    assert float(losses["kl_nats_per_edge"]) == pytest.approx(float(kl_per_edge(logits, made.prior).mean()))
    assert float(losses["loss"]) == pytest.approx(float(losses["nll_nats"] + losses["kl_nats_per_edge"]))


def test_hard_samples_are_one_hot_and_have_a_gradient(springs):
    made = model(hard=True).train()
    logits = torch.randn(6, 12, 2, requires_grad=True)
    edges = made.sample(logits)
    assert ((edges == 0) | (edges == 1)).all() and (edges.sum(-1) == 1).all()
    (edges[..., 1] * torch.randn(6, 12)).sum().backward()
    assert logits.grad.abs().max() > 0
    soft = model().train().sample(logits)
    assert ((soft > 0.01) & (soft < 0.99)).any() and torch.allclose(soft.sum(-1), torch.ones(6, 12))
    assert torch.equal(made.eval().sample(logits).argmax(-1), logits.argmax(-1))


@pytest.mark.parametrize("decoder", DECODERS)
def test_bodies_have_no_order(decoder, springs):
    made, order = model(decoder=decoder).eval(), [2, 0, 3, 1]
    with torch.no_grad():
        (predicted, logits), (other, permuted) = made(springs.states), made(springs.states[:, :, order])
        edges, again = (dense_edges(each[..., 1], 4) for each in (logits, permuted))
    assert torch.allclose(again, edges[:, order][:, :, order], atol=1e-4)
    assert torch.allclose(other, predicted[:, :, order], atol=1e-4)


def test_pairs_are_ordered_and_sums_arrive_at_receivers():
    sender, receiver = ordered_pairs(3)
    assert list(zip(sender.tolist(), receiver.tolist())) == [(1, 0), (2, 0), (0, 1), (2, 1), (0, 2), (1, 2)]
    x = torch.tensor([[1.0], [10.0], [100.0]])
    assert pair_features(x).tolist() == [[10, 1], [100, 1], [1, 10], [100, 10], [1, 100], [10, 100]]
    assert sum_to_receivers(pair_features(x)[:, :1], 3).tolist() == [[110], [101], [11]]
    assert dense_edges(torch.arange(1, 7)[None], 3)[0].tolist() == [[0, 3, 5], [1, 0, 6], [2, 4, 0]]


@pytest.mark.parametrize("decoder", DECODERS)
def test_without_an_edge_nothing_is_felt(decoder, springs):
    made = model(decoder=decoder).eval()
    edges = torch.zeros(6, 4, 4, dtype=torch.long)
    other = springs.states.clone()
    other[:, :, 3] += 0.5
    apart = made.predict(springs.states, edges, 3)
    assert torch.allclose(apart[:, :, :3], made.predict(other, edges, 3)[:, :, :3], atol=1e-6)
    edges[:, 3, 0] = 1  # from the last body to the first, and not back
    one, two = made.predict(springs.states, edges, 3), made.predict(other, edges, 3)
    assert (one[:, :, 0] - two[:, :, 0]).abs().max() > 1e-6
    assert torch.allclose(one[:, :, 1:3], two[:, :, 1:3], atol=1e-6)


def test_the_markov_decoder_starts_from_the_truth_every_few_frames(springs):
    made = model(prediction_steps=7).eval()
    edges = made.sample(made.encoder(springs.states))
    with torch.no_grad():
        predicted = made.decoder.reconstruct(springs.states, edges, 7)
        for start in (0, 7, 28):
            run = made.decoder.predict(springs.states[:, : start + 1], edges, 7)[:, : 29 - start]
            assert torch.allclose(predicted[:, start : start + 7], run, atol=1e-5)


def test_the_recurrent_decoder_is_given_all_but_the_last_frames(springs):
    made = model(decoder="recurrent").eval()
    edges = made.sample(made.encoder(springs.states))
    with torch.no_grad():
        for frame, felt in ((24, True), (25, False)):  # of 30 frames the last five are predicted
            other = springs.states.clone()
            other[:, frame] += 0.3
            one, two = (made.decoder.reconstruct(x, edges, 5) for x in (springs.states, other))
            assert torch.equal(one, two) != felt


def test_inference_and_forecasts(springs):
    made = model().eval()
    edges = made.infer_edges(springs.states)
    assert edges.shape == (6, 4, 4) and (edges.diagonal(dim1=1, dim2=2) == 0).all()
    assert made.predict(springs.states, edges, 8).shape == (6, 8, 4, 4)
    again = NRI.from_config(made.config_dict()).eval()
    again.load_state_dict(made.state_dict())
    assert torch.equal(again.infer_edges(springs.states), edges)
    assert made.loss(SimpleNamespace(states=springs.states), None)["loss"].isfinite()  # anything that has states


def test_refusals():
    with pytest.raises(ValueError, match="mlp, recurrent"):
        NRI(decoder="magic")
    with pytest.raises(ValueError, match="carry messages"):
        NRI(types=1)
    with pytest.raises(ValueError, match="probabilities"):
        NRI(prior=[0.7, 0.7])
    with pytest.raises(TypeError):
        NRI(magic=1)
