"""The published relational inference for dancers on the shelf: what must hold whatever it has learned."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from choreo_lib.sets import synthetic
from choreo_lib.sets.windows import cut
from choreo_lib.systems.dance_nri import DanceNRI, MessagePassing
from choreo_lib.systems.edges import kl_per_edge
from choreo_lib.systems.graph_convolution import GCN, GCNLSTM, graph_layer


@pytest.fixture(scope="module")
def windows():
    return cut([synthetic.duet("drives", 40, seed=k) for k in range(4)], 8, 8)


def model(windows, **settings):
    torch.manual_seed(0)
    made = DanceNRI(windows.skeleton, **{"hidden": 8, "dropout": 0.0, **settings})
    made.fit_statistics([windows[:]])
    return made


def stirred(made):
    """A decoder that has not begun to learn says the same whatever the edges are; this one does not."""
    torch.manual_seed(2)
    with torch.no_grad():
        for weights in made.parameters():
            weights.add_(0.1 * torch.randn(weights.shape))
    return made


def test_published_settings(windows):
    settings = DanceNRI(windows.skeleton).config
    assert (settings.hidden, settings.frames, settings.types, settings.tau) == (64, 8, 4, 0.5)
    assert settings.prior == (0.35, 0.25, 0.15, 0.25)


@pytest.mark.parametrize("settings", [{}, {"hard": True}, {"joints": 3}, {"directed": False}, {"prediction_steps": 3}])
def test_the_reconstruction_trains_every_tensor_of_the_encoder(settings, windows):
    made = stirred(model(windows, **settings)).train()
    made.loss(windows[:8], 0)["nll_nats"].backward()
    for name, weights in made.encoder.named_parameters():
        assert weights.grad is not None and weights.grad.abs().max() > 0, name


def test_one_batch_overfits(windows):
    made = model(windows, hidden=16).train()
    still = made.loss(windows[:8], 0)["nll_nats"]  # an untrained decoder repeats the last frame
    x = made.reference(windows[:8]).to_local(windows[:8])
    repeat = x.diff(dim=1).pow(2).sum() / (2 * 5e-5) / (8 * 2 * 29 * 29)
    assert float(still.detach()) == pytest.approx(float(repeat), rel=1e-4)
    optimiser = torch.optim.Adam(made.parameters(), 1e-2)
    for step in range(60):
        losses = made.loss(windows[:8], step)
        optimiser.zero_grad()
        losses["loss"].backward()
        optimiser.step()
    assert float(losses["nll_nats"].detach()) < 0.2 * float(still.detach())


def test_the_posterior_of_an_encoder_that_knows_nothing_is_the_prior(windows):
    made = model(windows).eval()
    with torch.no_grad():
        made.encoder.classifier.weight.zero_()
        made.encoder.classifier.bias.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))
        losses = made.loss(windows[:], None)
        q = (made.prior.log() + torch.tensor([0.0, 1.0, 0.0, 0.0])).softmax(0)
        assert float(losses["kl_nats_per_edge"]) == pytest.approx(float((q * (q / made.prior).log()).sum()), rel=1e-4)
        made.encoder.classifier.bias.zero_()
        assert torch.allclose(made.posterior(windows[:2]), made.prior.expand(2, 2, 29, 29, 4), atol=1e-6)
        assert float(made.loss(windows[:], None)["kl_nats_per_edge"]) == pytest.approx(0, abs=1e-6)


def test_the_kl_weight_follows_its_schedule(windows):
    from choreo_lib.systems.losses import Schedule

    made = stirred(model(windows, kl=Schedule(2.0, "warm-up", 0.5, 0, 10))).eval()
    for step, weight in ((0, 0.5), (10, 2.0), (None, 2.0)):
        losses = {name: float(value.detach()) for name, value in made.loss(windows[:4], step).items()}
        assert losses["loss"] == pytest.approx(losses["nll_nats"] + weight * losses["kl_nats_per_edge"], rel=1e-5)


def test_hard_samples_are_one_hot_and_have_a_gradient(windows):
    made = model(windows, hard=True).train()
    logits = torch.randn(2, 2, 29, 29, 4, requires_grad=True)
    edges = made.sample(logits)
    assert ((edges == 0) | (edges == 1)).all() and (edges.sum(-1) == 1).all()
    (edges * torch.randn(edges.shape)).sum().backward()
    assert logits.grad.abs().max() > 0
    assert torch.equal(made.eval().sample(logits).argmax(-1), logits.argmax(-1))


def test_undirected_edges_are_the_same_both_ways(windows):
    made = stirred(model(windows, directed=False)).train()
    posterior = made.posterior(windows[:2])
    assert torch.allclose(posterior[:, 0], posterior[:, 1].transpose(1, 2), atol=1e-6)
    edges = made.sample(posterior.log())
    assert torch.equal(edges[:, 0], edges[:, 1].transpose(1, 2))
    made.eval()
    once = kl_per_edge(made.posterior(windows[:2]).log(), made.prior)[:, 0].sum() / (2 * 2 * 29 * 29)
    assert float(made.loss(windows[:2], None)["kl_nats_per_edge"]) == pytest.approx(float(once), rel=1e-4)
    directed = stirred(model(windows)).posterior(windows[:2])
    assert not torch.allclose(directed[:, 0], directed[:, 1].transpose(1, 2), atol=1e-3)


def test_sampled_joints_are_other_ones_each_time_and_never_twice_the_same(windows, monkeypatch):
    made, seen = model(windows, joints=3).train(), []
    encode = made.encode
    monkeypatch.setattr(made, "encode", lambda x, graph: (seen.append(x), encode(x, graph))[1])
    for _ in range(2):
        made.loss(windows[:4], 0)
    assert seen[0].shape == (4, 8, 2, 3, 3) and not torch.equal(*seen)
    assert all((x[0, 0, 0, i] != x[0, 0, 0, j]).any() for x in seen for i, j in ((0, 1), (0, 2), (1, 2)))
    made.eval().loss(windows[:4], None)
    assert seen[2].shape[3] == 29


def test_an_edge_moves_its_receiver_and_nobody_else(windows):
    made = stirred(model(windows)).eval()
    none = F.one_hot(torch.zeros(2, 2, 29, 29, dtype=torch.long), 4).float()
    edges = none.clone()
    edges[:, 1, 7, 20] = torch.tensor([0.0, 0, 0, 1])  # b's joint 7 to a's joint 20
    one, other = (made.predict(windows[:2], 1, each)[:, 0] for each in (none, edges))
    moved = (one - other).abs().amax((0, 3)) > 1e-7  # [2, J]
    assert moved[0, 20] and not moved[1].any() and not moved[0, [0, 1, 2]].any()


def test_a_turned_world_has_the_same_edges_and_a_turned_future(windows):
    made = stirred(model(windows)).double().eval()
    c, s = np.cos(1.1), np.sin(1.1)
    turn = torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]]).double()
    shift = torch.tensor([3.0, -2, 0]).double()
    past = windows[:2].double()
    assert torch.allclose(made.posterior(past), made.posterior(past @ turn.T + shift), atol=1e-8)
    assert torch.allclose(made.predict(past, 3) @ turn.T + shift, made.predict(past @ turn.T + shift, 3), atol=1e-8)


def test_no_prediction_knows_its_frame_or_a_later_one(windows):
    made = stirred(model(windows, gap=2)).eval()
    x = windows[:2]
    edges = F.one_hot(torch.ones(2, 2, 29, 29, dtype=torch.long), 4).float()
    other = x.clone()
    other[:, 4:] += 0.2
    with torch.no_grad():
        one, two = (made.rollout(each, edges, made.graph, 0) for each in (x, other))
    assert torch.equal(one[:, :4], two[:, :4]) and not torch.allclose(one[:, 4:], two[:, 4:])


def test_the_frame_of_reference_tells_nothing_of_the_future(windows):
    made, x = stirred(model(windows)).eval(), windows[:2]
    other = x.clone()
    other[:, 7] += torch.tensor([0.5, -0.3, 0.0])
    with torch.no_grad():
        made.encoder.classifier.weight.zero_()  # the same edges, whatever is seen
        one, two = (made(each)[0] for each in (x, other))
    assert torch.equal(one[:, :6], two[:, :6])


def test_a_rollout_goes_on_as_one_long_window(windows):
    made = stirred(model(windows)).eval()
    x = windows[:2]
    edges = made.sample(made.encode(x, made.graph))
    with torch.no_grad():
        made_up = made.rollout(x[:, :5], edges, made.graph, 3)  # frames 1 to 8, of which 6 to 8 from predictions
        whole = torch.cat([x[:, :5], made_up[:, 4:7]], 1)
        assert torch.allclose(made.rollout(whole, edges, made.graph, 0), made_up, atol=1e-5)
    assert made.predict(windows[:2], 4).shape == (2, 4, 2, 29, 3)


def test_forward_gives_what_the_loss_compares(windows):
    made = stirred(model(windows, prediction_steps=3)).eval()
    x = windows[:4]
    with torch.no_grad():
        predicted, logits = made(x)
        losses = made.loss(x, None)
    nll = (predicted - x[:, 1:]).pow(2).sum() / (2 * 5e-5) / logits[..., 0].numel()
    assert float(losses["nll_nats"]) == pytest.approx(float(nll), rel=1e-3)


def test_batch_norm_and_dropout_stand_between_messages_and_the_body():
    graph, edges = torch.zeros(5, 5), torch.rand(2, 2, 5, 5, 3)
    layer = MessagePassing(8, 3, 0.5).train()
    seen = {}
    layer.norm.register_forward_hook(lambda _, given, out: seen.update(norm=out))
    layer.dropout.register_forward_hook(lambda _, given, out: seen.update(dropped=out))
    layer(torch.randn(2, 2, 3, 5, 8), edges, graph)
    assert torch.allclose(seen["norm"].mean(0), torch.zeros(8), atol=1e-5)
    assert 10 < int((seen["dropped"] == 0).all(-1).sum()) < 50


def test_a_configuration_makes_the_same_model(windows):
    made = stirred(model(windows, types=3, prior=None)).eval()
    again = DanceNRI.from_config(made.config_dict()).eval()
    again.load_state_dict(made.state_dict())
    assert torch.equal(made.posterior(windows[:2]), again.posterior(windows[:2]))
    with pytest.raises(ValueError, match="probabilities"):
        DanceNRI(windows.skeleton, types=3)


def test_a_gcn_is_the_layer_of_the_library():
    graph = torch.zeros(4, 4)
    for one, other in ((0, 1), (1, 2), (1, 3)):
        graph[one, other] = graph[other, one] = 1.0
    layer, cell, x = graph_layer(5, 3), GCN(5, 3), torch.randn(2, 6, 4, 5)
    with torch.no_grad():
        cell.layer.weight.copy_(layer.lin.weight)
        cell.layer.bias.copy_(layer.bias.normal_())
        expected = torch.tanh(layer(x.flatten(0, 1), graph)).view(2, 6, 4, 3)
        assert torch.allclose(cell(x, graph)[0], expected, atol=1e-6)


def test_a_gcn_lstm_reaches_one_bone_further_each_frame():
    graph = torch.zeros(4, 4)
    for one in range(3):
        graph[one, one + 1] = graph[one + 1, one] = 1.0
    cell, x = GCNLSTM(5, 3), torch.randn(1, 3, 4, 5)
    other = x.clone()
    other[:, 0, 0] += 1.0
    with torch.no_grad():
        moved = (cell(x, graph)[0] != cell(other, graph)[0]).any(-1)[0]  # [frames, joints]
    assert moved.tolist() == [[True, True, False, False], [True, True, True, False], [True] * 4]


def test_a_gcn_lstm_without_neighbours_is_an_lstm():
    ours, known, x = GCNLSTM(5, 3), torch.nn.LSTM(5, 3, batch_first=True), torch.randn(2, 6, 4, 5)
    order = [1, 0, 3, 2]  # ours: forget, input, output, candidate; the library's: input, forget, candidate, output
    with torch.no_grad():
        for mine, theirs in ((ours.input_gates.weight, known.weight_ih_l0), (ours.input_gates.bias, known.bias_ih_l0),
                             (ours.hidden_gates.weight, known.weight_hh_l0)):
            parts = list(theirs.chunk(4))
            parts[2] = 2 * parts[2]  # 2 sigmoid(2 x) - 1 is tanh(x)
            mine.copy_(torch.cat([parts[k] for k in order]))
        known.bias_hh_l0.zero_()
        expected = known(x.transpose(1, 2).flatten(0, 1))[0].view(2, 4, 6, 3).transpose(1, 2)
        assert torch.allclose(ours(x, torch.zeros(4, 4))[0], expected, atol=1e-6)
