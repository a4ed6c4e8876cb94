"""Couplings between dancers: what must hold whatever the model has learned, and by what it is evaluated."""

import numpy as np
import pytest
import torch

from choreo_lib.body.kinematics import forward_kinematics
from choreo_lib.body.skeleton import HYBRIK_29, Skeleton
from choreo_lib.evaluation import evaluate_couplings
from choreo_lib.evaluation.couplings import finder_of, grade, planted, untrained
from choreo_lib.extensions import CouplingNRI
from choreo_lib.extensions.coupling_evidence import CouplingEvidence, competition
from choreo_lib.extensions.coupling_nri import ABLATIONS
from choreo_lib.extensions.coupling_signals import (
    ar_coefficients,
    damped,
    innovations,
    lagged_correlation,
    local_displacements,
    next_pose,
    signals,
)
from choreo_lib.sets import splits, synthetic
from choreo_lib.sets.windows import cut
from choreo_lib.systems.dance_nri import Encoder
from choreo_lib.training import recipes

DESCRIBED = {"max_lag": 0.0, "correlation": False, "next_window": False, "types": 4, "memory": True}
FORMS = {"as described": DESCRIBED, "without memory": DESCRIBED | {"memory": False},
         "lags": {"correlation": False, "next_window": False}, "correlation": {"next_window": False}, "ours": {},
         "zero lag": {"zero_lag": True}, "five types": {"types": 5}, "undirected": {"directed": False},
         "one-hot": {"hard": True}}  # fmt: skip


@pytest.fixture(scope="module")
def windows():
    return cut([synthetic.duet("drives", 80, seed=k) for k in range(6)], 80)


def model(windows, **sizes):
    torch.manual_seed(0)
    made = CouplingNRI(windows.skeleton, **{"frames": 40, "hidden": 8, **sizes})
    made.fit_statistics([windows[:]])
    return made


def rates_of(made):
    return made.encoder.evidence.log_rates


def turned(batch, angle=1.1, by=(3.0, -2.0, 0.0)):
    c, s = np.cos(angle), np.sin(angle)
    turn = torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]], dtype=batch.dtype)
    return batch @ turn.T + torch.tensor(by, dtype=batch.dtype)


def test_a_hand_that_is_carried_does_nothing_of_its_own():
    chain = Skeleton(("root", "shoulder", "elbow", "hand"), (-1, 0, 1, 2), np.array([[0, 0, 0.0], *[[0, 0, -0.3]] * 3]))
    turns = torch.zeros(20, 4, 4, dtype=torch.float64)
    turns[..., 3] = 1
    angle = torch.linspace(0, 1.2, 20, dtype=torch.float64)
    turns[:, 1, 0], turns[:, 1, 3] = (angle / 2).sin(), (angle / 2).cos()  # the shoulder swings the arm as one piece
    places = forward_kinematics(chain, turns, torch.zeros(20, 3, dtype=torch.float64))[0]
    steps = local_displacements(chain, places)
    assert places[1:, 3].sub(places[:-1, 3]).norm(dim=-1).min() > 0.03
    assert steps[:, 2].norm(dim=-1).min() > 0.018  # the upper arm turns by itself
    assert steps[:, 3].norm(dim=-1).max() < 1e-9  # and the forearm with it


def test_own_steps_can_be_danced_again_and_do_not_mind_turns(windows):
    x = windows[:2].double().transpose(1, 2)  # [B, 2, T, J, 3]
    steps = local_displacements(windows.skeleton, x)
    assert (next_pose(windows.skeleton, x[:, :, :-1], steps) - x[:, :, 1:]).abs().max() < 1e-12
    moved = local_displacements(windows.skeleton, turned(x))
    assert (moved - turned(steps, by=(0, 0, 0))).abs().max() < 1e-9


