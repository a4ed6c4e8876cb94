"""The duet model: attention sees time and never the future, every part learns, and a stream is a rollout."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import choreo_lib as cl
from choreo_lib.evaluation import metrics
from choreo_lib.extensions import DuetForecaster
from choreo_lib.extensions.duet_layers import CachedDecoder, attend
from choreo_lib.extensions.duet_network import CHUNK
from choreo_lib.sets import augmentation, synthetic, windows
from choreo_lib.systems.losses import Schedule

PAST, AHEAD = 12, 8


@pytest.fixture(scope="module")
def duets():
    return [synthetic.duet("canon", 120, seed=seed) for seed in range(3)]


@pytest.fixture(scope="module")
def train(duets):
    return windows.cut(duets, PAST + AHEAD, stride=2)


def small(train, **changes):
    """An untrained model whose answers are not nothing, so that what it looks at can be seen."""
    torch.manual_seed(0)
    model = DuetForecaster(train.skeleton, **{"past": PAST, "ahead": AHEAD, "features": 16, "heads": 2, "latent": 8,
                                              "hidden": 16, "residual_components": 8, **changes})
    model.fit_statistics(train.batches(64))
    torch.nn.init.normal_(model.output_proj.weight, std=0.03)
    torch.nn.init.normal_(model.future_flag)
    if model.extrapolation is not None:
        torch.nn.init.normal_(model.extrapolation.gate.weight, std=0.1)
        if model.config.turning:
            torch.nn.init.normal_(model.extrapolation.turn.weight, std=0.1)
    if model.experts is not None:
        torch.nn.init.normal_(model.experts.maps, std=0.002)
    return model


@pytest.mark.parametrize("wishes", [{}, {"turning": True, "motion_attention": True}])
@pytest.mark.parametrize("who", ["a", "b"])
def test_no_frame_sees_a_later_one_and_later_frames_see_it(train, who, wishes):
    model, batch = small(train, **wishes).eval().double(), train[:3].double()
    with torch.no_grad():
        before = model.displacement(batch, who)[0]
        for frame in (PAST - 3, PAST, PAST + 4, PAST + AHEAD - 1):
            moved = batch.clone()
            moved[:, frame, "ba".index(who)] += 0.5  # the partner
            change = (model.displacement(moved, who)[0] - before).abs().amax((0, 2))  # [F]
            first = max(frame - PAST, 0)
            assert (change[:first] == 0).all() and (change[first:] > 0).all()


def test_what_is_to_be_predicted_is_not_looked_at(train):
    model, batch = small(train).eval(), train[:3]
    moved = batch.clone()
    moved[:, PAST:, 1] = 7.0
    with torch.no_grad():
        torch.testing.assert_close(model.displacement(moved, "b")[0], model.displacement(batch, "b")[0], atol=0, rtol=0)


def test_a_window_does_not_know_its_neighbours_in_the_batch(train):
    model, batch = small(train).eval(), train[:4]
    with torch.no_grad():
        torch.testing.assert_close(model.displacement(batch, "b")[0][1:2], model.displacement(batch[1:2], "b")[0],
                                   atol=1e-5, rtol=0)


def test_the_world_may_turn(train):
    model, batch = small(train).eval(), train[::20]
    turn = torch.full((len(batch),), 2.0)
    turned = augmentation.turned(batch, turn) + torch.tensor([3.0, -2.0, 0.0])
    with torch.no_grad():
        made, wanted = (model.displacement(each, "b")[0] for each in (turned, batch))
    torch.testing.assert_close(made, wanted, atol=2e-3, rtol=0)


@pytest.mark.parametrize("who", ["a", "b"])
def test_each_dancer_stands_in_its_own_frame_and_the_partner_where_it_is(train, who):
    model, batch, other = small(train), train[:5], "ba".index(who)
    at, seen, frames = model.local_view(batch[:, :PAST], batch[:, PAST:, other], who)
    pelvis = slice(3 * model.skeleton.pelvis, 3 * model.skeleton.pelvis + 2)
    there, itself = seen[:, PAST - 1].chunk(2, 1)  # [5, J * 3] each
    assert at[:, -1, pelvis].abs().max() < 1e-5 and itself[:, pelvis].abs().max() < 1e-5
    far = batch[:, PAST - 1, :, model.skeleton.pelvis, :2].diff(dim=1)[:, 0].norm(dim=1)
    torch.testing.assert_close(there[:, pelvis].norm(dim=1), far, atol=1e-5, rtol=0)
    torch.testing.assert_close(frames.origin[:, 1, :2], batch[:, PAST - 1, other, model.skeleton.pelvis, :2])


def test_before_training_steps_go_on_by_least_squares(train):
    """From one step as `DampedVelocity` says, another program; from nine, nearer at every horizon."""
    from choreo_lib.evaluation import baselines

    rival, batch = baselines.DampedVelocity().fit(train, range(1, AHEAD + 1)), train[:60]
    for who in (0, 1):
        asked, true = (batch[:, :PAST], batch[:, PAST:, 1 - who], range(1, AHEAD + 1), "ab"[who]), batch[:, PAST:, who]
        one, nine = (gliding(train, trust).predict(*asked) for trust in (-30.0, 30.0))
        torch.testing.assert_close(one, rival.predict(*asked), atol=1e-4, rtol=0)
        off = [(made - true).norm(dim=-1).mean((0, 2)) for made in (one, nine)]  # [AHEAD] each
        assert (off[1] < 0.95 * off[0]).all()


def gliding(train, trust):
    """A model that answers with nothing but where its steps carry it."""
    model = small(train)
    torch.nn.init.zeros_(model.output_proj.weight)
    torch.nn.init.zeros_(model.experts.maps)
    torch.nn.init.constant_(model.extrapolation.gate_bias, trust)
    return model


def test_it_sees_how_its_own_speed_changes_and_nothing_of_that_ahead(train):
    model = small(train)
    own = model.local_view(train[:5][:, :PAST], train[:5][:, PAST:, 0], "b")[0]
    seen = model._own_features(torch.cat([own, own[:, -1:].expand(-1, AHEAD, -1)], 1))
    change = seen[:, :, 2 * own.shape[2] :]  # [5, PAST + AHEAD, J * 3]
    truth = own[:, 2:] - 2 * own[:, 1:-1] + own[:, :-2]
    torch.testing.assert_close(change[:, 2:PAST], truth / model.acceleration_std, atol=1e-4, rtol=1e-3)
    assert not change[:, :2].any() and not change[:, PAST:].any() and change[:, PAST - 1].any()


def test_every_part_gets_a_gradient(train):
    """Foretelling b and a reaches everything but the VAEs' decoders, which learn when things are rebuilt."""
    model = small(train, no_input_prob=0.0).train()
    for step in (0, 1):
        model.loss(train[:8], step)["loss"].backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    decoders = ("decoder", "smoothing", "to_pose")
    assert all(name.startswith("vaes.") and any(part in name for part in decoders) for name in idle), idle
    model.config = replace(model.config, no_input_prob=1.0)
    for step in (0, 1):
        model.loss(train[:8], step)["loss"].backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not idle, idle


