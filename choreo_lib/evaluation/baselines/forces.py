"""Who moves whom, and by which law: forces found in movement by alternating least squares, and a naive baseline.

Nothing is learned and nothing is labelled. From one frame to the next, a body's velocity changes by the sum over its
partners of weight x law(distance) x the vector to them. The law is one for all pairs of all simulations; a weight
belongs to a pair. Given the law, the weights are a small least-squares problem for every simulation; given the weights,
the law is one for all of them. In turns they find both. Taught in chapter 8, "Invisible springs".
"""

from dataclasses import dataclass

import torch

from ...core.arguments import count, flag, takes
from ...core.shapes import tensor
from ...sets.particles import BOX

FRAME = 0.1  # box time from one frame to the next
NEAR_WALL = 0.98 * BOX  # whoever is found farther out may have been thrown back since
NEAREST = 0.02  # the law's terms grow no further below this distance
FLOOR = 0.03  # of a typical change of velocity: no residual is taken for smaller, since paths are interpolated
NODES = ((0.0, 7), (0.25, 32), (0.5, 12), (0.75, 32), (1.0, 7))  # Boole's rule, in ninetieths


@dataclass(frozen=True, eq=False)
class Forces:
    """Edges that were found, and the law of force between bodies.

    Shapes: ``edges`` int64 [B, N, N], symmetric, 1 for the type with the larger weight; ``weights`` float [B, N, N], of
    mean size 1 off the diagonal; ``law`` [terms], of distance to the power of 0, -1, -2, ..., times the vector between
    two bodies: positive where a weight of 1 pushes apart; ``residual``, what typically remains unexplained of a
    velocity's change in a frame. Law and weights may both have the other sign. Chapter: 8.
    """

    edges: torch.Tensor
    weights: torch.Tensor
    law: torch.Tensor
    residual: float


@dataclass(frozen=True, eq=False)
class _Steps:
    """What the fit of a law of forces needs to know of each frame.

    Shapes: ``kicks`` [B, T, P, 2, terms], each term of the law integrated over a frame; ``steep`` [B, T, P, terms],
    the largest each term became; ``change`` [B, T, N, 2], of velocity; ``wall`` bool [B, T, N]; ``ends`` [N, P].
    """

    kicks: torch.Tensor
    steep: torch.Tensor
    change: torch.Tensor
    wall: torch.Tensor
    ends: torch.Tensor


@takes(states=tensor("simulations", "frames", "bodies", 4, finite=True), terms=count(1, 20), signs=flag)
def force_edges(states: torch.Tensor, terms: int = 4, signs: bool = True) -> Forces:
    """Forces between bodies, from simulations that have one law in common and connections of their own.

    The law is a sum of ``terms`` powers of distance: with 4, force times (1, 1/r, 1/r^2, 1/r^3) times the vector
    between two bodies. ``signs``: it is tried whether types are products of a sign a body, as with charges, and that
    is used only where it is so. Both types have to occur: of pairs that are all alike, the noise is divided.
    Shapes: ``states`` [B, T, N, 4], position and velocity. Errors: ValueError for other shapes, or fewer than three
    frames. Chapter: 8. Brunton, Proctor and Kutz, "Discovering governing equations from data", PNAS 2016 (a sum of
    terms, found by least squares).
    """
    if states.shape[1] < 3 or states.shape[2] < 2:
        raise ValueError(f"states of shape {list(states.shape)}: [simulations, frames, bodies, 4] are needed, with "
                         "three frames and two bodies at least")
    positions, velocities = states.cpu().double().chunk(2, -1)
    steps = _integrate(positions, velocities, terms)
    few = _integrate(positions[:40], velocities[:40], terms)  # tells which single term explains most: there it begins
    starts = [_alternate(few, one, 6) for one in torch.eye(terms, dtype=torch.float64)]
    pairs, law, residual = _alternate(steps, min(starts, key=lambda start: start[2])[1], 15)
    low, high = _groups(pairs)
    one, other = torch.triu_indices(states.shape[2], states.shape[2], 1)
    weights = torch.zeros(len(states), *2 * states.shape[2:3], dtype=torch.float64)
    scores = torch.zeros_like(weights)  # from -1 to 1: towards which type
    weights[:, one, other] = pairs
    scores[:, one, other] = ((2 * pairs - low - high) / (high - low)).clamp(-1.0, 1.0)
    weights, scores = weights + weights.mT, scores + scores.mT
    edges = (_consistent(scores) if signs else scores) > 0
    return Forces(edges.long(), weights.float(), law.float(), residual)


@takes(states=tensor("simulations", "frames", "bodies", 4, finite=True))
def correlation_edges(states: torch.Tensor) -> torch.Tensor:
    """Edges where two bodies' velocities correlate over the clip: what one would look at first.

    The threshold lies halfway between two groups of all pairs.
    Shapes: ``states`` [B, T, N, 4] -> int64 [B, N, N]. Chapter: 8.
    """
    velocity = states[..., 2:].cpu() - states[..., 2:].cpu().mean(1, keepdim=True)
    products = torch.einsum("ntic,ntjc->nij", velocity, velocity)
    norms = products.diagonal(dim1=1, dim2=2).sqrt().clamp_min(1e-12)
    correlation = products / (norms[:, :, None] * norms[:, None])
    one, other = torch.triu_indices(states.shape[2], states.shape[2], 1)
    low, high = _groups(correlation[:, one, other])
    return ((correlation > (low + high) / 2) * (1 - torch.eye(states.shape[2]))).long()


