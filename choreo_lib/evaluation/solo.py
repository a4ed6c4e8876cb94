"""How a solo VAE is judged: what it rebuilds, and what it draws by chance.

Taught in chapter 4, "A dancer in 256 numbers".
"""

from __future__ import annotations

import numpy as np
import torch

from ..body.motion import Motion
from ..extensions import PhraseVAE
from ..sets.windows import Windows
from ..systems.losses import active_units, kl_per_unit
from . import metrics


@torch.no_grad()
def evaluate_solo(model: PhraseVAE, train: Windows, asked: Windows, samples: int = 1000) -> dict[str, dict[str, float]]:
    """Reconstruction and samples of a solo VAE, beside PCA of as many numbers, the mean phrase, and real dancers.

    ``error_mm``: mean joint error of reconstructed windows. Of ``samples`` phrases drawn by chance: ``jerk_ratio``,
    ``range_ratio`` (mean over joints of how far each strays from its mean place) and ``kinetic_fd``, all against the
    asked windows; the same with ``_training`` against what the model has learned to draw from; ``bones_percent``, how
    much a bone's length varies within a phrase.
    Rows: "pca" are principal components of the bare training windows, and no more; ", bones kept" ends them as the
    model ends. It and "model" draw alike, by `PhraseVAE.sample_latents` and `PhraseVAE.add_residual`; ", as points"
    leaves out that bones are kept, and with ", N(0, 1)" codes are plain normal besides and the decoder's mean is taken.
    "components" is the model without its LSTMs: its own components, of augmented windows too, and bones kept.
    "training phrases" are real ones: what a perfect sampler would get, since other takes are danced otherwise.
    Chapter: 4.
    """
    model.eval()
    device = model.mean_window.device
    real = torch.cat([model.canonicalise(batch)[0] for batch in asked.batches(512)])  # [N, T, J * 3]
    samples = min(samples, len(real), len(train))  # a Frechet distance compares as many with as many
    linear = {**model.config(), "hidden": 1, "layers": 1, "shortcut": True}  # until trained its LSTMs add nothing
    pca, bare = (PhraseVAE.from_config({**linear, "project_bones": bones}).to(device).eval()
                 for bones in (False, model.settings.project_bones))
    pca.fit_statistics(train.batches(1024))
    pca.fit_residuals(train.batches(1024))
    chance = torch.Generator().manual_seed(0)
    codes = torch.randn(samples, model.settings.latent, generator=chance).to(device)
    rulers = {"": real[torch.randperm(len(real), generator=chance)[:samples]],
              "_training": model.canonicalise(train[torch.randperm(len(train), generator=chance)[:samples]])[0]}
    rulers = {name: _moves(x, asked) for name, x in rulers.items()}
    rows = {}
    for row, vae in (("model", model), ("pca", pca)):
        drawn = {row: vae.add_residual(vae.decode(vae.sample_latents(samples)))}
        if vae.settings.project_bones:
            drawn[f"{row}, as points"] = vae.add_residual(vae.decode(vae.sample_latents(samples), project_bones=False))
        drawn[f"{row}, N(0, 1)"] = vae.decode(codes, project_bones=False)
        rows |= {name: _beside(_moves(x, asked), rulers) for name, x in drawn.items()}
        rows[row]["error_mm"] = _error(vae, real)
    if model.settings.shortcut:
        bare.load_state_dict(pca.state_dict())
        rows["pca, bones kept"] = {"error_mm": _error(bare, real)}
        for name in ("mean_window", "scale", "components", "component_stds"):
            getattr(bare, name).copy_(getattr(model, name))
        rows["components"] = {"error_mm": _error(bare, real)}
    rows["mean phrase"] = {"error_mm": _millimetres(pca.mean_window.expand_as(real), real)}
    others = train[torch.randperm(len(train), generator=chance)[:samples]]
    rows["training phrases"] = _beside(_moves(model.canonicalise(others)[0], asked), rulers)
    means, log_variances = (torch.cat(x) for x in zip(*(model.encode(part) for part in real.split(512))))
    rows["model"] |= {"active_units": active_units(means),
                      "kl_nats_per_unit": float(kl_per_unit(means, log_variances).mean())}
    return rows


def _error(vae: PhraseVAE, real: torch.Tensor) -> float:
    return _millimetres(torch.cat([vae.decode(vae.encode(part)[0]) for part in real.split(512)]), real)


def _millimetres(x: torch.Tensor, y: torch.Tensor) -> float:
    return 1000 * float((x - y).unflatten(2, (-1, 3)).norm(dim=-1).mean())


def _moves(x: torch.Tensor, windows: Windows) -> tuple[float, float, np.ndarray, float]:
    """How phrases [N, T, J * 3] move: mean jerk, mean range of motion, kinetic features [N, K], bones' variation."""
    x = x.unflatten(2, (-1, 3)).cpu().double().numpy()
    motions = [Motion(each, windows.fps, windows.skeleton) for each in x]
    return (float(metrics.jerk(x.swapaxes(0, 1), windows.fps).mean()),
            float(np.linalg.norm(x - x.mean(1, keepdims=True), axis=-1).mean()),
            np.stack([metrics.kinetic_features(motion) for motion in motions]),
            100 * float(np.nanmean([metrics.bone_variation(motion) for motion in motions])))


def _beside(made: tuple, rulers: dict[str, tuple]) -> dict[str, float]:
    told = {"bones_percent": made[3]}
    for name, real in rulers.items():
        told |= {f"jerk_ratio{name}": made[0] / real[0], f"range_ratio{name}": made[1] / real[1],
                 f"kinetic_fd{name}": metrics.frechet_distance(made[2], real[2])}
    return told
