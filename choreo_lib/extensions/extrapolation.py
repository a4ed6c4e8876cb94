"""Where its last steps carry a body: what a network has not to learn. Taught in chapter 5, "A partner"."""

import torch
from torch import nn
from torch.nn.functional import pad

from ..body.reference import facing
from ..body.rotations import rotate_points_z
from ..body.skeleton import Skeleton
from ..core.precision import in_full_precision

CALM, FAST = 0.25, 0.65  # radians in five frames: below the one nobody is turned along, above the other all the way


class LinearExtrapolation(nn.Module):
    """Where the last steps of a coordinate carry it: least squares from one step and from several, and a gate.

    Several steps predict better where movement is smooth, and worse where it is not, as in generated motion; the gate
    says for each frame how far to use them. Weights are shared by all coordinates. Chapter: 5.
    """

    parts: tuple[int, ...] = ()  # of a body that are extrapolated by weights of their own; (): all alike

    def __init__(self, ahead: int, steps: int, features: int):
        super().__init__()
        self.weights = nn.Buffer(torch.zeros(*self.parts, 2, ahead, steps))  # from one step, and from all
        self.gate_bias = nn.Parameter(3.0 - 0.6 * torch.arange(ahead))  # near frames more
        self.gate = nn.Linear(features, 1, bias=False)
        nn.init.zeros_(self.gate.weight)

    def forward(self, own: torch.Tensor, h: torch.Tensor | None = None, at: slice = slice(None),
                step: torch.Tensor | None = None) -> torch.Tensor:
        """Displacements from the last pose, for the frames ``at`` of those ahead; ``step`` is added.

        Shapes: ``own`` [B, P, W]; ``h`` [B, f, features], for the gate, or None; ``step`` [B, f, W] -> [B, f, W].
        Units: metres. Chapter: 5.
        """
        made = self._carried(own, h, at)
        return made if step is None else made + step

    def _carried(self, own: torch.Tensor, h: torch.Tensor | None, at: slice) -> torch.Tensor:
        """How far the parts go, side by side, [B, f, all their numbers]."""
        gate = self.gate_bias[at, None] if h is None else self.gate_bias[at, None] + self.gate(h)  # [(B,) f, 1]
        one, several = self._extrapolated(own, at)
        return torch.lerp(one, several, gate.sigmoid())

    @in_full_precision
    def _extrapolated(self, own: torch.Tensor, at: slice) -> torch.Tensor:
        parts = self._split(own[:, -self.weights.shape[-1] - 1 :], -1)
        return torch.cat([torch.einsum("kfl,blw->kbfw", weights[:, at], part.diff(dim=1))  # [2, B, f, W]
                          for weights, part in zip(self.weights.view(-1, *self.weights.shape[-3:]), parts)], 3)

    def _split(self, x: torch.Tensor, last: int) -> tuple[torch.Tensor, ...]:
        """Movement [B, T, W] as its parts, each [B, T, its numbers], as seen from frame ``last``."""
        return (x,)

    @property
    def from_one_step(self) -> torch.Tensor:
        """How many times its last step a coordinate goes on by each frame ahead, [F, 1]. Chapter: 5."""
        return self.weights.view(-1, *self.weights.shape[-3:])[0, 0, :, -1:]

    def moments(self, own: torch.Tensor, future: torch.Tensor) -> torch.Tensor:
        """Sums of products of (1, steps, displacements ahead), over windows and coordinates, a part each.

        Shapes: ``own`` [B, P, W] and displacements from its last ``future`` [B, F, W] -> [parts, 1 + L + F, 1 + L + F].
        Units: metres squared; of facing, radians squared. Chapter: 5.
        """
        now, steps = own.shape[1] - 1, self.weights.shape[-1]
        found = []
        for part in self._split(torch.cat([own, own[:, -1:] + future], 1), now):
            part = part.double()
            seen = part[:, now - steps : now + 1].diff(dim=1)  # [B, L, W]
            numbers = pad(torch.cat([seen, part[:, now + 1 :] - part[:, now, None]], 1), (0, 0, 1, 0), value=1.0)
            found.append(torch.einsum("niw,njw->ij", numbers, numbers))
        return torch.stack(found)

    def fit(self, moments: torch.Tensor) -> None:
        """Least squares from `moments`. Shapes: [parts, 1 + L + F, 1 + L + F]. Chapter: 5."""
        lags = self.weights.shape[-1]
        for weights, sums in zip(self.weights.view(-1, *self.weights.shape[-3:]), moments):
            ridge = 1e-9 * sums[0, 0] * torch.eye(lags).to(sums)  # (30 micrometres) ** 2, should somebody stand still
            steps_steps, steps_future = sums[1 : 1 + lags, 1 : 1 + lags] + ridge, sums[1 : 1 + lags, 1 + lags :]
            for k, first in ((0, lags - 1), (1, 0)):
                weights[k, :, first:] = torch.linalg.solve(steps_steps[first:, first:], steps_future[first:]).T.float()


