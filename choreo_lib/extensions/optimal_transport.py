"""One Gaussian moved onto another: how one dancer's poses are given the mean and covariance of another's.

Taught in chapter 7, "A deepfake of dancers".
"""

from __future__ import annotations

import torch


def gaussian_ot_map(covariance: torch.Tensor, onto: torch.Tensor) -> torch.Tensor:
    """The linear map that moves one Gaussian about zero onto another with the least mean squared displacement.

    Shapes: covariances [W, W] of each, positive definite -> [W, W]. Chapter: 7. Optimal transport between Gaussians:
    Dowson and Landau, Journal of Multivariate Analysis 1982.
    """
    def power(x, p):
        size, axes = torch.linalg.eigh(x)
        return (axes * size.clamp_min(1e-12) ** p) @ axes.T

    covariance, onto = covariance.double(), onto.double()
    root, inverse_root = power(covariance, 0.5), power(covariance, -0.5)
    return (inverse_root @ power(root @ onto @ root, 0.5) @ inverse_root).float()


def regularised_covariance(x: torch.Tensor, ridge: float) -> torch.Tensor:
    """The covariance [W, W] of poses [N, T, W] about zero, with ``ridge`` added to every variance. Chapter: 7."""
    x = x.flatten(0, 1).double()  # [N * T, W]
    return x.T @ x / len(x) + ridge * torch.eye(x.shape[1], device=x.device, dtype=x.dtype)
