"""Checks for the exercises of chapter 9, "Invisible strings"."""

import numpy as np
import torch

from ..core.arguments import number
from .verdict import check, compare, function_check, given, refuse, values


@function_check
def ex9_1(share) -> str:
    """Exercise 9.1: a softmax over the senders of one receiver and a null class."""
    asked = torch.tensor([[0.0, 3.0, -4.0], [0.0, 2.0, -1.0], [0.0, -5.0, -6.0], [0.0, 0.5, 2.0]], dtype=torch.float64)
    right = _with_null(asked).softmax(0)[1:]
    got = torch.as_tensor(share(asked), dtype=torch.float64)
    refuse((got.shape == (5, 3), "The null class is in the softmax, but it is no sender: leave that row out of what "
                                 "you give."))
    got = values(got, (4, 3), "Four senders and three receivers have [4, 3] probabilities, and it gives {}.")
    receivers = "That is a softmax over the receivers of one sender. It should be over the senders, the rows."
    worst = int((got - right).abs().nan_to_num(1.0).argmax())
    compare(got, right,
            (asked.sigmoid(), "That is a sigmoid: each sender by itself, so two joints can both be sure to have moved "
                              "one hand. Take a softmax over the senders."),
            (asked.softmax(0), "That is a softmax over the senders alone, so one of them always moved the hand. The "
                               "null class, with evidence 0, belongs in it."),
            (asked.exp(), "These are odds. Divide by their sum over the senders, and 1 for the null class."),
            (right.log(), "These are logarithms of the right probabilities: softmax, not log_softmax."),
            (asked.softmax(1), receivers),
            (_with_null(asked.T).softmax(0)[1:].T, receivers),
            otherwise=f"Where the senders of a receiver have evidence {asked[:, worst % 3].tolist()}, sender "
                      f"{worst // 3} has {float(right.flatten()[worst]):.3f}; yours says "
                      f"{float(got.flatten()[worst]):.3g}.", atol=1e-4)
    return "Where all four have evidence 0, each gets a fifth, and so does the null class: nobody."


def _with_null(evidence: torch.Tensor) -> torch.Tensor:
    """The null class, with evidence 0, as the first row: [senders, receivers] to [1 + senders, receivers]."""
    return torch.cat([torch.zeros_like(evidence[:1]), evidence])


@check
def ex9_2(answer) -> str:
    """Exercise 9.2: a good test where edges are rare."""
    answer = given(answer, number(), "Give one number, a share from 0 to 1.")
    right = 0.99 * 6 / (0.99 * 6 + 0.01 * 1676)
    refuse((1 < answer <= 100, "A share, not per cent: a number from 0 to 1."))
    compare(answer, right,
            (0.99, "That is how often an edge is found. How many false alarms come with it?"),
            (6 / 1682, "That is the share of edges among all pairs, before anybody has looked."),
            (1 - right, "That is the share of its alarms that are false."),
            (0.01, "That is how often it calls another pair an edge. How many such pairs are there?"),
            otherwise="Count alarms: right ones among 6 edges, false ones among 1,676 other pairs.", rtol=0.02)
    return "Three of four alarms are false, though the test errs once in a hundred times."


@function_check
def ex9_3(parting) -> str:
    """Exercise 9.3: how fast two joints part."""
    time = np.linspace(0, 1, 21)[:, None]
    a = np.array([1.0, 0.0, 0.0]) + time * (0.5, 0.2, 0.1)
    b = np.array([0.0, 2.0, 0.0]) + time**2 * (0.0, 1.5, 0.0)
    far = np.linalg.norm(a - b, axis=-1)
    got = [float(values(parting(*asked), (), "It should give one number, and gives {}. Is a mean over frames missing?"))
           for asked in ((a, b, 20.0), (b[::-1], a[::-1], 40.0))]
    rate = far[-1] - far[0]
    right = np.array([rate, -2 * rate])  # backwards and twice as fast
    frames = "That does not ask how much time there was between the frames: use fps."
    compare(got, right,
            ([far.mean()] * 2, "That is how far apart they are, in metres. Parting is how fast this grows."),
            (-right, "The sign is turned round: parting is positive."),
            ([rate, -rate], frames),
            ([rate / 20, -rate / 20], frames),
            (right * 20 / 21, "Nearly. T frames have T - 1 steps between them."),
            (min(got) > 0, "It cannot tell parting from coming nearer: do not take the size of the change."),
            otherwise=f"Two joints whose distance grows from {far[0]:.2f} to {far[-1]:.2f} m in one second part by "
                      f"{rate:.3f} m/s; yours says {got[0]:.4g}.", rtol=1e-3)
    return f"They part by {rate:.2f} m/s; danced backwards and twice as fast, by {-2 * rate:.2f}."
