"""Checks for the exercises of chapter 9, "Invisible strings"."""

from __future__ import annotations

from numbers import Real

import numpy as np
import torch

from .verdict import Verdict, forgiving


@forgiving
def ex9_1(answer) -> Verdict:
    """Exercise 9.1: senders of one receiver, and nobody, share its probability."""
    if not callable(answer):
        return Verdict(False, "Hand over the function itself, without calling it: cl.checks.ex9_1(share).")
    asked = torch.tensor([[0.0, 3.0, -4.0], [0.0, 2.0, -1.0], [0.0, -5.0, -6.0], [0.0, 0.5, 2.0]], dtype=torch.float64)
    nobody = torch.zeros_like(asked[:1])
    right = torch.cat([nobody, asked]).softmax(0)[1:]  # before the answer, which may change what it is given
    got = answer(asked.clone())
    if got is None:
        return Verdict(False, "It gives nothing back. Is `return` missing?")
    got = torch.as_tensor(got, dtype=torch.float64)
    if got.shape == (5, 3):
        return Verdict(False, "Nobody competes, but is not one of the senders: leave that row out of what you give.")
    if got.shape != asked.shape:
        return Verdict(False, f"Four senders and three receivers have [4, 3] probabilities, and it gives "
                              f"{list(got.shape)}.")
    if torch.allclose(got, right, atol=1e-4):
        return Verdict(True, "Where all four say the same, each gets a fifth, and so does nobody.")
    if torch.allclose(got, asked.sigmoid(), atol=1e-4):
        return Verdict(False, "Each is judged by itself here, so two joints can both be sure to have moved one hand. "
                              "Let them compete.")
    if torch.allclose(got, asked.softmax(0), atol=1e-4):
        return Verdict(False, "They compete, but somebody always wins. Nobody, with evidence 0, has to be able to.")
    rows = torch.cat([torch.zeros_like(asked[:, :1]), asked], 1).softmax(1)[:, 1:]
    if torch.allclose(got, rows, atol=1e-4) or torch.allclose(got, asked.softmax(1), atol=1e-4):
        return Verdict(False, "Here the receivers of one sender compete. It is the senders, the rows, that should.")
    worst = int((got - right).abs().nan_to_num(1.0).argmax())
    return Verdict(False, f"Where the senders of a receiver have evidence {[float(x) for x in asked[:, worst % 3]]}, "
                          f"sender {worst // 3} has {float(right.flatten()[worst]):.3f}; yours says "
                          f"{float(got.flatten()[worst]):.3g}.")


@forgiving
def ex9_2(answer) -> Verdict:
    """Exercise 9.2: a good test where strings are rare."""
    if isinstance(answer, np.ndarray | torch.Tensor) and answer.ndim == 0:
        answer = answer.item()
    if isinstance(answer, bool) or not isinstance(answer, Real):
        return Verdict(False, "Give one number, a share from 0 to 1.")
    answer = float(answer)
    if 1 < answer <= 100:
        return Verdict(False, "A share, not per cent: a number from 0 to 1.")
    right = 0.99 * 6 / (0.99 * 6 + 0.01 * 1676)
    if abs(answer - right) < 0.005:
        return Verdict(True, "Three of four alarms are false, though the test errs once in a hundred times.")
    if abs(answer - 0.99) < 0.005:
        return Verdict(False, "That is how often a string is found. How many false alarms come with it?")
    if abs(answer - 6 / 1682) < 1e-3:
        return Verdict(False, "That is the share of strings among all pairs, before anybody has looked.")
    if abs(answer - (1 - right)) < 0.005:
        return Verdict(False, "That is the share of its alarms that are false.")
    return Verdict(False, "Count alarms: right ones among 6 strings, false ones among 1,676 other pairs.")


@forgiving
def ex9_3(answer) -> Verdict:
    """Exercise 9.3: how fast two joints part."""
    if not callable(answer):
        return Verdict(False, "Hand over the function itself, without calling it: cl.checks.ex9_3(parting).")
    time = np.linspace(0, 1, 21)[:, None]
    a = np.array([1.0, 0.0, 0.0]) + time * (0.5, 0.2, 0.1)
    b = np.array([0.0, 2.0, 0.0]) + time**2 * (0.0, 1.5, 0.0)
    far = np.linalg.norm(a - b, axis=-1)
    told = []
    for x, y, fps in ((a, b, 20.0), (b[::-1], a[::-1], 40.0)):
        told.append(answer(x.copy(), y.copy(), fps))
    try:
        one, back = (float(each) for each in told)
    except (TypeError, ValueError, RuntimeError):
        return Verdict(False, "It should give one number. Is `return` missing, or a mean over frames?")
    rate = far[-1] - far[0]
    if np.allclose([one, back], [rate, -2 * rate], rtol=1e-3):
        return Verdict(True, f"They part by {rate:.2f} m/s; danced backwards and twice as fast, by {-2 * rate:.2f}.")
    if np.allclose([one, back], [far.mean(), far.mean()], rtol=1e-3):
        return Verdict(False, "That is how far apart they are, in metres. Parting is how fast this grows.")
    if np.allclose([one, back], [-rate, 2 * rate], rtol=1e-3):
        return Verdict(False, "The sign is turned round: parting is positive.")
    if any(np.allclose([one, back], [rate / n, -rate / n], rtol=1e-3) for n in (1, 20)):
        return Verdict(False, "That does not ask how much time there was between the frames: use fps.")
    if np.allclose([one, back], [rate * 20 / 21, -2 * rate * 20 / 21], rtol=1e-3):
        return Verdict(False, "Nearly. T frames have T - 1 steps between them.")
    if one > 0 and back > 0:
        return Verdict(False, "It cannot tell parting from coming nearer: do not take the size of the change.")
    return Verdict(False, f"Two joints whose distance grows from {far[0]:.2f} to {far[-1]:.2f} m in one second part by "
                          f"{rate:.3f} m/s; yours says {one:.4g}.")