def test_probability_based_training_counts_right(train):
    """With p = 0.1, the share of steps that rebuild is 0.1 within three standard errors."""
    model = small(train, no_input_prob=0.1, features=8, heads=1, hidden=4, latent=2).train()
    torch.manual_seed(1)
    steps = 1500
    with torch.no_grad():
        rebuilt = sum("reconstruction" in model.loss(train[:1], step) for step in range(steps))
    assert abs(rebuilt / steps - 0.1) < 3 * (0.1 * 0.9 / steps) ** 0.5


def test_the_loss_is_what_its_weights_say(train):
    """Told again from the answers: squares and distances in units of the reach, changes in metres, nats; both roles."""
    model, batch = small(train, mse=0.3, distance=0.7, velocity=2.0, kl=Schedule(0.01)).eval(), train[:6]
    told = 0.0
    with torch.no_grad():
        for who in (0, 1):
            past, partner = batch[:, :PAST], batch[:, PAST:, 1 - who]
            made = model.predict(past, partner, range(1, AHEAD + 1), "ab"[who])
            off = made - batch[:, PAST:, who]  # metres, in the world: no norm below knows where it is seen from
            units = off / model.horizon_scale[:, None, None]
            steps = torch.cat([off[:, :1], off[:, 1:] - off[:, :-1]], 1).flatten(2)
            kl = model.displacement(batch, "ab"[who])[1].sum()
            told += (0.3 * (units**2).mean() + 0.7 * (units**2).sum(-1).sqrt().mean()
                     + 2.0 * (steps**2).sum(-1).sqrt().mean() + 0.01 * kl) / 2
        assert abs(model.loss(batch, None)["loss"] - told) < 1e-3 * told


