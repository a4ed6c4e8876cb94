"""What a partner did a lag ago, carried over: attention over lags, linear experts. Taught in chapter 5."""

import torch
from torch import nn

from ..core.precision import in_full_precision, product

LAGS = 20  # frames: two thirds of a second at 30 frames a second
SEEN, OWN = 96, 48  # principal components of the partner, seen from two places, and of the own pose and displacement
SCALE = 3.0  # so that the maps learn faster than the network's other weights: after 800 steps 69 mm at 1 s, not 73


class PrincipalComponents(nn.Module):
    """Principal components, each over its standard deviation, and back. Shapes: [..., W] and [..., K]. Chapter: 5."""

    def __init__(self, width: int, count: int):
        super().__init__()
        self.mean, self.std = nn.Buffer(torch.zeros(width)), nn.Buffer(torch.ones(min(count, width)))
        self.axes = nn.Buffer(torch.zeros(min(count, width), width))

    @torch.no_grad()
    @in_full_precision
    def fit(self, moments: torch.Tensor) -> None:
        """From sums of products of (1, x), [1 + W, 1 + W]. Units: no standard deviation below a centimetre's."""
        count, mean = moments[0, 0], moments[0, 1:] / moments[0, 0]
        variances, axes = torch.linalg.eigh(moments[1:, 1:] / count - mean.outer(mean))  # smallest first
        kept = len(self.std)
        self.mean.copy_(mean)
        self.axes.copy_(axes.T.flip(0)[:kept])
        self.std.copy_(variances.flip(0)[:kept].clamp_min(0).sqrt().clamp_min(0.01))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Coordinates along the components. Chapter: 5."""
        return product(x - self.mean, self.axes.T) / self.std

    def back(self, z: torch.Tensor) -> torch.Tensor:
        """The displacement that coordinates stand for; the mean, of no movement, is left out. Chapter: 5."""
        return product(z * self.std, self.axes)


class LagExperts(nn.Module):
    """The part of the own dancer's displacement that follows from the partner's pose some frames before.

    For each frame ahead and each expert k, the network says from how many frames before (softmax over lags, a_kl) and
    how far to believe it (softmax over experts and nobody, g_k); what carries it over is linear (W_k), since a mirror,
    a copy and a step back are:
    ``y(h) = sum_k g_k(h) W_k [sum_l a_kl(h) c(h - l), sum_l a_kl(h) c(-l), own(0), 1]``,
    c the partner's pose in principal components, own the last known own pose, y in components of displacements.
    Frame h looks at no later one. Without it the network knew each lag only through its attention's features, and a
    canon's follower, whom the leader's past determines, was predicted hardly better than an independent dancer.
    Chapter: 5. Jacobs et al., "Adaptive mixtures of local experts", 1991; for characters: Zhang et al., "Mode-adaptive
    neural networks", SIGGRAPH 2018.
    """

    def __init__(self, width: int, lags: int, features: int, experts: int):
        super().__init__()
        self.shape = (experts, lags)
        self.partner, self.pose = PrincipalComponents(2 * width, SEEN), PrincipalComponents(width, OWN)
        self.displacement = PrincipalComponents(width, OWN)
        self.lags, self.gate = nn.Linear(features, experts * lags), nn.Linear(features, experts + 1)
        nn.init.normal_(self.lags.bias)  # so that no two experts begin alike
        nn.init.zeros_(self.gate.weight)
        seen, own, made = (len(each.std) for each in (self.partner, self.pose, self.displacement))
        self.maps = nn.Parameter(torch.zeros(experts, 2 * seen + own + 1, made))

    @in_full_precision
    def forward(self, h: torch.Tensor, seen: torch.Tensor, own: torch.Tensor, at: slice) -> torch.Tensor:
        """Displacements [B, f, W] of the frames ``at`` of those ahead, metres.

        Shapes: ``h`` [B, f, features]; ``seen`` [B, P + at.stop, C], `partner`'s components of all frames so far;
        ``own`` [B, P, W]. Chapter: 5.
        """
        (experts, lags), past = self.shape, own.shape[1]
        before = seen[:, past - lags : past]  # [B, L, C], the latest last
        then = seen[:, past + at.start - lags + 1 : past + at.stop].unfold(1, lags, 1)  # [B, f, C, L]
        attention = self.lags(h).unflatten(2, (experts, lags)).softmax(-1)  # [B, f, K, L], the latest last
        carried = torch.einsum("bfkl,bfcl->bfkc", attention, then)
        left = torch.einsum("bfkl,blc->bfkc", attention, before)
        pose = self.pose(own[:, -1])[:, None, None].expand(-1, *carried.shape[1:3], -1)  # [B, f, K, OWN]
        inputs = torch.cat([carried, left, pose, torch.ones_like(pose[..., :1])], 3)
        gates = self.gate(h).softmax(-1)[..., :experts, None]  # [B, f, K, 1]; the last class is nobody
        made = torch.einsum("bfkc,kcd->bfd", gates * inputs, self.maps)
        return self.displacement.back(SCALE * made)
