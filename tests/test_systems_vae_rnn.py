"""The VAE-RNN of the shelf: its four losses by hand, its gradients, both of its forms, and takes of any length."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import choreo_lib as cl
from choreo_lib.body.blending import overlapping_windows
from choreo_lib.body.kinematics import positions_of
from choreo_lib.sets import windows
from choreo_lib.systems.losses import Schedule, kl_per_unit, rotation_difference
from choreo_lib.systems.vae_rnn import VAERNN, Config

SMALL = {"frames": 16, "latent": 8, "hidden": 16, "dense": 24}
DEEPFAKE = ("aa", "bb")


@pytest.fixture(scope="module")
def duet():
    """Two bodies of different sizes, one of whom turns right round."""
    made = cl.synthetic.duet("canon", frames=150, seed=4)
    tall = cl.synthetic.body(1.9, legs=1.1)
    return cl.Duet(made.a, cl.Motion.from_rotations(made.b.rotations, made.b.positions[:, 0], 30, tall, source=cl.OURS))


@pytest.fixture(scope="module")
def batch(duet):
    return windows.cut(duet, 16, 8, rotations=True)[:6]


def make(duet, **settings):
    torch.manual_seed(0)
    return VAERNN(duet.a.skeleton, **{**SMALL, "steps_per_epoch": 1, **settings})


def trained(model, batch, steps, lr=3e-3):
    optimiser = torch.optim.Adam(model.parameters(), lr)
    for _ in range(steps):
        loss = model.loss(batch, 0)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model


def test_the_defaults_are_the_published_sizes():
    config, encoder = Config(), VAERNN(cl.HYBRIK_29).encoders["a"]
    assert (config.norm, config.position, config.rotation, config.latent, config.frames) == (0.1, 0.1, 1.0, 32, 64)
    assert (encoder.lstm.hidden_size, encoder.lstm.num_layers, encoder.lstm.bidirectional) == (256, 2, True)
    assert encoder.dense.out_features == 512 and encoder.mean.out_features == 32
    assert [config.kl.at(epoch) for epoch in (0, 20, 50, 80, 99, 100)] == pytest.approx([0, 0, 0.05, 0.1, 0.1, 0])


def test_the_kl_weight_counts_in_epochs_and_asks_how_long_one_is(duet, batch):
    model = make(duet, steps_per_epoch=10, norm=0.0, position=0.0, rotation=0.0).eval()
    weights = [float(terms["loss"] / terms["kl"]) for terms in (model.loss(batch, k) for k in (199, 500, 999, None))]
    assert weights == pytest.approx([0, 0.05, 0.1, 0.1])
    with pytest.raises(ValueError, match="steps_per_epoch"):
        make(duet, steps_per_epoch=0).loss(batch, 0)
    for step, changes in ((None, {}), (0, {"kl": Schedule(0.1)})):  # nothing to count
        assert make(duet, steps_per_epoch=0, **changes).loss(batch, step)["loss"].isfinite()


def test_each_loss_is_what_it_says(duet, batch):
    weights = [1.0 + k % 3 for k in range(len(duet.a.skeleton))]
    model = make(duet, joint_weights=weights, norm=2.0, position=3.0, rotation=4.0).eval()
    terms = model.loss(batch, None)
    want = 2 * terms["norm"] + 3 * terms["position"] + 4 * terms["rotation"] + 0.1 * terms["kl"]
    torch.testing.assert_close(terms["loss"], want)
    source, _, frame, _ = model.source_and_target(batch, "ab")
    (raw, rotations, root), mean, log_variance = model(source, "ab", sample=False)
    q, root = model.to_world(model.decode(mean, "b", source[..., -3:]), frame)
    torch.testing.assert_close(rotations.norm(dim=-1), torch.ones_like(rotations[..., 0]))
    bones = batch[:, :, 1, :, :3]  # of dancer b, whatever a's are
    made = cl.forward_kinematics(model.skeleton, q, root, bones)[0]
    distance = (made - positions_of(model.skeleton, batch[:, :, 1])).norm(dim=-1)
    weights = torch.tensor(weights) / sum(weights)
    torch.testing.assert_close(terms["position"], (distance * weights).sum(-1).mean())
    torch.testing.assert_close(terms["error_m"], distance.mean())
    apart = rotation_difference(q, batch[:, :, 1, :, 3:])
    torch.testing.assert_close(terms["rotation"], (apart * weights).sum(-1).mean(), rtol=1e-4, atol=1e-5)
    lengths = raw[..., :-3].unflatten(-1, (-1, 4)).norm(dim=-1)
    torch.testing.assert_close(terms["norm"], ((lengths - 1) ** 2).mean())
    torch.testing.assert_close(terms["kl"], kl_per_unit(mean, log_variance).mean())
    torch.testing.assert_close(terms["kl_nats"], kl_per_unit(mean, log_variance).sum())


def test_forward_kinematics_is_given_unit_quaternions(duet, batch):
    """Twice the raw output is the same pose, so only the norm is punished."""
    model = make(duet, rotation=0.0).eval()
    with torch.no_grad():
        before = model.loss(batch, 0)
        for part in (model.decoders["b"].output.weight, model.decoders["b"].output.bias):
            part[:-3] *= 2
        after = model.loss(batch, 0)
    torch.testing.assert_close(after["position"], before["position"])
    assert (after["norm"] - before["norm"]).abs() > 0.01


def test_q_and_minus_q_cost_the_same(duet, batch):
    model = make(duet).eval()
    signs = torch.where(torch.rand(*batch.shape[:-1], 1, generator=torch.Generator().manual_seed(1)) < 0.5, -1.0, 1.0)
    flipped = torch.cat([batch[..., :3], signs * batch[..., 3:]], -1)
    for name, value in model.loss(batch, 0).items():
        torch.testing.assert_close(model.loss(flipped, 0)[name], value)


@pytest.mark.parametrize("routes", [("ab",), ("ba",), ("ab", "ba"), DEEPFAKE])
def test_the_gradient_reaches_every_parameter(duet, batch, routes):
    model = make(duet, routes=routes)
    model.loss(batch, None)["loss"].backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    encoders = {"shared"} if routes == DEEPFAKE else {route[0] for route in routes}
    assert set(model.encoders) == encoders and set(model.decoders) == {route[1] for route in routes}


@pytest.mark.parametrize("routes", [("ab",), DEEPFAKE])
def test_one_batch_is_overfitted(duet, batch, routes):
    model = make(duet, routes=routes, position=1.0)
    before = model.eval().loss(batch[:2], 0)
    after = trained(model.train(), batch[:2], 150).eval().loss(batch[:2], 0)
    assert after["error_m"] < 0.25 * before["error_m"] and after["rotation"] < 0.5 * before["rotation"]


def test_a_deepfake_is_the_other_decoder_on_the_same_latent_vector(duet, batch):
    model = make(duet, routes=DEEPFAKE)
    source, *_ = model.source_and_target(batch, "ab")
    swapped, mean, _ = model(source, "ab", sample=False)
    own, same, _ = model(source, "aa", sample=False)
    assert torch.equal(mean, same) and not torch.equal(swapped.rotations, own.rotations)
    assert torch.equal(swapped.features, model.decoders["b"](mean))
    other, *_ = model.source_and_target(batch, "ba")
    assert torch.equal(model.encode(other, "b")[0], model.encoders["shared"](other)[0])


def test_a_partner_stands_beside_the_source_and_a_deepfake_where_it_danced(duet, batch):
    for routes, beside in ((("ab",), True), (DEEPFAKE, False)):
        model = make(duet, routes=routes)
        source, target, frame, _ = model.source_and_target(batch, "ab")
        true = model.decoded(target, model.origin(source))
        torch.testing.assert_close(model.to_world(true, frame)[1], batch[:, :, 1, 0, :3])
        relative = frame.to_local(batch[:, :, 1, 0, :3]) - beside * frame.to_local(batch[:, :, 0, 0, :3])
        torch.testing.assert_close(target[..., -3:], relative)


def test_training_samples_the_posterior(duet, batch):
    model = make(duet)
    with torch.no_grad():
        for encoder in model.encoders.values():
            encoder.log_variance.bias.fill_(1.0)
    assert not torch.equal(model.loss(batch, 0)["loss"], model.loss(batch, 0)["loss"])
    assert torch.equal(model.eval().loss(batch, 0)["loss"], model.loss(batch, 0)["loss"])


@pytest.mark.parametrize("routes", [("ab",), DEEPFAKE])
def test_a_take_of_any_length_is_translated_and_moves_with_the_room(duet, routes):
    model = make(duet, routes=routes)
    made = model.translate(duet.a, "ab", duet.b.skeleton)
    assert len(made) == len(duet.a) and made.skeleton == duet.b.skeleton and model.training
    moved = model.translate(duet.a.transformed((2, -1, 0), turn=2.5), "ab", duet.b.skeleton)
    np.testing.assert_allclose(moved.positions, made.transformed((2, -1, 0), turn=2.5).positions, atol=2e-4)
    assert not model.translate(replace(duet.a, source=None), "ab").source.redistribute


def test_windows_of_a_take_are_those_of_the_set(duet):
    made = overlapping_windows(duet.a, 16)
    cut = windows.cut(duet.a, 16, 8, rotations=True)[:][:, :, 0]
    torch.testing.assert_close(made[: len(cut), ..., :3], cut[..., :3])
    assert rotation_difference(made[: len(cut), ..., 3:], cut[..., 3:]).max() < 1e-5
    assert len(made) == len(cut) + 1  # 150 frames are 17 windows and a part, filled by going back
    np.testing.assert_allclose(made[-1, 14:, 0, :3], duet.a.positions[[148, 147], 0])
    for motion, word in ((duet.a[:15], "15 frames"), (replace(duet.a, rotations=None), "no joint rotations")):
        with pytest.raises(ValueError, match=word):
            overlapping_windows(motion, 16)


def test_it_is_built_again_from_its_config(duet, batch):
    model = make(duet, routes=DEEPFAKE, joint_weights=[1.0] * 29).eval()
    again = VAERNN.from_config(model.config_dict())
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval().loss(batch, 3)["loss"], model.loss(batch, 3)["loss"])


@pytest.mark.parametrize(("setting", "word"), [
    ({"routes": ("ab", "bb")}, "routes"), ({"routes": ()}, "routes"), ({"frames": 15}, "even"),
    ({"joint_weights": [1.0]}, "weights")])  # fmt: skip
def test_what_it_cannot_be_is_refused(duet, setting, word):
    with pytest.raises(ValueError, match=word):
        make(duet, **setting)