def test_it_learns_one_batch_by_heart(train):
    model, batch = small(train, dropout=0.0, no_input_prob=0.0, kl=Schedule(0.0)), train[::30]
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    curve = []
    for _ in range(160):
        losses = model.loss(batch, 0)
        optimiser.zero_grad()
        losses["loss"].backward()
        optimiser.step()
        curve.append(float(losses["error_m"]))
    assert curve[-1] < 0.6 * curve[0]


@pytest.mark.parametrize("share", [0.0, 0.3])
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
def test_a_stream_is_a_rollout_frame_by_frame(train, duets, share, dtype, atol):
    """For as long as what is fed back does not enlarge roundings: where nothing holds a body it soon flies apart."""
    frames = {(torch.float64, 0.3): 80, (torch.float64, 0.0): 60, (torch.float32, 0.3): 32, (torch.float32, 0.0): 50}
    model, duet = small(train, pose_prior=share).to(dtype), duets[0][: frames[dtype, share]]
    made = model.rollout(duet.a, duet.b[:20], every=5)
    assert len(made) == len(duet.a)
    np.testing.assert_array_equal(made.positions[:20], duet.b.positions[:20])
    stream = model.stream(duet.positions[20 - PAST : 20], every=5)
    along = np.stack([stream(frame).numpy() for frame in duet.a.positions[20:]])
    np.testing.assert_allclose(along, made.positions[20:], atol=atol)


@pytest.mark.parametrize("wishes", [{}, {"turning": True}, {"turning": True, "motion_attention": True}])
@pytest.mark.parametrize("parts", [(AHEAD,), (1,) * AHEAD, (3, 5)])
def test_what_is_kept_is_what_would_be_read_again(train, parts, wishes):
    model, batch = small(train, **wishes).eval(), train[:3]
    own, partner, _ = model.local_view(batch[:, :PAST], batch[:, PAST:, 0], "b")
    with torch.no_grad():
        whole, cache, made, begin = model(own, partner, "b")[0], {}, [], PAST
        model(own, partner[:, :PAST], "b", kv_cache=cache)
        for count in parts:
            made.append(model(own, partner[:, begin : begin + count], "b", kv_cache=cache)[0])
            begin += count
    torch.testing.assert_close(torch.cat(made, 1), whole, atol=2e-5, rtol=0)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("frames", [None, 6, 2])
