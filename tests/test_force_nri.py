"""Neural relational inference: what must hold whatever it has learned."""

import math

import pytest
import torch

from choreo_lib import training
from choreo_lib.evaluation import evaluate_particles
from choreo_lib.evaluation.metrics import edge_accuracy
from choreo_lib.extensions import ForceNRI
from choreo_lib.extensions.edge_refinement import refine_edges, refine_pairs
from choreo_lib.extensions.force_decoders import LawDecoder
from choreo_lib.extensions.force_nri import ABLATIONS
from choreo_lib.sets.particles import simulate
from choreo_lib.training import recipes

DECODERS = ("mlp", "recurrent", "law")


@pytest.fixture(scope="module")
def springs():
    return simulate("springs", 6, 4, frames=49, seed=3)


def model(**sizes):
    torch.manual_seed(0)
    made = ForceNRI(**{"hidden": 8, "decoder_hidden": 8, **sizes})
    made.fit_statistics(simulate("springs", 20, 4, seed=1))
    return made


def knowing(**sizes):
    """A decoder that knows the law of springs, to the last digit."""
    made = model(decoder="law", **sizes)
    with torch.no_grad():
        made.decoder.exponent.fill_(1 / made.decoder.LR_FACTOR)
        made.decoder.strength.fill_(0.1 / made.decoder.LR_FACTOR)
        made.decoder.log_scale.copy_(torch.tensor([-9.0, -9.0, -9.0, -9.0]))
    return made.eval()


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("hard", [False, True])
def test_what_the_decoder_sees_reaches_every_part_of_the_encoder(decoder, hard, springs):
    made = model(decoder=decoder, hard=hard, prediction_steps=3).train()
    with torch.no_grad():  # a decoder that has not begun to learn says the same whatever the edges are
        for weights in made.decoder.parameters():
            weights.add_(0.1 * torch.randn(weights.shape))
    made.loss(springs, 1000)["nll_nats"].backward()
    for name, weights in made.encoder.named_parameters():
        if name != "classifier.3.bias":  # is taken out again by the normalisation of the logits
            assert weights.grad is not None and weights.grad.abs().max() > 0, name


@pytest.mark.parametrize("option", ABLATIONS)
def test_what_is_added_can_be_switched_off(option, springs):
    made = ForceNRI(**{"decoder": "law", "hidden": 8, "decoder_hidden": 8} | ABLATIONS[option]).train()
    made.fit_statistics(springs)
    losses = made.loss(springs, 0)
    losses["loss"].backward()
    assert losses["loss"].isfinite() and made.encoder(springs.states).grad_fn is not None
    assert made.infer(springs.states, min(made.config.refine, 2)).edges.shape == (6, 4, 4)


def test_the_published_encoder_sees_coordinates_and_gives_undirected_edges(springs):
    made = model(relative=False).eval()
    with torch.no_grad():
        logits, moved = made.encode(springs.states), made.encode(springs.states + 0.5)
    assert logits.shape == (6, 4, 4, 2) and torch.equal(logits, logits.transpose(1, 2))
    assert not torch.allclose(logits, moved, atol=1e-3)


def test_the_encoder_does_not_mind_turns_places_or_who_is_first(springs):
    made = model().eval()
    with torch.no_grad():
        logits = made.encode(springs.states)
        angle = torch.tensor(1.1)
        turn = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
        moved = torch.cat([springs.positions @ turn.T + 0.3, springs.velocities @ turn.T], -1)
        assert torch.allclose(made.encode(moved), logits, atol=1e-4)
        order = [2, 0, 3, 1]
        assert torch.allclose(made.encode(springs.states[:, :, order]), logits[:, order][:, :, order], atol=1e-5)
        assert torch.equal(logits, logits.transpose(1, 2))
        assert made.encode(simulate("springs", 2, 7, seed=4).states).shape == (2, 7, 7, 2)