def test_habits_are_those_of_an_autoregression():
    rng = torch.Generator().manual_seed(0)
    weights, noise = torch.tensor([1.2, -0.5, 0.1], dtype=torch.float64), torch.randn(4000, 3, generator=rng).double()
    signal = [torch.zeros(3, dtype=torch.float64)] * 3
    for each in noise:
        signal.append(sum(w * signal[-k] for k, w in enumerate(weights, start=1)) + each)
    signal = torch.stack(signal)
    found = ar_coefficients(signal[None])[0]
    assert (found - weights).abs().max() < 0.03
    assert torch.allclose(innovations(signal, weights), noise, atol=1e-9)
    both = torch.stack([signal, signal.flip(-1)])
    assert torch.allclose(ar_coefficients(both, shared=1), found, atol=1e-9)


def test_habits_that_run_away_are_damped_and_others_left_alone():
    calm, wild = torch.tensor([1.2, -0.5, 0.1]).double(), torch.tensor([2.4, -1.1, 0.0]).double()

    def after(weights, steps=60):
        signal = [1.0, 1.0, 1.0]
        for _ in range(steps):
            signal.append(sum(float(w) * signal[-k] for k, w in enumerate(weights, start=1)))
        return abs(signal[-1])

    assert torch.allclose(damped(calm), calm) and after(wild) > 1e6 and after(damped(wild)) < 20
    assert torch.allclose(damped(torch.stack([calm, wild]))[1], damped(wild))


def test_correlation_finds_who_follows_whom_and_when():
    rng = torch.Generator().manual_seed(1)
    sent = torch.randn(2, 50, 3, generator=rng)
    received = torch.stack([torch.randn(50, 3, generator=rng), sent[1].roll(4, 0)])
    found = lagged_correlation(sent, received, range(8))  # [senders, receivers, lags]
    assert found.shape == (2, 2, 8) and float(found[1, 1, 4]) == pytest.approx(1, abs=1e-5)
    assert found[0].abs().max() < 0.5 and int(found[1, 1].argmax()) == 4


