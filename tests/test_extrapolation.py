"""A body that turns goes on turning: posture, path and facing are carried on by their own last steps."""

from dataclasses import replace
from unittest.mock import Mock

import pytest
import torch

from choreo_lib.body.rotations import rotate_points_z
from choreo_lib.extensions import DuetForecaster
from choreo_lib.extensions.extrapolation import LinearExtrapolation, TurningExtrapolation
from choreo_lib.sets import synthetic, windows

PAST, AHEAD, STEPS = 12, 10, 6


@pytest.fixture(scope="module")
def duet():
    return synthetic.duet("canon", 150, seed=1)


@pytest.fixture(scope="module")
def train(duet):
    return windows.cut([duet], PAST + AHEAD, stride=2)


@pytest.fixture(scope="module")
def spinning(duet):
    """Bodies in one posture each, that go straight on and turn once or twice a second, [B, P + F, J, 3]."""
    generator = torch.Generator().manual_seed(0)
    pose = torch.from_numpy(duet.a.positions[::5])  # [B, J, 3]
    count, time = len(pose), torch.arange(PAST + AHEAD)
    pelvis = pose[:, duet.a.skeleton.pelvis, None] * torch.tensor([1.0, 1.0, 0.0])
    speed = 0.2 + 0.2 * torch.rand(count, 1, generator=generator)  # radians a frame
    turn = torch.where(torch.arange(count)[:, None] % 2 == 0, speed, -speed) * time  # [B, T]
    path = 0.02 * torch.randn(count, 1, 1, 2, generator=generator) * time[:, None, None]  # [B, T, 1, 2]
    bodies = (pose - pelvis)[:, None].expand(-1, len(time), -1, -1)
    return rotate_points_z(turn[..., None], bodies) + torch.nn.functional.pad(path, (0, 1))


def distances(body):
    """Between all joints of a body, [..., J, J]."""
    return (body[..., None, :] - body[..., None, :, :]).norm(dim=-1)


def fitted(kind, spinning, *skeleton):
    flat = spinning.flatten(2)  # [B, T, W]
    own, future = flat[:, :PAST], flat[:, PAST:] - flat[:, PAST - 1, None]
    model = kind(AHEAD, STEPS, 8, *skeleton)
    model.fit(model.moments(own, future))
    return model, own, future


def test_who_spins_goes_on_spinning(duet, spinning):
    straight, own, future = fitted(LinearExtrapolation, spinning)
    turning, *_ = fitted(TurningExtrapolation, spinning, duet.a.skeleton)
    off = [(model(own) - future).unflatten(2, (-1, 3)).norm(dim=-1).mean((0, 2))[-1] for model in (straight, turning)]
    assert off[1] < 0.003 and off[0] > 0.1, off
    twice = torch.cat([own, own[:, -1:] + turning(own)], 1).unflatten(2, (-1, 3))
    last, ahead = (distances(twice[:, part]) for part in (slice(PAST - 1, PAST), slice(PAST, None)))
    torch.testing.assert_close(ahead, last.expand_as(ahead), atol=2e-3, rtol=0)  # nobody is folded


@pytest.mark.parametrize(("radians", "share"), [(0.04, 0.0), (0.09, 0.5), (0.2, 1.0)])
def test_who_turns_slowly_is_carried_straight(duet, radians, share):
    """Or feet that stand would sway with a chest that sways."""
    pose = torch.from_numpy(duet.a.positions[:3])  # [3, J, 3]
    body = rotate_points_z((radians * torch.arange(PAST))[None, :, None], pose[:, None].expand(-1, PAST, -1, -1))
    posture, path, angle = TurningExtrapolation(AHEAD, STEPS, 8, duet.a.skeleton)._split(body.flatten(2), -1)
    torch.testing.assert_close(angle.diff(dim=1), torch.full((3, PAST - 1, 1), share * radians), atol=1e-4, rtol=0)
    still = posture.unflatten(2, (-1, 3))
    wanted = rotate_points_z(-angle, body - path[:, :, None])
    torch.testing.assert_close(still, wanted, atol=1e-5, rtol=0)


