"""How fast the model of rotations is at the published sizes: python benchmarks/vae_rnn.py

A training step (batch of 16, 64 frames, 28 joints) of translation, as this book extends it, and of the deepfake, as it
was published, beside what its parts cost alone in the same run: the
LSTMs, and forward kinematics. Then windows blended a second, beside a loop of SciPy's slerp over frames and joints.
Synthetic dancers; any machine.
"""

import statistics
import time

import numpy as np
import torch
from scipy.spatial.transform import Rotation, Slerp

import choreo_lib as cl
from choreo_lib.body.blending import overlap_add
from choreo_lib.body.kinematics import positions_of
from choreo_lib.extensions import MotionTranslator
from choreo_lib.sets import windows
from choreo_lib.systems import VAERNN


def times(run, rounds: int = 7) -> float:
    """Median of several runs, ms; the first does not count."""
    run()
    told = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        told.append(1000 * (time.perf_counter() - start))
    return statistics.median(told)


def steps(routes: tuple[str, ...], precision: torch.dtype) -> tuple[float, float, float]:
    """A training step of one form; its LSTMs alone; its forward kinematics alone: ms."""
    cut = windows.cut([cl.synthetic.duet("mirror", 200, seed=seed) for seed in range(4)], 64, 8, rotations=True)
    body = cl.Skeleton(cut.skeleton.names[:28], cut.skeleton.parents[:28])  # a toe is left away: 28 joints
    batch = cut[:16][:, :, :, :28].contiguous()
    model = VAERNN(body, routes=routes, steps_per_epoch=1) if "aa" in routes else MotionTranslator(body, routes=routes)
    optimiser = torch.optim.Adam(model.parameters(), 1e-4)
    listening = [next(iter(part.values())).lstm for part in (model.encoders, model.decoders)]

    def step():
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            loss = model.loss(batch, 0)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def lstms():
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            for part in listening * len(routes):
                part(torch.randn(16, 64, part.input_size))[0].sum().backward()

    def kinematics():
        turns = batch[:, :, 1, :, 3:].clone().requires_grad_()
        for _ in routes:
            positions_of(body, torch.cat([batch[:, :, 1, :, :3], turns], -1)).sum().backward()

    return times(step), times(lstms), times(kinematics)


def blending(count: int = 40) -> None:
    """Windows of 64 frames and 28 joints into one take."""
    generator = torch.Generator().manual_seed(0)
    turns = torch.nn.functional.normalize(torch.randn(count, 64, 28, 4, generator=generator), dim=-1)
    roots = torch.randn(count, 64, 3, generator=generator)
    share = np.sin(np.pi / 2 * (np.arange(32) + 0.5) / 32) ** 2

    def loop():
        for k in range(4):  # enough to know what one costs
            for t in range(32):
                for j in range(28):
                    Slerp([0, 1], Rotation.from_quat(np.stack([turns[k, 32 + t, j], turns[k + 1, t, j]])))(share[t])

    ours, theirs = times(lambda: overlap_add(turns, roots)) / count, times(loop, 1) / 4
    print(f"blending a window: {ours:.3f} ms; a loop over frames and joints {theirs:.1f} ms; ratio {theirs / ours:.0f}")


if __name__ == "__main__":
    torch.manual_seed(0)
    for kind in (torch.float32, torch.bfloat16):
        for name, routes in (("translation", ("ab",)), ("deepfake", ("aa", "bb"))):
            whole, alone, walked = steps(routes, kind)
            print(f"{name:12s} {str(kind).removeprefix('torch.'):9s} step {whole:6.1f} ms; its LSTMs alone "
                  f"{alone:6.1f}, forward kinematics alone {walked:5.1f}", flush=True)
    blending()