@pytest.mark.parametrize("size", [1.0, 3e-4, 2e-5])  # the last under the noise floor
def test_correlation_is_what_loops_give(size):
    rng = torch.Generator().manual_seed(2)
    sent, received = (size * (torch.randn(2, 3, 40, 3, generator=rng) + 2) for _ in range(2))
    found = lagged_correlation(sent, received, range(2, 9))
    for k, lag in enumerate(range(2, 9)):
        pair = [x - x.mean(2, keepdim=True) for x in (sent[:, :, : 40 - lag], received[:, :, lag:])]
        sizes = [x.flatten(2).norm(dim=2).clamp_min(1e-4 * (40 - lag) ** 0.5) for x in pair]
        expected = torch.einsum("bitc,bjtc->bij", *pair) / (sizes[0][:, :, None] * sizes[1][:, None])
        assert torch.allclose(found[..., k], expected, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_what_the_decoder_sees_reaches_every_part_of_the_encoder(form, windows):
    made = model(windows, dropout=0.0, **FORMS[form]).train()
    with torch.no_grad():  # what begins at nought hides what is before it
        for weights in made.parameters():
            weights.add_(0.05 * torch.randn(weights.shape))
    made.loss(windows[:], 1000)["nll_nats"].backward()
    for name, weights in made.encoder.named_parameters():
        if not weights.requires_grad:  # the autoregression, without lags
            continue
        assert weights.grad is not None and weights.grad.isfinite().all() and weights.grad.abs().max() > 0, name


@pytest.mark.parametrize("form", FORMS)
def test_the_future_is_not_known(form, windows):
    made = model(windows, **FORMS[form]).eval()
    with torch.no_grad():
        for weights in made.parameters():
            weights.add_(0.05 * torch.randn(weights.shape))
        batch, later = windows[:2], windows[:2].clone()
        later[:, 60:] += 0.1 * torch.randn(later[:, 60:].shape)
        posterior = made.encoder(batch[:, :40])
        edges = made.sample(posterior.logits)
        one, other = (made.decoder(x, made.encoder.graph, posterior, edges, 39)[0] for x in (batch, later))
    known = 60 - 39 - bool(made.lags and made.lags[0] == 0)  # at once: the sender's step of the same frame is known
    assert torch.allclose(one[:, :, :, :known], other[:, :, :, :known], atol=1e-6)
    assert not torch.allclose(one[:, :, :, known + 1 :], other[:, :, :, known + 1 :], atol=1e-6)


def test_at_once_a_joint_is_not_told_its_own_answer(windows):
    made = model(windows, zero_lag=True).eval()
    batch, later = windows[:2], windows[:2].clone()
    later[:, 60:, 1] += 0.1 * torch.randn(later[:, 60:, 1].shape)  # only b goes on otherwise
    with torch.no_grad():
        posterior = made.encoder(batch[:, :40])
        edges = torch.ones_like(posterior.logits)
        one, other = (made.decoder(x, made.encoder.graph, posterior, edges, 39)[0][:, :, :, 60 - 39 - 1]
                      for x in (batch, later))
    assert torch.allclose(one[:, 1], other[:, 1], atol=1e-7)
    assert not torch.allclose(one[:, 0], other[:, 0], atol=1e-5)  # a is told what b does in that frame


@pytest.mark.parametrize("option", ABLATIONS)
def test_what_is_added_can_be_switched_off(option, windows):
    made = model(windows, **ABLATIONS[option]).train()
    losses = made.loss(windows[:], 0)
    losses["loss"].backward()
    assert losses["loss"].isfinite()
    assert made.predict(windows[:1][:, :40], 2).shape == (1, 2, 2, 29, 3)
    assert CouplingNRI.from_config(made.config_dict()).load_state_dict(made.state_dict())


def test_the_kl_weight_rises_and_stays(windows):
    made = model(windows, kl_warm_up=100).eval()
    for step, weight in ((0, 0.1), (50, 0.55), (100, 1.0), (500, 1.0), (None, 1.0)):
        losses = {name: float(value.detach()) for name, value in made.loss(windows[:2], step).items()}
        assert losses["loss"] == pytest.approx(losses["nll_nats"] + weight * losses["kl_nats_per_edge"], rel=1e-5)
    at_once = model(windows, kl_warm_up=0).eval().loss(windows[:2], 0)
    assert float(at_once["loss"]) == pytest.approx(float(at_once["nll_nats"] + at_once["kl_nats_per_edge"]), rel=1e-5)


def test_the_autoregression_of_receivers_is_partly_the_windows(windows):
    made, fixed = model(windows).eval(), model(windows, window_ar=False).eval()
    past = windows[:2][:, :40]
    with torch.no_grad():
        made.encoder.window_gate.fill_(30.0)
        own = ar_coefficients(signals(windows.skeleton, past).local)
        assert torch.allclose(made.encoder(past).receiver_ar, own, atol=1e-5)
        made.encoder.window_gate.fill_(-30.0)
        for each in (made, fixed):
            assert torch.allclose(each.encoder(past).receiver_ar, each.encoder.ar.expand(2, 2, -1, -1), atol=1e-5)


def test_a_biased_edge_is_likelier(windows):
    made, past = model(windows).eval(), windows[:2][:, :40]
    with torch.no_grad():
        before = made.encoder(past).logits.softmax(-1)[..., 1]
        made.encoder.evidence.edge_bias[1, 7, 20] = 3.0
        after = made.encoder(past).logits.softmax(-1)[..., 1]
    assert (after[:, 1, 7, 20] > 3 * before[:, 1, 7, 20]).all() and torch.equal(after[:, 0], before[:, 0])
    assert not hasattr(model(windows, edge_bias=False).encoder.evidence, "edge_bias")


def test_what_correlates_is_counted_in_nats():
    evidence = CouplingEvidence(2, range(1, 3), 0.01, edge_bias=False)
    sent, local = (torch.randn(1, 2, 2, 30, 3) for _ in range(2))
    found, gain = evidence.correlations([sent, local])
    assert torch.allclose(found, lagged_correlation(sent, local.flip(1), range(1, 3)), atol=1e-6)
    assert torch.allclose(gain, -0.5 * (1 - found.clamp_min(0) ** 2).log(), atol=1e-5)


def test_the_cells_read_some_frames_before_the_first_prediction(windows):
    made = model(windows, memory=True).eval()
    with torch.no_grad():
        made.decoder.output.weight.normal_()
        posterior = made.encoder(windows[:2][:, :40])
        edges = made.sample(posterior.logits)
        moves = signals(windows.skeleton, windows[:2])
        predicted = []
        for frame in (None, 39 - 8 - 1, 39 - 8):  # the displacement that leads to frame 31 is the first one read
            local = moves.local.clone()
            if frame is not None:
                local[:, :, :, frame - 1] += 0.05
            predicted.append(made.decoder(windows[:2], made.encoder.graph, posterior, edges, 39, None,
                                          moves._replace(local=local))[0][:, :, :, 0])
    assert torch.equal(predicted[0], predicted[1]) and not torch.equal(predicted[0], predicted[2])


@pytest.mark.parametrize("form", ["as described", "ours", "correlation", "zero lag"])
def test_a_string_pulls_its_receiver_and_nobody_else(form, windows):
    made = model(windows, **FORMS[form]).eval()
    with torch.no_grad():
        for weights in made.parameters():
            weights.add_(0.05 * torch.randn(weights.shape))
        posterior = made.encoder(windows[:2][:, :40])
        none = torch.zeros_like(posterior.logits)
        none[..., 0] = 1
        tied = none.clone()
        tied[:, 1, 7, 20] = torch.eye(made.types)[-1]  # b's joint 7 moves a's joint 20
        without, strung = (made.decoder(windows[:2], made.encoder.graph, posterior, edges, 39)[0]
                           for edges in (none, tied))
    moved = (without != strung).flatten(3).any(-1)  # [B, 2, J]
    assert moved[:, 0, 20].all() and not moved[:, 1].any()
    if made.lags:
        assert moved[:, 0].sum() == 2
    else:  # a message travels on along a's bones
        assert not moved[:, 0, [0, 1, 2]].any()


def test_a_string_pulls_as_many_frames_later_as_it_says(windows):
    made = model(windows).eval()
    with torch.no_grad():
        posterior = made.encoder(windows[:2][:, :40])
        pull = torch.zeros_like(posterior.lag_weights)
        pull[:, 0, 7, 20, 0, made.lags.index(6)] = 1.0
        edges = torch.ones_like(posterior.logits)
        none = made.decoder(windows[:2], made.encoder.graph, posterior._replace(lag_weights=0 * pull), edges, 39)[0]
        strung = made.decoder(windows[:2], made.encoder.graph, posterior._replace(lag_weights=pull), edges, 39)[0]
        sent = signals(windows.skeleton, windows[:2]).root_relative
        new = innovations(sent, posterior.sender_ar)[:, 0, 7]  # step t is row t - 3
        new = new / posterior.sender_scale[:, 0, 7, None, None]
    pulled = (strung - none)[:, 1, 20] / posterior.receiver_scale[:, 1, 20, None, None]  # of steps 39 to 79
    assert torch.allclose(pulled, new[:, 39 - 6 - 3 : 80 - 6 - 3], atol=1e-4)


def test_what_is_off_has_a_student_distribution(windows):
    made = model(windows).eval()
    with torch.no_grad():
        made.log_error_scale.normal_()
        posterior = made.encoder(windows[:][:, :40])
        edges = made.sample(posterior.logits)
        cost, error = made.nll(windows[:], posterior, edges)
    assert cost.shape == (6, 2, 29, 40) and error.shape == (6, 2, 29, 40, 3)  # what comes after the window, no more
    wide = (posterior.receiver_scale * made.log_error_scale.exp())[..., None, None].expand_as(error)
    true = -torch.distributions.StudentT(3.0, 0.0, wide).log_prob(error).sum(-1)
    gap = true - cost
    assert torch.allclose(gap, gap.mean().expand_as(gap), atol=1e-3)
    inside, _ = made.nll(windows[:][:, :40], posterior, edges)
    assert inside.shape[-1] == 39 - (made.lags[-1] + 4)


def test_strings_that_are_there_are_worth_something():
    drive = synthetic.Drive(("a", "left_knee"), ("b", "right_elbow"), 6, 0.9)
    tied, free = ([synthetic.duet(kind, 128, seed=k, drives=[drive] if kind == "drives" else 0) for k in range(8)]
                  for kind in ("drives", "independent"))
    made = CouplingNRI(HYBRIK_29).eval()
    made.fit_statistics([cut(tied, 128)[:]])
    worth = torch.cat([made.gain(duet) for duet in tied])
    assert worth.mean() > 0.05 and worth.mean() > torch.cat([made.gain(duet) for duet in free]).mean() + 0.05


def test_half_precision_does_not_make_a_copy_infinitely_likely(windows):
    made = model(windows, zero_lag=True).eval()
    twins = windows[:2][:, :40].clone()
    twins[:, :, 1] = twins[:, :, 0] + torch.tensor([0.0, 1.5, 0.0])
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        posterior = made.encoder(twins)
    assert posterior.logits.isfinite().all() and posterior.lag_weights.isfinite().all()


@pytest.mark.parametrize("form", ["as described", "ours", "zero lag"])
def test_a_world_that_is_turned_has_the_same_strings_and_a_turned_future(form, windows):
    made = model(windows, **FORMS[form]).double().eval()
    with torch.no_grad():
        for weights in made.encoder.parameters():
            weights.add_(0.05 * torch.randn(weights.shape))
        past = windows[:2][:, :40].double()
        one, other = (made.encoder(x).logits.softmax(-1) for x in (past, turned(past)))
        assert torch.allclose(one, other, atol=1e-6) and one.std() > 1e-3
        assert torch.allclose(turned(made.predict(past, 3)), made.predict(turned(past), 3), atol=1e-6)


def test_a_forecast_goes_on_from_its_own_frames(windows):
    made = model(windows).eval()
    past = windows[:2][:, :40]
    with torch.no_grad():
        posterior = made.encoder(past)
        posterior = posterior._replace(receiver_ar=damped(posterior.receiver_ar))
        step, _ = made.decoder(past, made.encoder.graph, posterior, made.sample(posterior.logits), 39)
    first = next_pose(windows.skeleton, past[:, -1], step[:, :, :, -1])
    three = made.predict(past, 3)
    assert three.shape == (2, 3, 2, 29, 3) and torch.allclose(three[:, 0], first, atol=1e-6)
    assert not torch.allclose(three[:, 2], three[:, 0])


def test_a_forecast_does_not_run_away_with_a_wild_habit(windows):
    made = model(windows).eval()
    with torch.no_grad():
        wild = torch.tensor([2.4, -1.1, 0.0])  # alone, 60 steps make this a million
        made.encoder.ar.copy_(wild.expand_as(made.encoder.ar))
        made.encoder.window_gate.fill_(-20.0)
        past = windows[:2][:, :40]
        assert (made.predict(past, 60)[:, -1] - past[:, -1]).norm(dim=-1).max() < 1000  # undamped, beyond 1e12


def test_the_memory_of_a_forecast_is_that_of_one_long_look(windows):
    made = model(windows, **DESCRIBED).eval()
    with torch.no_grad():
        made.decoder.output.weight.add_(0.1 * torch.randn(made.decoder.output.weight.shape))
        posterior = made.encoder(windows[:2][:, :40])
        edges = made.sample(posterior.logits)
        whole, _ = made.decoder(windows[:2], made.encoder.graph, posterior, edges, 39)
        part, state = made.decoder(windows[:2][:, :60], made.encoder.graph, posterior, edges, 39)
        rest, _ = made.decoder(windows[:2], made.encoder.graph, posterior, edges, 60, state)
    assert torch.allclose(torch.cat([part, rest], 3), whole, atol=1e-6)


def test_undirected_strings_pull_both_ways(windows):
    made = model(windows, directed=False).train()
    with torch.no_grad():
        logits = made.encoder(windows[:][:, :40]).logits
        assert torch.allclose(logits[:, 0], logits[:, 1].transpose(1, 2), atol=1e-6)
        drawn = made.sample(logits)
    assert torch.equal(drawn[:, 0], drawn[:, 1].transpose(1, 2))
    made.eval()
    posterior = made.encoder(windows[:][:, :40]).logits.log_softmax(-1)
    once = (posterior.exp() * (posterior - made.prior.log())).sum(-1)[:, 0].sum() / (6 * 2 * 29 * 29)
    assert float(made.loss(windows[:], None)["kl_nats_per_edge"]) == pytest.approx(float(once), rel=1e-4)


def test_nobody_is_a_sender_too():
    evidence = torch.randn(3, 2, 29, 29)
    likely = torch.sigmoid(competition(evidence))
    share = torch.cat([torch.zeros(3, 2, 1, 29), evidence], 2).softmax(2)[:, :, 1:]
    assert torch.allclose(likely, share, atol=1e-5) and likely.sum(2).max() < 1
    strong = evidence.index_fill(2, torch.tensor([4]), 40.0)
    assert competition(strong).isfinite().all()


def test_who_often_sends_and_who_often_receives_is_found_without_being_told(windows):
    made, rng = model(windows), torch.Generator().manual_seed(0)
    evidence = 0.5 * torch.rand(200, 2, 29, 29, generator=rng)
    senders, receivers = torch.tensor([4, 9]), torch.tensor([20, 21, 22])
    for clip in evidence.flatten(0, 1)[::2]:  # in every other one string
        sender, receiver = (joints[torch.randint(len(joints), (), generator=rng)] for joints in (senders, receivers))
        clip[sender, receiver] = 9.0
    with torch.no_grad():
        made.encoder.evidence.fit_rates(evidence)
        sends, receives = (rate.clone() for rate in rates_of(made))
        made.encoder.evidence.fit_rates(torch.zeros(5, 2, 29, 29))  # where nothing is ever found, all are alike
        assert torch.allclose(rates_of(made)[0], rates_of(made)[0].mean()) and rates_of(made)[0].isfinite().all()
    assert sorted(sends.topk(2).indices.tolist()) == [4, 9]
    assert sorted(receives.topk(3).indices.tolist()) == [20, 21, 22]
    rates = (sends[:, None] + receives).exp()
    tied = rates[senders[:, None], receivers].clone()
    rates[senders[:, None], receivers] = 0
    assert tied.min() > 1.5 * rates.max() and tied.max() < 1.5 * tied.min()


def test_dropout_leaves_out_whole_edges():
    torch.manual_seed(0)
    encoder, seen = Encoder(6, 8, 2, 0.5).train(), []
    encoder.dropout.register_forward_hook(lambda layer, taken, given: seen.append(given))
    encoder(torch.randn(2, 2, 5, 6), torch.zeros(5, 5))
    left_out = (seen[0] == 0).all(-1)
    assert 20 < int(left_out.sum()) < 80 and torch.equal(left_out, (seen[0] == 0).any(-1))


@pytest.mark.parametrize("form", ["as described", "ours", "zero lag"])
def test_what_is_known_already_is_not_reckoned_again(form, windows):
    made = model(windows, **FORMS[form]).eval()
    with torch.no_grad():
        made.decoder.output.weight.normal_()
        batch = windows[:2]
        moves = signals(windows.skeleton, batch)
        posterior = made.encoder(batch[:, :40])
        edges = made.sample(posterior.logits)
        whole, _ = made.decoder(batch, made.encoder.graph, posterior, edges, 39)
        part, _ = made.decoder(batch[:, :-1], made.encoder.graph, posterior, edges, 39, moves=moves)
        _, error = made.nll(batch, posterior, edges)
    assert torch.allclose(part, whole[:, :, :, :-1], atol=1e-6)
    assert torch.allclose(error, moves.local[:, :, :, 39:] - whole[:, :, :, :-1], atol=1e-6)


@pytest.mark.parametrize("form", ["as described", "ours"])
def test_half_precision_learns_nearly_the_same(form, windows):
    made = model(windows, dropout=0.0, **FORMS[form]).eval()
    exact = made.loss(windows[:], None)
    with torch.autocast("cpu", torch.bfloat16):
        half = made.loss(windows[:], None)
    half["loss"].backward()
    assert float(half["loss"].detach()) == pytest.approx(float(exact["loss"].detach()), rel=0.01)
    assert all(weights.grad.isfinite().all() for weights in made.encoder.network.parameters())


def test_a_price_in_nats(windows):
    made = model(windows, **DESCRIBED).eval()
    with torch.no_grad():
        made.encoder.network.classifier.weight.zero_()
        made.encoder.network.classifier.bias.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))
        told = made.loss(windows[:], None)
    q = (made.prior.log() + torch.tensor([0.0, 1.0, 0.0, 0.0])).softmax(0)
    assert float(told["kl_nats_per_edge"]) == pytest.approx(float((q * (q / made.prior).log()).sum()), rel=1e-4)
    assert float(told["loss"]) == pytest.approx(float(told["nll_nats"] + told["kl_nats_per_edge"]), rel=1e-6)


