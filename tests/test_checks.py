"""Exercise checks accept the solution the chapter prints and reject plausible wrong answers."""

import numpy as np
import pytest
import torch

import choreo_lib as cl
from choreo_lib import checks
from choreo_lib.sets import synthetic


def test_ex1_1():
    duet = cl.load_duet("synthetic/canon")
    hand = duet.a.skeleton.index("left_middle")
    a, b = (m.positions[:, hand, 2] for m in duet)
    lag = min(range(1, 40), key=lambda shift: np.abs(b[shift:] - a[: len(a) - shift]).mean())
    assert checks.ex1_1(lag) and "planted" in repr(checks.ex1_1(lag))
    for wrong in (0, lag + 3, 0.5, -lag, True, "15"):
        assert not checks.ex1_1(wrong)
    for wrong, said in ((-lag, "direction"), (lag / 30, "in seconds"), (500, "milliseconds"), (0, "no canon"),
                        (lag + 1, "Nearly"), (lag - 2, "Nearly"), (30, "Choose one moment"), (None, "whole number")):
        assert not checks.ex1_1(wrong) and said in checks.ex1_1(wrong).message
        assert str(lag) not in checks.ex1_1(wrong).message


def test_ex1_2():
    def right(motion):
        return np.linalg.norm(np.diff(motion.positions, axis=0), axis=-1) * motion.fps

    assert checks.ex1_2(right)
    assert "per frame" in checks.ex1_2(lambda m: right(m) / m.fps).message
    assert "shape" in checks.ex1_2(lambda m: np.diff(m.positions, axis=0)).message
    def steps(motion):
        return np.diff(motion.positions, axis=0)

    wrongs = {"30 frames per second only": lambda m: right(m) / m.fps * 30, "per frame": lambda m: right(m) / m.fps,
              "multiplied": lambda m: right(m) / m.fps**2, "root is missing": lambda m: (steps(m) ** 2).sum(-1) * m.fps,
              "blocks of houses": lambda m: np.abs(steps(m)).sum(-1) * m.fps,
              "over the floor": lambda m: np.linalg.norm(steps(m)[..., :2], axis=-1) * m.fps,
              "Subtract neighbouring": lambda m: 2 * right(m), "return": lambda m: None,
              "should be [299, 29]": lambda m: right(m).mean(1), "could not answer": lambda m: m.velocity_of}
    for said, wrong in wrongs.items():
        assert not checks.ex1_2(wrong) and said in checks.ex1_2(wrong).message, said
    assert not checks.ex1_2(right(cl.load_duet("synthetic/canon").a))


def test_ex1_3(tmp_path):
    checks.puzzle_1_3(tmp_path / "sent.npy")
    read = lambda **how: cl.read_motion(tmp_path / "sent.npy", fps=30, **how)  # noqa: E731
    assert checks.ex1_3(read(up="y", scale=0.01))
    assert "unit" in checks.ex1_3(read(up="z", scale=1.0)).message
    assert "ceiling" in checks.ex1_3(read(up="z", scale=0.01)).message
    for wrong, said in ((read(up="-y", scale=0.01), "Upside down"), (read(up="y", scale=0.0254), "inches"),
                        (read(up="y", scale=0.0001), "mm tall"), (read(up="x", scale=0.01), "ceiling"),
                        ("y", "read_motion")):
        assert not checks.ex1_3(wrong) and said in checks.ex1_3(wrong).message


def test_ex1_4():
    def varies(motion):
        parents, children = np.array(motion.skeleton.bones).T
        lengths = np.linalg.norm(motion.positions[:, children] - motion.positions[:, parents], axis=-1)
        return (lengths.std(axis=0) / lengths.mean(axis=0)).max() > 0.01

    answer = [varies(m) for m in checks.line_up_1_4()]
    assert checks.ex1_4(answer)
    first, last = [True, False, False], [False, False, True]
    for wrong, said in (([False] * 3, "One of the three"), ([True] * 3, "Only one"),
                        ([not a for a in answer], "other way"),
                        (answer[:2], "list of three"), (3, "list of three"), (first, "number 1 keep"),
                        (last, "number 3 keep"), ([True, True, False], "each")):
        assert not checks.ex1_4(wrong) and said in checks.ex1_4(wrong).message


@pytest.mark.parametrize("name", [n for n in vars(checks) if n.startswith("ex")])
def test_a_verdict_says_something(name):
    verdict = getattr(checks, name)(None)
    assert not verdict and repr(verdict).startswith("Not yet. ") and len(verdict.message) > 20


def test_ex2_1():
    seen = cl.cleaning.corrupt(cl.load_duet("synthetic/canon"), seed=0)
    share = np.mean([len(people) != 2 for people in seen.people])
    assert checks.ex2_1(share)
    for wrong in (1 - share, 100 * share, 0.1, 0.15, None, True, np.nan, 57, -1):
        assert not checks.ex2_1(wrong)
    for wrong, said in ((19, "percentage"), (0.81, "kept"), (57, "number of frames"), (0.1, "show nobody."),
                        (0.15, "nobody or one"), (0.05, "show one person"), (0.04, "show three"), (0.5, "Nobody, one")):
        assert not checks.ex2_1(wrong) and said in checks.ex2_1(wrong).message


