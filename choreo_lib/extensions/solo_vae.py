"""One dancer in a few hundred numbers: an LSTM variational autoencoder of short phrases, or of single poses.

Taught in chapter 4, "A dancer in 256 numbers". After the solo system of the prototypes; repaired and extended there.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import nn

from ..body.bones import project_bone_lengths
from ..body.compatibility import misfit
from ..body.motion import OURS, Motion, Source
from ..body.reference import ReferenceFrame, reference_frame
from ..body.skeleton import Skeleton
from ..core.arguments import a, count, each, seed, shown, takes
from ..core.precision import LSTM, in_full_precision, product
from ..core.shapes import tensor
from ..systems.losses import Schedule, kl_loss, kl_per_unit


class SoloVAE(nn.Module):
    """A phrase of ``frames`` frames becomes ``latent`` numbers, and a phrase again. ``frames`` 1: a model of poses.

    The encoder reads the phrase with ``layers`` LSTM layers of ``hidden`` units and answers with a mean and a
    log-variance; the decoder repeats the code over time, beside where in the phrase it is, through a linear layer,
    as many LSTM layers, and a convolution of three frames that smooths along time. ``shortcut`` adds a straight way
    through both: the principal components of the training set (`prepare`), which training leaves alone, so that the
    LSTMs learn what a linear code leaves over. ``whole`` keeps the bones of what is decoded at their lengths, but for
    limbs drawn through themselves (`choreo_lib.body.bones.project_bone_lengths`, with compliance). ``heading`` False:
    phrases are seen from the dancer's place, but not turned, as with bodies that have no left and right by name.
    ``dropout`` silences that share of what both LSTMs say, while training. ``detail``: how many directions of what the
    decoder leaves out are kept (`finish`), to be drawn by chance.
    Shapes: windows [B, T, 1, J, 3]; codes [B, Z]. Units: metres; phrases are seen from the dancer's place and heading
    at the middle frame. Chapter: 4. Kingma and Welling, ICLR 2014; Pettee et al., ICCC 2019.
    """

    def __init__(self, skeleton: Skeleton, frames=64, fps=30.0, latent=256, hidden=384, layers=2, shortcut=True,
                 whole=True, heading=True, dropout=0.0, detail=0, kl: Schedule = Schedule(1e-4), free_bits=0.0):  # noqa: B008 (frozen)
        super().__init__()
        self._config = {"names": skeleton.names, "parents": skeleton.parents, "frames": frames, "fps": fps,
                        "latent": latent, "hidden": hidden, "layers": layers, "shortcut": shortcut,
                        "whole": whole, "heading": heading, "dropout": dropout, "detail": detail, "kl": vars(kl),
                        "free_bits": free_bits}
        width = len(skeleton) * 3
        if shortcut and latent > frames * width:
            raise ValueError(f"{frames} x {width} coordinates have no {latent} principal components; make latent "
                             "smaller, or leave the shortcut out")
        self.skeleton, self.frames, self.fps, self.latent = skeleton, frames, fps, latent
        self.kl, self.free_bits, self.shortcut, self.whole, self.heading = kl, free_bits, shortcut, whole, heading
        self.reader = LSTM(width, hidden, layers, batch_first=True)
        self.to_mean, self.to_log_variance = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.opener = nn.Sequential(nn.Linear(latent + 8, hidden), nn.ReLU())
        self.writer = LSTM(hidden, hidden, layers, batch_first=True)
        self.to_pose = nn.Linear(hidden, width)
        self.smoother = nn.Conv1d(width, width, 3, padding=1, padding_mode="replicate")
        self.silence = nn.Dropout(dropout)
        self.register_buffer("middle", torch.zeros(frames, width))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("axes", torch.zeros(latent if shortcut else 0, frames * width))
        self.register_buffer("spread", torch.ones(latent if shortcut else 0))
        self.register_buffer("distances", torch.full((101,), latent**0.5))
        self.register_buffer("detail", torch.zeros(detail, frames * width))
        time = torch.arange(frames)[:, None] / frames * 3.14159265 * 2.0 ** torch.arange(4)
        self.register_buffer("clock", torch.cat([time.sin(), time.cos()], 1), persistent=False)  # [T, 8]

    def config(self) -> dict:
        """What `from_config` needs to build the same model, without its weights; JSON takes it."""
        return self._config

    @classmethod
    def from_config(cls, config: dict) -> SoloVAE:
        """The inverse of `config`."""
        config = dict(config)
        skeleton = Skeleton(tuple(config.pop("names")), tuple(config.pop("parents")))
        return cls(skeleton, kl=Schedule(**config.pop("kl")), **config)

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Before training, measure the training set: its mean phrase, its spread, its principal components.

        ``batches`` of training windows, augmented ones too if the components are to know them.
        """
        phrases = _some(torch.cat([self.seen(batch)[0].flatten(1) for batch in batches]))  # [N, T * J * 3]
        middle = phrases.mean(0)
        self.middle.copy_(middle.view_as(self.middle))
        self.scale.copy_((phrases - middle).std())
        if self.shortcut:
            size, axes = components((phrases - middle) / self.scale, self.latent)
            self.axes.copy_(axes)
            self.spread.copy_(size)  # divided by it, every unit of the code has variance 1
            for layer in (self.to_mean, self.to_pose, self.smoother):
                nn.init.zeros_(layer.bias)
            for layer in (self.to_mean, self.to_pose):  # at first the LSTMs add nothing, and all of them get a gradient
                nn.init.zeros_(layer.weight)
            nn.init.dirac_(self.smoother.weight)
            nn.init.constant_(self.to_log_variance.bias, -6.0)

    @torch.no_grad()
    @in_full_precision
    def fit_residuals(self, batches: Iterable[torch.Tensor]) -> None:
        """After training, measure what drawing by chance needs, on training windows.

        How far from the middle their codes lie (still phrases lie near it, wide ones far out, which a normal
        distribution of as many dimensions does not know), and in which directions the decoder's phrases differ from
        the danced ones: a decoder gives the mean of all phrases with a code, in which what differs is gone.
        Fitting the prior afterwards: Ghosh et al., "From variational to deterministic autoencoders", ICLR 2020.
        """
        self.eval()
        left, far = [], []
        for batch in batches:
            x, _ = self.seen(batch)
            mean, _ = self.encode(x)
            far.append(mean.norm(dim=1))
            left.append((x - self.decode(mean)).flatten(1))
        shares = torch.linspace(0, 1, len(self.distances), device=self.distances.device)
        self.distances.copy_(torch.cat(far).quantile(shares))
        if len(self.detail):
            size, axes = components(_some(torch.cat(left)), len(self.detail))
            self.detail.copy_(size[:, None] * axes)

    def seen(self, batch: torch.Tensor) -> tuple[torch.Tensor, ReferenceFrame]:
        """Windows [B, T, 1, J, 3] from the dancer's own place, [B, T, J * 3], and the place, where the model is."""
        if batch.shape[2:] != (1, len(self.skeleton), 3):
            raise ValueError(f"windows must be of one dancer, [windows, frames, 1, {len(self.skeleton)}, 3]; got "
                             f"{list(batch.shape)}")
        batch = batch.to(self.middle.device)
        at = batch.shape[1] // 2
        if self.heading:
            frame = reference_frame(batch, at, self.skeleton, of="a")
        else:
            middle = batch[:, at, 0, self.skeleton.pelvis]
            frame = ReferenceFrame(middle * middle.new_tensor([1.0, 1.0, 0.0]), torch.zeros_like(middle[:, 0]))
        return frame.to_local(batch).flatten(2), frame

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Phrases as seen, [B, T, J * 3] in metres, to mean and log-variance [B, Z]."""
        x = (x - self.middle) / self.scale
        last = self.silence(self.reader(x)[0][:, -1])  # [B, hidden]
        mean = self.to_mean(last).to(x)
        if self.shortcut:
            mean = mean + product(x.flatten(1), self.axes.T) / self.spread
        return mean, self.to_log_variance(last).to(x).clamp(-12, 4)

    def decode(self, z: torch.Tensor, whole: bool | None = None) -> torch.Tensor:
        """Codes [B, Z] to phrases as seen, [B, T, J * 3], metres. ``whole`` in place of the model's own."""
        clock = self.clock.expand(len(z), -1, -1)
        hidden = self.opener(torch.cat([z[:, None].expand(-1, self.frames, -1), clock], 2))  # [B, T, hidden]
        x = self.to_pose(self.silence(self.writer(hidden)[0]))  # [B, T, J * 3]
        x = self.smoother(x.transpose(1, 2)).transpose(1, 2)  # a convolution along time, not across joints
        x = x.to(self.middle)
        if self.shortcut:
            x = x + product(z * self.spread, self.axes).view_as(x)
        x = x * self.scale + self.middle
        if not (self.whole if whole is None else whole):
            return x
        return project_bone_lengths(self.skeleton, x.unflatten(2, (-1, 3)), compliance=8).flatten(2)

    def loss(self, batch: torch.Tensor, step: int | None) -> dict[str, torch.Tensor]:
        """What training makes small: squared error, in units of the set's spread, and the KL at its price.

        ``step`` None: the KL at its highest price. At rest (``model.eval()``) the code is the posterior's mean.
        """
        x, _ = self.seen(batch)
        mean, log_variance = self.encode(x)
        noise = torch.randn_like(mean) * (0.5 * log_variance).exp() if self.training else 0.0
        again = self.decode(mean + noise)
        squared = (((again - x) / self.scale) ** 2).mean()
        units = kl_per_unit(mean, log_variance)
        weight = self.kl.high if step is None else self.kl.at(step)
        error = (again - x).detach().unflatten(2, (-1, 3)).norm(dim=-1).mean()
        return {"loss": squared + weight * kl_loss(units, self.free_bits), "squared": squared, "error_m": error,
                "kl_nats": units.sum()}

    @takes(count=count(1, 100_000), seed=seed)
    def draw(self, count: int, seed: int = 0) -> torch.Tensor:
        """Codes [count, Z] from the prior: any direction, and as far from the middle as the training set's codes."""
        chance = torch.Generator().manual_seed(seed)
        z = torch.randn(count, self.latent, generator=chance)
        place = torch.rand(count, generator=chance) * (len(self.distances) - 1)
        low = place.long()
        far = torch.lerp(self.distances.cpu()[low], self.distances.cpu()[low + 1], place - low)
        return (z / z.norm(dim=1, keepdim=True) * far[:, None]).to(self.middle)

    @takes(x=tensor("phrases", "frames", "width", finite=True), seed=seed)
    def with_detail(self, x: torch.Tensor, seed: int = 0) -> torch.Tensor:
        """Phrases [B, T, J * 3] with what a decoder leaves out drawn by chance, as large as on training windows."""
        chance = torch.Generator().manual_seed(seed)
        chance.manual_seed(int(torch.randint(2**62, (1,), generator=chance)))  # or it would repeat what `draw` drew
        chance = torch.randn(len(x), len(self.detail), generator=chance)
        return x + product(chance.to(x), self.detail).view_as(x)

    def mean_pose(self) -> np.ndarray:
        """The training set's mean pose, [J, 3] metres: limbs are too short in it, but for those that move little."""
        return self.middle.mean(0).view(-1, 3).cpu().double().numpy()

    @torch.no_grad()
    @takes(phrases=a(Motion) | each(a(Motion)))
    def read(self, phrases: Motion | list[Motion]) -> tuple[torch.Tensor, ReferenceFrame]:
        """One phrase of ``frames`` frames, or several: their codes [B, Z] (the posterior's mean) and their places.

        Without dropout, whatever the mode. Errors: ValueError for no phrases, another number of frames, frames a
        second, or joints.
        """
        self.eval()
        phrases = [phrases] if isinstance(phrases, Motion) else list(phrases)
        if not phrases:
            raise ValueError("there are no phrases to read")
        for k, motion in enumerate(phrases):
            told = misfit(motion, self.skeleton, self.fps)
            if told or len(motion) != self.frames:
                raise ValueError(f"phrase {k} has {len(motion)} frames at {motion.fps:g} frames a second; this model "
                                 f"reads {self.frames} at {self.fps:g} of {len(self.skeleton)} joints{told}")
        batch = torch.stack([torch.from_numpy(motion.positions) for motion in phrases])[:, :, None]
        x, place = self.seen(batch)
        return self.encode(x)[0], place

    @torch.no_grad()
    @takes(codes=tensor(..., "latents", finite=True), place=a(ReferenceFrame), source=a(Source), detail=seed)
    def dance(self, codes: torch.Tensor, place: ReferenceFrame | None = None, source: Source | None = OURS,
              detail: int | None = None) -> list[Motion]:
        """The phrases of codes [B, Z], or of one code [Z].

        ``place``: where to dance them (as `read` gives it; None: in the middle of the room, facing along X).
        ``source``: whose motion it is; what is made from a recording stays its makers'. ``detail``: a seed for
        `with_detail`; None leaves the decoder's mean as it is.
        """
        self.eval()
        if codes.shape[-1] != self.latent or not codes.numel():
            raise ValueError(f"codes must be a tensor [codes, {self.latent}], or one [{self.latent}]; got "
                             f"{shown(codes)}")
        x = self.decode(codes.to(self.middle).reshape(-1, self.latent))
        if detail is not None:
            x = self.with_detail(x, detail)
        x = x.unflatten(2, (-1, 3))  # [B, T, J, 3]
        x = x if place is None else place.to_world(x)
        return [Motion(each, self.fps, self.skeleton, source=source) for each in x.cpu().numpy()]


