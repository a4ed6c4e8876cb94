"""Cards: what stands beside weights, read with care, for anybody may have edited it. Taught in chapter 4."""

import hashlib
import inspect
import json
import re
import warnings
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from .. import extensions, systems
from . import checkpoints
from .checkpoints import TrainingError

_LARGEST = 2_000_000  # bytes; ours have some thousands
_NEEDED = {"model", "config", "weights_sha256"}
_FIELDS: dict[str, Any] = {
    "model": str, "config": dict, "weights_sha256": str, "name": str, "what": str, "mode": str, "stored_as": str,
    "data": dict, "terms": dict, "training": dict, "seed": int, "epochs": int, "steps": int, "minutes": (int, float),
    "device": str, "versions": dict, "made": str, "measures": dict}  # fmt: skip


def read(path: Path) -> dict:
    """A card with fields of the right kinds. Errors: TrainingError for a file that is none. Chapter: 4."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"{path.stat().st_size:,} bytes are no card")
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _no_card(path, repr(error)[:200]) from error
    if not isinstance(card, dict):
        raise _no_card(path, "it is not a JSON object")
    for name, wanted in _FIELDS.items():
        value = card.get(name)
        if name in _NEEDED | card.keys() and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise _no_card(path, f"field {name!r} is {str(value)[:60]!r}, which is not its kind")
    known = model_classes()
    if card["model"] not in known:
        raise _no_card(path, f"field 'model' is {card['model'][:60]!r}, and the models are {', '.join(known)}")
    if not re.fullmatch("[0-9a-f]{64}", card["weights_sha256"]):
        raise _no_card(path, "field 'weights_sha256' is no SHA-256 in hexadecimal")
    for split, rows in card.get("measures", {}).items():
        if not isinstance(rows, dict) or not all(isinstance(row, dict) and all(
                type(value) in (int, float) for value in row.values()) for row in rows.values()):
            raise _no_card(path, f"field 'measures' holds something else than numbers for {str(split)[:40]!r}")
    return card


def model_classes() -> dict[str, Any]:
    """The models that a card may name: of `extensions`, and of `systems` where these have none such. Chapter: 4."""
    return {name: kind for room in (systems, extensions) for name, kind in vars(room).items()
            if isinstance(kind, type) and hasattr(kind, "from_config")}


def load(path: Path, weights: Path) -> torch.nn.Module:
    """The model of a card with its weights in it, in evaluation mode; ``.card`` holds the card.

    Errors: TrainingError for a card of nonsense, and for weights that are not the card's. Chapter: 4.
    """
    card = read(path)
    if not weights.exists() or hashlib.sha256(weights.read_bytes()).hexdigest() != card["weights_sha256"]:
        raise TrainingError(f"{weights} is not the file that its card describes; fetch or train it again")
    kind = model_classes()[card["model"]]
    shapes = checkpoints.stored_shapes(weights)
    _check_config(path, kind, card["config"], shapes)
    try:
        # shapes without memory, however large the card says
        with torch.device("meta"), _WithoutCompiler(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sketch = kind.from_config(card["config"])
        checkpoints.compare_shapes(weights, shapes, sketch)
        model = kind.from_config(card["config"])
    except TrainingError:
        raise
    except Exception as error:  # whatever a wrong number does in the middle of building a network
        raise _no_card(path, f"field 'config' builds no {card['model']}: {str(error)[:200]!r}") from error
    checkpoints.read_weights(weights, model)
    model.card = card
    return model.eval()


class _WithoutCompiler(TorchFunctionMode):
    """For these functions without memory PyTorch 2.13 imports its compiler: a second, longer than all the rest."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in (torch.nn.init.normal_, torch.Tensor.triu):  # only shapes are looked at
            return args[0] if args else kwargs["tensor"]
        real = func in (torch.arange, torch.eye, torch.linspace, torch.randn, torch.tensor)
        return func(*args, **(kwargs or {}) | ({"device": "cpu"} if real else {}))


def _check_config(path: Path, kind, config: dict, shapes: dict[str, tuple]) -> None:
    """Refuse a configuration with values of other kinds than the model's, or numbers that no such weights have."""
    most = max([10_000, *(size for shape in shapes.values() for size in shape)])
    parameters = inspect.signature(kind).parameters
    body = {"names": [""], "parents": [0]} if "skeleton" in parameters else {}  # a config keeps a skeleton in two lists
    examples = {field.name: field.default for field in fields(kind.Config)} if hasattr(kind, "Config") else {
        name: parameter.default for name, parameter in parameters.items() if name != "skeleton"}
    for name, example in (examples | body).items():
        value = config.get(name)
        fits = _same_kind(value, example) if name in config else name not in body
        if not fits or type(value) is int and not 0 <= value <= (len(shapes) if name == "layers" else most):
            raise _no_card(path, f"field 'config' has {str(value)[:60]!r} for {name!r}")


def _same_kind(value, example) -> bool:
    """Whether a value that came out of JSON is of the same kind as an argument's default."""
    if is_dataclass(example) and not isinstance(example, type):
        example = asdict(example)
    if isinstance(example, dict):
        return isinstance(value, dict) and value.keys() <= example.keys() and all(
            _same_kind(each, example[key]) for key, each in value.items())
    if isinstance(example, bool | str):
        return type(value) is type(example)
    if isinstance(example, int):
        return type(value) is int
    if isinstance(example, float):
        return type(value) in (int, float) and abs(value) < 1e12  # which no NaN is, and no infinity
    if isinstance(example, list | tuple):
        return isinstance(value, list) and all(_same_kind(each, example[0]) for each in value)
    return value is None or isinstance(value, list) and all(_same_kind(each, 0.0) for each in value)


def _no_card(path: Path, what: str) -> TrainingError:
    return TrainingError(f"{path} is no card of this library ({what}); fetch or train it again")
