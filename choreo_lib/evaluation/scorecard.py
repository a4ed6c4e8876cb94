"""One card for every system: all measures on the same windows, with intervals over dances. Taught in chapter 11."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from ..body.motion import Duet, Motion, dancer_index, other_dancer
from ..body.source import Source
from ..core.arguments import a, choice, count, each, flag, number, seconds, seed, takes, text
from ..extensions import DuetForecaster
from ..systems import DuetVAE
from . import metrics
from .metrics.frechet import frechet_redrawn, seen_poses, standardised

FRECHET = {"fid_k": "kinetic", "fid_g": "geometric", "fid_cd": "cross"}  # measures of distributions, and of what
MOVED = (*FRECHET, "div_k")  # measures that windows drawn twice make larger or smaller


class Score(NamedTuple):
    """A measure and its 95 % interval. Chapter: 11."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        unit, sign = next(((unit, sign) for unit, sign in ((1e6, " M"), (1e3, " k")) if abs(self.value) >= 10 * unit),
                          (1.0, ""))
        digits = max(2 - int(np.floor(np.log10(max(abs(self.value) / unit, 1e-3)))), 0)
        value, low, high = (f"{each / unit:.{min(digits, 2)}f}" for each in self)
        return f"{value}{sign} ({low} to {high}{sign})"


@dataclass(frozen=True)
class Measured:
    """What `measure` finds in several dances.

    Shapes: ``features`` {"kinetic": [W, 51], "geometric": [W, 29], "cross": [W, 100], "poses": [W, 306]} of windows,
    ``dance`` [W] which dance each is from; ``numbers`` {measure: [dances]}; ``kinds`` [dances], as given. Chapter: 11.
    """

    features: dict[str, np.ndarray]
    dance: np.ndarray
    numbers: dict[str, np.ndarray]
    kinds: tuple[str, ...]


@takes(duets=each(a(Duet), least=1), who=choice("a", "b"), window=seconds, distances=each(seconds, size=2),
       kinds=each(text))
def measure(duets: Sequence[Duet], who: str = "b", window: float = 2.0, distances=None, kinds=None) -> Measured:
    """Measure the dancer ``who`` of several dances, and how they belong to the other one, the leader.

    A number a dance: ``bed``, of the leader's beats how many are echoed (`metrics.beat_echo`); ``coupling``, the mean
    peak of `metrics.coupling` (windows of four seconds, lags of one to both sides); ``speed``, m/s; ``jerk``, m/s^3;
    ``skate``, m/s (`metrics.foot_skate`); ``intersection_percent`` of every third frame; and with ``distances``, the
    least and the largest that is danced, ``in_range_percent`` of the frames whose pelvises are so far apart.
    Features of windows of ``window`` seconds, one after the other: kinetic, geometric, cross-distance, and six poses
    of 17 joints, root-centred and heading-aligned in the window's middle.
    ``kinds`` names for each dance of what kind it is: intervals draw as many of each.
    Errors: ValueError for a dance of less than six seconds or than a window, or joints without names. Chapter: 11.
    """
    if kinds is not None and len(kinds) != len(duets):
        raise ValueError(f"kinds: {len(kinds)} names for {len(duets)} dances; give one a dance")
    rows: dict[str, list] = {name: [] for name in ("kinetic", "geometric", "cross", "poses", "dance")}
    numbers: dict[str, list[float]] = {}
    for k, duet in enumerate(duets):
        own, lead = _roles(duet, who)
        frames = round(window * duet.fps)
        six = np.linspace(0, frames - 1, 6).round().astype(int)
        if len(duet) < max(frames, 6 * duet.fps):
            raise ValueError(f"dance {k} has {duet.duration:.1f} s; a card needs dances of six seconds and of a window")
        depth = metrics.intersection_depth(Duet(lead[::3], own[::3]))
        row = {"bed": metrics.beat_echo(lead, own), "coupling": float(np.mean(metrics.coupling(Duet(lead, own)).peak)),
               "speed": float(metrics.speed(own.positions, own.fps).mean()),
               "jerk": float(metrics.jerk(own.positions, own.fps).mean()), "skate": metrics.foot_skate(own),
               "intersection_percent": 100 * float((depth > 0).mean())}
        if distances is not None:
            apart = metrics.pelvis_distance(duet)
            row["in_range_percent"] = 100 * float(((apart >= distances[0]) & (apart <= distances[1])).mean())
        for name, value in row.items():
            numbers.setdefault(name, []).append(value)
        for start in range(0, len(duet) - frames + 1, frames):
            part = slice(start, start + frames)
            rows["kinetic"].append(metrics.kinetic_features(own[part]))
            rows["geometric"].append(metrics.geometric_features(own[part]))
            rows["cross"].append(metrics.cross_distance_features(Duet(lead[part], own[part])))
            rows["poses"].append(seen_poses(own.positions[None, part], own.skeleton, six)[0])
            rows["dance"].append(k)
    dance = np.array(rows.pop("dance"))
    return Measured({name: np.stack(each) for name, each in rows.items()}, dance,
                    {name: np.array(each) for name, each in numbers.items()},
                    tuple(kinds or [""] * len(duets)))


