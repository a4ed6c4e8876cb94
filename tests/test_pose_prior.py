"""What a dancer may do is learned from dancers: errors that a rollout adds to its own past are drawn back."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import choreo_lib as cl
from choreo_lib.body.bones import project_bone_lengths
from choreo_lib.body.reference import reference_frame
from choreo_lib.evaluation import metrics
from choreo_lib.extensions import DuetForecaster
from choreo_lib.extensions.exposure import scheduled_sample
from choreo_lib.extensions.pose_prior import PosePrior
from choreo_lib.extensions.rollout import Stream
from choreo_lib.sets import synthetic, windows
from choreo_lib.sets.registry import DatasetError
from choreo_lib.sets.splits import recorded_duets

PAST = 12


@pytest.fixture(scope="module")
def duet():
    return synthetic.duet("canon", 700, seed=3)


@pytest.fixture(scope="module")
def train(duet):
    return windows.cut([duet], PAST + 10, stride=2)


def small(train, **more):
    torch.manual_seed(0)
    model = DuetForecaster(train.skeleton, past=PAST, ahead=10, features=16, heads=2, latent=8, hidden=16,
                           residual_components=8, **more)
    model.fit_statistics(train.batches(64))
    return model.eval()


def lengths_of(own, skeleton):
    parents, children = map(list, zip(*skeleton.bones))
    return (own[:, :, children] - own[:, :, parents]).norm(dim=-1).mean(1, keepdim=True)


def off(made, danced):
    return (made - danced).norm(dim=-1).mean((1, 2))


def test_what_was_danced_stays_and_what_nobody_danced_comes_back(train):
    own = train[::20][:, :PAST, 1]
    lengths = lengths_of(own, train.skeleton)
    prior = PosePrior(train.skeleton, 0.5)
    torch.testing.assert_close(prior(own, lengths), own, atol=2e-4, rtol=0)  # before it was fitted
    prior.fit(list(train.batches(64)))
    assert off(prior(own, lengths), own).max() < 0.01
    spoilt = own + 0.05 * torch.randn(own.shape, generator=torch.Generator().manual_seed(0))  # as nobody moves
    drawn = prior(spoilt, lengths)
    assert (off(drawn, own) < 0.7 * off(spoilt, own)).all()
    assert (off(prior(drawn, lengths), drawn) < 0.7 * off(drawn, spoilt)).all()
    torch.testing.assert_close(lengths_of(drawn, train.skeleton), lengths, atol=1e-3, rtol=0)


def test_it_does_not_matter_where_and_which_way_they_dance(train):
    prior = PosePrior(train.skeleton, 1.0)
    prior.fit(list(train.batches(64)))
    own = train[:8][:, :PAST, 1] + torch.tensor([0.0, 0.0, -0.1])
    lengths = lengths_of(own, train.skeleton)
    frame = reference_frame(own[:, :, None], 0, train.skeleton, of="a")
    elsewhere = frame.to_local(own) + torch.tensor([30.0, -8.0, 0.0])
    torch.testing.assert_close(frame.to_world(prior(elsewhere, lengths) - torch.tensor([30.0, -8.0, 0.0])),
                               prior(own, lengths), atol=2e-4, rtol=0)


def test_a_child_is_no_grown_up_that_stoops(train):
    prior = PosePrior(train.skeleton, 1.0)
    prior.fit(list(train.batches(64)))
    own = train[::20][:, :PAST, 1]
    small = prior(0.7 * own, 0.7 * lengths_of(own, train.skeleton))
    torch.testing.assert_close(small, 0.7 * prior(own, lengths_of(own, train.skeleton)), atol=1e-4, rtol=0)
    one, other = map(list, zip(*train.skeleton.links))  # struts beside the bones make nobody taller
    links = (own[:, :, one] - own[:, :, other]).norm(dim=-1).mean(1, keepdim=True)
    torch.testing.assert_close(prior(own, links), prior(own, lengths_of(own, train.skeleton)), atol=0.02, rtol=0)


def test_no_coefficient_goes_farther_than_dancers_did(train):
    """Along a component that was danced, but too far: the limits hold it, not the components."""
    prior = PosePrior(train.skeleton, 1.0)
    prior.fit(list(train.batches(64)))
    held = prior.mean + prior.limits[1, 0] * prior.components[0]
    far = held + 4 * prior.limits[1, 0] * prior.components[0]
    size = float(lengths_of(train[:1][:, :, 1], train.skeleton).sum())
    held, far = (size * x.unflatten(0, (1, 1, -1, 3)) for x in (held, far))
    drawn = prior(far, lengths_of(held, train.skeleton))
    assert off(drawn, held).max() < 0.3 * off(far, held).max()
    kept = prior.components.abs().sum(1) > 0
    assert 3 < int(kept.sum()) < len(kept) and kept[: int(kept.sum())].all()
    assert (prior.limits[0] <= prior.limits[1]).all()


@pytest.mark.parametrize(("apart", "step"), [(3.0, 0.5), (0.2, -0.5), (None, 0.0)])
def test_nobody_is_farther_from_the_partner_or_nearer_than_dancers_are(train, apart, step):
    """Of the way back to the training set's distances the share is gone, along the floor; within them, nothing is."""
    prior = PosePrior(train.skeleton, 0.5)
    prior.fit(list(train.batches(64)))
    pair = train[:8][:, :PAST]
    pelvis = pair[:, -1, :, train.skeleton.pelvis] * torch.tensor([1.0, 1.0, 0.0])  # [B, 2, 3]
    between = pelvis[:, 0] - pelvis[:, 1]  # [B, 3]
    danced = between.norm(dim=-1, keepdim=True)  # [B, 1]
    assert (prior.apart[0] <= danced).all() and (danced <= prior.apart[1]).all()
    away = 0 * between if apart is None else between - apart * between / danced
    own = pair[..., 1, :, :] + away[:, None, None]  # [B, T, J, 3]
    lengths = lengths_of(own, train.skeleton)
    moved = prior(own, lengths, pair[..., 0, :, :]) - prior(own, lengths)
    limit = 0.0 if apart is None else float(prior.apart[int(step > 0)])
    want = 0.5 * ((apart or 0.0) - limit) * between / danced  # [B, 3]
    assert apart is None or (apart - limit) * step > 0
    torch.testing.assert_close(moved, want[:, None, None].expand_as(moved), atol=2e-3, rtol=0)