@takes(start=tensor("latents", finite=True), end=tensor("latents", finite=True), steps=count(1, 100_000))
def between(start: torch.Tensor, end: torch.Tensor, steps: int) -> torch.Tensor:
    """Codes [steps, Z] on the way from one code [Z] to another, both ends among them.

    The direction turns evenly and the distance from the middle changes evenly: on the straight line the codes
    halfway would lie nearer to the middle than codes do. A code in the middle has no direction: from there the way is
    straight. Errors: ValueError for opposite codes, between which every way is as short. Chapter: 4. White, "Sampling
    generative networks", 2016.
    """
    share = torch.linspace(0, 1, steps, device=start.device)[:, None]
    far = start.norm(), end.norm()
    if min(far) < 1e-6:
        return torch.lerp(start, end, share)
    angle = torch.arccos(torch.clamp(start @ end / (far[0] * far[1]), -1, 1))
    if angle < 1e-4:
        return torch.lerp(start, end, share)
    if angle > 3.1415:
        raise ValueError("these codes are opposite, so there is no one way between them; go by a third")
    way = ((1 - share) * angle).sin() * start / far[0] + (share * angle).sin() * end / far[1]
    return way / angle.sin() * torch.lerp(*far, share)


def _some(phrases: torch.Tensor, most: int = 30_000) -> torch.Tensor:
    """Of more than ``most`` phrases, that many, drawn the same every time."""
    drawn = torch.randperm(len(phrases), generator=torch.Generator().manual_seed(0))[:most]
    return phrases[drawn.to(phrases.device)]


def components(x: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """In which ``count`` directions x [N, D] varies most about zero, and how much.

    Gives standard deviations [K] and directions [K, D]. Chapter: 4.
    """
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        torch.manual_seed(0)  # they are found by a random projection
        _, size, axes = torch.pca_lowrank(x, min(count + 64, *x.shape), center=False, niter=4)  # the last are inexact
    found = len(size[:count])
    wide = torch.full((count,), 1e-6, device=x.device)  # a set of few windows has fewer directions than asked for
    wide[:found] = (size[:count] / max(len(x) - 1, 1) ** 0.5).clamp_min(1e-6)
    along = torch.zeros(count, x.shape[1], device=x.device)
    along[:found] = axes[:, :count].T
    return wide, along