def test_samples_are_the_same_both_ways_and_tied_to_nobody_alone(springs):
    made = model(hard=True).train()
    logits = made.encode(springs.states)
    edges = made.sample(logits)
    assert torch.equal(edges, edges.transpose(1, 2)) and (edges.diagonal(dim1=1, dim2=2) == 0).all()
    one, other = torch.triu_indices(4, 4, 1)
    assert torch.equal(edges[:, one, other].sum(-1), torch.ones(6, 6))
    edges[..., 1].sum().backward()
    assert made.encoder.logit_scale.grad.abs() > 0  # straight through
    soft = model().train().sample(logits.detach())[:, one, other]
    assert soft.min() >= 0 and soft.max() < 1 and torch.allclose(soft.sum(-1), torch.ones(6, 6))
    assert not torch.equal(made.sample(logits), made.sample(logits))
    assert torch.equal(made.eval().sample(logits), made.sample(logits))


def test_kl_is_in_nats_an_edge(springs):
    made = model(prior=[0.8, 0.2]).train()
    made.encoder.logit_scale.data.zero_()  # an encoder that always says one half
    said = made.loss(springs, None)["kl_nats_per_edge"].item()
    assert said == pytest.approx(0.5 * math.log(0.5 / 0.8) + 0.5 * math.log(0.5 / 0.2), abs=1e-5)
    made = model().train()
    made.encoder.logit_scale.data.fill_(1e4)  # and one that is always sure
    assert made.loss(springs, None)["kl_nats_per_edge"].item() == pytest.approx(math.log(2), abs=1e-2)


@pytest.mark.parametrize("decoder", DECODERS)
def test_without_an_edge_nobody_is_felt(decoder, springs):
    made = model(decoder=decoder).eval()
    with torch.no_grad():
        for weights in made.decoder.parameters():
            weights.add_(0.1 * torch.randn(weights.shape))
    edges = torch.zeros(6, 4, 4, dtype=torch.long)
    other = springs.states.clone()
    other[:, :, 3] += 0.5
    there = made.predict(springs.states, edges, 3)
    assert torch.allclose(there[:, :, :3], made.predict(other, edges, 3)[:, :, :3], atol=1e-6)
    edges[:, 0, 3] = edges[:, 3, 0] = 1
    assert (made.predict(springs.states, edges, 3)[:, :, 0] - made.predict(other, edges, 3)[:, :, 0]).abs().max() > 1e-6


def test_the_true_law_runs_as_the_simulation_does():
    world = simulate("springs", 40, 5, frames=150, seed=8)  # long enough for some to reach the walls
    foretold = knowing().predict(world.states[:, :130], world.edges, 20)
    error = (foretold - world.states[:, 130:]).abs().amax((1, 2, 3))  # a wall met between two ticks costs a little
    assert error.median() < 2e-3 and error.max() < 0.2
    none = torch.zeros_like(world.edges)
    assert (knowing().predict(world.states[:, :130], none, 20) - world.states[:, 130:]).abs().max() > 0.5
    assert world.positions[:, 130:].abs().max() > 4.9  # walls were met


def test_correction_finds_the_truth_one_pair_at_a_time():
    world = simulate("springs", 30, 5, seed=9)
    made = knowing()
    wrong = (torch.rand(30, 5, 5, generator=torch.Generator().manual_seed(0)) < 0.05).long().triu(1)
    start = (world.edges + wrong + wrong.mT) % 2
    found = refine_pairs(world.states, start, made.decoder, 5)
    assert edge_accuracy(found, world.edges).accuracy > 0.98 > edge_accuracy(start, world.edges).accuracy
    assert torch.equal(found, found.mT)
    # the long way: every pair in turn, the likelihood of the whole simulation both ways
    few, slow = world[:2], start[:2].clone()
    for i, j in torch.triu_indices(5, 5, 1).T.tolist():
        for k in range(len(few)):
            told = []
            for kind in (0, 1):
                slow[k, i, j] = slow[k, j, i] = kind
                edges = torch.nn.functional.one_hot(slow[k : k + 1], 2) * (1 - torch.eye(5)[..., None])
                told.append(made.decoder.nll(few.states[k : k + 1], edges, 1).item())
            slow[k, i, j] = slow[k, j, i] = int(told[1] < told[0])
    assert torch.equal(refine_pairs(few.states, start[:2], made.decoder, 1), slow)


