"""Runs and weights on disk: safetensors and JSON, whole or not at all, never a pickle. Taught in chapter 4."""

import contextlib
import functools
import json
import math
import re
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save_file
from torch import nn

from ..core import files
from . import fingerprints


class TrainingError(RuntimeError):
    """A run that cannot start, go on or be read: says what is wrong, where, and what to do. Chapter: 4."""


atomic_write = functools.partial(files.atomic_write, error=TrainingError)
"""A temporary path beside the one given, moved over it when all went well; see `choreo_lib.core.files.atomic_write`."""


def write_json(path: Path, content: dict) -> None:
    """A card or a table as JSON, whole or not at all. Errors: as `write_weights`. Chapter: 4."""
    with atomic_write(path) as half:
        half.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def write_weights(path: Path, model: nn.Module, half: bool = False) -> None:
    """A model's weights as safetensors, with its configuration; ``half``: in float16, at half the size.

    Of a part of a model that has ``stored_in_full``, tensors of these names stay as they are.
    Errors: TrainingError where the disk is full or the folder closed; what stood at ``path`` stays. Chapter: 4.
    """
    tensors = dict(model.state_dict())
    if half:
        whole = {f"{part}.{name}" for part, module in model.named_modules()
                 for name in getattr(module, "stored_in_full", ())}
        tensors = {name: t.half() if t.is_floating_point() and name not in whole else t for name, t in tensors.items()}
    config = fingerprints.configuration(model)
    _write(path, tensors, {} if config is None else {"config": json.dumps(config)})


def read_weights(path: Path, model: nn.Module, partly: bool = False) -> None:
    """Weights into a model; ``partly``: what the file has not stays as it is.

    Errors: TrainingError for a file that is none, whose weights are another model's or of other joints, not finite, or
    whole numbers where the model has real ones. Chapter: 4.
    """
    tensors, meta = _read(path)
    tensors = model.state_dict() | tensors if partly else tensors
    _compare(path, tensors, model)
    mine = fingerprints.configuration(model)
    if "config" in meta and mine is not None:
        theirs = _json(path, meta, "config", dict)
        if "names" in mine and list(mine["names"]) != theirs.get("names"):
            raise TrainingError(f"{path} was trained on other joints, or on these in another order; bring the motion's "
                                "joints into the order of the weights, or train again")
    model.load_state_dict(tensors)


def save(path: Path, model, optimiser, scaler, identity: str, state: dict) -> None:
    """Everything that a run needs to go on as if nothing had happened. Errors: as `write_weights`. Chapter: 4."""
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    for number, slots in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{number}/{name}": value for name, value in slots.items()}
    tensors["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    _write(path, tensors, {
        "kind": "choreo run", "identity": identity, "state": json.dumps(state),
        "scaler": json.dumps(scaler.state_dict()), "parts": json.dumps(sorted(tensors))})


def load(path: Path, model, optimiser, scaler, identity: str, rank: int) -> dict:
    """The inverse of `save`; gives the state. Nothing is changed before all of the file has been looked at.

    Errors: TrainingError for a damaged or foreign file, weights not finite, another model, config or data. Chapter: 4.
    """
    tensors, meta = _read(path)
    if meta.get("kind") != "choreo run":
        raise TrainingError(f"{path} is no run of this library (it may be weights alone); choose the last.safetensors "
                            "that training wrote")
    mine, theirs = json.loads(identity), _json(path, meta, "identity", dict)
    parts = _json(path, meta, "parts", list)
    if missing := [str(name) for name in parts if not isinstance(name, str) or name not in tensors]:
        raise _damaged(path, f"{', '.join(missing[:3])}{' and others are' if missing[3:] else ' is'} not there")
    weights = {name[6:]: value for name, value in tensors.items() if name.startswith("model/")}
    _compare(path, weights, model)
    if changed := fingerprints.changes(mine, theirs):
        raise TrainingError(f"{path} was made with another {', '.join(changed)}; go on with the same, or start in "
                            "another folder")
    slots = _slots(path, tensors, optimiser)
    state, scale = _state(path, meta), _json(path, meta, "scaler", dict)
    if scale.keys() != scaler.state_dict().keys() or not all(map(_number, scale.values())):
        raise _damaged(path, "the state of its gradient scaler is not there, or another precision's")
    random = {"cpu": _tensor(path, tensors, "random/cpu", torch.get_rng_state())}
    if "random/cuda" in tensors and torch.cuda.is_available():
        random["cuda"] = _tensor(path, tensors, "random/cuda", torch.cuda.get_rng_state())
    model.load_state_dict(weights)
    optimiser.load_state_dict({"state": slots, "param_groups": optimiser.state_dict()["param_groups"]})
    if scale:
        scaler.load_state_dict(scale)
    if not rank:  # the first process wrote it, and the others keep noise of their own
        torch.set_rng_state(random["cpu"])
        if "cuda" in random:
            torch.cuda.set_rng_state(random["cuda"])
    return state