def test_a_strong_tie_is_found_before_anything_is_learned():
    drive = synthetic.Drive(("a", "left_wrist"), ("b", "right_wrist"), 6, 0.9)
    clips = [synthetic.duet("drives", 64, seed=k, drives=[drive]) for k in range(8)]
    made = CouplingNRI(HYBRIK_29).eval()
    made.fit_statistics([cut(clips, 64)[:]])
    score = grade(finder_of(made), clips)
    assert score["edge_auc"] > 0.9 and min(score["direction_accuracy"], score["lag_accuracy"]) > 0.7


def test_find_says_when_and_reads_every_so_many_frames():
    duet = synthetic.duet("drives", 150, seed=5, fps=30)
    made = CouplingNRI(HYBRIK_29, frames=32, fps=15, max_lag=0.4).eval()
    made.fit_statistics([cut(duet, 64, 8, 2)[:]])
    found = made.find(duet, hop=16)
    assert found.probability.shape == (3, 2, 29, 29) and found.types.shape == (3, 2, 29, 29, 2)
    assert np.allclose(found.time, [16 / 15, 32 / 15, 48 / 15])
    assert int(found.lag.min()) >= 1 and int(found.lag.max()) <= 6
    assert torch.allclose(found.types.sum(-1), torch.ones(3, 2, 29, 29), atol=1e-5)
    assert made.gain(duet, hop=8).shape == (2,) and not made.training