def test_refinement_finds_the_truth_from_nothing():
    world = simulate("springs", 30, 8, seed=9)
    made, nothing = knowing(), torch.zeros(30, 8, 8, 2)
    found = refine_edges(world.states, nothing, made.decoder, 100)
    assert edge_accuracy(found, world.edges).accuracy > 0.98 and torch.equal(found, found.mT)
    one_at_a_time = refine_pairs(world.states, torch.zeros_like(found), made.decoder, 5)
    assert edge_accuracy(one_at_a_time, world.edges).accuracy < 0.97  # where only several changes help at once
    before = {name: weights.clone() for name, weights in made.state_dict().items()}
    with torch.no_grad():
        guess = made.infer(world.states, refine=100)
    assert edge_accuracy(guess.edges, world.edges).accuracy > 0.98
    assert all(torch.equal(weights, before[name]) for name, weights in made.state_dict().items())
    assert all(weights.grad is None for weights in made.parameters())


def test_refinement_knows_when_numbers_shake():
    clear, noisy = (simulate("springs", 20, 5, seed=10, noise=noise) for noise in (0.0, 0.02))
    made = knowing()
    assert edge_accuracy(made.infer(noisy.states, refine=100).edges, noisy.edges).accuracy > 0.97
    with torch.no_grad():
        edges = made._one_hot(noisy.edges)
        excess = made.decoder.excess_scale(*_step(made, noisy, edges))
        quiet = made.decoder.excess_scale(*_step(made, clear, edges))
    assert excess.shape == (20, 1, 1, 4) and (quiet < 1e-3).all()
    assert torch.allclose(excess, torch.tensor(0.02 * 2**0.5), rtol=0.3)  # of two noisy numbers, one from the other


def _step(made, world, edges):
    states = world.states
    state, sure = made.decoder.step(states[:, :-1], edges)
    return state, states[:, 1:], sure


def test_many_steps_are_single_steps_one_after_another(springs):
    made = model(decoder="mlp").eval()
    with torch.no_grad():
        for weights in made.decoder.parameters():
            weights.add_(0.1 * torch.randn(weights.shape))
        edges = torch.nn.functional.one_hot(springs.edges, 2).float()
        total, states = 0.0, springs.states
        for start in range(0, 48, 10):
            count = min(10, 48 - start)
            run = made.decoder.predict(states[:, : start + 1], edges, count)
            truth = states[:, start + 1 : start + 1 + count]
            total = total + made.decoder.body_nll(run, truth, None).sum((1, 2)).mean()
        assert float(made.decoder.nll(states, edges, 10).mean()) == pytest.approx(float(total), rel=1e-4)


def test_one_that_remembers_hears_the_truth_until_the_last_steps(springs):
    made = model(decoder="recurrent").eval()
    edges = torch.nn.functional.one_hot(springs.edges, 2).float()
    with torch.no_grad():
        one = made.decoder.nll(springs.states, edges, 10)
        other = springs.states.clone()
        other[:, 43:48] += 0.3  # frames that are not given: no prediction changes, but the likelihood does
        pairs = torch.randn(6, 12, 2)
        predicted = [made.decoder.reconstruct(x, pairs, 10) for x in (springs.states, other)]
        assert torch.equal(*predicted) and (made.decoder.nll(other, edges, 10) > one).all()
    with pytest.raises(ValueError, match="refine=0"):
        made.infer(springs.states, refine=1)


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_model_is_built_again_from_its_config(decoder, springs):
    made = model(decoder=decoder).eval()
    again = ForceNRI.from_config(made.config_dict()).eval()
    again.load_state_dict(made.state_dict())
    for one, other in zip(made.infer(springs.states), again.infer(springs.states, size=4)):
        assert torch.allclose(one.float(), other.float(), atol=1e-6)


def stirred(made):
    """A decoder that has not begun to learn says the same whatever the edges are; this one does not."""
    torch.manual_seed(2)
    with torch.no_grad():
        for weights in made.decoder.parameters():
            weights.add_(0.1 * torch.randn(weights.shape))
    return made


@pytest.mark.parametrize("decoder", DECODERS)
def test_half_precision_is_for_the_encoder_only(decoder, springs):
    made = stirred(model(decoder=decoder, prediction_steps=2, supervised=True)).train()
    whole = made.loss(springs, 1000)
    with torch.autocast("cpu", torch.bfloat16):
        half = made.loss(springs, 1000)
    assert half["nll_nats"].item() == whole["nll_nats"].item()
    assert half["loss"].dtype == torch.float32 and half["loss"].item() != whole["loss"].item()