def far_from_danced(prior, poses):
    """How far poses [B, T, J, 3] are from the components, as a share of what danced ones are at most, [B * T]."""
    residual = prior._split(next(iter(prior._views([poses[:, :, None]]))) - prior.mean)[1]
    return residual.norm(dim=-1) / prior.residual_limit


def test_what_was_danced_is_within_the_limits_and_what_nobody_danced_is_brought_there(train):
    prior = PosePrior(train.skeleton, 0.3)
    own = train[::5][:, :PAST, 1]
    lengths = lengths_of(own, train.skeleton)
    torch.testing.assert_close(prior.limit(own, lengths), own, atol=1e-4, rtol=0)  # before `fit` nothing moves
    prior.fit(list(train.batches(64)))
    assert off(prior.limit(own, lengths), own).median() < 1e-4 and off(prior(own, lengths), own).median() > 1e-4
    torch.manual_seed(0)
    strange = own + 0.1 * torch.randn(own.shape)
    assert far_from_danced(prior, strange).min() > 2
    assert far_from_danced(prior, prior.limit(strange, lengths)).median() < 1.2  # bones have the last word
    one_way = own.clone()
    one_way[..., 2] *= 0.5  # nobody lies so flat: along the components this time
    assert off(prior.limit(one_way, lengths), own).max() < off(one_way, own).max()


def test_no_frame_of_a_rollout_is_a_pose_that_nobody_danced(train, duet, monkeypatch):
    """A network that bends a body out of shape, more with every frame."""
    model = small(train, fix_foot_skate=False)
    with torch.no_grad():
        torch.manual_seed(0)
        model.output_proj.bias.copy_(0.05 * torch.randn(len(train.skeleton) * 3) / model.horizon_scale[-1])

    def far():  # in one window, for what is fed back soon differs by more than the limit
        leader = torch.tensor(duet.a.positions[None, PAST : PAST + 10]).float()
        made = model.stream(duet.positions[:PAST], "b").advance(leader)
        return far_from_danced(model.pose_prior, made).max()

    kept = far()
    monkeypatch.setattr(PosePrior, "limit", lambda self, *args: project_bone_lengths(self.skeleton, *args))
    assert kept < 1.5 and far() > 2 * kept, (kept, far())