def test_it_says_what_it_cannot_do():
    with pytest.raises(ValueError, match="whose sum is 1"):
        CouplingNRI(HYBRIK_29, types=3, prior=[0.9, 0.2, 0.1])
    with pytest.raises(ValueError, match="set max_lag"):
        CouplingNRI(HYBRIK_29, max_lag=0)
    with pytest.raises(ValueError, match="too short for lags"):
        CouplingNRI(HYBRIK_29, frames=20)
    made = CouplingNRI(HYBRIK_29)
    with pytest.raises(ValueError, match="128 are needed, to read the first half"):
        made.loss(torch.zeros(2, 100, 2, 29, 3), None)
    with pytest.raises(ValueError, match="25 frames a second; the model knows 29"):
        made.find(synthetic.duet("canon", 80, fps=25))
    with pytest.raises(ValueError, match="longest take has 50"):
        made.find(synthetic.duet("canon", 50))


def test_a_configuration_makes_the_same_model(windows):
    made = model(windows, types=3, zero_lag=True)
    again = CouplingNRI.from_config(made.config_dict())
    again.load_state_dict(made.state_dict())
    again.eval(), made.eval()
    with torch.no_grad():
        assert torch.equal(again.encoder(windows[:2][:, :40]).logits, made.encoder(windows[:2][:, :40]).logits)