def test_attention_in_few_operators_is_that_of_torch(frames, dropout):
    """A dancer's to itself (None), or of so many last frames to another's; with the same dropout and gradients."""
    torch.manual_seed(0)
    layer, (x, memory) = torch.nn.MultiheadAttention(16, 4, dropout, batch_first=True), torch.randn(2, 3, 6, 16)
    torch.nn.init.normal_(layer.in_proj_bias)
    query, keys = (x, x) if frames is None else (x[:, -frames:], memory)
    mask, found = torch.full((6, 6), -torch.inf).triu(1)[-query.shape[1] :], []
    for answer in (lambda: attend(layer, query, keys, mask),
                   lambda: layer(query, keys, keys, attn_mask=mask, need_weights=False)[0]):
        torch.manual_seed(1)
        made = answer()
        found.append((made, *torch.autograd.grad(made.square().sum(), layer.parameters())))
    torch.testing.assert_close(*found, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("out", [None, "dropout", "dropout1", "dropout2", "dropout3"])
def test_the_decoder_gives_what_the_decoder_of_torch_gives(out):
    """Also where one of its dropouts leaves everything out, for which no chance is needed; under eval() none does."""
    torch.manual_seed(0)
    layer = torch.nn.TransformerDecoderLayer(16, 4, 32, 0.0, batch_first=True, norm_first=True)
    decoder = CachedDecoder(layer, 2, torch.nn.LayerNorm(16))
    (x, memory), mask = torch.randn(2, 3, 6, 16), torch.full((6, 6), -torch.inf).triu(1)
    whole = decoder.decode(x, memory, mask)
    if out is not None:
        for each in decoder.layers:
            getattr(each, out).p = 1.0
        assert (decoder.decode(x, memory, mask) - whole).abs().max() > 0.1
        torch.testing.assert_close(decoder.eval().decode(x, memory, mask), whole)
    torch.testing.assert_close(decoder.train().decode(x, memory, mask), decoder(x, memory, mask, mask))


def test_rollouts_keep_their_bones_and_their_terms(train, duets):
    model, duet = small(train), duets[0]
    model.fit_residuals(train.batches(64))
    made = model.rollout(duet.a, duet.b[:PAST], steps=40, temperature=0.3, count=3, every=8)
    assert len({m.positions.tobytes() for m in made}) == 3 and all(len(m) == PAST + 40 for m in made)
    one, other = map(list, zip(*train.skeleton.links))
    for m in made:
        assert metrics.bone_variation(m[PAST:]).max() < 0.1
        apart = np.linalg.norm(m.positions[PAST:, one] - m.positions[PAST:, other], axis=-1)
        assert np.ptp(apart, axis=0).max() < 0.01, "pelvis and chest are stiff, too"
    private = cl.Motion(duet.a.positions, 30, duet.a.skeleton, source=cl.Source("x", redistribute=False))
    assert not model.rollout(private, steps=3, every=3).source.redistribute


def test_from_nothing_there_is_somebody(train, duets):
    model, duet = small(train), duets[0]
    made = model.rollout(duet.a, steps=10, every=5)
    apart = np.linalg.norm(made.positions[0, 0] - duet.a.positions[0, 0])
    real = np.mean([metrics.pelvis_distance(each).mean() for each in duets])
    assert len(made) == 10 and 0.3 * real < apart < 2 * real


def test_what_does_not_fit_is_refused_in_words(train, duets):
    model, duet = small(train), duets[0]
    with pytest.raises(ValueError, match=f"a seed needs {PAST}"):
        model.rollout(duet.a, duet.b[:3])
    with pytest.raises(ValueError, match="leader has 29 joints at 60 frames a second"):
        model.rollout(duet.a.resampled(60))
    with pytest.raises(ValueError, match="ahead"):
        model.stream(duet.positions[:PAST], every=AHEAD + 1)
    with pytest.raises(ValueError, match="past of 5 frames"):
        model.stream(duet.positions[:5], every=5)


def test_the_loss_of_speed_is_how_far_each_joint_goes_in_a_chunk(train, monkeypatch):
    """Whoever stays where it was misses all of the way; direction and jitter are other losses' business."""
    ahead = CHUNK + 4
    model = small(train, past=PAST + AHEAD - ahead, ahead=ahead, speed=3.0, distance=0.0, mse=0.0, velocity=0.0,
                  kl=Schedule(0.0)).eval()
    way = torch.zeros(2, ahead, len(train.skeleton), 3)
    way[..., 0] = 0.01 * torch.arange(1, ahead + 1)[:, None]  # a centimetre a frame
    for made, missed in ((torch.zeros_like(way), 0.01 * CHUNK), (-way, 0.0), (0.5 * way, 0.005 * CHUNK)):
        given = (made.flatten(2), torch.zeros(4), way.flatten(2), torch.zeros(2, PAST, way[0, 0].numel()))
        monkeypatch.setattr(model, "displacement", lambda *_, given=given: given)
        losses = model.loss(train[:2], None)
        assert float(losses["speed"]) == pytest.approx(missed, abs=1e-6)
        assert float(losses["loss"]) == pytest.approx(3 * missed, abs=1e-6)
