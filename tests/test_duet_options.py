"""What the duet model adds to the published one, switched off one at a time; and what no switch may change."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_duet_forecaster import AHEAD, PAST, small

from choreo_lib.extensions import DuetForecaster
from choreo_lib.extensions.duet_forecaster import ABLATIONS
from choreo_lib.extensions.exposure import scheduled_sample
from choreo_lib.sets import synthetic, windows


@pytest.fixture(scope="module")
def duets():
    return [synthetic.duet("canon", 120, seed=seed) for seed in range(2)]


@pytest.fixture(scope="module")
def train(duets):
    return windows.cut(duets, PAST + AHEAD, stride=4)


@pytest.mark.parametrize("option", ABLATIONS)
def test_an_addition_that_is_switched_off_is_off_and_the_model_still_learns(train, option):
    on = {"scheduled_sampling": 0.5, "noise_injection": 0.5,
          "distance": 0.5, "mse": 0.0, "velocity": 4.0, "acceleration": 24.0, "speed": 2.0, "no_input_prob": 0.5,
          "turning": True, "distance_matrix": 4.0, "motion_attention": True}
    model = small(train, **on | ABLATIONS[option]).train()
    assert all(getattr(model.config, name) == value for name, value in ABLATIONS[option].items())
    assert model.config != small(train, **on).config
    losses = model.loss(train[:4], 0)
    losses["loss"].backward()
    assert losses["loss"].isfinite()
    again = DuetForecaster.from_config(model.config_dict())
    again.load_state_dict(model.state_dict())
    assert again.config == model.config


def test_velocity_and_acceleration_losses_are_the_first_two_differences_of_the_error(train):
    model, batch = small(train).eval(), train[:4]
    with torch.no_grad():
        losses = model.loss(batch, None)
        found = {"velocity": [], "acceleration": []}
        for who in "ab":
            made, _, true, _ = model.displacement(batch, who)
            error = (made - true).numpy()
            before = np.zeros_like(error[:, :1])  # up to the last known frame there is none
            once = np.diff(np.concatenate([before, error], 1), axis=1)
            twice = np.diff(np.concatenate([before, once], 1), axis=1)
            for name, each in (("velocity", once), ("acceleration", twice)):
                found[name].append(np.linalg.norm(each, axis=2).mean())
    for name, both in found.items():
        assert float(losses[name]) == pytest.approx(np.mean(both), rel=1e-4)


def test_without_a_canonical_frame_the_network_looks_at_the_world(train):
    model, batch = small(train, canonical_frame=False).eval(), train[:3]
    own, partner, _ = model.local_view(batch[:, :PAST], batch[:, PAST:, 0], "b")
    assert torch.equal(own, batch[:, :PAST, 1].flatten(2))
    assert torch.equal(partner, batch[:, :, 0].flatten(2).repeat(1, 1, 2))


def test_without_extrapolation_it_begins_at_the_last_pose(train):
    model, batch = small(train, extrapolation=False, lag_experts=0), train[:3]
    torch.nn.init.zeros_(model.output_proj.weight)
    made = model.predict(batch[:, :PAST], batch[:, PAST:, 0], [1, AHEAD])
    torch.testing.assert_close(made, batch[:, PAST - 1 : PAST, 1].expand(-1, 2, -1, -1), atol=1e-5, rtol=0)


def test_without_extrapolation_scheduled_sampling_leads_back_from_the_offset_alone(duets):
    """From where the rollout is, less and less, to the true motion; the partner dances on as it did."""
    long = windows.cut(duets, PAST + 10 + 10, stride=40)
    model, batch = small(long, ahead=10, extrapolation=False), long[:2]
    window = scheduled_sample(model, batch, "b")
    true = batch[:, 10:]
    torch.testing.assert_close(window[:, :, 0], true[:, :, 0], atol=1e-6, rtol=0)
    offset = (window - true)[:, :, 1]
    fade = 1 - model.horizon_scale / model.horizon_scale[-1]
    torch.testing.assert_close(offset[:, PAST:], fade[:, None, None] * offset[:, PAST - 1 : PAST], atol=1e-5, rtol=0)


def test_without_the_cache_a_stream_is_the_same(train, duets):
    model, duet = small(train), duets[0][:40]
    cached = model.rollout(duet.a, duet.b[:PAST], every=5)
    model.config = replace(model.config, kv_cache=False)
    np.testing.assert_allclose(model.rollout(duet.a, duet.b[:PAST], every=5).positions, cached.positions, atol=1e-4)


def test_without_the_foot_fix_what_is_shown_is_what_the_model_means(train, duets):
    model, duet = small(train, fix_foot_skate=False, pose_prior=0.0), duets[0]
    frames = duet.a.positions[None, PAST : PAST + 5]
    meant = model.stream(duet.positions[:PAST], every=5).advance(frames)
    assert torch.equal(model.stream(duet.positions[:PAST], every=5).rollout(frames), meant)
    model.config = replace(model.config, fix_foot_skate=True)
    assert not torch.equal(model.stream(duet.positions[:PAST], every=5).rollout(frames), meant)
    assert torch.equal(model.stream(duet.positions[:PAST], every=5).advance(frames), meant)


@pytest.mark.parametrize("training", [True, False])
def test_nothing_changes_the_mode_of_the_model(train, duets, training):
    model, duet, batch = small(train).train(training), duets[0], train[:2]
    model.fit_residuals([batch])
    model.predict(batch[:, :PAST], batch[:, PAST:, 0], [1])
    model.sample(batch[:, :PAST], batch[:, PAST:, 0], [1], count=2)
    model.rollout(duet.a, duet.b[:PAST], steps=12, every=8)
    model.stream(duet.positions[:PAST], every=5)(duet.a.positions[PAST])
    assert all(part.training == training for part in model.modules())