def test_ex2_2():
    def runs(index, fps):
        longest = []
        for column in index.T:
            away = "".join("x" if i < 0 else " " for i in column)
            longest.append(max((len(run) for run in away.split()), default=0) / fps)
        return longest

    assert checks.ex2_2(runs)
    assert "frames" in checks.ex2_2(lambda index, fps: runs(index, 1)).message
    assert "adds up" in checks.ex2_2(lambda index, fps: (index < 0).sum(0) / fps).message
    assert "until the end" in checks.ex2_2(lambda index, fps: [runs(index, fps)[0], 0]).message
    assert not checks.ex2_2(lambda index, fps: None) and not checks.ex2_2([0.15, 0.3])
    assert "order" in checks.ex2_2(lambda index, fps: runs(index, fps)[::-1]).message
    assert "ZeroDivisionError" in checks.ex2_2(lambda index, fps: 1 / 0).message
    assert "never away" in checks.ex2_2(lambda index, fps: runs(index, fps) if (index < 0).any() else [1, 1]).message


def test_ex2_3():
    danced, suspects = checks.line_up_2_3()

    def late(curve):
        u, v = np.diff(danced)[:-12], np.diff(curve)
        return max(range(12), key=lambda k: (u * v[k : k + len(u)]).sum())

    shifts = [late(curve) for curve in suspects]
    assert sorted(shifts)[:2] == [0, 0] and checks.ex2_3((int(np.argmax(shifts)), max(shifts)))
    for wrong in ((0, 5), (1, 5), (2, 0), (2, 9), None, 2, (2, None), (2, "x")):
        assert not checks.ex2_3(wrong)
    for wrong, said in (((3, 5), "counted from 0"), ((7, 5), "0, 1 or 2"), ((2, -5), "positive"), ((2, 0), "and late"),
                        ((2, 11), "look"), ((2, 8), "not that late"), ((0, 5), "rounds off"), ((1, 5), "rounds off")):
        assert not checks.ex2_3(wrong) and said in checks.ex2_3(wrong).message


def test_ex2_4():
    assert checks.ex2_4((6, 7.5)) and checks.ex2_4(np.array([4, 5]) * 1.5)
    for wrong in ((4, 5), (6, 7), (2.67, 3.33), (7.5, 6), (6,), None):
        assert not checks.ex2_4(wrong)
    for wrong, said in (((4 / 1.5, 5 / 1.5), "other way"), ((4, 5), "Nothing has changed"), ((6, 7), "by a factor"),
                        ((5.5, 6.5), "by a factor"), ((7.5, 6), "nearer one"), ((8, 10), "doubled")):
        assert not checks.ex2_4(wrong) and said in checks.ex2_4(wrong).message


def test_ex3_1():
    starts = [s for s in range(300) if s % 4 == 0 and s + 64 <= 300]
    assert checks.ex3_1((len(starts), 64 - 4))
    for wrong in ((59, 60), (75, 60), (60, 4), (237, 63), None, 60, (np.inf, 1), (60.9, 60.2), "60"):
        assert not checks.ex3_1(wrong)
    for wrong, said in (((59, 60), "first place and the last"), ((75, 60), "end inside"), ((237, 60), "every fourth"),
                        ((4, 0), "overlap"), ((60, 4), "new ones"), ((60, 63), "one frame apart"),
                        ((60, 64), "one window"), ((61, 60), "Where does the last begin")):
        assert not checks.ex3_1(wrong) and said in checks.ex3_1(wrong).message


def test_ex3_2():
    def mine(steps):
        model = cl.baselines.ZeroVelocity()
        model.steps_ahead = steps
        return model

    assert checks.ex3_2(mine(lambda h: sum(0.75**k for k in range(h))))
    assert "standing still" in checks.ex3_2(mine(lambda h: 0.0)).message
    assert "too far" in checks.ex3_2(mine(lambda h: 1.3 * h)).message
    assert "not yet" in checks.ex3_2(mine(lambda h: 0.5 * h)).message
    assert "NotImplementedError" in checks.ex3_2(mine(lambda h: (_ for _ in ()).throw(NotImplementedError))).message
    assert "finite" in checks.ex3_2(mine(lambda h: np.nan)).message
    assert not checks.ex3_2(cl.baselines.ZeroVelocity) and not checks.ex3_2(None)


def test_ex3_3():
    takes = [
        [{(int(w), f) for w, start in zip(side.take, side.start) for f in range(start, start + side.length)}
         for side in split]
        for split in checks.splits_3_3()
    ]  # fmt: skip
    shared = [bool(train & test) for train, test in takes]
    assert shared == [True, False, True] and checks.ex3_3(shared)
    for wrong, said in (([True] * 3, "second leaves a gap"), ([False] * 3, "Two of the three"),
                        ([False, True, False], "other way round"), ([True, False, False], "third again"),
                        ([False, False, True], "first again"), ([True, True, False], "second leaves")):
        assert not checks.ex3_3(wrong) and said in checks.ex3_3(wrong).message
    for wrong in ([True, False, False], [False, True, False], [True] * 3, None, [True, False], "abc", ["True"] * 3):
        assert not checks.ex3_3(wrong)