def test_grades_are_those_of_what_was_planted():
    clips = [synthetic.duet("drives", 20, seed=k) for k in range(3)]
    truth = clips[0].coupling.matrix()
    strength, lag = planted(clips[0])
    assert np.array_equal(strength, np.stack([truth[:29, 29:], truth[29:, :29]]))
    assert sorted(lag[strength > 0]) == sorted(drive.lag for drive in clips[0].coupling.drives)
    perfect = grade(planted, clips)
    assert perfect["average_precision"] == perfect["edge_auc"] == perfect["lag_accuracy"] == 1
    backwards = grade(lambda duet: (planted(duet)[0][::-1].swapaxes(1, 2), planted(duet)[1] + 2), clips)
    assert backwards["direction_accuracy"] == backwards["lag_accuracy"] == 0


def test_a_judge_says_everything_its_recipe_promises():
    recipe = recipes.RECIPES["strings-synthetic"]
    train, asked = (recipe.windows(split, None, "quick") for split in ("train", "validation"))
    train = train.subset(slice(20))
    rows = evaluate_couplings(recipe.build(train, "quick"), train, asked.subset(slice(4)))
    assert {"edge_auc", "average_precision", "direction_accuracy", "lag_accuracy", "kl_nats_per_edge",
            "kl_nats_planted", "kl_nats_independent", "error_mm@33ms", "error_mm@333ms"} <= set(rows["model"])
    assert rows["model"]["average_precision"] == rows["untrained"]["average_precision"]  # for it has learned nothing
    assert rows["ridge, local displacements"]["edge_auc"] != rows["ridge"]["edge_auc"]


