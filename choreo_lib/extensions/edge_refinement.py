"""Edges of particles refined by the decoder's likelihood, simulation by simulation.

Taught in chapter 8, "Invisible springs". After Kim, Wiseman, Miller, Sontag and Rush, "Semi-amortized variational
autoencoders", ICML 2018: an encoder proposes, and optimisation of the same bound disposes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..core.precision import in_full_precision
from .force_decoders import Decoder

LR = 0.2
SOFTENED = 0.1
"""The encoder's logits are multiplied by this before descent begins, so that it may change its mind."""


@in_full_precision
def refine_edges(states: Tensor, logits: Tensor, decoder: Decoder, iterations: int, sweeps: int = 3) -> Tensor:
    """Edge types under which states are more likely: gradient descent from an encoder's logits, then single pairs.

    ``iterations`` of descent change all edges at once, as weights; then `refine_pairs` makes ``sweeps`` through them.
    Where numbers are noisier than those that the decoder was trained on, errors may be as much larger
    (`choreo_lib.extensions.force_decoders.Decoder.excess_scale`).
    Shapes: [B, T, N, 4] and [B, N, N, K] -> int64 [B, N, N], symmetric. Chapter: 8.
    """
    with torch.no_grad():
        messages = decoder.typed_messages(states)  # [B, T - 1, N, N, K, H]
    count, frames, bodies, _, _, width = messages.shape
    felt = messages[..., decoder.no_edge :, :]  # the type that carries nothing adds nothing
    flat = felt.permute(0, 2, 3, 4, 1, 5).reshape(count, bodies, 1, -1, frames * width)  # [B, N, 1, N K, T H]
    one, other = torch.triu_indices(bodies, bodies, 1, device=states.device)
    free = (SOFTENED * logits[:, one, other]).detach().requires_grad_()  # [B, P, K]
    optimiser = torch.optim.Adam([free], LR)
    excess: Tensor | float = 0.0
    for iteration in range(iterations):
        with torch.enable_grad():  # the caller may have switched gradients off
            weights = torch.zeros_like(logits)
            weights[:, one, other] = weights[:, other, one] = free.softmax(-1)
            total = weights[..., decoder.no_edge :].flatten(2)[:, :, None, None] @ flat  # [B, N, 1, 1, T H]
            total = total.reshape(count, bodies, frames, width).transpose(1, 2)  # [B, T - 1, N, H]
            state, scale = decoder.update(states[:, :-1], total)
            if iteration % 10 == 0:  # it changes slowly, and quantiles take time
                excess = decoder.excess_scale(state, states[:, 1:], scale)
            nll = decoder.body_nll(state, states[:, 1:], scale, excess).sum() / len(one)
        free.grad = torch.autograd.grad(nll, free)[0]
        optimiser.step()
    edges = torch.zeros(logits.shape[:-1], dtype=torch.long, device=states.device)
    edges[:, one, other] = edges[:, other, one] = free.argmax(-1)
    return refine_pairs(states, edges, decoder, sweeps, messages, excess)


@torch.no_grad()
@in_full_precision
def refine_pairs(states: Tensor, edges: Tensor, decoder: Decoder, sweeps: int, messages: Tensor | None = None,
                 excess: Tensor | float = 0.0) -> Tensor:
    """Edge types after ``sweeps`` in which each pair takes the type that makes its two bodies most likely.

    A pair's message is added to two sums only, so to try another type costs two bodies and not the whole graph.
    ``messages``: those of the decoder, where they are known; ``excess`` is added to the scale of errors.
    Shapes: [B, T, N, 4] and int64 [B, N, N] -> int64 [B, N, N]. Chapter: 8.
    """
    state, truth, edges = states[:, :-1], states[:, 1:], edges.clone()
    messages = decoder.typed_messages(states) if messages is None else messages
    others = 1 - torch.eye(edges.shape[1], device=edges.device)
    chosen = F.one_hot(edges, decoder.types) * others[:, :, None]
    total = (messages * chosen[:, None, ..., None]).sum((3, 4))  # [B, T - 1, N, H]
    row = torch.arange(len(edges), device=edges.device)
    for _ in range(sweeps):
        changed = False
        for i, j in torch.triu_indices(edges.shape[1], edges.shape[1], 1).T.tolist():
            pair = [i, j]
            theirs = messages[:, :, pair, [j, i]]  # [B, T - 1, 2, K, H]
            rest = total[:, :, pair] - theirs[row, :, :, edges[:, i, j]]
            sums = rest[None] + theirs.permute(3, 0, 1, 2, 4)  # [K, B, T - 1, 2, H]
            nll = []
            for each in sums:
                after, scale = decoder.update(state[:, :, pair], each)
                nll.append(decoder.body_nll(after, truth[:, :, pair], scale, excess).sum((1, 2)))
            best = torch.stack(nll).argmin(0)  # [B]
            changed |= bool((best != edges[:, i, j]).any())
            edges[:, i, j] = edges[:, j, i] = best
            total[:, :, pair] = sums[best, row]
        if not changed:
            break
    return edges
