"""A style classifier: which of two dancers dances, by how joints are held and moved. Taught in chapter 7."""

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ..body.kinematics import joint_positions
from ..body.reference import reference_frame
from ..sets.augmentation import Augment
from ..sets.windows import Windows


class IdentityClassifier(nn.Module):
    """Tells the two dancers apart by how they hold themselves and move, and not by their bones.

    Every window is put on one body, the mean one; each frame is seen from its own pelvis and heading, beside how it
    changes from frame to frame. Convolutions along time, and their mean. It is trained when it is made, on training
    windows, pairs of bodies as often as each other, with other tempi and mirrored; the same every time.
    Called with transforms [B, T, J, 7] it gives 0 for dancer a and 1 for b, [B]. Chapter: 7.
    """

    def __init__(self, train: Windows, steps: int = 200, batch: int = 64):
        super().__init__()
        self.skeleton = train.skeleton
        length = round(train.length / 1.2)
        augment = Augment(length, turn=False, exchange=0.0, noise=0.0, tempo=0.2 if train.length > length else 0.0)
        bodies = train.frames[train.first][:, :, :, :3]  # [N, 2, J, 3]
        self.body = nn.Buffer(bodies.mean((0, 1)))
        size = bodies[:, :, 1:].norm(dim=-1).sum((1, 2))  # [N]: the same pair of bodies has the same sum
        _, pair, count = size.mul(1000).round().unique(return_inverse=True, return_counts=True)
        generator = torch.Generator().manual_seed(0)
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(0)
            self.net = nn.Sequential(
                nn.Dropout(0.3), nn.Conv1d(6 * len(self.skeleton), 48, 5, stride=2), nn.GELU(), nn.Dropout(0.3),
                nn.Conv1d(48, 48, 5, stride=2), nn.GELU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(48, 1))
            optimiser = torch.optim.AdamW(self.net.parameters(), 1e-3, weight_decay=0.05)
            for _ in range(steps):
                drawn = torch.multinomial(1 / count[pair], batch, replacement=True, generator=generator)
                windows = augment(train[drawn], self.skeleton, generator)  # [batch, T, 2, J, 7]
                logits = self.net(self.features(windows.transpose(1, 2).flatten(0, 1)))[:, 0]  # [2 * batch]
                loss = binary_cross_entropy_with_logits(logits, torch.tensor([0.0, 1.0]).repeat(batch))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        self.eval()

    def forward(self, transforms: torch.Tensor) -> torch.Tensor:
        """Classify windows. Shapes: [B, T, J, 7] -> [B], 0 for dancer a and 1 for b."""
        return (torch.cat([self.net(self.features(part))[:, 0] for part in transforms.split(256)]) > 0).long()

    def features(self, transforms: torch.Tensor) -> torch.Tensor:
        """Joints as seen from each frame's own pelvis and heading, and their change: [B, T, J, 7] -> [B, 6 * J, T]."""
        rotations = transforms[..., 3:]
        pose = joint_positions(self.skeleton, rotations, torch.zeros_like(rotations[..., 0, :3]), self.body)
        each = pose.flatten(0, 1)[:, None, None]  # [B * T, 1, 1, J, 3]
        frame = reference_frame(each, 0, self.skeleton, of="a")
        pose = frame.to_local(each)[:, 0, 0].view_as(pose).flatten(2)  # [B, T, 3 * J]
        return torch.cat([3 * pose, 20 * pose.diff(dim=1, prepend=pose[:, :1])], 2).transpose(1, 2)
