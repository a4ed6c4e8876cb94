"""Checks for the exercises of chapter 3, "Before any network"."""

import torch

from ..core.arguments import count, each, flag, number
from ..evaluation import baselines
from ..sets import splits, synthetic, windows
from ..sets.registry import load_duet
from .verdict import check, compare, given, refuse


@check
def ex3_1(answer) -> str:
    """Exercise 3.1: windows of 64 frames, one every 4, in 300 frames; and the frames that neighbours share."""
    number_of, shared = given(answer, each(count(0), size=2), "Give two whole numbers: how many windows, and how many "
                                                              "frames two neighbours share.")
    compare(number_of, 60,
            (59, "Nearly. Both the first place and the last one count."),
            (75, "Not every frame can be a beginning: a window must end inside the take."),
            (237, "That many begin one at every frame. Here one begins at every fourth."),
            (4, "That many fit one after the other. These overlap: one begins every 4 frames."),
            otherwise="The first window begins at frame 0. Where does the last begin, if it ends with the take?")
    compare(shared, 60,
            (4, "Those are the new ones. The windows are right; of 64 frames, how many are left in common?"),
            (63, "That would be neighbours one frame apart. The windows are right; these are 4 apart."),
            (64, "Then the two would be one window. The windows are right; the next begins 4 frames later."),
            otherwise="The windows are right. The next one begins 4 frames later: how many are left in common?")
    return "Both are 60, by chance. Fifteen sixteenths of a window are in the next one too."


@check
def ex3_2(model) -> str:
    """Exercise 3.2: a forecaster that beats repeat and constant velocity at 200, 400 and 600 ms."""
    refuse((not callable(getattr(model, "predict", None)) or isinstance(model, type),
            "Hand over a forecaster, as in cl.checks.ex3_2(Mine()), with the brackets."))
    asked = windows.cut(synthetic.duet("canon", 600, seed=32), length=40)
    rows = {"yours": model, "repeat": baselines.ZeroVelocity(), "constant velocity": baselines.ConstantVelocity()}
    errors = [1000 * error.mean((0, 1)) for error in baselines.evaluate(rows, asked, (6, 12, 18)).errors.values()]
    mine, repeat, constant = (", ".join(f"{e:.1f}" for e in error) for error in errors)
    told = (f"At 200, 400 and 600 ms yours is off by {mine} mm, repeat by {repeat}, constant velocity by {constant}. ")
    over_repeat, over_constant = (errors[0] < baseline for baseline in errors[1:])  # [3], the horizons
    refuse((not errors[0].isfinite().all(),
            "It answers with numbers that are not finite. Does every horizon have steps ahead?"),
           (not over_constant.any(), told + "That goes on too far, or the wrong way. Can it tire?"),
           (not over_repeat.any(), told + "No better than standing still. Let it go on a little."),
           (not (over_repeat & over_constant).all(),
            told + "Better than each baseline somewhere, and not yet than both everywhere: it may go further early, "
                   "or tire sooner."))
    return told + "Better than both, and still without a network."


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


@check
def ex3_3(answer) -> str:
    """Exercise 3.3: in which of the three splits do training and test windows share frames."""
    answer = given(answer, each(flag, size=3), "Give a list of three, True where windows of both sides share frames.")
    refuse((not any(answer), "Two of the three share frames. Two windows do if they begin fewer frames apart than a "
                             "window is long."),
           (answer == [False, True, False], "The other way round: True where frames are shared."),
           (answer[1], "The second leaves a gap between training and test, as long as a window: see the starts."),
           (not answer[2], "Look at the third again, just where training ends and testing begins."),
           (not answer[0], "Look at the first again: its test windows were drawn at random. What begins one frame "
                           "before such a window?"))
    return "The third is the sly one: in order of time, and the windows at the border overlap."


@check
def ex3_4(answer) -> str:
    """Exercise 3.4: room, root-aligned and Procrustes-aligned error of a partner one metre aside, in mm."""
    compare(given(answer, each(number(), size=3),
                  "Give three numbers, in millimetres: in the room, root-aligned, Procrustes-aligned."), (1000, 0, 0),
            ((1, 0, 0), "These are metres."),
            ((1000, 1000, 0), "Root-aligned: pelvis is put on pelvis first. What is left between the other joints?"),
            ((1000, 1000, 1000), "That is the room three times. What do root and Procrustes take away first?"),
            ((1000, 0, 1000), "Procrustes takes away at least what root does: a shift, a rotation and a scale."),
            ((0, 0, 0), "In the room nothing is taken away: every joint is one metre off."),
            ((1000 / 3, 0, 0), "That is the mean over x, y and z. The error of a joint is the length of its arrow."),
            otherwise="Every joint is off by the same arrow. Which of the three takes that arrow away first?",
            rtol=0.001)
    return "Two of three metrics call it perfect."


@check
def ex3_5(answer) -> str:
    """Exercise 3.5: of which moment of a tells b's pose one second ahead, 400 ms late: ms after the last frame seen."""
    answer = given(answer, number(), "Give one number, in milliseconds after the last frame that was seen; got {}.")
    compare(answer, 600,
            (0.6, "That is seconds. In milliseconds?"),
            (18, "That is frames. How many milliseconds are they?"),
            (1400, "The other way: b shows what a did before, not what a will do."),
            (1000, "At that moment b is there, but b does what a did earlier."),
            (400, "That is the lag. b is seen one second ahead: which moment of a was 400 ms before that?"),
            (-400, "That is what b does at the last frame that was seen. And one second later?"),
            otherwise="b's pose is seen 1000 ms ahead, and b is 400 ms late.")
    return "Six tenths of a second of a's own future, which no past of a can show."
