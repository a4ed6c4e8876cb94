"""The prototype's faults are there until they are mended, each repair mends its own, and all make the shelf's."""

import pytest
import torch

from choreo_lib.extensions.duet_as_coded import REPAIRS, DuetAsCoded
from choreo_lib.sets import synthetic, windows
from choreo_lib.systems import DuetVAE

T = 12
SMALL = {"frames": T, "features": 16, "heads": 2, "latent": 8, "hidden": 16, "feedforward": 32}


@pytest.fixture(scope="module")
def train():
    return windows.cut([synthetic.duet("canon", 90, seed=seed) for seed in range(2)], T + 1, stride=3)


def small(train, repairs, **changes):
    torch.manual_seed(0)
    model = DuetAsCoded(train.skeleton, repairs, **SMALL | changes)
    model.fit_statistics(train.batches(64))
    torch.nn.init.normal_(model.output_proj.weight, std=0.03)
    return model


@torch.no_grad()
def changed(model, batch, frame, window=slice(None)):
    """At which of the outputs b is moved when a is moved at one frame: in the first window, of all or of some."""
    moved = batch[:, :T].clone()
    moved[window, frame, 0] += 0.3
    before, after = (model.eval()(*each.unbind(2)).b for each in (batch[:, :T], moved))
    return (before - after).abs().amax((2, 3))[0] > 1e-6


def test_as_coded_time_is_not_seen_and_neighbours_are(train):
    model, batch = small(train, 0), train[:4]
    assert changed(model, batch, 6)[6]
    assert changed(model, batch, 6, slice(1, None)).any()  # only the other windows were moved


def test_as_coded_attention_sees_one_frame_only_and_the_convolution_mixes_them(train):
    """A reshape puts numbers of several frames into one channel, so what it mixes is in other frames, too."""
    model, batch = small(train, 0), train[:4]
    for vae in model.vaes.values():
        vae.decode = lambda z: torch.cat([z] * 11, 2)[:, :, :87]  # a decoder that mixes nothing
    assert changed(model, batch, 6).nonzero().flatten().tolist() == [6]


def test_along_time_everything_is_seen_the_future_too_until_that_is_masked(train):
    batch = train[:4]
    assert changed(small(train, 1), batch, 6).all()
    assert not changed(small(train, 1), batch, 6, slice(1, None)).any()
    seen = changed(small(train, 2), batch, 6)
    assert seen[6:].all() and not seen[:6].any()


def test_the_probability_of_reconstruction_steps(train):
    """`randn < 0.1` is true for 54 % of all draws, `rand < 0.1` for 10 %; `randn < 0` for half."""
    assert small(train, 2, no_input_prob=0.0).config.no_input_prob == 0.5
    for repairs, share in ((2, 0.54), (3, 0.1)):
        model = small(train, repairs).train()
        torch.manual_seed(0)
        steps = 400
        with torch.no_grad():
            counted = sum("reconstruction" in model.loss(train[:1], step) for step in range(steps)) / steps
        assert abs(counted - share) < 3 * (share * (1 - share) / steps) ** 0.5


def test_units(train):
    """Without normalised targets the squared error is in metres; inputs are normalised all the same."""
    metres, normalised = small(train, 3).eval(), small(train, 4).eval()
    assert (metres.std == 1).all() and torch.equal(metres.input_std, normalised.std)
    batch = train[:4]
    torch.testing.assert_close(metres._normalise(batch[:, :, 0]), normalised._normalise(batch[:, :, 0]))
    with torch.no_grad():
        losses, made = metres.loss(batch, None), metres(*batch[:, :T].unbind(2))
        off = torch.stack(made[:2], 2) - batch[:, 1:]
    torch.testing.assert_close(losses["mse"], off.square().mean())


@pytest.mark.parametrize("count", range(len(REPAIRS) + 1))
def test_each_step_of_the_way_learns_in_all_its_parts_and_forecasts(train, count):
    model = small(train, count).train()
    batch = train[:3]
    (model.loss(batch, None)["loss"] + model._reconstruction_loss(batch[:, :T], "a", 1.0)["loss"]).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    made = model.predict(batch[:, :9], batch[:, 9:, 0], [1, 4])
    assert made.shape == (3, 2, len(train.skeleton), 3) and made.isfinite().all()
    with torch.no_grad():
        torch.testing.assert_close(made[:, 0], model.eval()(*batch[:, :9].unbind(2)).b[:, -1])
    later = batch.clone()
    later[:, 12:] += 1.0
    torch.testing.assert_close(model.predict(later[:, :9], later[:, 9:, 0], [1, 3]),
                               model.predict(batch[:, :9], batch[:, 9:, 0], [1, 3]), atol=0, rtol=0)


def test_with_all_repairs_it_is_the_shelf_s(train):
    model, batch = small(train, len(REPAIRS)).eval(), train[:3]
    shelf = DuetVAE(train.skeleton, **SMALL).eval()
    own = model.state_dict()
    shelf.load_state_dict({name: own[name] for name in shelf.state_dict()})
    assert own.keys() - shelf.state_dict().keys() == {"input_mean", "input_std"}
    assert model.config == shelf.config
    with torch.no_grad():
        for mine, theirs in zip(model.loss(batch, None).values(), shelf.loss(batch, None).values()):
            torch.testing.assert_close(mine, theirs, atol=0, rtol=0)