def _write(path: Path, tensors: dict[str, torch.Tensor], meta: dict[str, str]) -> None:
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with atomic_write(path) as half:
        try:
            save_file(tensors, half, meta)
        except safetensors.SafetensorError as error:  # the system's own number stands in its text only
            number = re.search(r"\(os error (\d+)\)", str(error))
            raise OSError(int(number[1]) if number else 5, str(error)) from error


@contextlib.contextmanager
def _opened(path: Path):
    try:
        with safetensors.safe_open(path, "pt") as file:
            yield file
    except Exception as error:  # whatever a damaged file does to its reader
        raise TrainingError(f"{path} cannot be read as safetensors: {error}. It may be cut short or of another kind; "
                            "use another checkpoint, or train again") from error


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


def _compare(path, tensors: dict[str, torch.Tensor], model: nn.Module) -> None:
    """Refuse weights that are another model's, of another kind of number, or no numbers, naming the first."""
    compare_shapes(path, {name: tuple(tensor.shape) for name, tensor in tensors.items()}, model)
    for name, value in model.state_dict().items():
        _tensor(path, tensors, name, value)


def _tensor(path, tensors: dict[str, torch.Tensor], name: str, like: torch.Tensor) -> torch.Tensor:
    """One tensor of a file, if it is there, of the shape and kind of number of another, and finite."""
    if name not in tensors:
        raise _damaged(path, f"{name} is not there")
    given = tensors[name]
    if given.shape != like.shape:
        raise _damaged(path, f"{name} has shape {tuple(given.shape)}, and {tuple(like.shape)} is needed")
    if given.dtype != like.dtype and not (given.is_floating_point() and like.is_floating_point()):
        raise _damaged(path, f"{name} is {given.dtype}, and this model has {like.dtype}".replace("torch.", ""))
    if not given.float().isfinite().all():
        raise _damaged(path, f"{name} holds numbers that are not finite")
    return given


def stored_shapes(path: Path) -> dict[str, tuple]:
    """The shapes of a file's weights, which stay on the disk. Errors: TrainingError. Chapter: 4."""
    with _opened(path) as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def compare_shapes(path, held: dict[str, tuple], model: nn.Module) -> None:
    """Refuse another model's weights (it may be on "meta"). Errors: TrainingError naming the first. Chapter: 4."""
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name in dict.fromkeys([*wanted, *held]):
        if wanted.get(name) != held.get(name):
            raise TrainingError(f"{path} holds weights of another model: {name} is {held.get(name, 'not there')}, and "
                                f"this model has {wanted.get(name, 'no such weight')}. Do joints, frames and sizes "
                                "agree?")


def _slots(path, tensors: dict[str, torch.Tensor], optimiser) -> dict[int, dict]:
    """The optimiser's running means, each beside the weight that it is of."""
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    numbers = set()
    for name in tensors:
        if name.startswith("optimiser/"):
            found = re.fullmatch(r"optimiser/(\d{1,6})/(step|exp_avg|exp_avg_sq)", name)
            if not found or int(found[1]) >= len(weights):
                raise _damaged(path, f"{name} belongs to no weight of this model")
            numbers.add(int(found[1]))
    likes = {k: {"step": torch.zeros(()), "exp_avg": weights[k], "exp_avg_sq": weights[k]} for k in numbers}
    return {k: {name: _tensor(path, tensors, f"optimiser/{k}/{name}", like) for name, like in slot.items()}
            for k, slot in likes.items()}


def _state(path, meta: dict[str, str]) -> dict:
    """Where the run stood, each entry of the right kind."""
    state = _json(path, meta, "state", dict)
    kinds = {"epoch": _count, "step": _count, "stale_epochs": _count, "seconds": _number,
             "best": lambda x: type(x) is float and not math.isnan(x),
             "sums": _numbers, "rows": lambda x: isinstance(x, list) and all(map(_numbers, x))}
    for name, fits in kinds.items():
        if name not in state or not fits(state[name]):
            raise _damaged(path, f"{name}, where the run stood, is not there or {str(state.get(name))[:40]!r}")
    return state


def _json(path, meta: dict[str, str], name: str, kind: type):
    try:
        words = json.loads(meta[name])
    except (KeyError, ValueError, RecursionError):
        words = None
    if not isinstance(words, kind):
        raise _damaged(path, f"its {name} is not there or cannot be read")
    return words


def _count(x) -> bool:
    return type(x) is int and 0 <= x < 1 << 53


def _number(x) -> bool:
    return type(x) in (int, float) and abs(x) < 1e300


def _numbers(x) -> bool:
    return isinstance(x, dict) and all(type(each) in (int, float) for each in x.values())


def _damaged(path, what: str) -> TrainingError:
    return TrainingError(f"{path} is damaged or was edited: {what}. Use another checkpoint, or train again")
