"""Motion attention: who dances as the partner did goes on as the partner went on, and a stranger is left alone."""

from dataclasses import replace

import pytest
import torch
from test_duet_forecaster import AHEAD, PAST, small

from choreo_lib.body.reference import facing
from choreo_lib.body.rotations import rotate_points_z
from choreo_lib.extensions.extrapolation import TurningExtrapolation
from choreo_lib.extensions.motion_attention import OVERLAP, MotionAttention
from choreo_lib.sets import synthetic, windows
from choreo_lib.sets.augmentation import mirrored

LONG, LAG = 20, 7  # frames of past, and by how many a dancer is late


@pytest.fixture(scope="module")
def duet():
    return synthetic.duet("independent", 400, seed=2)


@pytest.fixture(scope="module")
def skeleton(duet):
    return duet.a.skeleton


@pytest.fixture(scope="module")
def dances(duet):
    """Windows of one dancer, [B, LAG + LONG + AHEAD, J, 3]; every third spins."""
    cut = windows.cut([duet], LAG + LONG + AHEAD, stride=12)[:][:, :, 0]
    turn = torch.where(torch.arange(len(cut)) % 3 == 0, 0.15, 0.0)[:, None] * torch.arange(cut.shape[1])
    centred = cut - cut[:, :, :1] * torch.tensor([1.0, 1.0, 0.0])
    return rotate_points_z(turn[..., None], centred) + 0.01 * torch.arange(cut.shape[1])[:, None, None]


def echo(dances, skeleton, mirror, lag):
    """Who follows ``lag`` frames later, elsewhere and facing elsewhere; and the partner, of the same frames."""
    partner = dances[:, LAG:]
    own = dances[:, LAG - lag : dances.shape[1] - lag]
    own = mirrored(own, skeleton) if mirror else own
    return rotate_points_z(torch.tensor(1.0), own) + torch.tensor([2.0, -1.0, 0.0]), partner


def postures(attention, x):
    """Root-centred and heading-aligned, [B, T, W], and headings [B, T, 1]."""
    own, _, heading = attention._postures(*[x.flatten(2)] * 2)
    return own, heading


def fresh(skeleton, past=LONG):
    torch.manual_seed(0)
    return MotionAttention(skeleton, past, AHEAD, 8)


def asked(attention, own, partner, at=slice(0, AHEAD)):
    h = torch.zeros(len(own), at.stop - at.start, 8)
    return attention(h, partner[:, : LONG + at.stop].flatten(2), own[:, :LONG].flatten(2), at)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("lag", [0, 3, LAG])
def test_who_echoes_goes_on_as_the_partner_did(dances, skeleton, mirror, lag):
    attention = fresh(skeleton)
    own, partner = echo(dances, skeleton, mirror, lag)
    with torch.no_grad():
        change, turn, nobody = asked(attention, own, partner)
        assert nobody.max() < 0.2, nobody.max()
        attention.sharpness.fill_(10.0)  # the one that resembles most
        attention.nobody.bias.fill_(0.0)
        change, turn, nobody = asked(attention, own, partner)
    posture, heading = postures(attention, own)
    wanted = posture[:, LONG:] - posture[:, LONG - 1 : LONG]
    torch.testing.assert_close(change, wanted, atol=0.02, rtol=0)
    torch.testing.assert_close(turn, heading[:, LONG:] - heading[:, LONG - 1 : LONG], atol=0.02, rtol=0)
    assert wanted.abs().max() > 0.2 and turn.abs().max() > 0.5 and nobody.max() < 1e-3
    shares, _ = attention.shares(torch.zeros(len(own), AHEAD, 8), partner.flatten(2), own[:, :LONG].flatten(2))
    assert (shares.flatten(2).argmax(2) == int(mirror) * shares.shape[3] + lag).all()
    part = asked(attention, own, partner, slice(2, 5))
    torch.testing.assert_close(part[0], change[:, 2:5])  # as a stream asks
    torch.testing.assert_close(part[1], turn[:, 2:5])


def test_a_stranger_is_left_to_extrapolation(dances, duet, skeleton):
    other = windows.cut([duet], LONG + AHEAD, stride=12)[:][:, :, 1]
    own = other[torch.arange(len(dances)) % len(other)]
    change, turn, nobody = asked(fresh(skeleton), own, dances[:, LAG:])
    assert nobody.mean() > 0.6 and turn.abs().mean() < 0.1, nobody.mean()
    standing = own[:, :1].expand(-1, LONG, -1, -1)
    assert asked(fresh(skeleton), standing, dances[:, LAG:])[2].min() > 0.99  # who stands resembles nobody


def test_where_the_two_stand_and_face_makes_no_difference(dances, skeleton):
    own, partner = echo(dances, skeleton, True, 3)
    moved = rotate_points_z(torch.tensor(-2.5), partner) + torch.tensor([-4.0, 1.0, 0.0])
    for one, other in zip(asked(fresh(skeleton), own, partner), asked(fresh(skeleton), own, moved)):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


