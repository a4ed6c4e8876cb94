"""Trained weights and their cards: made by a recipe, kept in data/weights, measured. Taught in chapter 4."""

import hashlib
import os
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ..body.motion import Duet, dancer_index
from ..core.arguments import count, flag, number, path, seed, shown, takes, text
from ..evaluation import baselines, evaluate_endurance
from ..extensions.rotation_model import RotationModel
from ..io import write_motion
from ..sets.particles import Particles
from ..sets.registry import DATA, source
from ..sets.windows import Windows, takes_of
from ..show.export import animate
from . import cards, checkpoints
from .checkpoints import TrainingError
from .devices import choose_device, choose_precision, machine, processes, runs_folder
from .loop import fit, one_run
from .recipe import MODES, Recipe
from .recipes import RECIPES
from .train_config import TrainConfig

WEIGHTS = DATA / "weights"


def list_models() -> list[str]:
    """The names of all artifacts that have weights here. Chapter: 4."""
    return [name for name in RECIPES if (WEIGHTS / f"{name}.json").exists()]


@takes(name=text, folder=path)
def load_model(name: str, folder: str | Path | None = None) -> torch.nn.Module:
    """A trained model in evaluation mode, with its ``.card``: recipe, data, seed, time, measures, terms.

    ``folder`` holds ``name.safetensors`` and ``name.json``; None: the weights that come with the library.
    Errors: TrainingError for a name without weights, or weights of another card or model. Chapter: 4.
    """
    folder = WEIGHTS if folder is None else Path(folder)
    path = folder / f"{name}.json"
    if not os.path.exists(path):  # False, too, for a name that no file can have
        have = ", ".join(list_models()) or "none"
        raise TrainingError(f"there are no weights {shown(name)} in {folder} (with the library come: {have}). To make "
                            f"them: python -m choreo_lib train {name}")
    return cards.load(path, path.with_suffix(".safetensors"))


@takes(name=text, split=text | seed)
def evaluate(name: str, split: str | int = "test") -> dict[str, dict[str, float]]:
    """A model's measures and every baseline's, on the same windows: {row: {metric: value}}.

    ``split``: "validation", "test" or "challenge" for real sets, an integer seed for generated ones.
    Errors: TrainingError for an unknown name, no weights, or a card without a mode of training. Chapter: 4.
    """
    recipe, model = find_recipe(name), load_model(name)
    mode = model.card.get("mode")
    if mode not in MODES:
        raise TrainingError(f"the card of {name} does not say by which mode it was trained; train it again")
    return recipe.evaluate(model, recipe.windows("train", None, mode), recipe.windows(split, None, mode))


@takes(name=text, split=text | seed, minutes=number(0.1, 60), temperature=number(0, 100))
def evaluate_long(name: str, split: str | int = "test", minutes: float = 10.0, temperature: float = 0.0
                  ) -> dict[str, dict[str, float]]:
    """A duet model as a partner for minutes, in both roles: `choreo_lib.evaluation.evaluate_endurance`, a row a minute.

    Ten minutes of five synthetic leaders take some minutes on one core. Errors: as `evaluate`; TrainingError for
    a model that is no partner. Chapter: 5.
    """
    recipe, model = find_recipe(name), load_model(name)
    if recipe.long_takes is None:
        raise TrainingError(f"{name} does not dance along with anybody; the models that do are "
                            f"{', '.join(each for each in RECIPES if RECIPES[each].long_takes)}")
    takes = recipe.long_takes(split, minutes + model.past / model.fps / 60)
    return evaluate_endurance(model, takes, min(60.0, 60 * minutes), temperature)