@takes(made=a(Measured), reference=a(Measured), known=a(Measured), scaled=flag, samples=count(1, 10_000), seed=seed)
def scorecard(made: Measured, reference: Measured, known: Measured | None = None, scaled: bool = True,
              samples: int = 100, seed: int = 0) -> dict[str, Score]:
    """All measures of what was made, with 95 % intervals: a bootstrap whose blocks are whole dances, kind by kind.

    Beside those of `measure`: ``fid_k``, ``fid_g``, ``fid_cd``, Fréchet distances of kinetic, geometric and
    cross-distance features from the ``reference``, real dances (``scaled`` by its deviations, as
    `metrics.frechet_distance`); ``div_k``, the mean distance between kinetic features of two windows, in its
    deviations (Siyao et al.); and ``copied_mm``, how near the nearest window of ``known``, the training dances, is on
    average, per joint. Windows drawn twice make a Fréchet distance larger, so its interval is moved to the value.
    Errors: as `metrics.frechet_distance`. Chapter: 11.
    """
    return scores(draws(made, reference, known, scaled, samples, seed))


@takes(made=a(Measured), reference=a(Measured), known=a(Measured), scaled=flag, samples=count(1, 10_000), seed=seed)
def draws(made: Measured, reference: Measured, known: Measured | None = None, scaled: bool = True, samples: int = 100,
          seed: int = 0) -> dict[str, np.ndarray]:
    """What `scorecard` makes its intervals of: each measure of the dances, and then of as many draws of them.

    One seed draws the same dances of every system that danced to the same leaders, so that two systems can be compared
    draw by draw. Shapes: {measure: [1 + samples]}. Errors: as `scorecard`. Chapter: 11.
    """
    rng = np.random.default_rng(seed)
    dances = len(made.kinds)
    drawn = np.stack([np.arange(dances), *(_redrawn(made.kinds, rng) for _ in range(samples))])  # [1 + samples, dances]
    times = np.stack([np.bincount(each, minlength=dances) for each in drawn])[:, made.dance]  # [1 + samples, W]
    found = {}
    for name, kind in FRECHET.items():
        x, y = made.features[kind], reference.features[kind]
        found[name] = np.array([metrics.frechet_distance(x, y, scaled=scaled),
                                *frechet_redrawn(x, y, times[1:], scaled=scaled)])
    deviation = reference.features["kinetic"].std(0).clip(1e-9)
    apart = torch.from_numpy(made.features["kinetic"] / deviation)
    pairs = torch.cdist(apart, apart, compute_mode="donot_use_mm_for_euclid_dist").numpy()
    windows = times.sum(1)
    found["div_k"] = ((times @ pairs) * times).sum(1) / (windows * (windows - 1))
    if known is not None:
        found["copied_mm"] = 1000 * (times @ _nearest(made.features["poses"], known.features["poses"])) / windows
    return found | {name: np.nanmean(values[drawn], 1) for name, values in made.numbers.items()}


def scores(drawn: dict[str, np.ndarray]) -> dict[str, Score]:
    """The values of `draws`, {measure: [1 + samples]}, and their 95 % intervals. Chapter: 11."""
    return {name: interval(values, name in MOVED) for name, values in drawn.items()}


def interval(values: np.ndarray, moved: bool = False, least: float = 0.0) -> Score:
    """A value and the middle 95 % of its draws; ``moved`` so that their mean is the value.

    Shapes: ``values`` [1 + samples], the value first. ``least``: no end lies below. Chapter: 11.
    """
    value, again = float(values[0]), values[1:]
    low, high = np.nanquantile(again, (0.025, 0.975)) + (value - np.nanmean(again) if moved else 0.0)
    return Score(value, float(max(low, least)), float(high))


@torch.no_grad()
@takes(model=a(DuetForecaster, DuetVAE), duets=each(a(Duet), least=1), who=choice("a", "b"),
       temperature=number(0, 100), seed=seed, past=count())