def test_no_lag_reaches_beyond_what_is_known(dances, skeleton):
    """Each frame knows the partner up to itself: a later one changes nothing."""
    attention = fresh(skeleton)
    own, partner = echo(dances, skeleton, False, 0)
    before = asked(attention, own, partner)
    for frame in (0, 4, AHEAD - 1):
        moved = partner.clone()
        moved[:, LONG + frame, 5] += 1.0
        change = (asked(attention, own, moved)[0] - before[0]).abs().amax((0, 2))  # [F]
        assert (change[:frame] == 0).all() and change[frame] > 0.01


def test_it_draws_near_the_partners_posture(dances, skeleton):
    """An own posture that is off comes back, by a share of the gap that grows with the horizon."""
    attention = fresh(skeleton)
    own, partner = echo(dances, skeleton, False, 0)
    with torch.no_grad():
        attention.sharpness.fill_(10.0)
        attention.nobody.bias.fill_(0.0)
        off = own.clone()
        off[:, :, skeleton.index("left_wrist"), 2] += 0.1  # all along: how it moves stays the same
        found = asked(attention, off, partner)[0] - asked(attention, own, partner)[0]
    at = 3 * skeleton.index("left_wrist") + 2
    wanted = -0.1 * attention.approach.detach().sigmoid()
    torch.testing.assert_close(found[:, :, at].mean(0), wanted, atol=2e-3, rtol=0)


def test_a_short_past_has_one_lag_and_a_long_one_many(skeleton):
    assert fresh(skeleton, OVERLAP).preference.shape == (2, 1) and fresh(skeleton, 24).preference.shape == (2, 16)


def test_a_model_shares_between_extrapolation_and_echo():
    """With all of it nobody's, the model is the one without; and every weight of it learns."""
    train = windows.cut([synthetic.duet(kind, 120, seed=1) for kind in ("mirror", "canon")], PAST + AHEAD, stride=4)
    plain = small(train, turning=True).eval()
    torch.manual_seed(0)
    model = small(train, turning=True, motion_attention=True, no_input_prob=0.0).eval()
    model.load_state_dict(plain.state_dict(), strict=False)
    with torch.no_grad():
        echoed = model.displacement(train[:6], "b")[0]
        model.motion_attention.nobody.bias.fill_(1e3)
        torch.testing.assert_close(model.displacement(train[:6], "b")[0], plain.displacement(train[:6], "b")[0])
        assert (echoed - plain.displacement(train[:6], "b")[0]).abs().max() > 0.01
        model.motion_attention.nobody.bias.fill_(1.0)
    model.train().loss(train[:8], 0)["loss"].backward()
    for name, each in model.motion_attention.named_parameters():
        assert each.grad.abs().max() > 0, name


def test_what_is_nobodys_is_extrapolated_and_the_path_is_always(dances, skeleton):
    extrapolation = TurningExtrapolation(AHEAD, 9, 8, skeleton)
    flat = dances[::3].flatten(2)[:, -LONG - AHEAD :]  # who spin
    own, future = flat[:, :LONG], flat[:, LONG:] - flat[:, LONG - 1 : LONG]
    extrapolation.fit(extrapolation.moments(own, future))
    still, no_turn = torch.zeros_like(future), future.new_zeros(*future.shape[:2], 1)
    with torch.no_grad():
        plain, half, none = (extrapolation(own, echo=(still, no_turn, torch.full_like(no_turn, share)))
                             for share in (1.0, 0.5, 0.0))
        torch.testing.assert_close(plain, extrapolation(own))
        bodies = [(own[:, -1:] + each).unflatten(2, (-1, 3)) for each in (plain, half, none)]
        last = facing(own[:, -1].unflatten(1, (-1, 3)), skeleton)[:, None]  # [B, 1, 2]
        turned = []
        for body in bodies:
            now = facing(body.flatten(0, 1), skeleton).unflatten(0, body.shape[:2])  # [B, F, 2]
            cross = last[..., 0] * now[..., 1] - last[..., 1] * now[..., 0]
            turned.append(torch.atan2(cross, (last * now).sum(-1)))
    torch.testing.assert_close(turned[1], turned[0] / 2, atol=0.05, rtol=0)
    assert turned[2].abs().max() < 1e-3 and turned[0].abs().max() > 0.5
    for body in bodies[1:]:
        torch.testing.assert_close(body[:, :, skeleton.pelvis, :2], bodies[0][:, :, skeleton.pelvis, :2])


def test_it_needs_extrapolation_of_turns(skeleton):
    from choreo_lib.extensions import DuetForecaster

    for lacking in ({}, {"turning": True, "extrapolation": False}):
        with pytest.raises(ValueError, match="motion_attention .* needs extrapolation and turning"):
            DuetForecaster(skeleton, motion_attention=True, **lacking)
    assert replace(DuetForecaster.Config(), motion_attention=True).motion_attention
