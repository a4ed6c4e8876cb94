"""How far a prediction is from what was danced, and how sure that number is. Taught in chapter 3."""

import numpy as np
import torch
from scipy.stats import rankdata

from ...core.arguments import choice, count, each, number, seed, takes
from ...core.deferred import roma
from ...core.shapes import array


@takes(predicted=array(..., "joints", 3), true=array(..., "joints", 3), align=choice("root", "procrustes"))
def mpjpe(predicted, true, align: str | None = None):
    """MPJPE: the mean distance between predicted and true joints.

    ``align``: None compares positions in the world; "root" first puts joint 0 on joint 0; "procrustes" (PA-MPJPE) first
    gives each predicted frame the best rotation, translation and scale, without a reflection.
    Shapes: [..., J, 3] each -> [...]; arrays for arrays, tensors for tensors. One may have more axes before, as samples
    [S, T, J, 3] of one truth [T, J, 3]. Units: metres. Errors: ValueError for shapes that do not fit and an unknown
    ``align``. Chapter: 3. Umeyama, "Least-squares estimation of transformation parameters", IEEE TPAMI 1991.
    """
    if any(mine != yours for mine, yours in zip(predicted.shape[::-1], true.shape[::-1])):
        raise ValueError(f"predicted {tuple(predicted.shape)} and true {tuple(true.shape)} must have the same lengths "
                         "where both have an axis: a frame is compared with its own frame")
    as_arrays = not torch.is_tensor(predicted)
    if as_arrays:
        predicted, true = (torch.tensor(np.asarray(x), dtype=torch.float64) for x in (predicted, true))
    if align == "root":
        predicted, true = (x - x[..., :1, :] for x in (predicted, true))
    elif align == "procrustes":
        predicted, true = torch.broadcast_tensors(predicted, true)
        rotation, shift, scale = roma.rigid_points_registration(predicted, true, compute_scaling=True)
        scale = scale.nan_to_num()  # of points that are all in one place
        predicted = scale[..., None, None] * (predicted @ rotation.mT) + shift[..., None, :]
    error = torch.linalg.vector_norm(predicted - true, dim=-1).mean(-1)  # [...]
    return error.numpy() if as_arrays else error


@takes(values=array(None) | each(array(None), least=1), block=count(), samples=count(1, 100_000), seed=seed,
       level=number(above=0, high=1))
def block_bootstrap(values, block: int, samples: int = 1000, seed: int = 0, level: float = 0.95):
    """A confidence interval of the mean of serially dependent values, by the moving-block bootstrap.

    Blocks of ``block`` neighbours are drawn, for errors of neighbouring frames are nearly the same error.
    Shapes: ``values`` [N], or a list of such arrays, one a take (blocks do not cross takes) -> (low, high).
    Units: those of the values. Errors: ValueError where fewer than two blocks fit, or a take is shorter than one.
    Chapter: 3. Künsch, "The jackknife and the bootstrap for general stationary observations", Ann. Statist. 1989.
    """
    takes = values if isinstance(values, (list, tuple)) and np.ndim(values[0]) else [values]
    takes = [_array(take) for take in takes]
    count = sum(map(len, takes))
    if not 1 <= block <= min(map(len, takes)) or 2 * block > count:
        raise ValueError(f"blocks of {block} do not fit into takes of {', '.join(str(len(t)) for t in takes)} values; "
                         "take a block no longer than the shortest take and than half of all")
    windows = [np.lib.stride_tricks.sliding_window_view(take, block) for take in takes]
    means = np.concatenate([window.mean(-1) for window in windows])  # one for every place a block can start
    rng = np.random.default_rng(seed)
    drawn = means[rng.integers(len(means), size=(samples, -(-count // block)))].mean(-1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@takes(errors=array("samples", "windows"))
def best_of(errors) -> float:
    """Error of the best of several samples for each window (best of N), averaged over windows.

    Shapes: [samples, N] -> one number. Units: those of the errors. Chapter: 3; used in chapters 4 and 5.
    """
    return float(_array(errors).min(0).mean())


@takes(samples=array(..., "joints", 3))
def diversity(samples) -> float:
    """Mean joint distance between pairs of different samples for the same window.

    Shapes: [S, ..., J, 3] -> one number. Units: metres. Errors: ValueError for fewer than two samples. Chapter: 3.
    """
    samples = _array(samples)
    if len(samples) < 2:
        raise ValueError("diversity is between samples; got one, and needs at least two")
    pairs = [np.linalg.norm(x - y, axis=-1).mean() for i, x in enumerate(samples) for y in samples[:i]]
    return float(np.mean(pairs))


@takes(scores=array(finite=False), truth=array())
def auc(scores, truth) -> float:
    """Area under the ROC curve: the probability that a true case scores above a false one, ties counting half.

    Shapes: both of one shape, ``truth`` boolean -> a number from 0 to 1; 0.5 is guessing.
    Errors: ValueError where all cases are true or all false, or a score is nan. Chapter: 3; used in chapters 5 and 9.
    Mann and Whitney, Annals of Mathematical Statistics 1947; Hanley and McNeil, Radiology 1982.
    """
    from sklearn.metrics import roc_auc_score

    scores, truth = _cases(scores, truth)
    return float(roc_auc_score(truth, scores))


@takes(scores=array(finite=False), truth=array())
def average_precision(scores, truth) -> float:
    """Average precision: down the ranking, the mean over true cases of the share of true cases so far.

    Ties are passed together. Shapes, errors: as `auc`. Chapter: 9.
    """
    from sklearn.metrics import average_precision_score

    scores, truth = _cases(scores, truth)
    return float(average_precision_score(truth, scores))


def _cases(scores, truth):
    """Ranks, which is all that counts and finite even where a score is not, and booleans."""
    scores, truth = _array(scores).ravel(), _array(truth).ravel() > 0
    if scores.shape != truth.shape or truth.all() or not truth.any() or np.isnan(scores).any():
        raise ValueError(f"{len(scores)} scores ({np.isnan(scores).sum()} nan), and a truth with {truth.sum()} true of "
                         f"{len(truth)} cases: there must be a score a case, a number, and both true and false cases")
    return rankdata(scores), truth


def _array(values) -> np.ndarray:
    return np.asarray(values.detach().cpu().double() if torch.is_tensor(values) else values, dtype=np.float64)
