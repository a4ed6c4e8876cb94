"""How many edges of a graph were found, up to a renaming of their types. Taught in chapter 8."""

from itertools import permutations
from typing import NamedTuple

import numpy as np

from ...core.arguments import count, takes
from ...core.shapes import array


class EdgeScore(NamedTuple):
    """The share of pairs that were found, 0 to 1; twice its standard error; and what each found type is called.

    ``names[k]`` is the true type that best matches type k of what was found, over all graphs together. Chapter: 8.
    """

    accuracy: float
    two_sigma: float
    names: tuple[int, ...]


@takes(found=array("graphs", "bodies", "bodies", plain=True), true=array("graphs", "bodies", "bodies", plain=True),
       types=count(1, 7))
def edge_accuracy(found, true, types: int = 2) -> EdgeScore:
    """Of the pairs of bodies, how many have their true type, up to one renaming of the types for the whole set.

    The standard error is that of a mean over graphs, since the edges of one graph depend on each other.
    Shapes: ``found`` and ``true`` int [B, N, N], of which the pairs above the diagonal count.
    Errors: ValueError for other shapes. Chapter: 8. Kipf et al., ICML 2018, section 5.1.
    """
    if found.shape[1] < 2:
        raise ValueError(f"edges of shape {found.shape}: there must be two bodies at least")
    pairs = (slice(None), *np.triu_indices(found.shape[1], 1))
    found, true = found[pairs], true[pairs]  # [B, P]
    namings = list(permutations(range(types)))
    shares = np.stack([(np.array(names)[found] == true).mean(1) for names in namings])  # [namings, B]
    best = shares.mean(1).argmax()
    accuracy = shares[best]
    error = accuracy.std(ddof=1) / len(accuracy) ** 0.5 if len(accuracy) > 1 else float("nan")
    return EdgeScore(float(accuracy.mean()), 2 * float(error), namings[best])
