"""Checks for the exercises of chapter 11, "Is it any good?"."""

import numpy as np

from ..body.motion import Duet, Motion
from ..core.arguments import number
from ..evaluation import metrics
from ..sets import synthetic
from .verdict import check, compare, function_check, given, refuse, values, whole


@function_check
def ex11_1(nearer) -> str:
    """Exercise 11.1: a paired effect size, in per cent."""
    true = np.array([100.0, 120.0, 90.0, 150.0, 110.0, 130.0, 70.0, 95.0])
    other = np.array([140.0, 120.0, 130.0, 140.0, 150.0, 160.0, 70.0, 91.0])
    got = float(values(nearer(true, other), (), "It should give one number, and gives {}. Is a mean missing?"))
    right = 100 * ((true < other).mean() + 0.5 * (true == other).mean())
    all_pairs = 100 * (np.sign(other[None] - true[:, None]) + 1).mean() / 2
    compare(got, right,
            (right / 100, "That is a share. In per cent it is a hundred times as much."),
            (100 * (true < other).mean(), "Ties count nothing here. A window in which both are as near is half a win: "
                                          "else a model that hears nothing would have 0 and not 50."),
            (100 * (true <= other).mean(), "Ties count whole here, so a model that hears nothing would have 100. Let "
                                           "them count half."),
            (100 - right, "That is how often the other leader is nearer. Which error should be the smaller one?"),
            (all_pairs, "That compares every window with every other. They are paired: the first with the first."),
            ((other - true).mean(), "That is by how much, in millimetres; the effect asked for is how often."),
            otherwise=f"Of eight windows the true leader is nearer in {int((true < other).sum())}, and in "
                      f"{int((true == other).sum())} both are as near; yours says {got:.4g}.", rtol=1e-3)
    return "A model that hears nothing has 50, however large its errors are."


@check
def ex11_2(answer) -> str:
    """Exercise 11.2: how many right answers of thirty are more than guessing."""
    answer = given(answer, number(), "Give one number: how many of thirty.")
    refuse((0 < answer < 1, "How many of the thirty, not their share."))
    compare(answer, 20,
            (15, "That is what guessing gives on average: half of all classes that guess do so well, or better."),
            (16, "More than half is no proof: of classes that guess, 43 in 100 do so well or better."),
            (19, "Nearly. Guessing gives 19 or more in 10 classes of 100."),
            (18, "That comes by guessing in 18 classes of 100."),
            (21, "That is what a two-sided test asks for. Here only too many right answers count against guessing; "
                 "one fewer will do."),
            (29, "With 29 nobody would doubt. How few would still be rarer than one class in twenty?"),
            otherwise="Add up the probabilities of k, k + 1, ... 30 right answers, each one half to choose; the "
                      "smallest k whose sum is below 0.05 is asked for.", rtol=1e-6)
    return "Twenty or more of thirty come by guessing in 4.9 classes of 100."


@function_check
def ex11_3(partner) -> str:
    """Exercise 11.3: a cheat for the beat echo degree, and no copy."""
    leader = synthetic.duet("canon", 240, seed=113).a
    got = values(partner(leader.positions, leader.fps), leader.positions.shape,
                 f"A partner has the leader's shape {list(leader.positions.shape)}; yours has {{}}.").numpy()
    refuse((not np.isfinite(got).all(), "Some of its numbers are not finite."))
    moves = np.linalg.norm(np.diff(got, axis=0), axis=-1)
    own = Motion(got.astype(np.float32), leader.fps, leader.skeleton)
    apart = float(metrics.pelvis_distance(Duet(leader, own)).min())
    beats = metrics.beats(own)
    refuse((apart < 0.3, f"It is {100 * apart:.0f} cm from the leader: it dances inside of somebody. Put it beside."),
           (moves.max() < 1e-6, "It never moves, so it has no beats at all, and the degree is 0."),
           (apart > 20, f"It is {apart:.0f} m away: nobody would see that they dance together."),
           (not len(beats), "It never slows down, so it has no beats."),
           (_alike(got, leader.positions) < 0.01, "You dance the leader's own steps, as the copy in this chapter does. "
                                                  "Find one that is no copy: who else stops when the leader stops?"))
    degree = metrics.beat_echo(leader, own)
    late = metrics.beat_echo(leader[:-8], own[8:])
    refuse((degree < 0.9 and late > degree + 0.1, f"It echoes {degree:.2f}, and would echo {late:.2f} if it were not "
                                                  "late. This measure has no ear for a canon: answer at once."),
           (degree < 0.9, f"It echoes {degree:.2f} of the leader's beats; 0.90 is asked for. Where does the leader "
                          "nearly stop, and where does yours?"))
    return f"Beat echo degree {degree:.2f}; the dancers of this set have about 0.65. Would you dance with it?"


@check
def ex11_4(answer) -> str:
    """Exercise 11.4: how many graphs of four bodies there are, if bodies have no names."""
    answer = given(answer, whole, "Give one whole number.")
    compare(answer, 11,
            (64, "That many there are with names: 6 pairs, 2 choices each. Renamed ones are the same here."),
            (24, "That is in how many ways four bodies can be named."),
            (6, "That is the number of pairs. Each has a spring or none."),
            (7, "Counting springs, 0 to 6, is a beginning; but three springs can be a triangle, a path or a star."),
            (34, "That is with five bodies."), (4, "That is with three bodies."),
            (16, "Four bodies have 6 pairs, not 4."),
            otherwise="Count by the number of springs, 0 to 6: how many different shapes has each?", rtol=1e-9)
    return "1, 1, 2, 3, 2, 1 and 1 with 0 to 6 springs; a split by names lets all 11 into the training."


def _alike(x: np.ndarray, y: np.ndarray) -> float:
    """By how much the distances between joints differ from body to body, metres: 0 for a copy, turned or mirrored."""
    joints = slice(None, None, 3)
    mine, yours = (np.linalg.norm(each[::5, joints, None] - each[::5, None, joints], axis=-1) for each in (x, y))
    return float(np.abs(mine - yours).mean())
