"""The duet VAE as published: no frame sees a later one, every part learns, and a share of steps reconstructs."""

import pytest
import torch

import choreo_lib as cl
from choreo_lib.sets import synthetic, windows
from choreo_lib.systems.duet_vae import Config, DuetVAE
from choreo_lib.systems.losses import Schedule

T = 12


@pytest.fixture(scope="module")
def train():
    return windows.cut([synthetic.duet("canon", 60, seed=seed) for seed in range(2)], T + 1, stride=4)


def small(train, **changes):
    torch.manual_seed(0)
    model = DuetVAE(train.skeleton, **{"frames": T, "features": 16, "heads": 2, "latent": 8, "hidden": 16,
                                       "feedforward": 32, **changes})
    model.fit_statistics(train.batches(8))
    torch.nn.init.normal_(model.output_proj.weight, std=0.03)  # steps that are not zero, so that their causes show
    return model


def idle(model):
    """The names of the parameters that got no gradient."""
    return {name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().any()}


def test_the_published_values_are_the_defaults():
    c = Config()
    assert (c.features, c.heads, c.latent, c.hidden, c.frames, c.layers, c.feedforward) == (64, 8, 64, 64, 64, 2, 256)
    assert (c.no_input_prob, c.velocity, c.kl.at(0), c.mse, c.velocity_frames) == (0.1, 0.05, 5e-5, 0.5, 1)


@pytest.mark.parametrize("frame", [0, 4, T - 1])
@pytest.mark.parametrize("dancer", [0, 1])
def test_an_output_depends_on_all_frames_up_to_its_own_and_on_no_later_one(train, frame, dancer):
    model, pair = small(train).double().eval(), train[:2][:, :T].double()
    inputs = [pair[:, :, k].clone().requires_grad_() for k in (0, 1)]
    model(*inputs)[dancer][:, frame].sum().backward()
    for x in inputs:
        reached = x.grad.abs().amax((0, 2, 3)) > 0  # [T]
        assert reached[: frame + 1].all() and not reached[frame + 1 :].any()


def test_windows_of_a_batch_do_not_know_each_other(train):
    model, pair = small(train).eval(), train[:4][:, :T].unbind(2)
    with torch.no_grad():
        alone, together = model(*(x[1:2] for x in pair)).b, model(*pair).b[1:2]
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=0)


def test_memory_is_the_partner_plus_the_difference(train):
    """VAE 1 reads a and serves b; VAE 2 reads b and serves a; both are served by VAE 3, and its output is added."""
    model, pair = small(train).eval(), train[:2][:, :T].unbind(2)
    with torch.no_grad():
        before = model(*pair)
        for name, moves in (("a", (False, True)), ("b", (True, False)), ("difference", (True, True))):
            bias = model.vaes[name].to_pose.bias
            bias += 1.0
            after = model(*pair)
            bias -= 1.0
            assert tuple(bool((x - y).abs().max() > 1e-6) for x, y in zip(before[:2], after[:2])) == moves
        model.vaes["a"].to_pose.bias.add_(1.0)
        model.vaes["difference"].to_pose.bias.sub_(1.0)
        torch.testing.assert_close(model(*pair).b, before.b, atol=1e-5, rtol=0)


def test_exchanging_the_dancers_and_their_vaes_exchanges_the_predictions(train):
    model, (a, b) = small(train).eval(), train[:2][:, :T].unbind(2)
    with torch.no_grad():
        before = model(a, b)
        model.vaes["a"], model.vaes["b"] = model.vaes["b"], model.vaes["a"]
        after = model(b, a)
    torch.testing.assert_close(after.b, before.a)
    torch.testing.assert_close(after.a, before.b)


def test_a_step_is_added_to_the_last_pose(train):
    pair = train[:2][:, :T].unbind(2)
    for residual in (True, False):
        model = DuetVAE(train.skeleton, frames=T, residual=residual).eval()
        if not residual:
            for weight in model.output_proj.parameters():
                torch.nn.init.zeros_(weight)
        model.fit_statistics(train.batches(8))
        made = model(*pair).b.detach()
        wanted = pair[1] if residual else model.mean.view(-1, 3).expand(made.shape)
        torch.testing.assert_close(made, wanted, atol=1e-5, rtol=0)


def test_every_parameter_gets_a_gradient_from_a_prediction(train):
    model = small(train, no_input_prob=0.0).train()
    model.loss(train[:4], 0)["loss"].backward()
    assert not idle(model)


def test_a_reconstruction_step_reaches_one_vae_and_nothing_else(train):
    reached = set()
    for seed in range(8):
        model = small(train, no_input_prob=1.0).train()
        torch.manual_seed(seed)
        losses = model.loss(train[:4], 0)
        losses["loss"].backward()
        names = set(dict(model.named_parameters())) - idle(model)
        dancer = {name.split(".")[1] for name in names}
        assert "reconstruction" in losses and len(dancer) == 1
        assert names == {name for name, _ in model.named_parameters() if name.startswith(f"vaes.{min(dancer)}.")}
        reached |= dancer
    assert reached == {"a", "b"}