def test_where_and_which_way_makes_no_difference(duet, spinning):
    model, own, _ = fitted(TurningExtrapolation, spinning, duet.a.skeleton)
    body = own.unflatten(2, (-1, 3))
    moved = rotate_points_z(torch.tensor(2.0), body) + torch.tensor([5.0, -3.0, 0.0])
    made = model(moved.flatten(2)).unflatten(2, (-1, 3))
    torch.testing.assert_close(made, rotate_points_z(torch.tensor(2.0), model(own).unflatten(2, (-1, 3))),
                               atol=1e-4, rtol=0)


def test_what_is_added_turns_with_the_body_but_for_the_path(duet, spinning):
    model, own, _ = fitted(TurningExtrapolation, spinning, duet.a.skeleton)
    h, pelvis = torch.zeros(len(own), AHEAD, 8), duet.a.skeleton.pelvis
    with torch.no_grad():
        still = own[:, -1:].expand(-1, PAST, -1)
        assert model(still).abs().max() < 1e-5, "who stands stays"
        model.turn.bias.fill_(1.0)
        step = torch.zeros(len(own), AHEAD, len(duet.a.skeleton), 3)
        step[:, :, pelvis, 0], step[:, :, 0 if pelvis else 1, 0] = 0.3, 0.3 + 0.1  # the path, and another joint besides
        plain, more = (model(still, h, slice(0, AHEAD), each).unflatten(2, (-1, 3))
                       for each in (torch.zeros_like(step).flatten(2), step.flatten(2)))
    change, turned = more - plain, model.turn_scale
    torch.testing.assert_close(change[:, :, pelvis], torch.tensor([0.3, 0, 0]).expand_as(change[:, :, pelvis]),
                               atol=1e-4, rtol=0)
    other = change[:, :, 0 if pelvis else 1] - change[:, :, pelvis]  # 10 cm, seen from the body that has turned
    wanted = 0.1 * torch.stack([turned.cos(), turned.sin(), 0 * turned], -1)  # [F, 3]
    torch.testing.assert_close(other, wanted.expand_as(other), atol=1e-4, rtol=0)


def test_a_turn_costs_no_distance_and_a_shrunken_body_does(train, monkeypatch):
    model = DuetForecaster(train.skeleton, past=PAST, ahead=AHEAD, features=16, heads=2, latent=8, hidden=16,
                           residual_components=8, distance_matrix=1.0)
    model.fit_statistics(train.batches(64))
    window = train[:8]
    with torch.no_grad():
        whole = model.eval().loss(window, None)
        model.config = replace(model.config, distance_matrix=0.0)
        torch.testing.assert_close(whole["loss"] - model.loss(window, None)["loss"], whole["distance_matrix"])
    model.config = replace(model.config, distance_matrix=1.0)
    _, kl, true, own = model.displacement(window, "b")
    body = (own[:, -1:] + true).unflatten(2, (-1, 3))
    found, joints = [], body.shape[2]
    for other in (rotate_points_z(torch.tensor(0.5), body), 0.9 * body):
        monkeypatch.setattr(model, "displacement", Mock(return_value=(other.flatten(2) - own[:, -1:], kl, true, own)))
        found.append(model._prediction_losses(window, "b", 0.0))
    apart = distances(body).mean() * joints / (joints - 1)  # without those of a joint to itself
    assert found[0]["distance_matrix"] < 1e-5 and found[0]["error_m"] > 0.05
    torch.testing.assert_close(found[1]["distance_matrix"], 0.1 * apart, atol=1e-4, rtol=0)


def test_how_far_it_turns_is_learned_where_nobody_spins(train):
    torch.manual_seed(0)
    model = DuetForecaster(train.skeleton, past=PAST, ahead=AHEAD, features=16, heads=2, latent=8, hidden=16,
                           residual_components=8, no_input_prob=0.0, turning=True)
    model.fit_statistics(train.batches(64))
    model.loss(train[:8], 0)["loss"].backward()
    assert model.extrapolation.turn.weight.grad.abs().max() > 0
