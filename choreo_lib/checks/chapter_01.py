"""Checks for the exercises of chapter 1, "Seeing a duet"."""

from __future__ import annotations

import numpy as np

from ..body.motion import Motion
from ..sets.registry import load_duet
from .verdict import Verdict, forgiving


@forgiving
def ex1_1(lag) -> Verdict:
    """Exercise 1.1: how many frames later dancer b does what dancer a did, in the clip "synthetic/canon"."""
    true = load_duet("synthetic/canon").coupling.lag
    if not isinstance(lag, (int, np.integer)) or isinstance(lag, bool):
        return Verdict(False, f"A lag is a whole number of frames; got {lag!r}.")
    if lag == true:
        return Verdict(True, f"{true} frames at 30 frames per second is {true / 30:.2f} s, and it was planted so.")
    if lag == -true:
        return Verdict(False, "The number is right and the direction is not: who starts?")
    return Verdict(
        False,
        "Choose one moment, such as the highest point of a's left hand. Count the frames until b's left "
        "hand is highest for the same reason.",
    )


@forgiving
def ex1_2(speed) -> Verdict:
    """Exercise 1.2: a function from a Motion to the speed of every joint, [T - 1, J], in metres per second."""
    if not callable(speed):
        return Verdict(False, "The check takes your function itself: cl.checks.ex1_2(speed), without calling it.")
    motion = load_duet("synthetic/canon").a
    for tried in (motion, motion[::2]):
        got = np.asarray(speed(tried))
        want = np.linalg.norm(np.diff(tried.positions, axis=0), axis=-1) * tried.fps
        if got.shape != want.shape:
            return Verdict(
                False,
                f"The shape should be {want.shape}, one value a joint for each pair of neighbouring frames; "
                f"got {got.shape}.",
            )
        if np.allclose(got * tried.fps, want, rtol=1e-3, atol=1e-3):
            return Verdict(False, "That is metres per frame. How many frames are in a second?")
        if not np.allclose(got, want, rtol=1e-3, atol=1e-3):
            return Verdict(
                False,
                "Subtract neighbouring frames, take the length over x, y and z, then bring time in. Use the "
                "motion's own fps: the check tries two.",
            )
    return Verdict(True, f"The fastest joint of dancer a reaches {want.max():.1f} m/s.")


@forgiving
def ex1_3(read) -> Verdict:
    """Exercise 1.3: a Motion read with the right up axis and unit from the file that `puzzle_1_3` writes."""
    if not isinstance(read, Motion):
        return Verdict(False, f"Hand over the Motion that cl.read_motion gave; got {type(read).__name__}.")
    true = load_duet("synthetic/canon").a[:60]
    tall, right = (np.ptp(m.positions[..., 2], axis=1).mean() for m in (read, true))
    if tall > 10 * right:
        return Verdict(False, f"This dancer is {tall:.0f} m tall. What unit was the file written in?")
    head = read.positions[:, read.skeleton.index("head"), 2] - read.positions[:, 0, 2]
    if head.mean() < 0.3:
        return Verdict(False, "The head is not above the pelvis. Which axis of the file points to the ceiling?")
    if abs(tall - right) > 0.05:
        return Verdict(
            False, f"From sole to crown this dancer measures {tall:.2f} m on average and should measure {right:.2f} m."
        )
    return Verdict(True, "She stands, and she is as tall as she was.")


def puzzle_1_3(path) -> None:
    """Write the first two seconds of dancer a as points in centimetres with Y up: the file of exercise 1.3."""
    x, y, z = np.moveaxis(load_duet("synthetic/canon").a.positions[:60], -1, 0)
    np.save(path, 100 * np.stack([x, z, -y], axis=-1))


@forgiving
def ex1_4(answers) -> Verdict:
    """Exercise 1.4: which of three unnamed motions came from video, by their bones: a list of True and False."""
    try:
        answers = [bool(a) for a in answers]
    except TypeError:
        return Verdict(False, "Give a list of three, True where you think a camera and a network guessed the joints.")
    truth = [kind == "video" for kind, _ in _line_up()]
    if answers == truth:
        return Verdict(True, "Bones of a body keep their length; bones of a guess do not.")
    return Verdict(False, "Measure one bone, say from knee to ankle, in every frame. By how much does its length vary?")


def line_up_1_4() -> list[Motion]:
    """The three motions of exercise 1.4, without their names."""
    return [motion for _, motion in _line_up()]


def _points(motion: Motion) -> Motion:
    """As many frames as the guessed one, and points only: nothing but the bones gives it away."""
    return Motion(motion.positions[1:-1], motion.fps, motion.skeleton, source=motion.source)


def _line_up() -> list[tuple[str, Motion]]:
    """Clean, as from video (each joint guessed alone: noise along time, bones that breathe), clean."""
    rng = np.random.default_rng(4)
    a, b = load_duet("synthetic/mirror")
    noise = rng.normal(0, 0.03, a.positions.shape)
    noise = (noise[2:] + noise[1:-1] + noise[:-2]) / np.sqrt(3)
    guessed = Motion(a.positions[1:-1] + noise, a.fps, a.skeleton, source=a.source)
    return [("optical", _points(b)), ("video", guessed), ("optical", _points(load_duet("synthetic/canon").b))]
