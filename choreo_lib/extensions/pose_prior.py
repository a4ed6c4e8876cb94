"""A prior of poses: a generated dancer is drawn towards how dancers stand. Taught in chapter 5."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import nn
from torch.nn.functional import pad

from ..body.bones import project_bone_lengths
from ..body.reference import ReferenceFrame, reference_frame
from ..body.rotations import rotate_points_z
from ..body.skeleton import Skeleton
from ..core.precision import in_full_precision, product

VARIANCE = 0.995  # that the components keep of the training set's
TAIL = 0.001  # share of the training set's coefficients, and of its residuals, that are beyond the limits
MOST = 64  # components
FAR = 0.005  # share of the training set's pelvis distances that are beyond each limit


class PosePrior(nn.Module):
    """Principal components of poses, and how far along each of them the training set goes.

    A rollout's errors feed its own past, and nothing in the data says how to come back from a pose that nobody danced.
    Without this, the head of a synthetic partner was at 91, 83 and 82 % of its height in the first three minutes: what
    hardly varies in training (components 20 to 30 of 87, 0.4 % of the variance) had left its range by 2.5 times after
    three seconds, longer than scheduled sampling rolls out, the pelvis followed after ten, and from there the network
    predicts no way up (head at 1.4 m of 1.65: by -0.6 mm in ten frames; on true pasts it is off by 1 mm).
    A pose, root-centred, heading-aligned and in units of all the body's bones together, so that no size is another's
    fault, is drawn by ``share`` towards its projection onto the components, each coefficient within its limits. Who is
    nearer to the partner than all but half a percent of the training set's frames, or farther, goes ``share`` of the
    way back: in the second minute of synthetic rollouts (validation) the distance is in the danced range in 71 % of the
    frames instead of 65, and bodies intersect in none instead of 0.7 %. And `limit` keeps every single frame within
    what 99.9 % of danced poses are: a network that is unsure which way a chest faces folds it, and in fast turns the
    shoulders of salsa partners (training takes) came as near as 1 to 6 cm; with it 17, danced 28. Before `fit` nothing
    moves. Chapter: 5.
    As a prior of poses in animation: Grochow et al., "Style-based inverse kinematics", SIGGRAPH 2004; with components:
    Chai and Hodgins, SIGGRAPH 2005.
    """

    def __init__(self, skeleton: Skeleton, share: float):
        super().__init__()
        self.skeleton, self.share = skeleton, share
        width = len(skeleton) * 3
        self.mean, self.components = nn.Buffer(torch.zeros(width)), nn.Buffer(torch.zeros(min(MOST, width), width))
        self.limits = nn.Buffer(torch.zeros(2, len(self.components)))
        self.residual_limit = nn.Buffer(torch.tensor(torch.inf))  # how far from the components danced poses are
        self.apart = nn.Buffer(torch.zeros(2))  # the nearest and the farthest that two pelvises are, metres
        self.weight = nn.Buffer(torch.zeros(()))  # the share, once fitted

    @torch.no_grad()
    @in_full_precision
    def fit(self, batches: Sequence[torch.Tensor]) -> None:
        """Measure poses: mean, components of 99.5 % of the variance, and within what 99.9 % of coefficients are.

        Shapes: [B, T, D, J, 3] of both dancers, read three times. Chapter: 5.
        """
        count, total, squares = 0, torch.zeros(()), torch.zeros(())
        for x in self._views(batches):
            x = x.double()
            count, total, squares = count + len(x), total + x.sum(0), squares + x.T @ x
        mean = total / count
        variances, axes = torch.linalg.eigh(squares / count - mean.outer(mean))  # smallest first
        variances, axes = variances.flip(0).clamp_min(0), axes.flip(1).T  # [W], [W, W]
        kept = min(int((variances.cumsum(0) < VARIANCE * variances.sum()).sum()) + 1, len(self.components))
        self.mean.copy_(mean)
        self.components.zero_()
        self.components[:kept] = axes[:kept]
        found, residuals = (torch.cat(each) for each in zip(*(
            (coefficients, residual.norm(dim=-1))
            for coefficients, residual in (self._split(x - self.mean) for x in self._views(batches)))))  # [N, K], [N]
        ordered, beyond = found.sort(0).values, int(TAIL / 2 * len(found))
        self.limits.copy_(torch.stack([ordered[beyond], ordered[-1 - beyond]]))
        self.residual_limit.copy_(residuals.sort().values[-1 - int(TAIL * len(residuals))])
        apart = torch.cat([self._between(*batch.unbind(2)).norm(dim=-1).flatten() for batch in batches]).sort().values
        beyond = int(FAR * len(apart))
        self.apart.copy_(torch.stack([apart[beyond], apart[-1 - beyond]]))
        self.weight.fill_(self.share)

    def _between(self, own: torch.Tensor, partner: torch.Tensor) -> torch.Tensor:
        """From the one pelvis to the other, along the floor: [..., J, 3] each -> [..., 2]."""
        return (partner - own)[..., self.skeleton.pelvis, :2]

    def _views(self, batches: Iterable[torch.Tensor]) -> Iterable[torch.Tensor]:
        parents, children = map(list, zip(*self.skeleton.bones))
        for batch in batches:
            poses = batch.to(self.mean.device)
            size = (poses[..., children, :] - poses[..., parents, :]).norm(dim=-1).sum(-1)  # [B, T, D]
            yield self._local(poses)[0] / size.reshape(-1, 1)

    def _local(self, poses: torch.Tensor) -> tuple[torch.Tensor, ReferenceFrame]:
        """Poses [..., J, 3] as rows [N, W] in frames of their own, and these."""
        poses = poses.reshape(-1, 1, 1, *poses.shape[-2:])  # [N, 1, 1, J, 3]
        frame = reference_frame(poses, 0, self.skeleton, of="a")
        return frame.to_local(poses).flatten(1), frame

    def _split(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Poses less the mean, [N, W], as coefficients of the components [N, K] and what these leave, [N, W]."""
        coefficients = product(x, self.components.T)
        return coefficients, x - product(coefficients, self.components)

    @in_full_precision
    def forward(self, own: torch.Tensor, lengths: torch.Tensor, partner: torch.Tensor | None = None) -> torch.Tensor:
        """A dancer's poses, drawn towards the components, and towards the ``partner``, if there is one.

        Bones, or all links, are at their ``lengths``. Shapes: [B, T, J, 3], [B, 1, J - 1] or [B, 1, L], and
        [B, T, J, 3] -> [B, T, J, 3]. Units: metres, world. Chapter: 5.
        """
        drawn = self._moved(own, lengths, self._drawn)
        if partner is None:
            return drawn
        between = self._between(drawn[:, -1], partner[:, -1])  # [B, 2]
        apart = between.norm(dim=-1, keepdim=True).clamp_min(1e-6)  # [B, 1]
        step = self.weight * (1 - apart.clamp(self.apart[0], self.apart[1]) / apart) * between
        return drawn + pad(step, (0, 1))[:, None, None]

    @in_full_precision
    def limit(self, own: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """A dancer's poses, each no farther along the components, nor from them, than 99.9 % of danced ones.

        A danced pose stays as it is. Bones, or all links, are at their ``lengths``. Shapes: [B, T, J, 3] and
        [B, 1, J - 1] or [B, 1, L] -> [B, T, J, 3]. Units: metres, world. Chapter: 5.
        """
        return self._moved(own, lengths, self._limited)

    def _drawn(self, x: torch.Tensor) -> torch.Tensor:
        coefficients = product(x, self.components.T).clamp(self.limits[0], self.limits[1])  # [N, K]
        return self.weight * (product(coefficients, self.components) - x)

    def _limited(self, x: torch.Tensor) -> torch.Tensor:
        coefficients, residual = self._split(x)
        beyond = coefficients - coefficients.clamp(self.limits[0], self.limits[1])
        share = (self.residual_limit / residual.norm(dim=-1, keepdim=True).clamp_min(1e-6)).clamp(max=1)  # [N, 1]
        return (share - 1) * residual - product(beyond, self.components)

    def _moved(self, own: torch.Tensor, lengths: torch.Tensor, change: Callable[[torch.Tensor], torch.Tensor]
               ) -> torch.Tensor:
        """Poses [B, T, J, 3] by the ``change`` of what is off the mean, [N, W]; a body again.

        The change is added, and no pose made anew: what a rollout feeds back is rounded where something moves alone.
        """
        local, frame = self._local(own)
        size = lengths[..., : len(self.skeleton) - 1].sum(-1).expand(own.shape[:2]).reshape(-1, 1)  # [N, 1], metres
        step = (size * change(local / size - self.mean)).unflatten(1, (-1, 3))  # [N, J, 3]
        moved = own + rotate_points_z(frame.heading[:, None], step).view_as(own)
        return project_bone_lengths(self.skeleton, moved, lengths, iterations=3)
