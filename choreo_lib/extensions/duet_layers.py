"""What `DuetForecaster` is made of: a VAE with skips, a decoder with a cache. Taught in chapter 5."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear, pad, scaled_dot_product_attention

from ..body.bones import project_bone_lengths
from ..body.motion import dancer_index, other_dancer
from ..body.reference import ReferenceFrame, reference_frame
from ..body.skeleton import Skeleton
from ..core.precision import LSTM, in_full_precision
from ..systems.duet_vae import SequenceVAE


def attend(layer: nn.MultiheadAttention, query: torch.Tensor, keys: torch.Tensor, mask: torch.Tensor,
           kv_cache: dict[str, Any] | None = None) -> torch.Tensor:
    """What ``layer`` gives where the keys are the values, too: softmax(q k^T / sqrt(size of a head) + mask) v.

    ``kv_cache``: keys and values of frames before, as the layer projects them, to which those of ``keys`` are added; an
    empty dict to begin.
    `torch.nn.MultiheadAttention` itself turns the batch and time round and back, and mends masks, for two to three
    times the operators. Shapes: ``query`` [B, T, features]; ``keys`` [B, S, features]; ``mask`` [T, S and those of the
    cache], minus infinity where a frame may not attend and 0 elsewhere; gives [B, T, features]. Chapter: 5.
    """
    weight, bias, features = layer.in_proj_weight, layer.in_proj_bias, query.shape[2]
    if query is keys:
        projected = linear(query, weight, bias).chunk(3, 2)  # [B, T, features] each
    else:
        (query_weight, other_weight), (query_bias, other_bias) = (
            x.split((features, 2 * features)) for x in (weight, bias))
        projected = (linear(query, query_weight, query_bias), *linear(keys, other_weight, other_bias).chunk(2, 2))
    q, k, v = (x.unflatten(2, (layer.num_heads, -1)).transpose(1, 2) for x in projected)  # [B, heads, T or S, size]
    if kv_cache is not None:
        if kv_cache:
            k, v = torch.cat([kv_cache["k"], k], 2), torch.cat([kv_cache["v"], v], 2)
        kv_cache.update(k=k, v=v)
    found = scaled_dot_product_attention(q, k, v, mask, layer.dropout if layer.training else 0.0)
    return layer.out_proj(found.transpose(1, 2).flatten(2))


class SkipSequenceVAE(SequenceVAE):
    """The shelf's `SequenceVAE` with skip connections, an LSTM in the decoder, and a cache for incremental encoding.

    Posteriors begin narrow, at a variance of exp(-5), so that their noise does not drown the latent vectors.
    Shapes: [B, T, width] in and out; latents [B, T, latent]. Chapter: 5.
    """

    def __init__(self, width: int, features: int, heads: int, latent: int, hidden: int):
        super().__init__(width, features, heads, latent, hidden)
        self.norm = nn.LayerNorm(features)
        self.skip = nn.Linear(features, hidden)
        nn.init.constant_(self.to_log_variance.bias, -5.0)
        self.decoder = LSTM(latent, hidden, batch_first=True)
        self.smoothing = nn.Conv1d(hidden, hidden, 3)

    def encode(self, x: torch.Tensor, positions: torch.Tensor, mask: Any,
               kv_cache: dict[str, Any] | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and log-variance of the posterior of each frame's latent vector.

        ``kv_cache``: what was encoded before ``x``, to which ``x`` is added; an empty one to begin.
        Shapes: as the shelf's; ``mask`` as `attend` adds it, with a cache of S frames [T, S + T]. Chapter: 5.
        """
        h = self.input_proj(x) + positions  # [B, T, features]
        kept = {} if kv_cache is None else kv_cache
        attended = attend(self.attention, h, h, mask, kept.setdefault("attention", {}))
        h = self.norm(h + attended)
        encoded, kept["state"] = self._remembered(h, kept.get("state"))  # [B, T, hidden]
        h = self.skip(h) + encoded
        return self.to_mean(h).to(x), self.to_log_variance(h).to(x).clamp(-12, 4)  # [B, T, latent] each

    @in_full_precision
    def _remembered(self, h: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        """What the encoder's LSTM gives after ``state``, and its state then; of one frame, cell by cell.

        On a CPU the kernel for sequences packs the weights anew at each call: 0.6 ms for a frame, where cells take 0.2.
        """
        if state is None or h.shape[1] > 1:
            return self.encoder(h, state)
        out, after = h[:, 0], []
        for layer, (weights, before) in enumerate(zip(self.encoder.all_weights, zip(*state))):
            after.append(torch.lstm_cell(out, before, *weights))
            out = after[layer][0]
        return out[:, None], tuple(map(torch.stack, zip(*after)))

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """The sequence that latent vectors stand for. Shapes: [B, T, latent] -> [B, T, width]. Chapter: 5."""
        h = self.decoder(z)[0].transpose(1, 2)  # [B, hidden, T]
        h = self.smoothing(pad(h, (2, 0), mode="replicate")).transpose(1, 2)  # [B, T, hidden]
        return self.to_pose(h).to(z)


class CachedDecoder(nn.TransformerDecoder):
    """`torch.nn.TransformerDecoder`, norms first, whose new frames may attend to those in a cache. Chapter: 5."""

    layers: Any  # mypy knows no item types of a ModuleList, nor that there is a norm
    norm: Any

    def decode(self, x: torch.Tensor, memory: torch.Tensor, mask: torch.Tensor, kv_cache: dict[str, Any] | None = None
               ) -> torch.Tensor:
        """What `forward` gives, in fewer operators, for frames that follow those in ``kv_cache``; it grows by them.

        Shapes: ``x`` and ``memory`` [B, T, features] of the new frames; ``mask`` [T, S + T], after S frames, as
        `attend` adds it. Chapter: 5.
        """
        kept = {} if kv_cache is None else kv_cache
        for k, layer in enumerate(self.layers):
            query = layer.norm1(x)
            own, other = (kept.setdefault(f"layer {k}, {name}", {}) for name in ("itself", "memory"))
            x = x + layer.dropout1(attend(layer.self_attn, query, query, mask, own))
            x = x + layer.dropout2(attend(layer.multihead_attn, layer.norm2(x), memory, mask, other))
            hidden = layer.dropout(layer.activation(layer.linear1(layer.norm3(x))))  # [B, T, 4 * features]
            x = x + layer.dropout3(layer.linear2(hidden))
        return self.norm(x)


class Standardise(nn.Module):
    """Numbers minus their mean, over their standard deviation. Shapes: [..., W] in and out. Chapter: 5."""

    def __init__(self, width: int):
        super().__init__()
        self.mean, self.std = nn.Buffer(torch.zeros(width)), nn.Buffer(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Standardised. Chapter: 5."""
        return (x - self.mean) / self.std

    def fit(self, moments: torch.Tensor, least: float) -> None:
        """From counts, sums and sums of squares [3, W]; no standard deviation below ``least``. Chapter: 5."""
        count, total, squares = moments
        self.mean.copy_(total / count)
        self.std.copy_((squares / count - (total / count) ** 2).clamp_min(0).sqrt().clamp_min(least))


def mean_poses(skeleton: Skeleton, batches: Iterable[torch.Tensor]) -> torch.Tensor:
    """How and where each dancer stands, seen from the other: to begin a dance from, without a seed.

    The mean pose, with bones of mean length, at the place and heading nearest to all others (their mean may be where
    nobody ever is). Shapes: windows [B, T, 2, J, 3] -> [2, J, 3]. Units: metres. Chapter: 5.
    """
    found = []
    for who in "ab":
        own_poses, own_places = [], []
        for batch in batches:
            first = batch[:, :1]
            own, other = (reference_frame(first, 0, skeleton, of=each) for each in (who, other_dancer(who)))
            own_poses.append(own.to_local(first[:, 0, dancer_index(who)]))
            turn = own.heading - other.heading
            own_places.append(torch.cat([other.to_local(own.origin), turn.cos()[:, None], turn.sin()[:, None]], 1))
        poses, places = torch.cat(own_poses), torch.cat(own_places)[::2]  # [N, J, 3], [N / 2, 5]
        parents, children = map(list, zip(*skeleton.bones))
        lengths = (poses[:, children] - poses[:, parents]).norm(dim=-1).mean(0)  # [J - 1]
        pose = project_bone_lengths(skeleton, poses.mean(0)[None], lengths[None], iterations=30)  # [1, J, 3]
        x, y, z, cos, sin = places[torch.cdist(places, places).sum(1).argmin()]
        found.append(ReferenceFrame(torch.stack([x, y, z])[None], torch.atan2(sin, cos)[None]).to_world(pose)[0])
    return torch.stack(found)  # [2, J, 3]