class TurningExtrapolation(LinearExtrapolation):
    """Posture, path and facing, each carried on by its own last steps: a body that turns goes on turning.

    Straight lines fly apart where a body turns: ten frames into the fastest turns of salsa (over 400 degrees a second)
    they are off by 31 cm, and what turns along by 15. What the network adds is a change of posture, seen from the body
    that has turned, of path, and of how far it turns: where it is unsure of that, the mean of both ways is a turn
    between, not a body folded through itself. Who turns slowly is not turned along: where only a chest sways, feet that
    stand would sway with it. Chapter: 5.
    As phase-functioned networks predict postures in the frame of the root: Holden, Komura and Saito, SIGGRAPH 2017.
    """

    parts = (3,)

    def __init__(self, ahead: int, steps: int, features: int, skeleton: Skeleton):
        super().__init__(ahead, steps, features)
        self.skeleton = skeleton
        self.floor = nn.Buffer(torch.tensor([1.0, 1.0, 0.0]), persistent=False)
        self.turn_scale = nn.Buffer(torch.ones(ahead))  # radians: how far bodies usually turn by each frame ahead
        self.turn = nn.Linear(features, 1)
        for each in self.turn.parameters():
            nn.init.zeros_(each)

    def forward(self, own: torch.Tensor, h: torch.Tensor | None = None, at: slice = slice(None),
                step: torch.Tensor | None = None, echo: tuple[torch.Tensor, ...] | None = None) -> torch.Tensor:
        """As `LinearExtrapolation`; ``step`` is added to posture and path, and a turn that ``h`` says.

        ``echo``: changes of posture and turns as `MotionAttention` gives them, and the share that is extrapolated.
        Shapes: ``own`` [B, P, W]; ``h`` [B, f, features] or None; ``step`` [B, f, W] -> [B, f, W]. Units: metres.
        Chapter: 5.
        """
        posture, path, turned = self._carried(own, h, at).split([own.shape[2], 3, 1], 2)
        if echo is not None:
            change, turn, nobody = echo
            posture, turned = torch.addcmul(change, nobody, posture), torch.addcmul(turn, nobody, turned)
        if h is not None:
            turned = torch.addcmul(turned, self.turn(h), self.turn_scale[at, None])  # [B, f, 1]
        posture, path = posture.unflatten(2, (-1, 3)), path[:, :, None]  # [B, f, J, 3], [B, f, 1, 3]
        if step is not None:
            step = step.unflatten(2, (-1, 3))
            moved = self._place(step)  # [B, f, 1, 3]
            posture, path = posture + step - moved, path + moved
        last = own[:, -1:].unflatten(2, (-1, 3))  # [B, 1, J, 3]
        before = last - self._place(last)  # seen from the pelvis on the floor
        return (rotate_points_z(turned, posture + before) - before + path).flatten(2)

    def _split(self, x: torch.Tensor, last: int) -> tuple[torch.Tensor, ...]:
        """Posture [B, T, W], path [B, T, 3] and facing [B, T, 1]."""
        x = x.unflatten(2, (-1, 3))
        ahead = facing(x.flatten(0, 1), self.skeleton).unflatten(0, x.shape[:2])  # [B, T, 2]
        turns = torch.atan2(ahead[..., 1], ahead[..., 0]).diff(dim=1)  # [B, T - 1]
        turns = (turns + torch.pi) % (2 * torch.pi) - torch.pi
        speed = turns[:, : last % x.shape[1]][:, -5:].sum(1, keepdim=True).abs()  # [B, 1], radians in five frames
        angle = pad(turns.cumsum(1) * ((speed - CALM) / (FAST - CALM)).clamp(0, 1), (1, 0))  # [B, T]
        angle = angle - angle[:, last, None]
        place = self._place(x)  # [B, T, 1, 3]
        return rotate_points_z(-angle[..., None], x - place).flatten(2), place.squeeze(2), angle[..., None]

    def _place(self, x: torch.Tensor) -> torch.Tensor:
        """The pelvis of [..., J, 3] on the floor, [..., 1, 3]."""
        return x[..., self.skeleton.pelvis, None, :] * self.floor

    def fit(self, moments: torch.Tensor) -> None:
        """As `LinearExtrapolation`; and how far bodies turn. Shapes: [3, 1 + L + F, 1 + L + F]. Chapter: 5."""
        super().fit(moments)
        ahead = moments[2].diagonal()[1 + self.weights.shape[-1] :]
        self.turn_scale.copy_((ahead / moments[2, 0, 0]).sqrt().clamp_min(0.02))  # where nobody spins it is learned too
