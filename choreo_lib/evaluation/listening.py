"""Does a duet model listen? Its leader is swapped, frozen, delayed or turned into noise. Taught in chapter 11."""

from dataclasses import replace

import numpy as np
import torch

from ..body.compatibility import skeleton_mismatch
from ..body.motion import dancer_index, other_dancer
from ..body.reference import placed
from ..core.arguments import a, count, each, seconds, seed, shown, takes, text
from ..core.seeding import generator
from ..core.shapes import array
from ..sets.windows import Windows
from .baselines import Forecaster
from .baselines.forecast import FORECASTER_RULE, past_frames
from .metrics import block_bootstrap, mpjpe

LEADERS = ("true", "swapped", "frozen", "delayed", "noise")
"""Whom a model is shown: the true leader, and four who stand and face as the true one does and dance otherwise."""
BLOCK = 4.0  # seconds of neighbouring windows that the bootstrap draws together
BATCH = 512


@torch.no_grad()
@takes(model=FORECASTER_RULE, windows=a(Windows), others=a(Windows), horizon=count(), delay=seconds,
       joints=each(text, least=1), seed=seed)
def listening(model: Forecaster, windows: Windows, others: Windows | None = None, horizon: int = 30, delay: float = 0.5,
              joints=None, seed: int = 0) -> dict[str, dict[str, float]]:
    """What it costs a duet model to be shown another leader than the true one: a row for each of `LEADERS`.

    Both dancers are predicted, ``horizon`` frames ahead, the other one being the leader. All leaders stand and face at
    the last known frame as the true one does, so that only what they dance differs: "swapped" is danced in another take
    (of ``others``, else of ``windows``), "frozen" keeps the last known pose throughout, "delayed" is the true one
    ``delay`` earlier in the take, "noise" has the true one's frequencies with random phases (Theiler et al.).
    Of every row ``error_mm``; and, of all but the first, paired with it window by window: ``cost_mm``, by how much the
    error is larger; ``cost_percent`` of the true leader's error; ``nearer_percent``, the effect size: in how many
    windows the model is nearer with the true leader, ties counting half, so that 50 is deafness; ``answer_mm``, how
    far the prediction moves, whether to the better or not. Cost and effect have 95 % intervals of a block bootstrap
    (``cost_low``, ``cost_high``, ``nearer_low``, ``nearer_high``), in blocks of four seconds.
    Windows that begin less than ``delay`` into their take are left out, for there the true leader cannot be late; the
    row of the true leader has ``windows``, how many are left. ``joints``: the error's, by name; None: all.
    Shapes: ``windows`` [N, P + horizon, 2, J, 3]. Units: millimetres out; ``delay`` seconds.
    Errors: ValueError for windows of one dancer or too short, one take and no others, other lengths or joints of
    ``others``, or too few windows for two blocks.
    Chapter: 11. Theiler et al., "Testing for nonlinearity in time series", Physica D 1992; the paired effect size:
    McGraw and Wong, "A common language effect size statistic", Psychological Bulletin 1992.
    """
    past, back, late = past_frames(windows, (horizon,)), _back(windows, delay), scored(windows, delay)
    chosen = slice(None) if joints is None else windows.skeleton.indices(joints)
    drawn = _other_takes(late, windows if others is None else others, seed)
    errors: dict[str, list[torch.Tensor]] = {name: [] for name in LEADERS}
    moved: dict[str, list[torch.Tensor]] = {name: [] for name in LEADERS}
    for k in range(0, len(late), BATCH):
        part = slice(k, k + BATCH)
        batch, early = late[part], late.subset(part)
        earlier = replace(early, first=early.first - back * windows.step)[:]
        for who in "ab":
            own, lead = dancer_index(who), dancer_index(other_dancer(who))
            random = generator(seed, k, own)
            leaders = {"true": batch[:, :, lead], "swapped": drawn[part][:, :, lead],
                       "frozen": batch[:, past - 1 : past, lead].expand(-1, windows.length, -1, -1),
                       "delayed": earlier[:, :, lead], "noise": phase_randomised(batch[:, :, lead], random)}
            true, first = batch[:, -1, own], None
            for name, leader in leaders.items():
                if name != "true":
                    leader = placed(leader, leader[:, :, None], batch[:, :, [lead]], past - 1, late.skeleton)
                pair = (batch[:, :past, own], leader[:, :past])
                seen = torch.stack(pair if who == "a" else pair[::-1], 2)
                made = model.predict(seen, leader[:, past:], [horizon], who)[:, 0]
                first = made if first is None else first
                errors[name].append(1000 * mpjpe(made[:, chosen], true[:, chosen]).cpu())
                moved[name].append(1000 * mpjpe(made[:, chosen], first[:, chosen]).cpu())
    # a and b of a batch, one after the other: [batches, 2][windows] -> the mean of both roles, [N]
    error, answer = ({name: torch.cat([(x + y) / 2 for x, y in zip(rows[::2], rows[1::2])]).numpy()
                      for name, rows in table.items()} for table in (errors, moved))
    return {"true": {"error_mm": float(error["true"].mean()), "windows": len(late)}} | {
        name: _effect(error[name], error["true"], late) | {"answer_mm": float(answer[name].mean())}
        for name in LEADERS[1:]}