def test_shoulders_of_a_made_partner_never_meet():
    """In fast turns, where a network is unsure which way a chest faces, they were 5 cm apart, danced 28 at least."""
    try:
        dance = recorded_duets("salsa", "train")[5]
    except DatasetError:
        pytest.skip("the salsa set is not here")
    made = cl.load_model("duet-salsa").rollout(dance.a[:240], dance.b[:60])
    left, right = (made.skeleton.index(f"{side}_shoulder") for side in ("left", "right"))
    assert np.linalg.norm(made.positions[:, left] - made.positions[:, right], axis=-1).min() > 0.15


def sinking(train, **more):
    """A model whose every step leads its trunk down, some millimetres, as small errors do that all go one way."""
    model = small(train, **more)
    trunk = train.skeleton.indices(("pelvis", "neck", "head"))
    with torch.no_grad():
        model.output_proj.bias.view(-1, 3)[trunk, 2] = -0.003 / model.horizon_scale[-1]
    return model


def test_who_sinks_with_every_step_stays_up(train, duet):
    head = duet.b.skeleton.index("head")
    height = {share: sinking(train, pose_prior=share).rollout(duet.a, duet.b[:PAST]).positions[-60:, head, 2].mean()
              / duet.b.positions[-60:, head, 2].mean() for share in (0.3, 0.0)}
    assert height[0.0] < 0.85 and abs(height[0.3] - 1) < 0.05


def test_who_walks_off_with_every_step_is_drawn_back(train, duet):
    """A model whose every step leads its whole body away, and a leader who stays."""
    apart = {}
    for share in (0.3, 0.0):
        model = small(train, pose_prior=share)
        with torch.no_grad():
            model.output_proj.bias.view(-1, 3)[:, 0] = 0.05 / model.horizon_scale[-1]
        made = model.rollout(duet.a, duet.b[:PAST])
        apart[share] = np.linalg.norm((made.positions - duet.a.positions)[-60:, made.skeleton.pelvis, :2], axis=-1)
    danced = np.linalg.norm((duet.b.positions - duet.a.positions)[:, duet.b.skeleton.pelvis, :2], axis=-1)
    assert apart[0.0].min() > 2 * danced.max() and apart[0.3].max() < 1.5 * danced.max()


def test_what_is_shown_follows_without_a_jump(train, duet, monkeypatch):
    """Where the window moves on the past is drawn back by centimetres; what is shown, softly."""
    model = sinking(train, fix_foot_skate=False, pose_prior=0.3)
    made = model.rollout(duet.a[:300], duet.b[:PAST])
    assert metrics.bone_variation(made[PAST:]).max() < 2e-3
    change = np.linalg.norm(np.diff(made.positions[PAST:], 2, axis=0), axis=-1).mean(-1)  # from frame 1 on
    seams = np.arange(len(change)) % 10
    jump = change[np.isin(seams, (8, 9))].mean()
    monkeypatch.setattr(Stream, "_faded", lambda self, gap: torch.zeros_like(self.fading))
    hard = model.rollout(duet.a[:300], duet.b[:PAST])
    hard = np.linalg.norm(np.diff(hard.positions[PAST:], 2, axis=0), axis=-1).mean(-1)[np.isin(seams, (8, 9))].mean()
    assert jump < 0.6 * hard


def test_scheduled_sampling_sees_what_a_stream_goes_on_from(train, duet):
    long = windows.cut([duet], PAST + 20, stride=40)[:4]
    with_prior, without = (sinking(train, pose_prior=share) for share in (0.9, 0.0))
    pasts = [scheduled_sample(model, long, "b")[:, :PAST] for model in (with_prior, without)]
    stream = with_prior.stream(long[:, :PAST], "b")
    stream.advance(long[:, PAST : PAST + 10, 0])
    torch.testing.assert_close(pasts[0], stream.next_past())
    assert not torch.allclose(pasts[0], pasts[1], atol=1e-3)


def test_it_goes_with_the_weights_and_can_be_left_out(train):
    model = small(train)
    again = DuetForecaster.from_config(model.config_dict())
    again.load_state_dict(model.state_dict())
    assert float(again.pose_prior.weight) == pytest.approx(0.3)
    without = small(train, pose_prior=0.0)
    assert without.pose_prior is None and replace(model.config, pose_prior=0.0) == without.config
    more = model.state_dict().keys() - without.state_dict().keys()
    assert {name.partition(".")[0] for name in more} == {"pose_prior"}