def _integrate(position: torch.Tensor, velocity: torch.Tensor, terms: int) -> _Steps:
    """All that depends on neither law nor weights. Between frames every body's path is a cubic Hermite spline."""
    bodies = position.shape[2]
    one, other = torch.triu_indices(bodies, bodies, 1)
    ends = torch.zeros(bodies, len(one), dtype=torch.float64)  # a pair pushes one body and, as much, the other back
    ends[one, torch.arange(len(one))], ends[other, torch.arange(len(one))] = 1.0, -1.0
    apart, drift = ends.T @ position, FRAME * (ends.T @ velocity)  # [B, T + 1, P, 2]
    kicks, steep = torch.zeros(()), torch.zeros(())
    for at, share in NODES:
        d = ((1 + 2 * at) * (1 - at) ** 2 * apart[:, :-1] + at * (1 - at) ** 2 * drift[:, :-1]
             + at ** 2 * (3 - 2 * at) * apart[:, 1:] - at ** 2 * (1 - at) * drift[:, 1:])
        powers = d.norm(dim=-1, keepdim=True).clamp_min(NEAREST) ** -torch.arange(terms, dtype=torch.float64)
        kicks = kicks + FRAME * share / 90 * powers[..., None, :] * d[..., None]
        steep = torch.maximum(steep, powers)
    wall = torch.maximum(position[:, :-1].abs(), position[:, 1:].abs()).amax(-1) > NEAR_WALL
    return _Steps(kicks, steep, velocity[:, 1:] - velocity[:, :-1], wall, ends)


def _alternate(steps: _Steps, law: torch.Tensor, iterations: int) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Weights [B, P], law [terms] and residual after so many iterations of weights given law, law given weights."""
    kicks, change, ends = steps.kicks, steps.change, steps.ends
    free = ~steps.wall
    size = change.norm(dim=-1)[free].median()
    law, scale = law * size / (kicks @ law).norm(dim=-1).median(), 0.05 * size
    row_weight = torch.ones_like(change[..., 0])
    for _ in range(iterations):
        # The covariance of a row. The path between frames is interpolated, the worse the farther two bodies turn about
        # each other meanwhile. That error is equal and opposite for the two, so that their sum is still known.
        push = kicks @ law  # [B, T, P, 2]
        turn = 2 * FRAME ** 2 * (steps.steep @ law).abs()  # the square of the angle that a bound pair would turn by
        error = (push.norm(dim=-1) * (0.02 * turn).clamp(max=1.0)).clamp(max=3e5 * scale)
        covariance = (ends * error[..., None, :] ** 2) @ ends.T + torch.diag_embed(scale ** 2 + 100.0 * steps.wall)
        white = torch.linalg.inv(torch.linalg.cholesky(covariance))  # [B, T, N, N]: independent rows
        shares, whitened = white @ ends, white @ change  # [B, T, N, P], [B, T, N, 2]

        root = row_weight.sqrt()[..., None, None]
        rows = (root * shares[:, :, :, None] * push.mT[:, :, None]).flatten(1, 3)  # [B, T N 2, P]
        square = rows.mT @ rows
        ridge = 1e-6 * square.diagonal(dim1=1, dim2=2)
        ridge = ridge + 1e-3 * ridge.mean(1, keepdim=True)  # for pairs that hardly ever meet
        right = rows.mT @ (root[..., 0] * whitened).flatten(1)[..., None]
        pairs = torch.linalg.solve(square + torch.diag_embed(ridge), right)[..., 0]
        most = 1.5 * pairs.abs().quantile(0.9)  # pairs about which little is known must not set the measure
        pairs = pairs.clamp(-most, most)
        pairs = pairs / pairs.abs().mean()

        terms = (shares @ (pairs[:, None, :, None, None] * kicks).flatten(3)).unflatten(-1, (2, -1))
        rows, right = (terms * row_weight[..., None, None]).flatten(0, 3), whitened.flatten()
        law = torch.linalg.lstsq(rows.T @ terms.flatten(0, 3), (rows.T @ right)[:, None]).solution[:, 0]
        left = (whitened - terms @ law).norm(dim=-1)
        typical = left[free].median()
        row_weight = (1 + (left / (2 * typical)) ** 2) ** -1.5  # robust: what cannot be explained counts little
        # 1.18 is the median length of two standard normal numbers
        scale = torch.maximum(scale * (typical / 1.18) ** 0.7, FLOOR * size)
    return pairs, law, float(scale)


def _groups(pairs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The medians of two groups of numbers, each number with the nearer."""
    low, high = pairs.quantile(0.1), pairs.quantile(0.9)
    for _ in range(20):
        more = pairs > (low + high) / 2
        low, high = pairs[~more].median(), pairs[more].median()
    return low, high


def _consistent(scores: torch.Tensor) -> torch.Tensor:
    """``scores`` [B, N, N], or the products of a sign per body if those agree with 95 of 100 of its clear pairs."""
    for side in (1.0, -1.0):  # the product of two equal signs may be either type
        sign = torch.linalg.eigh(side * scores).eigenvectors[..., -1].sign()
        for body in [*range(scores.shape[1])] * 2:  # close already; then each as the others would have it
            sign[:, body] = torch.where((side * scores[:, body] * sign).sum(-1) < 0, -1.0, 1.0)
        products = side * sign[:, :, None] * sign[:, None] * (1 - torch.eye(scores.shape[1], dtype=scores.dtype))
        if (products * scores > 0)[scores.abs() > 0.5].double().mean() > 0.95:
            return products
    return scores