@takes(name=text)
def find_recipe(name: str) -> Recipe:
    """A recipe by name. Errors: TrainingError naming those there are. Chapter: 4."""
    if name not in RECIPES:
        raise TrainingError(f"there is no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]


@takes(name=text, mode=text, out=path, resume=flag, device=text, precision=text, weights=path, keep_every=count(0),
       epochs=count())
def train(name: str, mode: str = "quick", out: str | Path | None = None, resume: bool = False,
          device: str | None = None, precision: str | None = None, weights: str | Path | None = None,
          keep_every: int = 0, epochs: int | None = None) -> Path:
    """Make an artifact: train by its recipe, evaluate it, and write ``out/name.safetensors`` with its card.

    ``out``: a folder (None: `choreo_lib.training.devices.runs_folder`), where the run's checkpoints and history are
    kept too, a plot of the losses, and of a model of rotations the first ten seconds of a validation take, danced and
    made, as BVH and GIF. Gives the card's path. ``precision`` and ``epochs``: in place of the recipe's (see
    `choreo_lib.training.train_config.TrainConfig`). ``weights``: a file to begin from instead of random weights, with
    what that model measured of its training windows (mean poses, components); the card names it. ``keep_every``: as in
    `choreo_lib.training.loop.fit`.
    Errors: as `choreo_lib.training.loop.fit`; TrainingError for an unknown name or mode, or for ``weights`` where a run
    is to be resumed, which has its own. Chapter: 4.
    """
    recipe = find_recipe(name)
    config = find_config(recipe, mode)
    config = replace(config, precision=precision or config.precision, epochs=epochs or config.epochs)
    out = runs_folder(name) if out is None else Path(out)
    choose_precision(config.precision, choose_device(device))  # what cannot be is said before anything is made
    if not processes()[0]:
        print(f"{name}, {mode}: on {machine(device)}; the run is kept in {out}")
    with one_run(out):
        return _train(recipe, name, mode, config, out, resume, device, weights, keep_every)


def find_config(recipe: Recipe, mode: str) -> TrainConfig:
    """How a recipe is trained in a mode. Errors: TrainingError naming the modes there are. Chapter: 4."""
    if mode not in MODES:
        raise TrainingError(f"mode is {mode!r}; choose from {', '.join(MODES)}")
    return recipe.training[mode]


def _train(recipe: Recipe, name: str, mode: str, config: TrainConfig, out: Path, resume: bool, device: str | None,
           weights: str | Path | None, keep_every: int) -> Path:
    windows, clean = (recipe.windows("train", augment, mode) for augment in (config.augment, None))
    model = recipe.build(clean, mode, windows, config.augment)
    if weights is not None:
        if resume and (out / "last.safetensors").exists():
            raise TrainingError(f"{out} holds a run, which goes on from its own weights and not from {weights}; leave "
                                "one of --resume and --weights away, or choose another folder")
        checkpoints.read_weights(Path(weights), model)
    history = fit(model, windows, config, out, recipe.windows("validation", None, mode), device, resume,
                  keep_every=keep_every)
    path = out / f"{name}.json"
    if processes()[0]:
        return path
    splits = {split: recipe.windows(split, None, mode) for split in ("validation", "test")}
    finish(model, clean, splits["validation"])
    stored = _store(path, model)
    card = {
        "name": name, "what": recipe.what, "mode": mode, "model": type(model).__name__, **stored,
        "data": {split: part.summary() for split, part in {"train": clean, **splits}.items()},
        "terms": {each: vars(source(each)) for each in recipe.data},
        "training": {key: str(value) for key, value in vars(config).items()}, "seed": config.seed,
        "begun_from": None if weights is None else hashlib.sha256(Path(weights).read_bytes()).hexdigest(),
        "epochs": len(history), "steps": len(history) * max(len(windows) // config.batch_size, 1),
        "minutes": round(history.minutes, 1), "device": machine(device),
        "versions": {package: version(package) for package in ("torch", "numpy", "choreo-lib")},
        "made": datetime.now(UTC).date().isoformat(),
        "measures": {split: recipe.evaluate(model, clean, part) for split, part in splits.items()}}
    checkpoints.write_json(path, card)
    if len(history):
        with checkpoints.atomic_write(out / "history.png") as temporary:
            history.plot().savefig(temporary, format="png", dpi=150)
    if isinstance(model, RotationModel):
        _write_examples(model, takes_of(splits["validation"])[0][:300], out)
    return path


def _store(path: Path, model: Any) -> dict[str, Any]:
    """Write a model's weights beside where its card will be, and read them back: it is evaluated as it is stored."""
    stored = path.with_suffix(".safetensors")
    # in float16 a small one saves nothing, and a law loses digits
    half = sum(each.numel() for each in model.state_dict().values()) > 100_000
    checkpoints.write_weights(stored, model, half)
    checkpoints.read_weights(stored, model)
    return {"config": model.config_dict(), "weights_sha256": hashlib.sha256(stored.read_bytes()).hexdigest(),
            "stored_as": "float16" if half else "float32"}  # fmt: skip


@takes(name=text, folder=path, out=path)
def refit(name: str, folder: str | Path | None = None, out: str | Path | None = None) -> Path:
    """Bring weights of an older version up to date: what they lack is fitted to the training windows, nothing trained.

    For statistics that a recipe's model has gained since, such as its prior of poses. ``folder`` holds weights and card
    (None: those that come with the library). The model is evaluated anew; new ones are written to ``out`` (None:
    ``runs/name``), and the card's path is given back.
    Errors: as `load_model`; TrainingError for weights with something else than the recipe's model has. Chapter: 5.
    """
    recipe, folder = find_recipe(name), WEIGHTS if folder is None else Path(folder)
    card = cards.read(folder / f"{name}.json")
    weights, mode = folder / f"{name}.safetensors", card.get("mode", "")
    find_config(recipe, mode)  # or it says which modes there are
    if hashlib.sha256(weights.read_bytes()).hexdigest() != card["weights_sha256"]:
        raise TrainingError(f"{weights} is not the file that its card describes; fetch or train it again")
    clean = recipe.windows("train", None, mode)
    model = recipe.build(clean, mode).eval()
    checkpoints.read_weights(weights, model, partly=True)
    _blend(model, clean, recipe.windows("validation", None, mode))
    made = (runs_folder(name) if out is None else Path(out)) / f"{name}.json"
    made.parent.mkdir(parents=True, exist_ok=True)
    checkpoints.write_json(made, card | _store(made, model) | {"measures": {
        split: recipe.evaluate(model, clean, recipe.windows(split, None, mode)) for split in card["measures"]}})
    return made


def finish(model: Any, clean: Windows | Particles, valid: Windows | Particles) -> None:
    """What is left to do with a trained model, if any: fit its residuals, and blend it with ridge regression.

    ``clean`` windows it was trained on, ``valid`` are for validation. It ends on the CPU, to evaluate. Chapter: 4.
    """
    if hasattr(model, "fit_residuals"):
        model.fit_residuals(clean.batches(1024))
    model.cpu().eval()
    _blend(model, clean, valid)


def _blend(model: Any, clean: Windows | Particles, valid: Windows | Particles) -> None:
    """Blend a partner's nearest frames with ridge regression, whose penalties take two takes to choose."""
    if getattr(model, "ridge", None) is not None and isinstance(clean, Windows) and len(clean.take.unique()) > 1:
        frames = range(1, len(model.ridge.shares) + 1)
        ridge = baselines.Ridge("own", frames=model.ridge.past).fit(clean, frames)
        model.fit_ridge(ridge.weights["a"], valid.batches(1024))


def _write_examples(model: Any, take: Duet, out: Path) -> None:
    """A take as danced and as made, a file each and one film a route."""
    for who, motion in zip("ab", take):
        write_motion(motion, out / f"danced-{who}.bvh")
    for route in model.possible_routes():
        danced, other = (tuple(take)[dancer_index(who)] for who in route)
        made = model.translate(danced, route, other.skeleton)
        write_motion(made, out / f"made-{route}.bvh")
        animate(Duet(replace(danced, name="danced"), replace(made, name="made")), out / f"made-{route}.gif")
