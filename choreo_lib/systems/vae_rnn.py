"""A recurrent variational autoencoder on joint rotations: one dancer translated into the other, or a deepfake of both.

    posterior           q(z | x) = N(mean(x), exp(log_variance(x)))         x: a window of one dancer
    prediction          (q, r) = decoder(z),  z ~ q(z | x)                  q: rotations, r: the root's path
    loss                0.1 (|q| - 1)^2 + 0.1 |FK(q / |q|, r) - p| + 1.0 d(q / |q|, q*) + beta KL(q(z | x) || N(0, 1))

p are the true joint positions, q* the true rotations, d a distance of rotations, FK forward kinematics, and beta the KL
weight, which rises and falls in cycles.
Source: bisnad, "MotionDuet: VAE-RNN for Motion Translation and Motion Deepfake", 2024; one encoder with two decoders
after Faceswap, 2017. Repaired: forward kinematics is given the normalised rotations; q and -q cost the same; each
dancer has their own bones; the root's path is predicted, too.
Taught in chapter 6, "Translating a dancer", and chapter 7, "A deepfake of dancers".
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.functional import normalize

from ..body.blending import overlap_add, overlapping_windows
from ..body.compatibility import require_fit
from ..body.kinematics import joint_positions, positions_of
from ..body.motion import Motion, dancer_index
from ..body.reference import ReferenceFrame, reference_frame
from ..body.rotations import continuous, rotate_z
from ..body.skeleton import Skeleton
from ..body.source import OURS, Source
from .layers import LSTM, System, reparameterise
from .losses import Schedule, kl_loss, kl_per_unit, rotation_difference


@dataclass(frozen=True)
class Config:
    """The published values (MotionDuet, 2024). Chapter: 6.

    ``routes``: source and target of each prediction. ("ab",) translates dancer a into dancer b. ("aa", "bb") is the
    deepfake: one encoder, a decoder for each dancer, exchanged when it is used (route "ab": b's decoder for a's dance).
    ``steps_per_epoch``: the KL weight's cycle counts epochs, and how many training steps one has depends on the data,
    so this is to be given for training. ``joint_weights``: how much each joint counts in the losses, so that many
    finger joints do not outweigh an arm.
    """

    routes: tuple[str, ...] = ("ab",)
    frames: int = 64  # of a window
    fps: float = 30.0
    latent: int = 32
    hidden: int = 256  # of the LSTMs, in each direction
    layers: int = 2
    dense: int = 512
    norm: float = 0.1  # weights of the losses
    position: float = 0.1
    rotation: float = 1.0
    kl: Schedule = Schedule(0.1, "cyclical", wait=20, rise=60, hold=20)  # in epochs, of the mean over the latent units
    steps_per_epoch: int = 0  # 0: not given; enough for a constant KL weight
    joint_weights: tuple[float, ...] | None = None


class Decoded(NamedTuple):
    """What a decoder gives: its output [B, T, W], unit rotations [B, T, J, 4], and the root's path [B, T, 3]."""

    features: torch.Tensor
    rotations: torch.Tensor
    root: torch.Tensor