def test_the_share_of_reconstruction_steps_is_the_probability(train):
    model, steps = small(train, no_input_prob=0.1, features=8, heads=1, latent=2, hidden=4, layers=1).train(), 300
    torch.manual_seed(1)
    with torch.no_grad():
        share = sum("reconstruction" in model.loss(train[:1], step) for step in range(steps)) / steps
    assert abs(share - 0.1) < 3 * (0.1 * 0.9 / steps) ** 0.5


@pytest.mark.parametrize("frames", [1, 3])
def test_the_loss_is_what_its_weights_say(train, frames):
    """Computed again from the predictions, which are of the frames one later than the inputs."""
    model = small(train, mse=0.3, velocity=2.0, velocity_frames=frames,
                  kl=cl.systems.losses.Schedule(0.2, "warm-up", rise=10)).eval()
    batch = train[:5]
    with torch.no_grad():
        made = model(*batch[:, :T].unbind(2))
        off = (torch.stack(made[:2], 2) - batch[:, 1:]) / model.std.view(-1, 3)
        change = off[:, frames:] - off[:, :-frames]
        wanted = 0.3 * (off**2).mean() + 2.0 * (change**2).sum((3, 4)).sqrt().mean() + 0.1 * made.kl.sum()
        torch.testing.assert_close(model.loss(batch, 5)["loss"], wanted)


def test_under_eval_the_latent_is_the_mean_and_in_training_it_is_drawn(train):
    model, pair = small(train, dropout=0.0), train[:2][:, :T].unbind(2)
    with torch.no_grad():
        assert not torch.equal(model.train()(*pair).b, model(*pair).b)
        assert torch.equal(model.eval()(*pair).b, model(*pair).b)


def test_it_overfits_one_batch(train):
    """Nearer to the next frame than standing still is, by half."""
    model = DuetVAE(train.skeleton, frames=T, features=32, heads=2, latent=8, hidden=32, feedforward=64, dropout=0.0,
                    no_input_prob=0.0).train()
    model.fit_statistics(train.batches(8))
    batch, optimiser = train[:16:8], torch.optim.AdamW(model.parameters(), 5e-3)
    for step in range(80):
        optimiser.zero_grad()
        model.loss(batch, step)["loss"].backward()
        optimiser.step()
    still = (batch[:, 1:] - batch[:, :-1]).norm(dim=-1).mean()
    assert model.eval().loss(batch, None)["error_m"] < 0.5 * still


def test_a_rollout_feeds_back_its_own_frames_and_the_leaders_true_ones(train):
    duet, model = synthetic.duet("canon", 40, seed=5), small(train).train()
    made = model.rollout(duet.a, duet.b[:20], 10)
    assert model.training and len(made) == 30 and made.source == cl.OURS
    torch.testing.assert_close(torch.tensor(made.positions[:20]), torch.tensor(duet.b.positions[:20]))
    window = torch.tensor(duet.positions[:30])[None]
    window[0, :, 1] = torch.tensor(made.positions)
    with torch.no_grad():
        for t in (20, 21, 29):
            following = model.eval()(*window[:, t - T : t].unbind(2)).b[0, -1]
            torch.testing.assert_close(following, window[0, t, 1], atol=1e-5, rtol=0)
    a = model.predict(window[:, :20], window[:, 20:30, 1], [1, 2], who="a")
    window[:, 20, 0] = a[:, 0]
    with torch.no_grad():
        for t, each in zip((20, 21), a.unbind(1)):
            torch.testing.assert_close(each, model(*window[:, t - T : t].unbind(2)).a[:, -1], atol=1e-5, rtol=0)


def test_a_leader_who_ends_is_refused(train):
    duet, model = synthetic.duet("canon", 30, seed=5), small(train)
    with pytest.raises(ValueError, match="steps must be from 1 to 10"):
        model.rollout(duet.a, duet.b[:20], 11)
    with pytest.raises(ValueError, match="leader has 29 joints at 60"):
        model.rollout(duet.a.resampled(60), duet.b[:20])


def test_its_config_makes_it_again(train):
    model = small(train)
    again = DuetVAE.from_config(model.config_dict())
    assert again.config == model.config
    again.load_state_dict(model.state_dict())


def test_validation_has_the_highest_kl_weight(train):
    """Not the weight of step 0, which of a warm-up is none: then the best weights would be those with the worst KL."""
    warm_up = Schedule(1.0, "warm-up", 0.0, 0, 100)
    losses = small(train, kl=warm_up, mse=0.0, velocity=0.0).eval().loss(train[:2], None)
    torch.testing.assert_close(losses["loss"], losses["kl_nats"])