def test_ex3_4():
    there = cl.load_duet("synthetic/canon").b.positions.astype(float)
    aside = there + (1.0, 0, 0)
    errors = [1000 * cl.metrics.mpjpe(aside, there, align).mean() for align in (None, "root", "procrustes")]
    assert checks.ex3_4(np.round(errors, 6))
    for wrong in (None, 1000, "100", (0, 0, 1000)):
        assert not checks.ex3_4(wrong)
    for wrong, said in (((1, 0, 0), "metres"), ((1000, 1000, 0), "Root-aligned"), ((1000,) * 3, "three times"),
                        ((1000, 0, 1000), "Procrustes takes"), ((0, 0, 0), "In the room"),
                        ((333.3, 0, 0), "mean over x"), ((500, 0, 0), "same arrow")):
        assert not checks.ex3_4(wrong) and said in checks.ex3_4(wrong).message


def test_ex3_5():
    duet = synthetic.duet("canon", 300, seed=5, lag=12, strength=1.0)
    hand = duet.a.skeleton.index("left_wrist")
    a, b = (m.positions[:, hand] - m.positions[:, 0] for m in duet)
    near = [np.linalg.norm(a[100 + k : 200 + k] - b[130:230], axis=-1).mean() for k in range(45)]
    assert checks.ex3_5(1000 * np.argmin(near) / 30)  # the moment of a that b's pose one second ahead is most like
    for wrong, said in ((0.6, "seconds"), (18, "frames"), (1400, "other way"), (1000, "earlier"), (400, "the lag"),
                        (-400, "one second later"), (700, "400 ms late"), (None, "milliseconds"), (True, "one number")):
        assert not checks.ex3_5(wrong) and said in checks.ex3_5(wrong).message


def test_ex4_1():
    def right(m, s, n, t):
        return ((t / s).log() + (s**2 + (m - n) ** 2) / (2 * t**2) - 0.5).sum()

    assert checks.ex4_1(right)
    assert checks.ex4_1(lambda m, s, n, t: ((s / t) ** 2 + ((m - n) / t) ** 2 - 1 - 2 * (s / t).log()).sum().item() / 2)
    wrongs = {
        "mean over units": lambda m, s, n, t: right(m, s, n, t) / m.numel(),
        "factor 1/2": lambda m, s, n, t: 2 * right(m, s, n, t),
        "from N(0, 1)": lambda m, s, n, t: 0.5 * (m**2 + s**2 - 1 - 2 * s.log()).sum(),
        "other way round": lambda m, s, n, t: right(n, t, m, s),
        "wrong sign": lambda m, s, n, t: ((s / t).log() + (s**2 + (m - n) ** 2) / (2 * t**2) - 0.5).sum(),
        "by the prior's variance": lambda m, s, n, t: ((t / s).log() + (s / t) ** 2 / 2 + (m - n) ** 2 / 2 - 0.5).sum(),
        "deviations for variances": lambda m, s, n, t: ((t / s).log() + (s + (m - n) ** 2) / (2 * t) - 0.5).sum(),
        "they are squares": lambda m, s, n, t: right(m, s, n, t) - (t / s).log().sum() / 2,
        "The 1 in": lambda m, s, n, t: right(m, s, n, t) + 0.5 * m.numel(),
        "bits": lambda m, s, n, t: right(m, s, n, t) / np.log(2),
        "15 numbers": lambda m, s, n, t: (t / s).log() + (s**2 + (m - n) ** 2) / (2 * t**2) - 0.5,
        "below zero": lambda m, s, n, t: -right(m, s, n, t),
        "ZeroDivisionError": lambda m, s, n, t: 1 / 0,
        "one unit with mean 0": lambda m, s, n, t: 0.0,
    }
    for said, wrong in wrongs.items():
        assert not checks.ex4_1(wrong) and said in checks.ex4_1(wrong).message, said


def test_ex4_1_tells_apart_what_one_unit_of_sigma_a_half_tells_apart():
    """The answers that are easily confused give other numbers for mean 0, sigma 0.5 and N(0, 1) too, as the hint has
    it."""
    s = 0.5
    costs = [0.5 * (s**2 - 1 - 2 * np.log(s)), s**2 - 1 - 2 * np.log(s), 0.5 * (s - 1 - 2 * np.log(s)),
             0.5 * (s**2 - 1 - np.log(s)), 0.5 * (s**2 - 1 + 2 * np.log(s))]  # fmt: skip
    assert round(costs[0], 2) == 0.32 and len(set(np.round(costs, 2))) == 5