def test_who_is_told_the_truth_dances_by_it_and_runs_on_only_after_the_first_steps(springs):
    made = stirred(model(decoder="mlp", prediction_steps=4, one_step=10, supervised=True)).eval()
    edges = made._one_hot(springs.edges)
    one, four = (made.decoder.nll(springs.states, edges, k).mean().item() / 6 for k in (1, 4))
    assert made.loss(springs, 9)["nll_nats"].item() == pytest.approx(one)
    assert made.loss(springs, 10)["nll_nats"].item() == pytest.approx(four) != pytest.approx(one)


def test_longer_simulations_are_read_so_far_and_shorter_ones_too(springs):
    long = simulate("springs", 6, 4, frames=69, seed=3)
    made = model(decoder="law").eval()
    with torch.no_grad():
        assert torch.equal(made.encode(long.states), made.encode(long.states[:, :49]))
    short = simulate("springs", 6, 4, frames=6, seed=3)
    assert torch.isfinite(made.loss(short, None)["loss"])
    with pytest.raises(ValueError, match="two at least"):
        made.infer(short.states[:, :1])
    with pytest.raises(ValueError, match="something to predict"):
        evaluate_particles(made, springs, springs)


def test_to_look_in_the_middle_of_training_changes_nothing(springs):
    made = model(decoder="mlp").train()
    edges = made.infer(springs.states, refine=2).edges
    made.predict(springs.states, edges, 2)
    assert made.training and edges.shape == (6, 4, 4)


def test_the_accuracy_of_a_batch_knows_which_names_are_free(springs):
    made = model(types=3, no_edge=False, decoder="law").eval()
    told = made.loss(springs, None)["edge_accuracy"].item()
    assert told == pytest.approx(edge_accuracy(made.infer(springs.states).edges, springs.edges, 3).accuracy)
    supervised = model(supervised=True, decoder="law").eval()
    right = supervised.infer(springs.states).edges == springs.edges
    share = right[:, *torch.triu_indices(4, 4, 1)].float().mean().item()
    assert supervised.loss(springs, None)["edge_accuracy"].item() == pytest.approx(share)


def test_refusals():
    with pytest.raises(ValueError, match="mlp, law, recurrent"):
        ForceNRI(decoder="magic")
    with pytest.raises(ValueError, match="carry messages"):
        ForceNRI(types=1)
    with pytest.raises(ValueError, match="simulate more"):
        next(simulate("springs", 2).batches(2, augment=1))
    for prior in ([0.5], [0.7, 0.7], [1.0, 0.0]):
        with pytest.raises(ValueError, match="probabilities"):
            ForceNRI(prior=prior)


def test_a_supervised_one_learns_what_it_is_told():
    world = simulate("springs", 64, 4, seed=5)
    made = model(decoder="law", prediction_steps=1, supervised=True, hidden=16).train()
    optimiser = torch.optim.Adam(made.parameters(), 1e-2)
    for step in range(40):
        losses = made.loss(world, step)
        optimiser.zero_grad()
        losses["loss"].backward()
        optimiser.step()
    assert losses["edge_accuracy"] > 0.8 and losses["kl_nats_per_edge"] == 0


def test_a_law_that_grows_with_distance_is_told_from_one_that_falls():
    torch.manual_seed(0)
    law = LawDecoder(2, True, 16, 0.1)
    far = torch.tensor([0.5, 1.0, 2.0])
    law.strength.data.fill_(1 / law.LR_FACTOR)
    for power, expected in ((1.0, far), (-2.0, far**-2)):
        law.exponent.data.fill_(power / law.LR_FACTOR)
        assert torch.allclose(law.force(far)[:, 0], expected, atol=1e-4)


