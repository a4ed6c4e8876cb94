"""What can be asked of a recording: a partner, a translation, another's style, variations, the strings of a duet.

A verb brings any `Motion` (or `Duet`) to a model with `choreo_lib.conform`, and what it made back onto the dancer's own
skeleton, rate and world. It prints nothing: see ``lines``. Taught in chapter 10, "The studio".
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..body.bones import project_bone_lengths
from ..body.motion import Duet, Motion, dancer_index, other_dancer
from ..core.arguments import a, choice, count, function, number, seconds, seed, share, takes, text
from ..extensions import CouplingNRI, DuetForecaster, Guidance, LinearVAE, MotionTranslator, StyleTransport
from ..extensions.rollout import CHUNK
from ..io.conform import conform
from ..training.artifacts import list_models, load_model
from ..training.recipes import RECIPES
from .inpainting import varied_by
from .provenance import Provenance
from .results import Found, Made, Progress, first, floor_of, result, tell, what_was_read

ROLES = {"leader": "a", "follower": "b", "a": "a", "b": "b"}
WITH_MODEL = {"partner": "duet-salsa", "translate": "translate-salsa", "deepfake": "deepfake-salsa",
              "vary": "solo-salsa", "strings": "strings-salsa"}  # fmt: skip
_KINDS = {"partner": DuetForecaster, "translate": MotionTranslator, "deepfake": StyleTransport, "vary": LinearVAE,
          "strings": CouplingNRI}  # fmt: skip
SEVERAL = 0.5  # the temperature of several takes, which would be one and the same at 0
SOLE = 0.015  # metres: how high above the floor the lowest joint of a dancer of the sets is who stands
EDGE = 0.5  # probability from which an edge counts as found


@torch.no_grad()
@takes(motion=a(Motion, Duet), model=text | a(DuetForecaster), who=choice(*ROLES), seconds=seconds,
       temperature=number(0, 100), distance=number(0, 1000), seed=seed, takes=count(1, 100), progress=function,
       guidance=a(Guidance))
def partner(motion: Motion | Duet, model: str | DuetForecaster = "duet-salsa", who: str | None = None,
            seconds: float | None = None, temperature: float | None = None, distance: float | None = None,
            seed: int = 0, takes: int = 1, progress: Progress | None = None, guidance: Guidance | None = None) -> Made:
    """A partner for a dancer, for the whole take or its first ``seconds``.

    ``who`` is made: "b" or "follower" (None too), "a" or "leader": the role in the training set. From a `Duet` the
    other dancer is followed, and the partner begins as the real one does; from a `Motion` in the mean pose, at the
    usual distance. ``temperature`` of chance, drawn from ``seed`` (None: 0, and 0.5 for several ``takes``);
    ``distance`` to keep, metres, or a whole `Guidance`. ``model``: the name of an artifact, or a `DuetForecaster`.
    Errors: ValueError for a body that does not conform, or several takes without chance; TrainingError for a model
    that is not there or makes no partners. Chapter: 10.
    """
    role = ROLES[who or "b"]
    temperature = (SEVERAL if takes > 1 else 0.0) if temperature is None else temperature
    if takes > 1 and not temperature:
        raise ValueError(f"takes {takes} at temperature 0 would be {takes} times the same dance; ask for a temperature "
                         f"such as {SEVERAL}")
    if distance is not None:
        guidance = replace(guidance or Guidance(), distance=distance)
    network, recorded, taken, report = _asked("partner", model, motion, seconds)
    source, other, own, start = recorded.source, dancer_index(other_dancer(role)), dancer_index(role), 0
    paired = isinstance(recorded, Duet)
    if paired:  # on the real partner's body
        recorded, leader, report = tuple(recorded)[other], tuple(taken)[other], report[own]
    else:
        leader = taken
    floor = _floor(leader)
    lead = torch.from_numpy(leader.positions - floor)
    past = network.starting_pose(lead[:1], role).expand(network.past, -1, -1, -1)
    if paired and len(leader) > network.past:
        start = network.past
        past = torch.from_numpy(taken.positions[:start] - floor)
    every = min(CHUNK, network.ahead)
    stream = network.stream(past.expand(takes, -1, -1, -1, -1), role, every, temperature, seed, guidance)
    parts = [past[None, :start, own].expand(takes, -1, -1, -1)]
    for k in range(start, len(lead), every):
        tell(progress, k, len(lead))
        parts.append(stream.rollout(lead[k : k + every].expand(takes, -1, -1, -1)).cpu())
    made = torch.cat(parts, 1).numpy() + floor  # [takes, T, J, 3]
    provenance = Provenance.of("partner", network, source, seed, role=role, temperature=temperature,
                               distance=distance, takes=takes if takes > 1 else None, seconds=seconds)
    motions = [Motion(each, leader.fps, leader.skeleton) for each in made]
    begins = "begins as the real one does" if start else "begins in the mean pose at the usual distance"
    asked = "" if distance is None else f", is led to {distance:g} m"
    said = f"partner {role} for {len(leader) / leader.fps:.1f} s by {provenance.model}, {begins}{asked}"
    # two who were recorded together have stood on one floor
    return result(recorded, motions, report, said, provenance, role, progress, floor=not paired)


@takes(motion=a(Motion), model=text | a(MotionTranslator), route=text, seconds=seconds, progress=function)
def translate(motion: Motion, model: str | MotionTranslator = "translate-salsa", route: str | None = None,
              seconds: float | None = None, progress: Progress | None = None) -> Made:
    """The take of one dancer as its partner would dance it; ``route``: from and to, such as "ab" (None: the first).

    Errors: as `partner`; ValueError for a take shorter than a window of the model. Chapter: 10.
    """
    network, motion, take, report = _asked("translate", model, motion, seconds)
    route = route or network.possible_routes()[0]
    tell(progress, 0, len(take))
    provenance = Provenance.of("translate", network, motion.source, route=route, seconds=seconds)
    said = f"{route[0]}'s dance as {route[1]} would answer it, by {provenance.model}"
    return result(motion, [network.translate(take, route)], report, said, provenance, route[1], progress, floor=True)


@takes(motion=a(Motion), model=text | a(StyleTransport), route=text, style_weight=share, seconds=seconds,
       progress=function)
def deepfake(motion: Motion, model: str | StyleTransport = "deepfake-salsa", route: str | None = None,
             style_weight: float = 1.0, seconds: float | None = None, progress: Progress | None = None) -> Made:
    """The same dance in another dancer's style; ``style_weight`` 0.5 is half-way there. Ask both (chapter 7).

    ``route``: whose style is taken away, and whose put on (None: "ab"). Errors: as `partner`. Chapter: 10.
    """
    network, motion, take, report = _asked("deepfake", model, motion, seconds)
    route = route or network.possible_routes()[0]
    tell(progress, 0, len(take))
    provenance = Provenance.of("deepfake", network, motion.source, route=route, style_weight=style_weight,
                               seconds=seconds)
    return result(motion, [network.translate(take, route, style_weight=style_weight)], report,
                  f"the dance in the style of {route[1]}, by {provenance.model}", provenance, "b", progress)


@torch.no_grad()
@takes(motion=a(Motion), model=text | a(LinearVAE), sigma=number(0, 10), seconds=seconds, seed=seed,
       takes=count(1, 100), progress=function)
def vary(motion: Motion, model: str | LinearVAE = "solo-salsa", sigma: float = 0.5, seconds: float | None = None,
         seed: int = 0, takes: int = 1, progress: Progress | None = None) -> Made:
    """The same phrase, a little otherwise: its latents moved by chance, ``sigma`` standard deviations (0: as it was).

    Errors: as `partner`; ValueError for a take shorter than a window of the model. Chapter: 10.
    """
    network, motion, take, report = _asked("vary", model, motion, seconds)
    generator = torch.Generator().manual_seed(seed)
    fade = torch.hann_window(network.frames + 2, periodic=False)[1:-1]
    positions, (parents, children) = torch.from_numpy(take.positions), map(list, zip(*take.skeleton.bones))
    lengths = (positions[:, children] - positions[:, parents]).norm(dim=-1).mean(0)  # [J - 1]
    motions = []
    for k in range(takes):
        tell(progress, k, takes)
        points = torch.from_numpy(take.positions + varied_by(take, network, sigma, generator, fade.numpy()))
        points = project_bone_lengths(take.skeleton, points, lengths)
        motions.append(replace(take, positions=points.numpy(), rotations=None))
    provenance = Provenance.of("vary", network, motion.source, seed, sigma=sigma, takes=takes if takes > 1 else None,
                               seconds=seconds)
    return result(motion, motions, report, f"{takes} variation(s) by {provenance.model}", provenance, "b", progress)


@takes(duet=a(Duet), model=text | a(CouplingNRI), seconds=seconds, progress=function)
def strings(duet: Duet, model: str | CouplingNRI = "strings-salsa", seconds: float | None = None,
            progress: Progress | None = None) -> Found:
    """Which joint of one dancer moves which joint of the other, as far as a model can tell (chapter 9 says how far).

    Errors: as `partner`; ValueError for a duet shorter than a window of the model. Chapter: 10.
    """
    network, duet, seen, reports = _asked("strings", model, duet, seconds)
    lines = [line for dancer, report in zip(duet, reports) for line in what_was_read(dancer, report)]
    tell(progress, 0, len(seen))
    found = network.find(seen)
    tell(progress, len(seen), len(seen))
    probability, names = found.probability.numpy(), network.skeleton.names
    rows = []
    for way, sender, receiver in np.argwhere(probability.max(0) >= EDGE):
        each = probability[:, way, sender, receiver]
        best = int(each.argmax())
        rows.append({"from": f"{'ab'[way]} {names[sender]}", "to": f"{'ba'[way]} {names[receiver]}",
                     "probability": round(float(each[best]), 3),
                     "lag_seconds": round(float(found.lag[best, way, sender, receiver]) / network.fps, 3),
                     "seconds": [round(float(t), 2) for t in found.time[each >= EDGE]]})
    rows.sort(key=lambda row: -row["probability"])
    provenance = Provenance.of("strings", network, duet.source, seconds=seconds)
    lines.append(f"found {len(rows)} string(s) of probability {EDGE:g} or more in {len(found.time)} windows, by "
                 f"{provenance.model}")
    return Found(seen, tuple(rows), probability, found.time.numpy(), tuple(lines), provenance)


def models_of(verb: str) -> list[str]:
    """The names of the models here that a verb can ask. Chapter: 10."""
    return [name for name in list_models() if issubclass(RECIPES[name].model, _KINDS[verb])]


def model_for(verb: str, model: Any) -> Any:
    """A model, or the one of a name. Errors: ValueError for another verb's; TrainingError for none. Chapter: 10."""
    found = load_model(model) if isinstance(model, str) else model
    if not isinstance(found, _KINDS[verb]):
        raise ValueError(f"model {model!r} does something else; those that do this are {', '.join(models_of(verb))}")
    return found


def _asked(verb: str, model: Any, motion: Any, seconds: float | None) -> tuple[Any, Any, Any, Any]:
    """The model; the first seconds as they were recorded, and as the model knows dancers; and what that took."""
    network, motion = model_for(verb, model), first(motion, seconds)
    return network, motion, *conform(motion, network)


def _floor(take: Motion) -> np.ndarray:
    """The floor under a dancer, float32 [3], metres: models know dancers whose floor is at 0."""
    return np.array([0, 0, floor_of(take) - SOLE], np.float32)