@torch.no_grad()
@takes(model=FORECASTER_RULE, windows=a(Windows), horizon=count(), delay=seconds, joints=each(text))
def true_errors(model: Forecaster, windows: Windows, horizon: int = 30, delay: float = 0.5, joints=None) -> np.ndarray:
    """Each window's error with the true leader, the mean of both roles; their mean is ``error_mm`` of `listening`.

    Shapes: [N], of the windows `listening` scores. Units: mm; ``delay`` seconds. Errors: as `listening`. Chapter: 11.
    """
    past, late = past_frames(windows, (horizon,)), scored(windows, delay)
    chosen = slice(None) if joints is None else windows.skeleton.indices(joints)
    errors = []
    for k in range(0, len(late), BATCH):
        batch = late[k : k + BATCH]
        made = [model.predict(batch[:, :past], batch[:, past:, dancer_index(other_dancer(who))], [horizon], who)[:, 0]
                for who in "ab"]
        errors.append(sum(mpjpe(each[:, chosen], batch[:, -1, dancer_index(who)][:, chosen]).cpu()
                          for each, who in zip(made, "ab")) / 2)
    return 1000 * torch.cat(errors).numpy()


@takes(error=array("windows"), deaf=array("windows"), windows=a(Windows), delay=seconds)
def benefit(error, deaf, windows: Windows, delay: float = 0.5) -> dict[str, float]:
    """Whether the leader is of use: how much nearer a forecaster is with the true leader than one who sees no leader.

    `listening` asks whether a false leader does harm; a forecaster may be moved by leaders, and be no nearer with the
    true one than if it had never looked. Of both the `true_errors` on the same windows: ``error_mm``, ``deaf_mm``,
    ``gain_mm``, by how much the first is the smaller, and ``nearer_percent``, in how many windows it is, both with
    intervals as those of `listening`. Shapes: ``error`` and ``deaf`` [N]. Units: millimetres; ``delay`` seconds.
    Errors: ValueError where the windows scored are not N. Chapter: 11.
    """
    late = scored(windows, delay)
    error, deaf = (np.asarray(each, dtype=np.float64) for each in (error, deaf))
    if len(error) != len(late):
        raise ValueError(f"{len(error)} errors for {len(late)} windows that begin {delay:g} s into their take or "
                         "later; take true_errors of the same windows and delay")
    found = _effect(deaf, error, late)
    return {"error_mm": float(error.mean()), "deaf_mm": found["error_mm"], "gain_mm": found["cost_mm"],
            "gain_low": found["cost_low"], "gain_high": found["cost_high"],
            **{name: found[name] for name in ("nearer_percent", "nearer_low", "nearer_high")}}