def test_the_scale_grows_with_the_forces_and_with_noise():
    law = LawDecoder(2, True, 16, 0.1)
    state, total = torch.zeros(1, 1, 2, 4), torch.zeros(1, 1, 2, 5)
    total[..., 1, 4] = 2.0
    with torch.no_grad():
        law.log_scale.copy_(torch.tensor([0.1, 0.2, 0.3, 0.4]).log())
        _, scale = law.update(state, total)
    expected = torch.tensor([[0.1, 0.1, 0.2, 0.2], [0.7, 0.7, 1.0, 1.0]])
    assert torch.allclose(scale[0, 0], expected, atol=1e-6)
    off, wide = state + 1.0, law.body_nll(state + 1.0, state, scale, 0.5).sum()
    known = -torch.distributions.StudentT(3.0, 0.0, (scale**2 + 0.25).sqrt()).log_prob(off).sum()
    none = -torch.distributions.StudentT(3.0).log_prob(torch.zeros(8)).sum()  # the constant that is left out
    assert float(wide) == pytest.approx(float(known - none), rel=1e-4)


def test_the_judge_knows_one_who_knows():
    world = simulate("springs", 20, 4, frames=69, seed=12)
    rows = evaluate_particles(knowing(), world, world)
    assert rows["model"]["edge_accuracy"] == rows["forces by algebra"]["edge_accuracy"] == 1
    assert rows["model"]["mse@20steps"] == rows["true graph"]["mse@20steps"] < 1e-6
    for k in ("1step", "10steps", "20steps"):
        assert rows["model"][f"mse@{k}"] < rows["constant velocity"][f"mse@{k}"] < rows["repeat"][f"mse@{k}"]
    assert rows["encoder alone"]["edge_accuracy"] < 0.8
    assert 0 <= rows["encoder alone"]["kl_nats_per_edge"] <= math.log(2)


def test_the_judge_gives_the_decoder_the_truth_in_its_own_names():
    """A model that calls a spring 0 and nothing 1 is as good as one that says it the other way."""
    world = simulate("charged", 20, 4, frames=69, seed=12)
    one, other = (model(decoder="law", no_edge=False).eval() for _ in range(2))
    for k, made in enumerate((one, other)):
        with torch.no_grad():
            made.decoder.exponent.fill_(-2 / made.decoder.LR_FACTOR)
            made.decoder.strength.copy_(torch.tensor([1.0, -1.0] if k == 0 else [-1.0, 1.0]) / made.decoder.LR_FACTOR)
            made.decoder.log_scale.copy_(torch.tensor([-7.0, -7.0, -3.0, -3.0]))
    rows = [evaluate_particles(made, world, world)["true graph"] for made in (one, other)]
    assert rows[0] == pytest.approx(rows[1], rel=1e-3)
    assert rows[0]["mse@1step"] < evaluate_particles(one, world, world)["constant velocity"]["mse@1step"] / 3


def test_recipes_keep_their_seeds_apart():
    springs = recipes.RECIPES["springs5"]
    train, test = springs.windows("train", None, "quick"), springs.windows("test", None, "quick")
    assert len(train) == 1000 and len(test) == 100 and test.positions.shape[1] == 69
    assert not torch.equal(train.positions[:100, 0], test.positions[:, 0])
    assert torch.equal(springs.windows(600, None, "quick").positions, test.positions)
    for split in (0, "challenge"):
        with pytest.raises(ValueError, match="choose from train, validation, test"):
            springs.windows(split)


def test_training_goes_through_the_one_loop(tmp_path):
    train, valid = simulate("springs", 96, 3, seed=0), simulate("springs", 20, 3, frames=69, seed=1)
    config = training.TrainConfig(epochs=4, batch_size=32, lr=5e-3, warmup=2)
    mlp = model(decoder="mlp", prediction_steps=2)
    history = training.fit(mlp, train, config, tmp_path / "mlp", valid, progress=False)
    assert history["valid_nll_nats"][-1] < history["valid_nll_nats"][0]
    assert history.plot().axes[0].get_yscale() == "log"
    law = training.fit(model(decoder="law", prediction_steps=1), train, config, tmp_path / "law", valid, progress=False)
    assert law.plot().axes[0].get_yscale() == "linear"  # densities above 1 have negative logarithms
    batches = list(train.batches(40, seed=1, epoch=2))
    assert [len(batch) for batch in batches] == [40, 40, 16]
    assert len(list(train.batches(40, seed=1, drop_last=True))) == 2
    again = list(train.batches(40, seed=1, epoch=2, begin=1))
    assert torch.equal(again[0].positions, batches[1].positions)