class Encoder(nn.Module):
    """A window to the mean and log-variance of its latent vector: [B, T, W] to [B, Z] each. Chapter: 6."""

    def __init__(self, width: int, config: Any):
        super().__init__()
        self.lstm = LSTM(width, config.hidden, config.layers, batch_first=True, bidirectional=True)
        self.dense = nn.Linear(2 * config.hidden, config.dense)
        self.mean, self.log_variance = nn.Linear(config.dense, config.latent), nn.Linear(config.dense, config.latent)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode windows. Shapes: [B, T, W] -> [B, Z], [B, Z]."""
        h = self.lstm(x)[0].mean(1)  # [B, 2 * hidden]
        h = self.dense(h).relu()  # [B, dense]
        return self.mean(h).to(x), self.log_variance(h).to(x)  # [B, Z] each


class Decoder(nn.Module):
    """A latent vector to a window, [B, Z] to [B, T, W]. Chapter: 6."""

    def __init__(self, width: int, config: Any):
        super().__init__()
        self.frames = config.frames
        self.dense = nn.Linear(config.latent, config.dense)
        self.lstm = LSTM(config.dense, config.hidden, config.layers, batch_first=True, bidirectional=True)
        self.output = nn.Linear(2 * config.hidden, width)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """Decode latent vectors. Shapes: [B, Z] -> [B, T, W]."""
        h = self.dense(latent).relu()[:, None].expand(-1, self.frames, -1)  # [B, T, dense]
        h = self.lstm(h)[0]  # [B, T, 2 * hidden]
        return self.output(h).to(latent)  # [B, T, W]


class VAERNN(System):
    """Translation and deepfake of joint rotations.

    Shapes: windows of transforms [B, T, 2, J, 7], of each joint its place at the parent (its bone; of the root the
    place in the room) and its unit quaternion (`choreo_lib.sets.windows.cut` with rotations). Seen by the networks as
    features [B, T, W = 4 J + 3]: quaternions, and the root's path, from the pelvis and the heading of the source dancer
    in the middle of the window. The path of a translated partner is relative to the source's, frame by frame.
    Units: metres, world coordinates. Errors: ValueError for other routes, or an odd window. Chapter: 6; 7 (deepfake).
    """

    Config = Config
    joint_weights: torch.Tensor

    def __init__(self, skeleton: Skeleton, config: Any = None, **changes: Any):
        super().__init__(skeleton, config, **changes)
        s = self.config
        self.shared_encoder = set(s.routes) == {"aa", "bb"}
        if not (self.shared_encoder or s.routes and set(s.routes) <= {"ab", "ba"}):
            raise ValueError(f'routes {tuple(s.routes)}: choose ("ab",), ("ba",), both of these, or ("aa", "bb")')
        weights = torch.tensor([1.0] * len(skeleton) if s.joint_weights is None else list(s.joint_weights))
        if s.frames % 2 or len(weights) != len(skeleton):
            raise ValueError(f"frames {s.frames} must be even, and {len(weights)} weights one for each of the joints")
        width = 4 * len(skeleton) + 3  # of features, W
        sources = ["shared"] if self.shared_encoder else sorted({route[0] for route in s.routes})
        self.encoders = nn.ModuleDict({who: Encoder(width, s) for who in sources})
        targets = sorted({route[1] for route in s.routes})
        self.decoders = nn.ModuleDict({who: Decoder(width, s) for who in targets})
        self.register_buffer("joint_weights", weights / weights.mean(), persistent=False)  # [J]

    def forward(self, source: torch.Tensor, route: str, sample: bool = True):
        """Predict the target of a route from the source's features; ``sample`` False: from the posterior's mean.

        Shapes: [B, T, W] -> (`Decoded`, mean [B, Z], log-variance [B, Z]).
        """
        mean, log_variance = self.encode(source, route[0])
        latent = reparameterise(mean, log_variance) if sample else mean
        return self.decode(latent, route[1], self.origin(source)), mean, log_variance

    def encode(self, source: torch.Tensor,
               who: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode a dancer's features [B, T, W] to the posterior's mean and log-variance, [B, Z] each."""
        return self.encoders["shared" if self.shared_encoder else who](source)

    def decode(self, latent: torch.Tensor, who: str,
               origin: torch.Tensor | float = 0.0) -> Decoded:
        """Decode latent vectors [B, Z] as a dancer, whose root's path is relative to ``origin`` (see `origin`)."""
        return self.decoded(self.decoders[who](latent), origin)

    def origin(self, source: torch.Tensor) -> torch.Tensor | float:
        """What a target's path is relative to: the path [B, T, 3] of the source [B, T, W]; of a deepfake, 0."""
        return 0.0 if self.shared_encoder else source[..., -3:]

    def loss(self, batch: torch.Tensor, step: int | None) -> dict[str, torch.Tensor]:
        """Compute the loss of windows [B, T, 2, J, 7], the mean over routes; ``step`` None: at the highest KL weight.

        Under ``model.eval()`` the latent vector is the posterior's mean.
        Errors: ValueError for a KL weight that changes with epochs where ``steps_per_epoch`` was not given.
        """
        s = self.config
        if step is not None and s.kl.kind != "constant" and not s.steps_per_epoch:
            raise ValueError("the KL weight changes with the epochs: give steps_per_epoch, the training steps of one")
        kl_weight = s.kl.at(None if step is None else step // max(s.steps_per_epoch, 1))
        routes = [self.loss_terms(batch, route) for route in s.routes]
        terms = {name: torch.stack([each[name] for each in routes]).mean() for name in routes[0]}
        # 0.1 (|q| - 1)^2 + 0.1 |FK(q / |q|, r) - p| + 1.0 d(q / |q|, q*) + beta KL
        loss = (s.norm * terms["norm"] + s.position * terms["position"] + s.rotation * terms["rotation"]
                + kl_weight * terms["kl"])
        return {"loss": loss, **terms}

    def loss_terms(self, batch: torch.Tensor, route: str) -> dict[str, torch.Tensor]:
        """Compute the four losses of a route, the error in metres and the KL in nats."""
        source, target, _, bones = self.source_and_target(batch, route)
        predicted, mean, log_variance = self(source, route, sample=self.training)
        true = self.decoded(target, self.origin(source))
        # FK(q / |q|, r): normalised rotations, and the bones of who is predicted
        places = [joint_positions(self.skeleton, x.rotations, x.root, bones)
                  for x in (predicted, true)]  # fmt: skip
        distance = (places[0] - places[1]).norm(dim=-1)  # [B, T, J, 3] -> [B, T, J]
        # d(q, q*) = 4 (1 - <q, q*>^2): the same for q and -q
        difference = rotation_difference(predicted.rotations, true.rotations)  # [B, T, J]
        lengths = predicted.features[..., :-3].unflatten(-1, (-1, 4)).norm(dim=-1)  # [B, T, 4 J] -> [B, T, J]
        kl = kl_per_unit(mean, log_variance)  # [Z]
        return {
            "norm": ((lengths - 1) ** 2).mean(),
            "position": (self.joint_weights * distance).mean(),
            "rotation": (self.joint_weights * difference).mean(),
            "kl": kl.mean(), "kl_nats": kl_loss(kl),
            "error_m": distance.detach().mean()}  # fmt: skip

    def source_and_target(self, batch: torch.Tensor, route: str):
        """Describe windows [B, T, 2, J, 7] as seen from the source dancer.

        Gives features of source and target [B, T, W], the `ReferenceFrame`, and the target's bones [B, T, J, 3].
        """
        batch = batch.to(self.joint_weights.device)
        source, target = (batch[:, :, dancer_index(who)] for who in route)  # [B, T, J, 7]
        middle = positions_of(self.skeleton, source[:, source.shape[1] // 2, None])[:, :, None]  # [B, 1, 1, J, 3]
        frame = reference_frame(middle, 0, self.skeleton, of="a")
        x, y = self.features(source, frame), self.features(target, frame)
        y = torch.cat([y[..., :-3], y[..., -3:] - self.origin(x)], -1)  # a partner's path relative to the source's
        return x, y, frame, target[..., :3]

    def features(self, transforms: torch.Tensor, frame: ReferenceFrame) -> torch.Tensor:
        """Describe a dancer as seen from a frame of reference. Shapes: [B, T, J, 7] -> [B, T, W]."""
        root = rotate_z(-frame.heading[:, None], transforms[:, :, 0, 3:])
        q = torch.cat([root[:, :, None], transforms[:, :, 1:, 3:]], 2)  # [B, T, J, 4]
        # of q and -q the one nearer to the frame before; of a whole window the one with w >= 0 in its middle
        q = continuous(q.transpose(0, 1)).transpose(0, 1)  # which takes frames first
        q = q * torch.where(q[:, q.shape[1] // 2, None, :, 3:] < 0, -1.0, 1.0)
        return torch.cat([q.flatten(2), frame.to_local(transforms[:, :, 0, :3])], 2)  # [B, T, 4 J + 3]

    def decoded(self, x: torch.Tensor, origin: torch.Tensor | float = 0.0) -> Decoded:
        """Read features [B, T, W]: unit rotations, and the root's path as seen from the frame of reference."""
        return Decoded(x, normalize(x[..., :-3].unflatten(-1, (-1, 4)), dim=-1), x[..., -3:] + origin)

    def to_world(self, predicted: Decoded, frame: ReferenceFrame) -> tuple[torch.Tensor, torch.Tensor]:
        """Bring rotations [B, T, J, 4] and the root's path [B, T, 3] from a frame of reference into the world."""
        turned = rotate_z(frame.heading[:, None], predicted.rotations[:, :, 0])[:, :, None]  # [B, T, 1, 4]
        return torch.cat([turned, predicted.rotations[:, :, 1:]], 2), frame.to_world(predicted.root)

    @torch.no_grad()
    def translate(self, motion: Motion, route: str | None = None, body: Skeleton | None = None) -> Motion:
        """Predict a whole take of the target from one of the source, in windows blended into each other.

        ``route`` None: the first that was trained. ``body``: whose bones to use; None: those of ``motion``.
        Errors: ValueError for other joints, rest bones or frames a second, no rotations, or less than a window.
        """
        require_fit("this motion", motion, self.skeleton, self.config.fps, rotations=True)
        route, body = route or self.config.routes[0], body or motion.skeleton
        windows = overlapping_windows(motion, self.config.frames)[:, :, None]  # [N, T, 1, J, 7]
        source, _, frame, _ = self.source_and_target(windows.expand(-1, -1, 2, -1, -1), route)
        predicted = self(source, route, sample=False)[0]
        rotations, root = (x[: len(motion)].cpu() for x in overlap_add(*self.to_world(predicted, frame)))
        return Motion.from_rotations(rotations, root, self.config.fps, body, source=Source.join(OURS, motion.source))
