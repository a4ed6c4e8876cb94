"""How a VAE of solo phrases is evaluated: what it reconstructs, and what it samples. Taught in chapter 4."""

import numpy as np
import torch

from ..body.motion import Motion
from ..extensions import LinearVAE
from ..sets.windows import Windows
from ..systems import SoloVAE
from ..systems.losses import active_units, kl_per_unit
from . import metrics


@torch.no_grad()
def evaluate_solo(model: LinearVAE, train: Windows, asked: Windows, samples: int = 1000) -> dict[str, dict[str, float]]:
    """Reconstruction and samples of a linear VAE, beside PCA of as many numbers, the mean phrase, and real dancers.

    ``error_mm``: MPJPE of reconstructed windows. Of ``samples`` sampled phrases: ``jerk_ratio``, ``range_ratio`` (mean
    over joints of the distance from the joint's mean position) and ``kinetic_fd``, all against the asked windows; the
    same with ``_training`` against the training windows; ``bones_percent``, how much a bone's length varies within a
    phrase. Rows: "pca" are principal components of the bare training windows, and no more; "pca, bones kept" projects
    bone lengths after them, as the model does, whose components are of augmented windows too. "model" and "pca" sample
    alike, by `LinearVAE.sample_latents` and `LinearVAE.add_residual`; ", as points" leaves the projection out, and with
    ", N(0, 1)" latents are standard normal besides and the decoder's mean is taken. "training phrases" are real ones:
    what a perfect sampler would get, since other takes are danced otherwise. Chapter: 4.
    """
    real = torch.cat([model.canonicalise(batch)[0] for batch in asked.batches(512)])  # [N, T, J * 3]
    device = real.device
    samples = min(samples, len(real), len(train))  # a Frechet distance compares as many with as many
    pca = _fitted_pca(model, train)
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(samples, model.config.latent, generator=generator).to(device)
    phrases = {"": real[torch.randperm(len(real), generator=generator)[:samples]],
               "_training": model.canonicalise(train[torch.randperm(len(train), generator=generator)[:samples]])[0]}
    references = {name: _movement(x, asked) for name, x in phrases.items()}
    rows: dict[str, dict[str, float]] = {}
    for row, vae in (("model", model), ("pca", pca)):
        drawn = {row: vae.add_residual(vae.decode(vae.sample_latents(samples)))}
        if vae.config.project_bones:
            drawn[f"{row}, as points"] = vae.add_residual(vae.decode(vae.sample_latents(samples), project_bones=False))
        drawn[f"{row}, N(0, 1)"] = vae.decode(latents, project_bones=False)
        rows |= {name: _ratios(_movement(x, asked), references) for name, x in drawn.items()}
        rows[row]["error_mm"] = _error(vae, real)
    rows["pca, bones kept"] = {"error_mm": _error(pca, real, project_bones=True)}
    rows["mean phrase"] = {"error_mm": _millimetres(pca.mean_window.expand_as(real), real)}
    others = train[torch.randperm(len(train), generator=generator)[:samples]]
    rows["training phrases"] = _ratios(_movement(model.canonicalise(others)[0], asked), references)
    means, log_variances = (torch.cat(x) for x in zip(*(model.encode(part) for part in real.split(512))))
    rows["model"] |= {"active_units": active_units(means),
                      "kl_nats_per_unit": float(kl_per_unit(means, log_variances).mean())}
    return rows


@torch.no_grad()
def evaluate_reconstruction(model: SoloVAE, train: Windows, asked: Windows) -> dict[str, dict[str, float]]:
    """How near a solo VAE's reconstruction is, beside principal components of as many numbers and the mean phrase.

    ``error_mm``: MPJPE of rebuilt windows, each model in its own frame of reference. ``active_units``,
    ``kl_nats_per_unit``: of the model. Chapter: 11.
    """
    model.eval()
    pca = LinearVAE(model.skeleton, fps=model.fps, latent=model.config.latent, project_bones=False)
    pca.fit_statistics(train.batches(1024))
    real = torch.cat([model.canonicalise(batch)[0] for batch in asked.batches(512)])  # [N, T, J * 3]
    turned = torch.cat([pca.canonicalise(batch)[0] for batch in asked.batches(512)])
    means, log_variances = (torch.cat(x) for x in zip(*(model.encode(part) for part in real.split(512))))
    again = torch.cat([model.decode(part) for part in means.split(512)])
    return {"model": {"error_mm": _millimetres(again, real), "active_units": active_units(means),
                      "kl_nats_per_unit": float(kl_per_unit(means, log_variances).mean())},
            "pca": {"error_mm": _error(pca, turned)},
            "mean phrase": {"error_mm": _millimetres(pca.mean_window.expand_as(turned), turned)}}


_last_pca: tuple[tuple, LinearVAE] | None = None


def _fitted_pca(model: LinearVAE, train: Windows) -> LinearVAE:
    """Principal components of the bare training windows; the last are kept, since one split after another is asked."""
    global _last_pca
    config, device = {**model.config_dict(), "project_bones": False}, model.mean_window.device
    key = (repr(config), str(device), train.summary()["sha256"], train.first.tolist())
    if _last_pca is None or _last_pca[0] != key:
        pca = LinearVAE.from_config(config).to(device)
        pca.fit_statistics(train.batches(1024))
        pca.fit_residuals(train.batches(1024))
        _last_pca = key, pca
    return _last_pca[1]


def _error(vae: LinearVAE, real: torch.Tensor, project_bones: bool | None = None) -> float:
    return _millimetres(torch.cat([vae.decode(vae.encode(part)[0], project_bones) for part in real.split(512)]), real)


def _millimetres(x: torch.Tensor, y: torch.Tensor) -> float:
    return 1000 * float((x - y).unflatten(2, (-1, 3)).norm(dim=-1).mean())


def _movement(x: torch.Tensor, windows: Windows) -> tuple[float, float, np.ndarray, float]:
    """How phrases [N, T, J * 3] move: mean jerk, mean range of motion, kinetic features [N, K], bones' variation."""
    phrases = x.unflatten(2, (-1, 3)).cpu().double().numpy()
    motions = [Motion(each, windows.fps, windows.skeleton) for each in phrases]
    return (float(metrics.jerk(phrases.swapaxes(0, 1), windows.fps).mean()),
            float(np.linalg.norm(phrases - phrases.mean(1, keepdims=True), axis=-1).mean()),
            np.stack([metrics.kinetic_features(motion) for motion in motions]),
            100 * float(np.nanmean([metrics.bone_variation(motion) for motion in motions])))


def _ratios(made: tuple, references: dict[str, tuple]) -> dict[str, float]:
    """Metrics of generated movement against each set of real movement."""
    row = {"bones_percent": made[3]}
    for name, real in references.items():
        row |= {f"jerk_ratio{name}": made[0] / real[0], f"range_ratio{name}": made[1] / real[1],
                f"kinetic_fd{name}": metrics.frechet_distance(made[2], real[2])}
    return row
