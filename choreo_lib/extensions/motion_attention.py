"""Whom a dancer echoes, and how much later: going on as the partner went on. Taught in chapter 5, "A partner"."""

import torch
from torch import nn

from ..body.reference import facing
from ..body.rotations import rotate_points_z
from ..body.skeleton import Skeleton
from ..core.precision import in_full_precision, product

OVERLAP = 8  # frames: fewer of them resemble anything
SCALE = 10.0  # so that these few weights learn as fast as they have to


class MotionAttention(nn.Module):
    """The own dancer goes on as the partner did, where the own past resembles the partner's some frames before.

    The query is how the own posture changed, each key how the partner's did ``l`` frames before, as it is or as seen in
    a mirror (r), and their score the cosine of the two; the values are the partner's postures and turns since:
    ``a(h) = softmax_{r,l}(s cos(u, v_rl) + p_rl, n(h))``, ``y(h) = sum_{r,l} a_rl(h) [v_r(h - l) - v_r(-l)]``.
    What is left to nobody, n, goes on by extrapolation. A partner's frame h is known at h, so no frame looks ahead.
    Postures are root-centred and heading-aligned, so where the two stand and face changes nothing; the path is left to
    the network. Linear maps (`LagExperts`) have to be told apart by features of a network, which a generated past
    blurs; a resemblance is seen anew in every window, and what is made by it resembles. Chapter: 5.
    Mao et al., "History repeats itself: human motion prediction via motion attention", ECCV 2020, of the own past.
    """

    def __init__(self, skeleton: Skeleton, past: int, ahead: int, features: int):
        super().__init__()
        self.skeleton, lags = skeleton, max(past - OVERLAP, 1)
        swapped = list(range(len(skeleton)))
        for left, right in skeleton.left_right_pairs:
            swapped[left], swapped[right] = right, left
        self.swapped = nn.Buffer(torch.tensor(swapped), persistent=False)
        self.flip = nn.Buffer(torch.tensor([1.0, -1.0, 1.0]), persistent=False)  # ahead, to the left, up
        self.floor = nn.Buffer(torch.tensor([1.0, 1.0, 0.0]), persistent=False)
        self.preference = nn.Parameter(torch.zeros(2, lags))
        self.sharpness = nn.Parameter(torch.tensor(2.5))
        self.nobody = nn.Linear(features, 1)
        nn.init.zeros_(self.nobody.weight)
        nn.init.constant_(self.nobody.bias, 1.9)  # a cosine of 0.76: strangers reach 0.7 at the best of the lags
        self.approach = nn.Parameter(torch.linspace(-3, 0, ahead))  # of the partner's posture itself
        lag, frames, steps = torch.arange(lags)[:, None], torch.arange(past + ahead), torch.arange(past - 1)
        pairs = steps[:, None] - steps == lag[..., None]  # [L, P - 1, P - 1]: of the own, and of the partner's
        self.pairs = nn.Buffer(pairs.flatten(1).T.float(), persistent=False)  # [(P - 1) ** 2, L]
        self.own_steps, self.other_steps = (nn.Buffer(pairs.any(n).T.float(), persistent=False) for n in (2, 1))
        at_lag = torch.stack([frames == past - 1 - lag + h for h in range(ahead + 1)]).float()  # [1 + F, L, T]
        self.last = nn.Buffer(at_lag[0], persistent=False)  # which frame a lag is at, seen from the last known one
        self.since = nn.Buffer(at_lag[1:] - at_lag[0], persistent=False)  # and what has to be added by each ahead

    @in_full_precision
    def forward(self, h: torch.Tensor, partner: torch.Tensor, own: torch.Tensor, at: slice
                ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Changes of posture [B, f, W], metres, turns [B, f, 1], radians, and the share that is nobody's, [B, f, 1].

        Shapes: ``h`` [B, f, features], of the frames ``at`` of those ahead; ``partner`` [B, P + at.stop, W], all frames
        so far, and ``own`` [B, P, W], both from one place. Chapter: 5.
        """
        own, seen, turns = self._postures(own, partner)
        frames = seen.shape[2]
        shares, nobody = self._shares(h, own, seen)
        since = torch.einsum("bfrl,flt->bfrt", shares, self.since[at, :, :frames]).flatten(2)  # [B, f, 2 * T]
        last = (shares @ self.last[:, :frames]).flatten(2)
        moved = torch.addcmul(since, self.approach[at, None].sigmoid(), last)
        change = product(moved, seen.flatten(1, 2) - own[:, -1:])  # in sum ``since`` is nothing
        return change, product(since, torch.cat([turns, -turns], 1)), nobody

    def shares(self, h: torch.Tensor, partner: torch.Tensor, own: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The attention itself, [B, f, 2, L]: as it is and mirrored, lag 0 first; and nobody's, [B, f, 1].

        Shapes: as `forward`. Chapter: 5.
        """
        own, seen, _ = self._postures(own, partner)
        return self._shares(h, own, seen)

    def _shares(self, h: torch.Tensor, own: torch.Tensor, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        query, keys = own.diff(dim=1), seen[:, :, : own.shape[1]].diff(dim=2)  # [B, P - 1, W], [B, 2, P - 1, W]
        alike = product((query[:, None] @ keys.mT).flatten(2), self.pairs)  # [B, 2, L]
        sizes = (query.square().sum(2) @ self.own_steps)[:, None] * (keys.square().sum(3) @ self.other_steps)
        score = torch.addcmul(self.preference, self.sharpness, alike * (sizes + 1e-8).rsqrt()).flatten(1)[:, None]
        score = torch.cat([score.expand(-1, h.shape[1], -1), self.nobody(h)], 2)
        shares, nobody = (SCALE * score).softmax(2).split([score.shape[2] - 1, 1], 2)
        return shares.unflatten(2, (2, -1)), nobody

    def _postures(self, own: torch.Tensor, partner: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Own postures [B, P, W]; the partner's, as they are and mirrored, [B, 2, T, W], and headings [B, T, 1].

        Postures are root-centred and heading-aligned; headings have no jumps.
        """
        x = torch.cat([own, partner], 1).unflatten(2, (-1, 3))  # [B, P + T, J, 3]
        ahead = facing(x.flatten(0, 1), self.skeleton).unflatten(0, x.shape[:2])  # [B, T, 2]
        heading = torch.atan2(ahead[..., 1], ahead[..., 0])[..., None]  # [B, T, 1]
        centred = x - x[:, :, self.skeleton.pelvis, None] * self.floor
        turns = (heading.diff(dim=1) + torch.pi) % (2 * torch.pi) - torch.pi
        posture, heading = rotate_points_z(-heading, centred), torch.cat([heading[:, :1], turns], 1).cumsum(1)
        posture, seen = posture.split([own.shape[1], partner.shape[1]], 1)
        seen = torch.stack([seen, seen[:, :, self.swapped] * self.flip], 1)
        return posture.flatten(2), seen.flatten(3), heading[:, own.shape[1] :]