def test_where_nothing_was_planted_strangers_are_the_judge():
    train, asked = (cut([synthetic.duet("canon", 300, lag=9, seed=seed + k) for k in range(2)], 64, 20, 3)
                    for seed in (0, 10))
    made = CouplingNRI(HYBRIK_29, frames=32, fps=10.0, zero_lag=True)
    made.fit_statistics([train[:]])
    rows = evaluate_couplings(made, train, asked)
    assert rows["model"]["swap_auc"] == rows["untrained"]["swap_auc"] > 0.6
    assert {"swap_auc", "swap_auc_prediction", "kl_nats_per_edge", "error_mm@100ms", "error_mm@1000ms"} <= set(
        rows["model"])
    assert 0 <= rows["cross-correlation"]["swap_auc"] <= 1
    assert rows["cross-correlation of innovations"]["swap_auc"] > 0.6


def test_the_same_drives_or_others_in_every_clip():
    same, others = (splits.driven_duets("test", "quick", 30, fixed) for fixed in (True, False))
    assert len({duet.coupling.drives for duet in same}) == 1 and len({duet.coupling.drives for duet in others}) == 10
    learned = splits.driven_duets("train", "quick", 30)
    assert sum(duet.coupling.kind == "independent" for duet in learned) == len(learned) // 5
    with pytest.raises(ValueError, match="seed from 1 on"):
        splits.driven_duets(0)
    assert untrained(CouplingNRI(HYBRIK_29), cut(same, 30)).training is False
