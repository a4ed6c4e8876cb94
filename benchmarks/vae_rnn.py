"""How fast the model of rotations is beside the original, at its sizes: python benchmarks/vae_rnn.py

A training step (batch of 16, 64 frames, 28 joints, LSTMs of 256) of translation and of the deepfake, which makes both
dancers; then the recipe's translator, another network; then windows blended, beside a loop of SciPy's slerp over frames
and joints. The shelf's networks have three outputs more than the original's: the root's path.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation, Slerp
from side_by_side import compare, in_turn, options, training_step
from torch import nn

import choreo_lib as cl
from choreo_lib.body.blending import overlap_add
from choreo_lib.extensions import MotionTranslator
from choreo_lib.sets import windows
from choreo_lib.systems import VAERNN
from choreo_lib.training import recipes

JOINTS, FRAMES, HIDDEN, DENSE, LATENT = 28, 64, 256, 512, 32


def multiply(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Quaternions w x y z, one after another: [..., 4]."""
    (a, b, c, d), (e, f, g, h) = p.unbind(-1), q.unbind(-1)
    return torch.stack([a * e - b * f - c * g - d * h, a * f + b * e + c * h - d * g,
                        a * g - b * h + c * e + d * f, a * h + b * g - c * f + d * e], -1)


def turn(q: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Vectors [..., 3] turned by quaternions w x y z."""
    across = torch.cross(q[..., 1:], v, dim=-1)
    return v + 2 * (q[..., :1] * across + torch.cross(q[..., 1:], across, dim=-1))


class Original(nn.Module):
    """The prototype's networks and losses: its layers and their sizes, not its code. One target: translation."""

    def __init__(self, parents: tuple[int, ...], bones: torch.Tensor, targets: int) -> None:
        super().__init__()
        self.parents, width = parents, 4 * len(parents)
        self.register_buffer("bones", bones)  # [J, 3], of dancer 1, as coded
        self.read = nn.LSTM(width, HIDDEN, 2, batch_first=True, bidirectional=True)
        self.dense = nn.Linear(2 * HIDDEN, DENSE)
        self.mean, self.log_variance = nn.Linear(DENSE, LATENT), nn.Linear(DENSE, LATENT)
        self.starts = nn.ModuleList(nn.Linear(LATENT, DENSE) for _ in range(targets))
        self.writers = nn.ModuleList(nn.LSTM(DENSE, HIDDEN, 2, batch_first=True, bidirectional=True)
                                     for _ in range(targets))
        self.outputs = nn.ModuleList(nn.Linear(2 * HIDDEN, width) for _ in range(targets))

    def places(self, q: torch.Tensor) -> torch.Tensor:
        """Forward kinematics, a joint at a time: [B, T, J, 4] -> [B, T, J, 3]."""
        worlds, places = [], []
        for joint, parent in enumerate(self.parents):
            if parent < 0:
                worlds.append(q[:, :, joint])
                places.append(torch.zeros_like(q[:, :, joint, 1:]))
            else:
                places.append(places[parent] + turn(worlds[parent], self.bones[joint].expand_as(places[parent])))
                worlds.append(multiply(worlds[parent], q[:, :, joint]))
        return torch.stack(places, 2)

    def one(self, source: torch.Tensor, target: torch.Tensor, k: int) -> torch.Tensor:
        """The loss of a source and a target [B, T, J, 4], quaternions w x y z."""
        h = torch.relu(self.dense(self.read(source.flatten(2))[0][:, -1]))
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        h = torch.relu(self.starts[k](z)).unsqueeze(1).repeat(1, source.shape[1], 1)
        made = self.outputs[k](self.writers[k](h)[0]).view(target.shape)
        lengths = made.norm(dim=-1)
        unit = made / lengths.unsqueeze(-1).clamp_min(1e-8)
        place = (self.places(made) - self.places(target)).norm(dim=-1).mean()  # as coded: not of the normalised ones
        turned = multiply(target * target.new_tensor([1.0, -1.0, -1.0, -1.0]), unit)
        angle = torch.acos(turned[..., 0].clamp(-1 + 1e-6, 1 - 1e-6)).mean()
        kl = -0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp()).mean()
        return 0.1 * ((lengths - 1) ** 2).mean() + 0.1 * place + angle + 0.1 * kl

    def loss(self, batch: torch.Tensor, number: int) -> dict[str, torch.Tensor]:
        """Windows [B, T, 2, J, 7]: dancer 1 into dancer 2; or each into itself by a decoder of its own."""
        a, b = batch[..., [6, 3, 4, 5]].unbind(2)  # w first
        if len(self.outputs) == 1:
            return {"loss": self.one(a, b, 0)}
        return {"loss": (self.one(a, a, 0) + self.one(b, b, 1)) / 2}


def blending(count: int = 40) -> None:
    """Windows of 64 frames and 28 joints into one take, beside a loop."""
    generator = torch.Generator().manual_seed(0)
    turns = nn.functional.normalize(torch.randn(count, 64, JOINTS, 4, generator=generator), dim=-1)
    roots = torch.randn(count, 64, 3, generator=generator)
    share = np.sin(np.pi / 2 * (np.arange(32) + 0.5) / 32) ** 2

    def loop() -> None:
        for t in range(32):
            for j in range(JOINTS):
                Slerp([0, 1], Rotation.from_quat(np.stack([turns[0, 32 + t, j], turns[1, t, j]])))(share[t])

    told = in_turn({"loop": loop, "ours": lambda: overlap_add(turns, roots)}, 5)
    ours = np.median(told["ours"]) / count
    print(f"blending a window: {ours:.3f} ms; a loop over frames and joints {np.median(told['loop']):.1f} ms; ratio "
          f"{np.median(told['loop']) / ours:.0f}")


def main() -> None:
    """Print the tables."""
    asked = options()
    cut = windows.cut([cl.synthetic.duet("mirror", 200, seed=seed) for seed in range(4)], FRAMES, 8, rotations=True)
    body = cl.Skeleton(cut.skeleton.names[:JOINTS], cut.skeleton.parents[:JOINTS])  # a toe is left away
    batch = cut[:16][:, :, :, :JOINTS].contiguous().to(asked.device)
    bones = batch[0, 0, 0, :, :3]
    for name, routes in (("translation", ("ab",)), ("deepfake", ("aa", "bb"))):
        original = Original(body.parents, bones, len(routes)).to(asked.device)
        shelf = VAERNN(body, routes=routes, steps_per_epoch=1).to(asked.device)
        rows = {
            "the original, stated anew": training_step(original, batch),
            "the shelf's VAERNN": training_step(shelf, batch),
        }
        if name == "translation":
            ours = MotionTranslator(body, **recipes.TRANSLATION).to(asked.device)
            ours.fit_statistics([batch])
            rows["another network: the recipe's"] = training_step(ours, batch)
        compare(f"{name}, both dancers, 16 windows of {FRAMES} frames, {JOINTS} joints", rows, asked)
    blending()


if __name__ == "__main__":
    main()
