"""One dancer from the other, a window at a time, without a network. Taught in chapter 6, "Translating a dancer"."""

from __future__ import annotations

import torch

from ...body.reference import reference_frame
from ...core.arguments import a, choice, takes
from ...core.shapes import tensor
from ...sets.augmentation import mirrored
from ...sets.windows import Windows
from .forecast import FOLDS, regressed

PENALTIES = tuple(10.0 ** (power / 2) for power in range(-8, 1))


class MeanPartner:
    """Whatever is danced, the partner's mean window as seen from the dancer in its middle. Chapter: 6."""

    every = 0

    @takes(windows=a(Windows), route=choice("ab", "ba"))
    def fit(self, windows: Windows, route: str = "ab") -> MeanPartner:
        """Learn from windows [N, T, 2, J, 3], as danced and in the mirror; ``route``: who is read, who is answered.

        Errors: ValueError where a penalty is to be chosen from one take only.
        """
        self.route, self.skeleton = route, windows.skeleton
        groups = windows.take.unique().tensor_split(min(FOLDS, len(windows.take.unique())))
        if self.every and len(groups) < 2:
            raise ValueError("a penalty is chosen on takes that are held out, and there is one take")
        parts = [self._sums(windows.subset(torch.isin(windows.take, group))) for group in groups]
        if not self.every:
            xx, xy, _, _ = (sum(each) for each in zip(*parts))
            self.weights = xy[:, 0] / xx
            return self
        (self.penalty,), (self.weights,) = regressed(parts, PENALTIES)
        return self

    @takes(batch=tensor("windows", "frames", 2, "joints", 3, finite=True))
    def predict(self, batch: torch.Tensor) -> torch.Tensor:
        """The partner [B, T, J, 3] of who is read in windows [B, T, 2, J, 3]; the other is not looked at."""
        frame, x, _ = self._columns(batch)
        answer = (x @ self.weights).unflatten(1, (batch.shape[1], -1, 3))
        return frame.to_world(answer).to(batch)

    def _columns(self, batch: torch.Tensor):
        read, written = ("ab".index(who) for who in self.route)
        batch = batch.cpu().double()
        frame = reference_frame(batch, batch.shape[1] // 2, self.skeleton, of=self.route[0])
        x = batch.new_ones(len(batch), 1)
        if self.every:
            x = torch.cat([x, frame.to_local(batch[:, :: self.every, read]).flatten(1)], 1)
        return frame, x, frame.to_local(batch[:, :, written]).flatten(1)

    def _sums(self, windows: Windows) -> list:
        sums = [0.0, 0.0, 0.0, 0]
        for batch in windows.batches(512):
            for view in (batch, mirrored(batch, self.skeleton)):
                _, x, y = self._columns(view)
                sums = [s + part for s, part in zip(sums, (x.T @ x, (x.T @ y)[:, None], (y**2).sum()[None], len(x)))]
        return sums


class RidgeTranslation(MeanPartner):
    """Ridge regression from a window of one dancer, every fourth frame of it, to the same window of the other.

    Seen from where the dancer who is read stands and faces in the middle. The penalty is the one that answers best for
    takes held out in turn. Chapter: 6; Hoerl and Kennard, Technometrics 1970.
    """

    every = 4
