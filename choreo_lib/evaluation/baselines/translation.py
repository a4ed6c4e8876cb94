"""One dancer from the other, a window at a time, without a network. Taught in chapter 6, "Translating a dancer"."""

from __future__ import annotations

import torch

from ...body.motion import dancer_index
from ...body.reference import reference_frame
from ...core.arguments import a, choice, takes
from ...core.shapes import tensor
from ...sets.augmentation import mirrored
from ...sets.windows import Windows
from .ridge import fit_ridge, folds_of_takes

PENALTIES = tuple(10.0 ** (power / 2) for power in range(-8, 1))


class MeanPartner:
    """Whatever is danced, the partner's mean window in the dancer's reference frame at its middle. Chapter: 6."""

    every = 0

    @takes(windows=a(Windows), route=choice("ab", "ba"))
    def fit(self, windows: Windows, route: str = "ab") -> MeanPartner:
        """Learn from windows [N, T, 2, J, 3], as danced and in the mirror; ``route``: from whom, to whom.

        Errors: ValueError where a penalty is to be chosen from one take only. Chapter: 6.
        """
        self.route, self.skeleton = route, windows.skeleton
        folds = folds_of_takes(windows)
        if self.every and len(folds) < 2:
            raise ValueError("a penalty is chosen on takes that are held out, and there is one take")
        penalties = PENALTIES if self.every else (0.0,)  # which a constant does not pay
        ((self.penalty,),), (self.weights,) = fit_ridge([self._sums(fold) for fold in folds], penalties)
        return self

    @takes(batch=tensor("windows", "frames", 2, "joints", 3, finite=True))
    def predict(self, batch: torch.Tensor) -> torch.Tensor:
        """The target dancer [B, T, J, 3] from the source in windows [B, T, 2, J, 3], theirs unused. Chapter: 6."""
        frame, x, _ = self._columns(batch)
        return frame.to_world((x @ self.weights).unflatten(1, (batch.shape[1], -1, 3))).to(batch)

    def _columns(self, batch: torch.Tensor):
        source, target = map(dancer_index, self.route)
        batch = batch.cpu().double()
        frame = reference_frame(batch, batch.shape[1] // 2, self.skeleton, of=self.route[0])
        x = batch.new_ones(len(batch), 1)
        if self.every:
            x = torch.cat([x, frame.to_local(batch[:, :: self.every, source]).flatten(1)], 1)
        return frame, x, frame.to_local(batch[:, :, target]).flatten(1)

    def _sums(self, windows: Windows) -> list:
        sums = [0.0, 0.0, 0.0, 0]
        for batch in windows.batches(512):
            for view in (batch, mirrored(batch, self.skeleton)):
                _, x, y = self._columns(view)
                sums = [s + part for s, part in zip(sums, (x.T @ x, (x.T @ y)[:, None], (y**2).sum()[None], len(x)))]
        return sums


class RidgeTranslation(MeanPartner):
    """Ridge regression from a window of one dancer, every fourth frame of it, to the same window of the other.

    In the reference frame of the source dancer at the middle frame. The penalty is the one that predicts takes held out
    in turn best. Chapter: 6; Hoerl and Kennard, Technometrics 1970.
    """

    every = 4
