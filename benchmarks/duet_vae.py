"""How long a training step of the duet model takes, and a frame of its stream: python benchmarks/duet_vae.py

Sizes as in the prototype: 2 x 29 joints, 64 frames, batch 16, features, latent and units 64, 8 heads, two threads.
"Bare" is what the description asks for and no more, for one dancer: two VAEs (attention, two LSTM layers, mean and
log-variance) and the transformer decoder, along time. A stream is measured beside a model that reads the whole window
again for each frame.
"""

import time

import torch
from torch import nn

from choreo_lib.extensions import DuetForecaster
from choreo_lib.sets import synthetic
from choreo_lib.sets.windows import cut


class Bare(nn.Module):
    """The described parts, without frames of reference, speeds, masks and displacements."""

    def __init__(self, width=87, size=64):
        super().__init__()
        self.opens = nn.ModuleList(nn.Linear(width, size) for _ in range(3))
        self.attentions = nn.ModuleList(nn.MultiheadAttention(size, 8, batch_first=True) for _ in range(2))
        self.readers = nn.ModuleList(nn.LSTM(size, size, 2, batch_first=True) for _ in range(2))
        self.clouds = nn.ModuleList(nn.Linear(size, 2 * size) for _ in range(2))
        layer = nn.TransformerDecoderLayer(size, 8, 4 * size, 0.1, batch_first=True)
        self.decoder, self.out = nn.TransformerDecoder(layer, 2), nn.Linear(size, width)

    def loss(self, batch, step):
        """Squared error of the next frame, and the KL."""
        a, b = batch.flatten(3).unbind(2)
        memory, kl = 0.0, 0.0
        for k, x in enumerate((a, (a - b).abs())):
            h = self.opens[k](x)
            mean, spread = self.clouds[k](self.readers[k](self.attentions[k](h, h, h)[0])[0]).chunk(2, -1)
            memory = memory + mean + torch.randn_like(mean) * (0.5 * spread).exp()
            kl = kl + 0.5 * (mean**2 + spread.exp() - 1 - spread).mean()
        made = self.out(self.decoder(self.opens[2](b), memory))
        return {"loss": 0.5 * ((made[:, :-1] - b[:, 1:]) ** 2).mean() + 5e-5 * kl}


def step_ms(model, batch, times=20) -> float:
    """The median time of a training step, ms."""
    optimiser, took = torch.optim.AdamW(model.parameters(), 1e-3), []
    model.train()
    for number in range(times):
        began = time.perf_counter()
        optimiser.zero_grad()
        model.loss(batch, number)["loss"].backward()
        optimiser.step()
        took.append(1000 * (time.perf_counter() - began))
    return sorted(took)[times // 2]


def main():
    """Print the table."""
    torch.manual_seed(0)
    duet = synthetic.duet("canon", 700, seed=0)
    windows = cut(duet, 64)
    batch = windows[:16]
    ours = DuetForecaster(windows.skeleton, no_input_prob=0.0)
    ours.fit_statistics([windows[:256]])
    alone = DuetForecaster(windows.skeleton, no_input_prob=1.0)
    bare, made, rebuilt = (step_ms(model, batch) for model in (Bare(), ours, alone))
    print(f"training step, batch 16: bare {bare:5.0f} ms, ours {made:5.0f} ms ({made / bare:.2f}), "
          f"one dancer rebuilt {rebuilt:5.0f} ms ({rebuilt / bare:.2f})")

    stream, frames = ours.stream(duet.positions[:34]), duet.a.positions[34:634]
    began = time.perf_counter()
    for frame in frames:
        stream(frame)
    fast = len(frames) / (time.perf_counter() - began)
    began = time.perf_counter()
    for start in range(120):
        window = torch.from_numpy(duet.positions[start : start + 64])[None]
        ours.predict(window[:, :34], window[:, 34:, 0], [1 + start % 10])
    whole = 120 / (time.perf_counter() - began)
    print(f"stream, 2 x 29 joints: {fast:5.0f} frames a second; the window read again for each frame: {whole:5.0f} "
          f"({fast / whole:.1f})")


if __name__ == "__main__":
    main()