def test_ex4_2():
    latents = torch.randn(4000, 1024, generator=torch.Generator().manual_seed(0))
    distance = latents.norm(dim=1).mean()
    share = ((latents[::2] + latents[1::2]) / 2).norm(dim=1).mean() / distance
    assert checks.ex4_2((distance, share))
    for wrong, said in (((1024, 0.71), "squared"), ((1, 0.71), "one number"), ((0, 0.71), "no room"),
                        ((16, 0.71), "256"), ((50, 0.71), "take the root"), ((32, 0.5), "which angle"),
                        ((32, 1), "the same"), ((32, 0), "opposite"), ((32, 22.6), "divide"),
                        ((32, 0.6), "take their mean"), ((np.nan, 0.7071), "two numbers"),
                        ((32, np.nan), "two numbers"), (None, "two numbers"), (32, "two numbers"),
                        ("32", "two numbers")):  # fmt: skip
        assert not checks.ex4_2(wrong) and said in checks.ex4_2(wrong).message, wrong


def test_ex4_3():
    found = [bool(checks.ex4_3(sigma)) for sigma in np.arange(0, 2.01, 0.2)]
    assert any(found) and not found[0] and not found[-1] and checks.ex4_3(1.1)
    for wrong, said in ((0, "only reconstructed"), (0.5, "squares add up"), (1.5, "range that is asked"),
                        (2, "larger step"), (0.3, "More noise"), (3, "Less noise"), (None, "zero or more"),
                        (-1, "zero or more"), ("much", "zero or more"), (np.nan, "zero or more")):  # fmt: skip
        assert not checks.ex4_3(wrong) and said in checks.ex4_3(wrong).message, wrong


def test_ex5_1():
    def mask(frames, reach):
        now, then = torch.arange(frames)[:, None], torch.arange(frames)[None]
        return (then > now) | (now - then > reach)

    assert checks.ex5_1(mask)
    for wrong, said in ((lambda f, r: ~mask(f, r), "other way"), (lambda f, r: mask(f, r).T, "Rows and columns"),
                        (lambda f, r: mask(f, f), "too long ago"), (lambda f, r: mask(f, r - 1), "too strict"),
                        (lambda f, r: mask(f, r) | torch.eye(f, dtype=torch.bool), "itself"),
                        (lambda f, r: mask(f, r).float(), "True or False"), (lambda f, r: mask(f, r)[0], "for every"),
                        (lambda f, r: mask(f, r + 1), "too generous"), (lambda f: f, "could not answer"),
                        (lambda f, r: mask(f, r + 3), "should see frames 2"), (lambda f, r: None, "return"),
                        (lambda f, r: mask(f, r) | mask(f, r).T, "should see frames 2"),
                        (lambda f, r: (torch.arange(f)[:, None] - torch.arange(f)).abs() > r, "both directions"),
                        (lambda f, r: mask(9, 3), "no others"),
                        (3, "without calling")):
        assert not checks.ex5_1(wrong) and said in checks.ex5_1(wrong).message


def test_ex5_2():
    torch.manual_seed(0)
    assert checks.ex5_2((0, float((torch.randn(200_000) < 0.1).float().mean())))
    for wrong, said in (((0.5, 0.54), "rand"), ((0, 0.1), "what was meant"), ((0, 0.6), "count"), (0.54, "two numbers"),
                        ((2, 0.54), "half of a Gaussian"), ((0, 54), "percentage"),
                        ((float("nan"), 0.54), "two numbers"), ((0, float("nan")), "two numbers"),
                        ((1, 0.54), "84 of 100"), ((0, 0.46), "above 0.1"),
                        ((0, 0.08), "within 0.1"), ((0, 0.04), "between 0 and 0.1"), ((0, 0.5), "a little more")):
        assert not checks.ex5_2(wrong) and said in checks.ex5_2(wrong).message


def test_ex5_3():
    for right in (("first", "regression to the mean"), ("First", " freezing "), ("first", "falling asleep")):
        assert checks.ex5_3(right)
    same = "condition-insensitive output"
    for wrong, said in ((("second", "freezing"), "nearly as fast"), (("first", "jitter"), "0.6"),
                        (("first", "drift"), "far off"), (("first", same), "compare leaders"),
                        (("second", "jitter"), "hardly more"), (("second", "drift"), "will of its own"),
                        (("drift", "first"), "First which"), ("freezing", "two words"), (4, "two words"),
                        (("third", "freezing"), "The one is"), (("first", "slow"), "The one is")):
        assert not checks.ex5_3(wrong) and said in checks.ex5_3(wrong).message


