"""Checks for the exercises of chapter 1, "Seeing a duet"."""

import numpy as np

from ..body.motion import Motion
from ..core.arguments import a, each, flag, number
from ..sets.registry import load_duet
from .verdict import check, compare, function_check, given, refuse, values, whole


@check
def ex1_1(lag) -> str:
    """Exercise 1.1: how many frames later dancer b does what dancer a did, in the clip "synthetic/canon"."""
    true = load_duet("synthetic/canon").coupling.lag
    seconds = given(lag, number(), "A lag is a whole number of frames; got {}.")
    refuse((np.isclose(abs(seconds), true / 30, atol=0.005), "That is in seconds. How many frames are in one?"),
           (np.isclose(abs(seconds), 1000 * true / 30, atol=5), "That is in milliseconds. How many frames are they?"))
    lag = given(lag, whole, "A lag is a whole number of frames; got {}.")
    compare(lag, true,
            (-true, "The number is right and the direction is not: who starts?"),
            (0, "At no lag the two do the same at the same time: that is a mirror or a unison, and no canon."),
            (abs(lag - true) <= 2, "Nearly. The peaks of the curves are flat: compare whole curves, not one moment."),
            otherwise="Choose one moment, such as the highest point of a's left hand. Count the frames until b's left "
                      "hand is highest for the same reason.")
    return f"{true} frames at 30 frames per second is {true / 30:.2f} s, and it was planted so."


@function_check
def ex1_2(speed) -> str:
    """Exercise 1.2: a function from a Motion to the speed of every joint, [T - 1, J], in metres per second."""
    motion = load_duet("synthetic/canon").a
    for tried in (motion, motion[::2]):
        want = np.linalg.norm(np.diff(tried.positions, axis=0), axis=-1) * tried.fps
        got = values(speed(tried), want.shape, f"The shape should be {list(want.shape)}, one value a joint for each "
                                               "pair of neighbouring frames; got {}.")
        steps = np.diff(tried.positions, axis=0)
        compare(got, want,
                (want / tried.fps, "That is metres per frame. How many frames are in a second?"),
                (want / tried.fps**2, "Divided where it should be multiplied: a second holds many frames."),
                (want**2 / tried.fps, "Squared, and the root is missing: a length is the root of a sum of squares."),
                (want**2, "Squared, and the root is missing: a length is the root of a sum of squares."),
                (np.abs(steps).sum(-1) * tried.fps, "That adds up the ways along x, y and z, as one walks round blocks "
                                                    "of houses. The straight way is the root of the sum of squares."),
                (np.linalg.norm(steps[..., :2], axis=-1) * tried.fps, "That is speed over the floor. Up and down "
                                                                      "counts too."),
                (bool(np.allclose(got, want / tried.fps * 30, 1e-3, 1e-3)),
                 "Right for 30 frames per second only. Use the motion's own fps."),
                otherwise="Subtract neighbouring frames, take the length over x, y and z, then bring time in. Use the "
                          "motion's own fps: the check tries two.", rtol=1e-3, atol=1e-3)
    return f"The fastest joint of dancer a reaches {want.max():.1f} m/s."


@check
def ex1_3(read) -> str:
    """Exercise 1.3: a Motion read with the right up axis and unit from the file that `puzzle_1_3` writes."""
    read = given(read, a(Motion), "Hand over the Motion that cl.read_motion gave; got {}.")
    tall, right = (np.ptp(motion.positions[..., 2], axis=1).mean()
                   for motion in (read, load_duet("synthetic/canon").a[:60]))
    head = read.positions[:, read.skeleton.index("head"), 2] - read.positions[:, 0, 2]
    refuse((tall > 10 * right, f"This dancer is {tall:.0f} m tall. What unit was the file written in?"),
           (tall < 0.1 * right, f"This dancer is {1000 * tall:.0f} mm tall. The unit is larger than that."),
           (head.mean() < -0.3, "Upside down: the axis is right, and its direction is not."),
           (head.mean() < 0.3, "The head is not above the pelvis. Which axis of the file points to the ceiling?"),
           (abs(tall - right) > 0.05, f"From sole to crown this dancer measures {tall:.2f} m on average and should "
                                      f"measure {right:.2f} m. Metres, centimetres, inches: which fits?"))
    return "The dancer stands, and is as tall as before."


def puzzle_1_3(path) -> None:
    """Write the first two seconds of dancer a as points in centimetres with Y up: the file of exercise 1.3."""
    x, y, z = np.moveaxis(load_duet("synthetic/canon").a.positions[:60], -1, 0)
    np.save(path, 100 * np.stack([x, z, -y], axis=-1))


@check
def ex1_4(answers) -> str:
    """Exercise 1.4: which of three unnamed motions came from video, by their bones: a list of True and False."""
    answers = given(answers, each(flag, size=3),
                    "Give a list of three, True where you think a camera and a network guessed the joints.")
    right = [kind == "video" for kind, _ in _line_up()]
    refuse((not any(answers), "One of the three was guessed. Measure one bone, say from knee to ankle, in every frame. "
                              "By how much does its length vary?"),
           (answers == [not each for each in right], "The other way round: True for the one that was guessed."),
           (all(answers), "Only one of the three was guessed. In which do bones change their length?"),
           (sum(answers) > 1, "Only one of the three was guessed: look again at the bones of each."))
    compare(answers, right,
            otherwise=f"The bones of number {answers.index(True) + 1} keep their length, as those of a body do. "
                      "Measure one bone in every frame, in each of the three.")
    return "Bones of a body keep their length; bones of a guess do not."


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
