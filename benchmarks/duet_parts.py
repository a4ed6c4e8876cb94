"""What the parts of the duet model are worth, and what other networks make of the same training.

    python benchmarks/duet_parts.py [ROW ...]

A row each for the model without KL and latents, without the distance VAE, without the partner, and with an LSTM alone
in place of the transformer; for DCT-MLP (Guo et al., "Back to MLP", WACV 2023, arXiv 2207.01567) of the own past, with
partner features, and as the body of ours; for the published system, repaired, and as it was coded. All are trained as
`python -m choreo_lib ablate duet-salsa --mode full --epochs 5` trains the options, 620 steps of 32 windows, and their
rows are written beside those, into data/ablations/duet-salsa.json. Needs the set; two to four minutes of one core a
row, the published ones more: they answer frame by frame, and are asked of every fourth window.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from choreo_lib.evaluation import evaluate_forecasts
from choreo_lib.extensions import DuetForecaster, duet_as_coded
from choreo_lib.extensions.duet_config import ABLATIONS
from choreo_lib.systems import DuetVAE
from choreo_lib.systems.losses import Schedule
from choreo_lib.training import ablations, recipes

EPOCHS, BLOCKS = 5, 24
NO_LATENTS = {"kl": Schedule(0.0), "no_input_prob": 0.0}
ONE_NETWORK = {"lag_experts": 0, "extrapolation": False, "ridge_frames": 0, "kv_cache": False}


class NoLatents(DuetForecaster):
    """What the encoders find goes on as it is: nothing is drawn, nothing reconstructed."""

    def _prediction_losses(self, window, who, noise):
        return super()._prediction_losses(window, who, 0.0)


class NoDistance(DuetForecaster):
    """The VAE of the difference sees none."""

    def _difference(self, own, partner):
        return torch.zeros_like(own)


class NoPartner(DuetForecaster):
    """The other dancer is not seen, neither in the past nor ahead."""

    def partner_view(self, partner, frames):
        return torch.zeros_like(super().partner_view(partner, frames))


class Recurrent(nn.Module):
    """Two layers of LSTM over the own dancer and the memory, where the transformer decoder was."""

    def __init__(self, features: int):
        super().__init__()
        self.lstm = nn.LSTM(2 * features, features, 2, batch_first=True)
        self.norm = nn.LayerNorm(features)

    def decode(self, x, memory, mask, kv_cache=None):
        out, state = self.lstm(torch.cat([x, memory], 2), None if kv_cache is None else kv_cache.get("lstm"))
        if kv_cache is not None:
            kv_cache["lstm"] = state
        return self.norm(out)  # [B, T, features]


class LSTMAlone(DuetForecaster):
    """No attention looks back: what was before has to be remembered."""

    def __init__(self, skeleton, config=None, **changes):
        super().__init__(skeleton, config, **changes)
        self.decoder = Recurrent(self.config.features)


class Mixer(nn.Module):
    """DCT-MLP: sequences [B, T, W] as cosines along time; blocks that mix times and normalise; and back."""

    def __init__(self, frames: int, width: int, out: int):
        super().__init__()
        at = torch.arange(frames) + 0.5
        waves = (torch.pi / frames * torch.arange(frames)[:, None] * at).cos() * (2 / frames) ** 0.5
        waves[0] /= 2**0.5
        self.dct = nn.Buffer(waves)  # [T, T], orthonormal
        self.into, self.out_of = nn.Linear(width, width), nn.Linear(width, out)
        self.times = nn.ModuleList(nn.Linear(frames, frames) for _ in range(BLOCKS))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(BLOCKS))
        for layer in self.times:
            nn.init.xavier_uniform_(layer.weight, gain=1e-8)
            nn.init.zeros_(layer.bias)
        nn.init.xavier_uniform_(self.out_of.weight, gain=1e-8)
        nn.init.zeros_(self.out_of.bias)

    def forward(self, x):
        h = self.into(self.dct @ x)
        for time, norm in zip(self.times, self.norms):
            h = h + norm(time(h.transpose(1, 2)).transpose(1, 2))
        return self.dct.T @ self.out_of(h)  # [B, T, out]


class DCTMLP(DuetForecaster):
    """DCT-MLP in place of the whole network: from the pasts, held at their last frame, to displacements."""

    partner = False

    def __init__(self, skeleton, config=None, **changes):
        super().__init__(skeleton, config, **changes)
        width, frames = 3 * len(skeleton), self.past + self.ahead
        del self.vaes, self.input_proj, self.memory_proj, self.decoder, self.output_proj
        self.role = None
        self.mixer = Mixer(frames, (3 if self.partner else 1) * width, width)

    def forward(self, own, partner, who, noise=0.0, kv_cache=None):
        seen = [self.standardise["own"](own)]
        if self.partner:
            seen.append(self.standardise["partner"](partner[:, : self.past]))
        x = torch.cat(seen, 2)  # [B, P, W or 3 W]
        held = torch.cat([x, x[:, -1:].expand(-1, self.ahead, -1)], 1)
        ahead = partner.shape[1] - self.past
        step = self.mixer(held)[:, self.past : self.past + max(ahead, 0)]
        none = partner.new_zeros(len(own), partner.shape[1], 2 * self.config.latent)
        return step, none, none


class DCTMLPWithPartner(DCTMLP):
    """The same, which sees the partner's past, too."""

    partner = True


