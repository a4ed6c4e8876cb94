"""A training step of the duet model beside the original's, and frames of its stream: python benchmarks/duet_vae.py

Sizes as published: 2 x 29 joints, 64 frames, batch 16; features, latent and units 64, 8 heads, 2 decoder layers of 256.
Every row that predicts predicts both dancers, but for the last: the book's `DuetForecaster` asks for one dancer a step.
As coded, the original's sequences are the 16 windows of the batch, not the 64 frames, so its attention and its LSTMs
have a quarter of the steps to take; "along time" is the same computation with the axes as they were meant.
The described parts have 490,268 weights; the original counts 977,075, and its text does not say where the others are.
"""

from __future__ import annotations

import torch
from side_by_side import compare, now, options, training_step
from torch import nn

from choreo_lib.extensions import DuetForecaster
from choreo_lib.sets import synthetic
from choreo_lib.sets.windows import cut
from choreo_lib.systems import DuetVAE
from choreo_lib.systems.layers import positional_encoding
from choreo_lib.training import recipes

SIZE, HEADS, FRAMES = 64, 8, 64


class OriginalVAE(nn.Module):
    """One of the three: a sequence in, a sequence out, and the KL."""

    def __init__(self, width: int, along_time: bool) -> None:
        super().__init__()
        self.enter = nn.Linear(width, SIZE)
        self.attention = nn.MultiheadAttention(SIZE, HEADS, batch_first=along_time)
        self.lstm = nn.LSTM(SIZE, SIZE, 2, batch_first=along_time)
        self.mean, self.log_variance = nn.Linear(SIZE, SIZE), nn.Linear(SIZE, SIZE)
        self.smooth, self.leave = nn.Conv1d(SIZE, SIZE, 3, padding=1), nn.Linear(SIZE, width)

    def forward(self, x: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Poses [B, T, J * 3] to poses, and the KL."""
        h = self.enter(x) + places
        h, _ = self.attention(h, h, h)
        h, _ = self.lstm(h)
        mean, log_variance = self.mean(h), self.log_variance(h)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        z = self.smooth(z.reshape(len(z), SIZE, -1)).reshape(z.shape)  # as coded: not a transpose
        kl = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp(), -1).mean()
        return self.leave(z), kl


class Original(nn.Module):
    """The prototype's network and loss: its layers and their sizes, not its code. ``rebuilds``: one dancer only."""

    def __init__(self, width: int, along_time: bool, rebuilds: bool = False) -> None:
        super().__init__()
        self.rebuilds = rebuilds
        self.vaes = nn.ModuleList(OriginalVAE(width, along_time) for _ in range(3))
        self.enter, self.leave = nn.Linear(width, SIZE), nn.Linear(SIZE, width)
        layer = nn.TransformerDecoderLayer(SIZE, HEADS, 4 * SIZE, 0.1, batch_first=along_time)
        self.decoder = nn.TransformerDecoder(layer, 2)
        places = positional_encoding(FRAMES, SIZE)
        self.register_buffer("places", places if along_time else places[:, None])

    def loss(self, batch: torch.Tensor, number: int) -> dict[str, torch.Tensor]:
        """Squared error of both dancers, one frame later; velocity; the KLs. Shapes: [B, T + 1, 2, J, 3] -> []."""
        a, b = batch[:, :-1].flatten(3).unbind(2)  # [B, T, J * 3]
        places = self.places if self.places.ndim == 2 else self.places[: len(a)]
        if self.rebuilds:
            made, kl = self.vaes[0](a, places)
            return {"loss": 0.5 * nn.functional.mse_loss(made, a) + 5e-5 * kl}
        (of_a, kl_a), (of_b, kl_b), (of_both, kl) = (
            vae(x, places) for vae, x in zip(self.vaes, (a, b, torch.abs(a - b))))
        total = 5e-5 * (kl_a + kl_b + kl)
        for k, tgt, memory in ((0, a, of_b + of_both), (1, b, of_a + of_both)):
            h = self.decoder(self.enter(tgt) + places, self.enter(memory) + places)
            made, true = self.leave(h), batch[:, 1:, k].flatten(2)
            velocity = (made[:, 1:] - made[:, :-1]) - (true[:, 1:] - true[:, :-1])
            total = total + 0.5 * nn.functional.mse_loss(made, true) + 0.05 * torch.norm(velocity, dim=-1).mean()
        return {"loss": total}


def stream(model: DuetForecaster, duet) -> None:
    """Frames a second of a stream, beside the whole window read again for each frame."""
    past, frames = model.past, duet.a.positions[model.past : model.past + 600]
    live, began = model.stream(duet.positions[:past]), now("cpu")
    for frame in frames:
        live(frame)
    fast, began = len(frames) / (now("cpu") - began), now("cpu")
    for start in range(120):
        window = torch.from_numpy(duet.positions[start : start + past + 30])[None]
        model.predict(window[:, :past], window[:, past:, 0], [1 + start % 10])
    whole = 120 / (now("cpu") - began)
    print(f"stream, 2 x 29 joints, the recipe's model: {fast:.0f} frames a second of processor time; the window read "
          f"again for each frame: {whole:.0f} ({fast / whole:.1f})")


def main() -> None:
    """Print the tables."""
    asked = options()
    duet = synthetic.duet("canon", 700, seed=0)
    windows = cut(duet, FRAMES + 1)
    batch, width = windows[:16].to(asked.device), 3 * len(windows.skeleton)
    for what, rebuilds in (("both dancers predicted", False), ("a step that reconstructs one dancer", True)):
        coded, meant = (Original(width, along_time, rebuilds).to(asked.device) for along_time in (False, True))
        shelf = DuetVAE(windows.skeleton, no_input_prob=float(rebuilds)).to(asked.device)
        shelf.fit_statistics([batch])
        assert len({sum(p.numel() for p in model.parameters()) for model in (coded, meant, shelf)}) == 1
        compare(f"duet, {what}, 16 windows of {FRAMES} frames", {
            "the original, stated anew, as coded": training_step(coded, batch),
            "the same along time": training_step(meant, batch),
            "the shelf's DuetVAE (along time, causal)": training_step(shelf, batch)}, asked)
    torch.manual_seed(0)
    ours = DuetForecaster(windows.skeleton, no_input_prob=0.0, **recipes.DUET["quick"]).to(asked.device)
    ours.fit_statistics([batch])
    half = batch[:, : ours.past + ours.ahead]
    coded = Original(width, False).to(asked.device)
    compare(f"duet, the recipe's network: {ours.past} + {ours.ahead} frames, one dancer a step", {
        "the original, stated anew, as coded": training_step(coded, batch),
        "another network: DuetForecaster": training_step(ours, half),
    }, asked)
    if asked.device == "cpu":
        stream(ours, duet)


if __name__ == "__main__":
    main()
