"""A dance in the other dancer's style by one linear map of poses: no network, and nothing to train.

    mean matching       y = m_b + (x - m_a)
    optimal transport   y = m_b + A (x - m_a)       A: from the Gaussian N(0, S_a) to N(0, S_b)
    smoothing           y = x + h * (y(x) - x)      h: a Hann window along time

x are the rotations of the joints in one frame, m a dancer's mean of them, S their covariance. What the map adds to a
dance is smoothed, and the dance is not: A makes some small movements larger, and what shakes in a recording with them.
Source: Dowson and Landau, Journal of Multivariate Analysis 1982, for A. The deepfake by networks, which this one is
compared with: `choreo_lib.systems.vae_rnn`. Taught in chapter 7, "A deepfake of dancers".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import conv1d, pad

from ..body.motion import Motion, dancer_index
from ..body.rotations import quaternion_from_6d, quaternion_to_6d, slerp
from ..body.skeleton import Skeleton
from ..core.arguments import a, flag, number, takes, text
from ..core.precision import in_full_precision
from ..systems.layers import System
from .rotation_model import RotationModel, leg_length

ABLATIONS = {"optimal transport": {"transport": False}, "smoothing": {"smoothing": 0.0}}
"""The settings that switch each option off."""


@dataclass(frozen=True)
class Config:
    """How two dancers' poses are matched. Chapter: 7.

    Measured on salsa's validation and test take (``data/weights/deepfake-salsa.json``): with transport the style
    classifier is convinced in 97.3 and 89.1 % of the windows, by mean matching alone in 85.6 and 86.7 %. The jerk is
    1.16 and 1.23 times as high as the other dancer's, by mean matching 1.08 and 1.10 times; without smoothing it was
    1.78 on validation, and the classifier convinced in 97.9 %.
    """

    routes: tuple[str, ...] = ("ab", "ba")
    fps: float = 30.0
    transport: bool = True  # False: means are matched, and covariances are not
    smoothing: float = 0.3  # seconds of the window that smooths what the map adds; 0: not at all
    ridge: float = 0.5  # of a number's variance, added in every direction before two covariances are compared


class StyleTransport(RotationModel, System):
    """The posture and the range of one dancer's movement, moved onto those of another's, frame by frame.

    How the root is turned and its path on the floor stay the source's. Style are: how the other joints are rotated,
    and how high the root is, in lengths of a leg.
    Shapes: ``mean`` [2, W = 6 (J - 1)], ``transport`` [W, W] from dancer a's differences from the mean to b's.
    Units: metres, world coordinates. Chapter: 7.
    """

    Config = Config

    def __init__(self, skeleton: Skeleton, config: Any = None, **changes: Any):
        super().__init__(skeleton, config, **changes)
        width = 6 * (len(skeleton) - 1)
        self.mean, self.transport = nn.Buffer(torch.zeros(2, width)), nn.Buffer(torch.eye(width))
        self.height = nn.Buffer(torch.zeros(2))  # of the root, mean over frames, in lengths of a leg
        self.bones = nn.Buffer(torch.zeros(2, len(skeleton), 3))  # mean bodies of the training set

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Measure windows [B, T, 2, J, 7] of both dancers, who need not have danced the same."""
        windows = torch.cat(list(batches))
        self.bones.copy_(windows[:, 0, :, :, :3].mean(0))
        x = self.features(windows[..., 3:]).flatten(0, 1)  # [N * T, 2, W]
        self.mean.copy_(x.mean(0))
        legs = torch.tensor([leg_length(self.usual_body(who)) for who in "ab"])
        self.height.copy_(windows[:, :, :, 0, 2].mean((0, 1)) / legs)
        if self.config.transport:
            scale = x.std(0).mean(0).clamp_min(0.05)  # [W], so that a step of any number costs the same
            poses = ((x - self.mean) / scale).unbind(1)
            one, other = (regularised_covariance(each, self.config.ridge) for each in poses)
            self.transport.copy_(scale[:, None] * gaussian_ot_map(one, other) / scale)

    def features(self, rotations: torch.Tensor) -> torch.Tensor:
        """Describe a pose by two axes of each joint but the root. Shapes: [..., J, 4] -> [..., W]."""
        return quaternion_to_6d(rotations[..., 1:, :]).flatten(-2)

    @in_full_precision
    def forward(self, rotations: torch.Tensor, route: str) -> torch.Tensor:
        """Move poses of the source to the target's style. Shapes: unit quaternions [..., T, J, 4]."""
        source, target = map(dancer_index, route)
        way = {"ab": self.transport, "ba": torch.linalg.inv(self.transport)}[route]
        x = self.features(rotations)  # [..., T, W]
        # y = m_b + A (x - m_a)
        change = (x - self.mean[source]) @ way.T + self.mean[target] - x
        x = x + self.smoothed(change)
        moved = quaternion_from_6d(x.unflatten(-1, (-1, 6)))  # [..., T, J - 1, 4]
        return torch.cat([rotations[..., :1, :], moved], -2)

    def smoothed(self, x: torch.Tensor) -> torch.Tensor:
        """Average along time under a Hann window, the ends held. Shapes: [..., T, W] in and out. Chapter: 7."""
        half = round(self.config.smoothing * self.config.fps / 2)
        window = torch.hann_window(2 * half + 3, periodic=False, device=x.device)[1:-1]
        numbers = pad(x.mT.reshape(-1, 1, x.shape[-2]), (half, half), mode="replicate")  # [... W, 1, T + 2 half]
        return conv1d(numbers, (window / window.sum())[None, None]).view_as(x.mT).mT

    @torch.no_grad()
    @takes(motion=a(Motion), route=text, body=a(Skeleton), style_weight=number(-10, 10), feet=flag)
    def translate(self, motion: Motion, route: str | None = None, body: Skeleton | None = None,
                  style_weight: float = 1.0, feet: bool = True) -> Motion:
        """Give a whole take the target's style; ``route`` "ab" or "ba", None: from a to b.

        ``body``: whose bones to use (None: the target's mean ones). ``style_weight``: 1 is the target's style, 0 the
        source's own, and between them each joint is turned a part of the way. ``feet``: foot skating is fixed
        (`choreo_lib.extensions.foot_contact`).
        Errors: ValueError for joints, rest bones or frames a second that are not the model's, a motion without
        rotations, or a route that this model does not have. Chapter: 7.
        """
        route = self.config.routes[0] if route is None else route
        self.require_source(motion, route)
        source, target = map(dancer_index, route)
        body = self.target_body(body, route[1])
        rotations, root = torch.tensor(motion.rotations).to(self.mean), torch.tensor(motion.positions[:, 0])
        weight = torch.full(rotations.shape[:-1], float(style_weight)).to(rotations)
        rotations = slerp(rotations, self(rotations, route), weight)  # [F, J, 4]
        raised = style_weight * float(self.height[target] - self.height[source])
        root[:, 2] = (root[:, 2] / leg_length(motion.skeleton) + raised) * leg_length(body)
        return self.made_motion(rotations, root, body, route[1], motion, feet)


def gaussian_ot_map(covariance: torch.Tensor, onto: torch.Tensor) -> torch.Tensor:
    """The linear map that moves one Gaussian about zero onto another with the least mean squared displacement.

    Shapes: covariances [W, W] of each, positive definite -> [W, W]. Chapter: 7. Dowson and Landau, Journal of
    Multivariate Analysis 1982.
    """
    def power(x, p):
        size, axes = torch.linalg.eigh(x)
        return (axes * size.clamp_min(1e-12) ** p) @ axes.T

    covariance, onto = covariance.double(), onto.double()
    root, inverse_root = power(covariance, 0.5), power(covariance, -0.5)
    # A = S_a^-1/2 (S_a^1/2 S_b S_a^1/2)^1/2 S_a^-1/2
    return (inverse_root @ power(root @ onto @ root, 0.5) @ inverse_root).float()


def regularised_covariance(x: torch.Tensor, ridge: float) -> torch.Tensor:
    """The covariance [W, W] of poses [N, W] about zero, with ``ridge`` added to every variance. Chapter: 7."""
    x = x.double()
    return x.T @ x / len(x) + ridge * torch.eye(x.shape[1], device=x.device, dtype=x.dtype)
