"""Which graphs are the same but for a renaming of their bodies, and splits that know it. Taught in chapter 11."""

from itertools import permutations

import torch

from ..core.arguments import a, count, seed, takes
from ..core.shapes import array
from ..sets.particles import Particles

MOST = 6
"""Bodies whose renamings are tried one by one: 720 of them."""


@takes(edges=array("graphs", "bodies", "bodies", plain=True))
def isomorphism_class(edges) -> torch.Tensor:
    """A number for each graph that is the same for all of its renamings, and for no others: int64 [B].

    The smallest number that the upper triangle of the adjacency matrix spells in base 2 under any renaming. Shapes:
    ``edges`` 0 or 1, [B, N, N], symmetric, of which the pairs above the diagonal count.
    Errors: ValueError for more than `MOST` bodies, or types of edges other than two. Chapter: 11. Wichitwechkarn et
    al., "The role of isomorphism classes in multi-relational datasets", arXiv:2009.14593.
    """
    edges = torch.as_tensor(edges).long()
    bodies = edges.shape[-1]
    if bodies != edges.shape[-2] or not 2 <= bodies <= MOST or bool(((edges != 0) & (edges != 1)).any()):
        raise ValueError(f"edges must be 0 or 1 between 2 to {MOST} bodies; got {list(edges.shape)} with values "
                         f"{int(edges.min())} to {int(edges.max())}")
    one, other = torch.triu_indices(bodies, bodies, 1)
    place = 2 ** torch.arange(len(one))
    best = torch.full((len(edges),), 2**62)
    for names in permutations(range(bodies)):
        renamed = torch.tensor(names)
        best = torch.minimum(best, (edges[:, renamed[one], renamed[other]] * place).sum(1))
    return best


@takes(simulations=a(Particles), held_out=count(), seed=seed)
def class_split(simulations: Particles, held_out: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Masks [B] of the simulations whose graphs are of known classes, and of ``held_out`` classes drawn at random.

    Errors: ValueError where not at least one class would be known; as `isomorphism_class`. Chapter: 11.
    """
    classes = isomorphism_class(simulations.edges)
    there = classes.unique()
    if held_out >= len(there):
        raise ValueError(f"held_out is {held_out} of {len(there)} classes; one at least has to be known")
    drawn = there[torch.randperm(len(there), generator=torch.Generator().manual_seed(seed))[:held_out]]
    away = torch.isin(classes, drawn)
    return ~away, away