def danced_along(model: DuetForecaster | DuetVAE, duets: Sequence[Duet], who: str = "b", temperature: float = 0.0,
                 seed: int = 0, past: int = 24) -> list[Duet]:
    """Dances of equal length, with a partner in place of ``who`` whom a model rolls out: all of them in one batch.

    The first frames are as danced: a forecaster's ``model.past``; ``past`` before the published system, which takes any
    number and has no ``temperature`` of sampled residuals. Errors: ValueError for dances of several lengths; as
    `DuetForecaster.stream`; or no longer than ``past``. Chapter: 11.
    """
    if len({len(duet) for duet in duets}) > 1:
        raise ValueError(f"dances of {sorted({len(duet) for duet in duets})} frames; cut them to one length")
    pairs = torch.from_numpy(np.stack([duet.positions for duet in duets]))  # [B, T, 2, J, 3]
    lead = pairs[:, :, dancer_index(other_dancer(who))]
    if isinstance(model, DuetVAE):
        if len(duets[0]) <= past:
            raise ValueError(f"past must be less than the {len(duets[0])} frames of each dance; got {past}")
        following = [model.predict(pairs[:, :past], lead[:, past:], range(1, lead.shape[1] - past + 1), who)]
    else:
        stream, past = model.stream(pairs[:, : model.past], who, temperature=temperature, seed=seed), model.past
        following = [stream.rollout(lead[:, k : k + stream.every]).cpu()
                     for k in range(past, lead.shape[1], stream.every)]
    made = torch.cat([pairs[:, :past, dancer_index(who)], *following], 1).numpy()
    return [with_partner(duet, positions, who) for duet, positions in zip(duets, made)]


def with_partner(duet: Duet, positions: np.ndarray, who: str = "b") -> Duet:
    """The same dance with other joints [T, J, 3] in place of the dancer ``who``. Chapter: 11."""
    own, lead = _roles(duet, who)
    made = Motion(positions, own.fps, own.skeleton, source=Source.join(own.source, lead.source))
    return Duet(lead, made) if who == "b" else Duet(made, lead)


def _roles(duet: Duet, who: str) -> tuple[Motion, Motion]:
    """The dancer who was made, and the leader."""
    return (duet.b, duet.a) if who == "b" else (duet.a, duet.b)


def _redrawn(kinds: tuple[str, ...], rng: np.random.Generator) -> np.ndarray:
    """As many dances of each kind as there are, with replacement."""
    strata = [np.array([k for k, each in enumerate(kinds) if each == kind]) for kind in dict.fromkeys(kinds)]
    return np.concatenate([rng.choice(stratum, len(stratum)) for stratum in strata])


@takes(true=a(Measured), shuffled=a(Measured), reference=a(Measured), samples=count(1, 10_000), seed=seed)
def tells_partners(true: Measured, shuffled: Measured, reference: Measured, samples: int = 200,
                   seed: int = 0) -> dict[str, Score]:
    """How well each measure tells true partners from shuffled ones, as an AUC with an interval over dances.

    Of a number a dance, higher counts as truer (of ``intersection_percent``, lower). Of a Fréchet distance, which has
    none, each window's own part: its mean squared distance from the mean of the ``reference``, in deviations, lower
    being truer. 0.5 says that a measure cannot know whom the dancer dances with. Chapter: 11.
    """
    rng, kinds = np.random.default_rng(seed), true.kinds
    scores = {name: [each.numbers[name] * (-1 if name == "intersection_percent" else 1) for each in (true, shuffled)]
              for name in true.numbers}
    for name, kind in FRECHET.items():
        parts = standardised(reference.features[kind], *(each.features[kind] for each in (true, shuffled)))
        scores[name] = [np.array([-(part[each.dance == dance] ** 2).mean() for dance in range(len(kinds))])
                        for part, each in zip(parts, (true, shuffled))]
    found = {}
    for name, (right, wrong) in scores.items():
        above = (right[:, None] > wrong) + (right[:, None] == wrong) / 2  # of every true partner and every shuffled one
        areas = [float(above[np.ix_(drawn, drawn)].mean())
                 for drawn in (np.arange(len(kinds)), *(_redrawn(kinds, rng) for _ in range(samples)))]
        found[name] = Score(areas[0], *np.quantile(areas[1:], (0.025, 0.975)).tolist())
    return found


def _nearest(made: np.ndarray, known: np.ndarray) -> np.ndarray:
    """How far, per joint, the nearest known window is from each that was made, [W], metres."""
    mine, theirs = (torch.from_numpy(each).unflatten(1, (-1, 3)) for each in (made, known))
    return np.array([float((theirs - one).norm(dim=-1).mean(-1).min()) for one in mine])