class AsBody(nn.Module):
    """DCT-MLP over the own dancer's and the partner's past, where the transformer decoder was."""

    def __init__(self, past: int, ahead: int, features: int):
        super().__init__()
        self.past, self.ahead = past, ahead
        self.mixer, self.norm = Mixer(past + ahead, 2 * features, features), nn.LayerNorm(features)

    def decode(self, x, memory, mask, kv_cache=None):
        both = torch.cat([x, memory], 2)[:, : self.past]  # [B, P, 2 * features]
        held = torch.cat([both, both[:, -1:].expand(-1, self.ahead, -1)], 1)
        return x + self.norm(self.mixer(held))[:, : x.shape[1]]


class DCTMLPAsBody(DuetForecaster):
    """Extrapolation, lag experts and losses are ours; what the partner does ahead reaches the experts only."""

    def __init__(self, skeleton, config=None, **changes):
        super().__init__(skeleton, config, **changes)
        self.decoder = AsBody(self.past, self.ahead, self.config.features)


class AsCoded(duet_as_coded.DuetAsCoded):
    """The prototype, with none of its faults mended."""

    def __init__(self, skeleton, config=None, **changes):
        super().__init__(skeleton, repairs=0, **changes)


ROWS = {  # model, settings
    "KL": (DuetForecaster, {"kl": Schedule(0.0)}),
    "KL and latents": (NoLatents, NO_LATENTS),
    "distance VAE": (NoDistance, {}),
    "partner": (NoPartner, {"lag_experts": 0}),
    "transformer (LSTM alone)": (LSTMAlone, {}),
    "DCT-MLP, own past": (DCTMLP, ONE_NETWORK | NO_LATENTS),
    "DCT-MLP, both pasts": (DCTMLPWithPartner, ONE_NETWORK | NO_LATENTS),
    "DCT-MLP as body": (DCTMLPAsBody, {"kv_cache": False}),
    "published, repaired": (DuetVAE, {}),
    "published, as coded": (AsCoded, {}),
}


def every_fourth(model, train, asked, **how):
    """A model that answers frame by frame is asked of every fourth of the windows."""
    return evaluate_forecasts(model, train, asked.subset(torch.arange(0, len(asked), 4)), **how)


def main(names: list[str]) -> None:
    """Train and evaluate rows, each written as soon as it is known."""
    base = recipes.RECIPES["duet-salsa"]
    for name in names or ROWS:
        model, settings = ROWS[name]
        recipe = replace(base, model=model)
        if issubclass(model, DuetVAE):
            shelf = recipes.RECIPES["shelf-duet-salsa"]
            plan = {"full": replace(base.training["full"], augment=replace(recipes.DUET_AUGMENT, length=65))}
            recipe = replace(shelf, model=model, training=plan,  # as many windows an epoch as the others
                             windows=partial(recipes.cut_windows, recipes.SALSA, 65, (8, 2, 4)),
                             evaluate=partial(every_fourth, joints=recipes.SALSA_19))
        ABLATIONS.clear()  # of this process: the rows below are this file's
        ABLATIONS[name] = settings
        sys.modules[model.__module__].ABLATIONS = ABLATIONS
        recipes.RECIPES["duet-salsa"] = recipe
        runs = Path("runs", "duet_parts", name.replace(" ", "-"))  # two networks may have the same settings
        found = ablations.ablate("duet-salsa", "full", only=name, runs=runs, epochs=EPOCHS, device="cpu")
        print(ablations.table(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