def test_ex5_4():
    film = checks.film_5_4()
    lead = cl.metrics.mean_speed(film.a, ["left_wrist"])
    parts = ("head", "left_wrist", "right_wrist", "left_knee", "right_knee", "left_ankle", "right_ankle")
    speeds = {part: cl.metrics.mean_speed(film.b, [part]) for part in parts}
    found = {part: cl.metrics.cross_correlation(lead, speed, film.fps) for part, speed in speeds.items()}
    best = max(parts, key=lambda part: np.nanmean(found[part].peak))
    assert checks.ex5_4((best, 1000 * np.nanmedian(found[best].lag))) and checks.ex5_4(("Right knee", 370))
    for wrong, said in (((best, 11), "frames"), ((best, 0.367), "seconds"), ((best, -367), "positive"),
                        ((best, 0), "mirror"), ((best, 600), "Which lag"), (("left knee", 367), "other side"),
                        (("head", 367), "Not the head"), (("right_ankle", 367), "carried along"),
                        (("left_wrist", 367), "leads with"), ((367, best), "such as"), (best, "such as"),
                        ((best, float("nan")), "such as"), ((best, "367"), "such as")):
        assert not checks.ex5_4(wrong) and said in checks.ex5_4(wrong).message


def test_ex6_1():
    def apart(q, p):
        return torch.rad2deg(2 * torch.acos((q * p).sum(-1).abs().clamp(max=1)))

    assert checks.ex6_1(apart)
    for wrong, said in ((lambda q, p: torch.rad2deg(2 * torch.acos((q * p).sum(-1).clamp(-1, 1))), "same rotation"),
                        (lambda q, p: apart(q, p) / 2, "half the angle"), (lambda q, p: apart(q, p).sum(), "a pair"),
                        (lambda q, p: torch.deg2rad(apart(q, p)), "radians"), (lambda q, p: None, "return"),
                        (lambda q, p: torch.rad2deg(2 * torch.acos((q * p).sum(-1).abs())), "nan"),
                        (lambda q, p: 60 * (q - p).norm(dim=-1), "degrees apart"), (7, "without calling"),
                        (lambda q, p: (q - p).norm(dim=-1), "no angle"), (lambda q, p: (q * p).sum(-1), "cosine"),
                        (lambda q, p: torch.acos((q * p).sum(-1).clamp(-1, 1)), "in radians"),
                        (lambda q, p: 360 - apart(q, p), "longer way"), (lambda q, p: 1 / 0, "ZeroDivisionError"),
                        (lambda q, p: torch.rad2deg(2 * torch.acos(p[..., 3].abs())), "degrees apart"),
                        (lambda q: q, "could not answer")):
        assert not checks.ex6_1(wrong) and said in checks.ex6_1(wrong).message


def test_ex6_2():
    assert checks.ex6_2((0, 170)) and checks.ex6_2([0.0, 170.0])
    for wrong, said in (((180, 10), "would be right"), ((0, 10), "180"), ((20, 170), "smallest"), (0, "two numbers"),
                        ((170, 0), "one of the two"), ((0, 20), "from each other"), ((0, 340), "difference"),
                        ((0, 0), "in no case"), ((0, 90), "other way"),
                        ((float("nan"), 170), "two numbers"), ((0, float("nan")), "two numbers")):
        assert not checks.ex6_2(wrong) and said in checks.ex6_2(wrong).message