def scored(windows: Windows, delay: float = 0.5) -> Windows:
    """The windows that begin ``delay`` seconds or more into their take. Errors: ValueError for none. Chapter: 11."""
    late = windows.subset(windows.start >= _back(windows, delay) * windows.step)
    if not len(late):
        raise ValueError(f"no window begins {delay:g} s into its take, where a leader could be late; take a shorter "
                         "delay or longer takes")
    return late


def _back(windows: Windows, delay: float) -> int:
    """A delay in frames, one at least."""
    return max(round(delay * windows.fps), 1)


def phase_randomised(motion: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    """Motion with the same frequencies, each with another phase, the same for all joints: as much movement, no dance.

    The line from the first to the last frame is taken away before and added again. Shapes: [B, T, J, 3] in and out.
    Units: any. Chapter: 11. Theiler et al., Physica D 1992.
    """
    count = motion.shape[1]
    along = torch.linspace(0, 1, count, dtype=torch.float64).view(1, -1, 1, 1)
    x = motion.double().cpu()  # where the generator draws
    line = x[:, :1] + along * (x[:, -1:] - x[:, :1])
    spectrum = torch.fft.rfft(x - line, dim=1)
    phase = 2 * torch.pi * torch.rand(len(x), spectrum.shape[1], 1, 1, generator=random, dtype=torch.float64)
    phase[:, 0] = 0.0  # the mean stays
    return (line + torch.fft.irfft(spectrum * torch.polar(torch.ones_like(phase), phase), count, dim=1)).to(motion)


def _other_takes(windows: Windows, others: Windows, seed: int) -> torch.Tensor:
    """For each window one of another take, [N, T, 2, J, 3]."""
    differs = skeleton_mismatch(others.skeleton, windows.skeleton)
    if others.length != windows.length or differs:
        raise ValueError(f"others are windows of {others.length} frames, and the windows have {windows.length}"
                         f"{'; of their skeleton: ' * bool(differs)}{differs}; cut both alike")
    same_set = others.frames is windows.frames
    if same_set and len(others.take.unique()) < 2:
        raise ValueError("a swapped leader dances in another take, and here is one; give others=, such as windows of "
                         "the training takes")
    random, which = generator(seed), []
    for take in windows.take.tolist():
        able = torch.nonzero(others.take != take)[:, 0] if same_set else torch.arange(len(others))
        which.append(int(able[torch.randint(len(able), (), generator=random)]))
    return others[which]


def _effect(error: np.ndarray, true: np.ndarray, windows: Windows) -> dict[str, float]:
    """What another leader costs, window by window, with intervals."""
    cost = error - true
    nearer = 50 * (1 + np.sign(np.where(np.abs(cost) < 1e-3, 0, cost)))  # a micrometre is rounding
    takes = [windows.take.numpy() == take for take in windows.take.unique().tolist()]
    found = {"error_mm": float(error.mean()), "cost_mm": float(cost.mean()),
             "cost_percent": 100 * float(cost.mean() / true.mean()), "nearer_percent": float(nearer.mean())}
    for name, values in (("cost", cost), ("nearer", nearer)):
        low, high = block_bootstrap([values[each] for each in takes], neighbours(windows))
        found |= {f"{name}_low": low, f"{name}_high": high}
    return found


def neighbours(windows: Windows, duration: float = BLOCK) -> int:
    """How many neighbouring windows a block of so many seconds has, no more than the shortest take or half of all.

    Units: ``duration`` seconds. Errors: ValueError for one window, of which there is no interval. Chapter: 11.
    """
    if len(windows) < 2:
        raise ValueError(f"an interval needs two windows at least; got {shown(windows)}")
    counts = torch.unique(windows.take, return_counts=True)[1]
    steps = windows.start.diff()[windows.take.diff() == 0]
    stride = int(steps.min()) if len(steps) else windows.length * windows.step
    wanted = -(-round(duration * windows.fps * windows.step) // stride)
    return max(1, min(wanted, int(counts.min()), len(windows) // 2))
