"""Checks for the exercises of chapter 3, "Before any network"."""

from __future__ import annotations

import numpy as np
import torch

from ..evaluation import baselines
from ..sets import splits, synthetic, windows
from ..sets.registry import load_duet
from .verdict import Verdict, forgiving


@forgiving
def ex3_1(answer) -> Verdict:
    """Exercise 3.1: windows of 64 frames, one every 4, in 300 frames; and the frames that neighbours share."""
    try:
        count, shared = (float(n) for n in answer)
    except (TypeError, ValueError):
        count = shared = 0.5
    if count % 1 or shared % 1:
        return Verdict(False, "Give two whole numbers: how many windows, and how many frames two neighbours share.")
    if (count, shared) == (60, 60):
        return Verdict(True, "Both are 60, by chance. Fifteen sixteenths of a window are in the next one too.")
    if count == 59:
        return Verdict(False, "Nearly. Both the first place and the last one count.")
    if count == 75:
        return Verdict(False, "Not every frame can be a beginning: a window must end inside the take.")
    if count == 60:
        return Verdict(False, "The windows are right. The next one begins 4 frames later: how many are left in common?")
    return Verdict(False, "The first window begins at frame 0. Where does the last begin, if it ends with the take?")


@forgiving
def ex3_2(model) -> Verdict:
    """Exercise 3.2: a forecaster that beats repeat and constant velocity at 200, 400 and 600 ms."""
    if not callable(getattr(model, "predict", None)) or isinstance(model, type):
        return Verdict(False, "Hand over a forecaster, as in cl.checks.ex3_2(Mine()), with the brackets.")
    horizons = (6, 12, 18)
    asked = windows.cut(synthetic.duet("canon", 600, seed=32), length=40)
    rivals = {"repeat": baselines.ZeroVelocity(), "going on": baselines.ConstantVelocity(), "yours": model}
    errors = {row: 1000 * e.mean((0, 1)) for row, e in baselines.evaluate(rivals, asked, horizons).errors.items()}
    better = torch.stack([errors["yours"] < errors[rival] for rival in ("repeat", "going on")])  # [2, horizons]
    said = {row: ", ".join(f"{e:.1f}" for e in errors[row]) for row in rivals}
    told = (f"At 200, 400 and 600 ms yours is off by {said['yours']} mm, repeat by {said['repeat']}, going on by "
            f"{said['going on']}. ")
    if not bool(torch.isfinite(errors["yours"]).all()):
        return Verdict(False, "It answers with numbers that are not finite. Does every horizon have steps ahead?")
    if bool(better.all()):
        return Verdict(True, told + "Better than both, and still without a network.")
    if not bool(better[1].any()):
        return Verdict(False, told + "That goes on too far, or the wrong way. Can it tire?")
    if not bool(better[0].any()):
        return Verdict(False, told + "No better than standing still. Let it go on a little.")
    return Verdict(False, told + "Better than each rival somewhere, and not yet than both everywhere: it may go "
                                 "further early, or tire sooner.")


def splits_3_3() -> list[tuple[windows.Windows, windows.Windows]]:
    """Three splits of one take into training and test windows: exercise 3.3."""
    take = load_duet("synthetic/mirror")
    every = windows.cut(take, length=40)
    drawn = torch.rand(len(every), generator=torch.Generator().manual_seed(33)) < 0.2
    early, late = splits.split_in_time(take, (0.75, 0.25), gap=40)
    apart = tuple(windows.cut(part, length=40) for part in (early, late))
    later = windows.Windows(**{**vars(apart[1]), "start": apart[1].start + len(take) - len(late)})
    cut = int(0.8 * len(every))
    return [(every.subset(~drawn), every.subset(drawn)), (apart[0], later),
            (every.subset(slice(cut)), every.subset(slice(cut, None)))]


@forgiving
def ex3_3(answer) -> Verdict:
    """Exercise 3.3: in which of the three splits do training and test windows share frames."""
    answer = list(answer) if isinstance(answer, (list, tuple, np.ndarray)) else []
    if len(answer) != 3 or not all(isinstance(a, (bool, np.bool_)) for a in answer):
        return Verdict(False, "Give a list of three, True where windows of both sides share frames.")
    if answer == [True, False, True]:
        return Verdict(True, "The third is the sly one: in order of time, and the windows at the border overlap.")
    if answer[:2] == [True, False]:
        return Verdict(False, "Look at the third again, just where training ends and testing begins.")
    if answer[1]:
        return Verdict(False, "The second leaves a gap between training and test, as long as a window: see the starts.")
    return Verdict(False, "Two windows share frames if they begin fewer frames apart than a window is long.")


@forgiving
def ex3_4(answer) -> Verdict:
    """Exercise 3.4: room, root-aligned and Procrustes-aligned error of a partner one metre aside, in mm."""
    try:
        answer = np.array([float(a) for a in answer] if not isinstance(answer, str) else [])
    except (TypeError, ValueError):
        answer = np.zeros(0)
    if answer.shape != (3,):
        return Verdict(False, "Give three numbers, in millimetres: in the room, root-aligned, Procrustes-aligned.")
    if np.allclose(answer, (1000, 0, 0)):
        return Verdict(True, "Two of three rulers call it perfect.")
    if np.allclose(answer, (1, 0, 0)):
        return Verdict(False, "These are metres.")
    if np.allclose(answer, (1000, 1000, 0)):
        return Verdict(False, "Root-aligned: pelvis is put on pelvis first. What is left between the other joints?")
    return Verdict(False, "Every joint is off by the same arrow. Which of the three takes that arrow away first?")