def test_ex6_3():
    def fade(frames):
        return torch.sin(torch.pi * (torch.arange(frames) + 0.5) / frames) ** 2

    assert checks.ex6_3(fade) and checks.ex6_3(torch.hann_window)
    triangle = lambda n: 1 - (2 * (torch.arange(n) + 0.5) / n - 1).abs()  # noqa: E731
    for wrong, said in ((triangle, "full pace"), (lambda n: torch.full((n,), 0.5), "nobody fades"),
                        (lambda n: np.hanning(n), "zero"),
                        (lambda n: fade(n) * 2, "shares"), (lambda n: 1 - fade(n), "at its ends"),
                        (lambda n: torch.full((n,), torch.nan), "no numbers"),
                        (lambda n: (torch.arange(n) // (n // 4) % 3 > 0).float(), "at once"),
                        (lambda n: fade(64), "one weight"), (lambda n: None, "return"), (3, "without calling"),
                        (lambda n: torch.cat([torch.zeros(n // 2), torch.ones(n // 2)]), "otherwise"),
                        (lambda n: fade(n).sqrt(), "overlap")):
        assert not checks.ex6_3(wrong) and said in checks.ex6_3(wrong).message


def test_ex7_1():
    def carry(x, own, other):
        return other.mean() + (x - own.mean()) * other.std() / own.std()

    assert checks.ex7_1(carry)
    for wrong, said in ((lambda x, own, other: x - own.mean() + other.mean(), "means are matched"),
                        (lambda x, own, other: carry(x, own, other).mean(), "Three numbers"),
                        (lambda x, own, other: other.mean() + (x - own.mean()) * own.std() / other.std(), "wrong way"),
                        (lambda x, own, other: other.mean() + (x - own.mean()) * other.var() / own.var(), "variances"),
                        (lambda x, own, other: x * other.std() / own.std(), "about zero"),
                        (lambda x, own, other: x, "Nothing has changed"),
                        (lambda x, own, other: carry(x, own, other) + 30, "comes to"),
                        (lambda x, own, other: own.mean() + (x - own.mean()) * other.std() / own.std(), "still about"),
                        (lambda x, own, other: other.mean() + 0 * x, "is lost"),
                        (lambda x, own, other: 1 / 0, "ZeroDivisionError"),
                        (lambda x, own, other: (x - own.mean()) / own.std(), "z-scores"),
                        (lambda x, own, other: 2 * other.mean() - carry(x, own, other), "standard deviations"),
                        (lambda x, own, other: None, "return"),
                        (lambda x: x, "could not answer"), (3, "without calling")):
        assert not checks.ex7_1(wrong) and said in checks.ex7_1(wrong).message


def test_ex7_2():
    right = ("nothing", "another dance", "style transfer", "collapse")
    assert checks.ex7_2(right) and checks.ex7_2([word.upper() for word in right])
    for k, name in enumerate("ABCD"):
        wrong = list(right)
        wrong[k] = right[(k + 1) % 4]
        assert not checks.ex7_2(wrong) and f"Look at {name}" in checks.ex7_2(wrong).message
    for wrong in (None, "collapse", ("nothing",), ("a", "b", "c", "d")):
        assert not checks.ex7_2(wrong) and "four of these" in checks.ex7_2(wrong).message


def test_ex7_3():
    right = (True, False, False, True)
    assert checks.ex7_3(right) and checks.ex7_3(list(right))
    for k in range(4):
        wrong = [each != (j == k) for j, each in enumerate(right)]
        assert not checks.ex7_3(wrong) and f"Number {k + 1}" in checks.ex7_3(wrong).message
    for wrong in (None, (True,), ("yes", "no", "no", "yes"), (1, 0, 0, 1)):
        assert not checks.ex7_3(wrong) and "four answers" in checks.ex7_3(wrong).message


def test_ex8_1():
    def kl(q, prior):
        return (q * (q / prior).log()).sum(-1)

    def cheat(q, prior):
        q[:] = prior
        return torch.zeros(3)

    assert checks.ex8_1(kl) and checks.ex8_1(lambda q, p: q.mul_((q / p).log()).sum(-1)) and not checks.ex8_1(cheat)
    for wrong, said in ((lambda q, p: kl(q, p) / np.log(2), "bits"), (lambda q, p: -kl(q, p), "sign"),
                        (lambda q, p: kl(p, q), "changed places"), (lambda q, p: -(q * q.log()).sum(-1), "entropy"),
                        (lambda q, p: kl(q, p).sum(), "three divergences"), (lambda q, p: kl(q, 1 - p), "yours says"),
                        (lambda q, p: (q * (q / p).log()).mean(-1), "mean over the types"),
                        (lambda q, p: -(q * p.log()).sum(-1), "cross-entropy"),
                        (lambda q, p: (q / p).log().sum(-1), "weigh by q"), (lambda q, p: 1 / 0, "ZeroDivisionError"),
                        (lambda q, p: None, "return"), (lambda q: q, "could not answer"), (3, "without calling")):
        assert not checks.ex8_1(wrong) and said in checks.ex8_1(wrong).message


def test_ex8_2():
    assert checks.ex8_2(0.65) and checks.ex8_2(13 / 20)
    for wrong, said in ((0.35, "other names"), (0.85, "as it suits"), (1.0, "as it suits"), (0.5, "not their mean"),
                        (13, "of 20"), (65, "per cent"), (0.7, "all simulations"),
                        (True, "one number"), ("0.65", "one number"), (None, "one number"), (np.nan, "one number")):
        assert not checks.ex8_2(wrong) and said in checks.ex8_2(wrong).message


def test_ex8_3():
    def pulls(place, edges):
        return 0.1 * (edges[..., None] * (place[None] - place[:, None])).sum(1)

    def chosen(place, edges):
        force = torch.zeros_like(place)
        for i, j in edges.nonzero().tolist():
            force[i] = force[i] + 0.1 * (place[j] - place[i])
        return force

    def some(place, edges):
        force = torch.zeros_like(place)
        for i, j in edges.nonzero().tolist():
            force[i] = force[i] + 0.1 * edges[i, j] * (place[j] - place[i])
        return force

    def once(place, edges):
        force = torch.zeros_like(place)
        for i in range(len(place)):
            for j in range(i):
                pull = 0.1 * edges[i, j] * (place[j] - place[i])
                share = torch.eye(len(place))[i] - torch.eye(len(place))[j]
                force = force + share[:, None] * pull
        return force

    def equally(place, edges):
        return 0.1 * (edges[..., None] * torch.nn.functional.normalize(place[None] - place[:, None], dim=-1)).sum(1)

    assert checks.ex8_3(pulls) and checks.ex8_3(once)
    assert checks.ex8_3(lambda p, e: pulls(p.double(), e.double()))
    copied = lambda p, e: pulls(p, e.detach().clone().requires_grad_())  # noqa: E731
    assert not checks.ex8_3(copied) and "no gradient" in checks.ex8_3(copied).message
    for wrong, said in ((chosen, "chosen, not multiplied"), (some, "never begin"),
                        (lambda p, e: -pulls(p, e), "push"), (lambda p, e: pulls(p, e.detach()), "no gradient"),
                        (lambda p, e: pulls(p, e) * 2, "first body"), (lambda p, e: pulls(p, e).sum(1), "two numbers"),
                        (lambda p, e: 10 * pulls(p, e), "stiffness"), (lambda p, e: pulls(p, e) / 4, "add up"),
                        (lambda p, e: pulls(p, e.triu()), "Only one end"), (equally, "near and far"),
                        (lambda p, e: None, "return"), (lambda p: p, "could not answer"), (3, "without calling")):
        assert not checks.ex8_3(wrong) and said in checks.ex8_3(wrong).message


def test_ex9_1():
    def share(evidence):
        return torch.cat([torch.zeros_like(evidence[:1]), evidence]).softmax(0)[1:]

    assert checks.ex9_1(share) and checks.ex9_1(lambda e: (e.exp() / (1 + e.exp().sum(0))).numpy())
    wrongs = {"sigmoid": torch.sigmoid, "null class, with": lambda e: e.softmax(0), "receivers": lambda e: e.softmax(1),
              "odds": torch.exp, "log_softmax": lambda e: share(e).log(),
              "leave that row": lambda e: torch.cat([torch.zeros_like(e[:1]), e]).softmax(0), "return": lambda e: None,
              "could not": lambda e: e + "1", "0.842; yours says 0": lambda e: 0 * e}  # fmt: skip
    for said, wrong in wrongs.items():
        assert not checks.ex9_1(wrong) and said in checks.ex9_1(wrong).message, said
    assert not checks.ex9_1(3)


def test_ex9_2():
    assert checks.ex9_2(0.262) and checks.ex9_2(0.99 * 6 / (0.99 * 6 + 0.01 * 1676))
    for wrong, said in ((0.99, "false alarms"), (0.00357, "before anybody"), (0.738, "are false"), (0.5, "Count"),
                        (0.01, "such pairs"),
                        (26.2, "per cent"), ("0.26", "one number"), (True, "one number")):
        assert not checks.ex9_2(wrong) and said in checks.ex9_2(wrong).message


def test_ex9_3():
    def parting(a, b, fps):
        far = np.linalg.norm(a - b, axis=-1)
        return (far[-1] - far[0]) * fps / (len(far) - 1)

    assert checks.ex9_3(parting)
    assert checks.ex9_3(lambda a, b, fps: np.diff(np.linalg.norm(a - b, axis=-1)).mean() * fps)
    wrongs = {"in metres": lambda a, b, fps: np.linalg.norm(a - b, axis=-1).mean(),
              "sign": lambda a, b, fps: -parting(a, b, fps), "use fps": lambda a, b, fps: parting(a, b, 1),
              "Nearly": lambda a, b, fps: parting(a, b, fps) * 20 / 21, "cannot tell": lambda a, b, fps: abs(
                  parting(a, b, fps)), "return": lambda a, b, fps: None, "could not": lambda a, b: 0}  # fmt: skip
    for said, wrong in wrongs.items():
        assert not checks.ex9_3(wrong) and said in checks.ex9_3(wrong).message, said
    assert not checks.ex9_3(0.3)


def test_ex11_1():
    def nearer(true, other):
        return 100 * ((true < other).mean() + (true == other).mean() / 2)

    assert checks.ex11_1(nearer)
    wrongs = {"share": lambda t, o: nearer(t, o) / 100, "Ties count nothing": lambda t, o: 100 * (t < o).mean(),
              "Ties count whole": lambda t, o: 100 * (t <= o).mean(), "be the smaller": lambda t, o: nearer(o, t),
              "paired": lambda t, o: 50 * (np.sign(o[None] - t[:, None]) + 1).mean(),
              "how often": lambda t, o: (o - t).mean(), "Of eight windows": lambda t, o: 42.0,
              "mean missing": lambda t, o: t < o, "return": lambda t, o: None}  # fmt: skip
    for said, wrong in wrongs.items():
        assert not checks.ex11_1(wrong) and said in checks.ex11_1(wrong).message, said


def test_ex11_2():
    assert checks.ex11_2(20) and checks.ex11_2(20.0)
    for wrong, said in ((15, "on average"), (16, "43 in 100"), (19, "Nearly"), (18, "18 classes"), (21, "two-sided"),
                        (0.66, "not their share"), (29, "nobody"), (25, "Add up"), ("20", "one number")):
        assert not checks.ex11_2(wrong) and said in checks.ex11_2(wrong).message, wrong


def test_ex11_3():
    side = np.array([1.5, 0.0, 0.0])

    def clock(x, fps):
        steps = np.linalg.norm(np.diff(x, axis=0), axis=-1).mean(1)
        way = np.concatenate([[0], steps.cumsum()])
        return x[:1] + side * (1 + 0.2 * way[:, None, None])

    def turned(x, fps):  # half a turn, and in a mirror: copies, too
        return x * np.array([-1.0, -1.0, 1.0]) + 4 * side

    assert checks.ex11_3(clock) and checks.ex11_3(lambda x, fps: torch.tensor(clock(x, fps)))
    wrongs = {"dance the leader's own steps": lambda x, fps: x + side, "leader's own steps": turned,
              "leader's own": lambda x, fps: x * np.array([1.0, -1.0, 1.0]) + 4 * side,
              "inside of somebody": lambda x, fps: x, "never moves": lambda x, fps: 0 * x + x[:1] + side,
              "nobody would see": lambda x, fps: x + 20 * side, "yours has [29, 3]": lambda x, fps: x[0],
              "not late": lambda x, fps: np.concatenate([x[:1].repeat(8, 0), x[:-8]]) + side,
              "not finite": lambda x, fps: x * np.nan, "return": lambda x, fps: None,
              "nearly stop": lambda x, fps: x[:1] + side + 0.3 * np.sin(np.arange(len(x)) / 5)[:, None, None]}
    for said, wrong in wrongs.items():
        assert not checks.ex11_3(wrong) and said in checks.ex11_3(wrong).message, said


def test_ex11_4():
    assert checks.ex11_4(11)
    for wrong, said in ((64, "with names"), (24, "be named"), (6, "pairs"), (7, "triangle"), (34, "five"),
                        (4, "three bodies"), (16, "6 pairs"), (12, "Count by"), (11.5, "whole number")):
        assert not checks.ex11_4(wrong) and said in checks.ex11_4(wrong).message, wrong
def test_ex10_1():
    def lead_away(gap, velocity, frames):
        t = np.arange(1, frames + 1)[:, None] / frames
        return (2 * t + 1) * (1 - t) ** 2 * gap + frames * t * (1 - t) ** 2 * velocity

    def still(gap, velocity, frames):
        return lead_away(gap, 0 * velocity, frames)

    def smooth(gap, velocity, frames):
        t = np.arange(1, frames + 1)[:, None] / frames
        return (1 - t**3 * (10 - 15 * t + 6 * t**2)) * gap

    def late(gap, velocity, frames):
        return np.concatenate([gap[None], lead_away(gap, velocity, frames)[:-1]])

    assert checks.ex10_1(lead_away) and checks.ex10_1(lambda *asked: torch.from_numpy(lead_away(*asked)))
    wrongs = {"straight line": lambda gap, v, n: (1 - np.arange(1, n + 1)[:, None] / n) * gap, "second term": still,
              "lacks a factor": lambda gap, v, n: lead_away(gap, v / n, n), "One frame late": late,
              "at rest at both ends": smooth, "how much is gone": lambda gap, v, n: gap - lead_away(gap, v, n),
              "sign": lambda gap, v, n: lead_away(gap, -v, n), "should give [10, 3]": lambda gap, v, n: gap,
              "yours leaves": lambda gap, v, n: 0 * lead_away(gap, v, n), "return": lambda *asked: None}
    for said, wrong in wrongs.items():
        assert not checks.ex10_1(wrong) and said in checks.ex10_1(wrong).message, said
    assert not checks.ex10_1(3)


def test_ex10_2():
    def cosine(upper, lower, distance):
        return (distance**2 - upper**2 - lower**2) / (2 * upper * lower)

    def bend(*limb):
        return np.arccos(np.clip(cosine(*limb), -1, 1))

    assert checks.ex10_2(bend) and checks.ex10_2(lambda *limb: float(bend(*limb)))
    wrongs = {"angle between": lambda *limb: np.pi - bend(*limb), "degrees": lambda *limb: np.degrees(bend(*limb)),
              "One more step": cosine, "clip": lambda *limb: np.arccos(cosine(*limb)),
              "first joint": lambda u, w, d: np.arccos(np.clip((u**2 + d**2 - w**2) / (2 * u * d), -1, 1)),
              "60 degrees": lambda u, w, d: np.arccos(np.clip(d / (u + w), -1, 1)),
              "Pythagoras": lambda *limb: 0.0, "is stretched, 0": lambda *limb: np.arccos(np.clip(
                  cosine(*limb), -0.99, 0.99)),
              "no number": lambda u, w, d: np.arccos((d**2 + u**2 + w**2) / (2 * u * w)),
              "return": lambda *limb: None}
    with np.errstate(invalid="ignore"):
        for said, wrong in wrongs.items():
            assert not checks.ex10_2(wrong) and said in checks.ex10_2(wrong).message, said
    assert not checks.ex10_2(0.5)


def test_ex10_3():
    assert checks.ex10_3(["friend", "salsa dancers"]) and checks.ex10_3({"Salsa  dancers", "friend"})
    for wrong, said in ((["nobody"], "Whose?"), (["friend"], "learn"), (["salsa dancers"], "answer?"),
                        (["friend", "passer-by"], "left that track out"), (["nobody", "friend"], "decide"),
                        (["friend", "passer-by", "salsa dancers"], "all filmed"), (["model"], "list of words"),
                        ([], "list of words"), ("friend", "list of words"), (3, "list of words")):
        assert not checks.ex10_3(wrong) and said in checks.ex10_3(wrong).message, wrong
