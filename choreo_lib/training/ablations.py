"""What each option of a model is worth: its recipe trained once with all of them, and once without each.

A module of `choreo_lib.extensions` has a constant ``ABLATIONS``: for each option the settings that switch it off.
Taught in chapter 4, "A dancer in 256 numbers".
"""

import json
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..core.arguments import count, path, takes, text
from ..core.tables import format_table
from ..sets.registry import DATA
from . import checkpoints
from .artifacts import find_config, find_recipe, finish
from .checkpoints import TrainingError
from .loop import fit
from .recipe import Recipe

ALL_ON = "all on"
FOLDER = DATA / "ablations"


@takes(name=text, mode=text, only=text, out=path, runs=path, device=text, epochs=count())
def ablate(name: str, mode: str = "quick", only: str | None = None, out: str | Path | None = None,
           runs: str | Path | None = None, device: str | None = None, epochs: int | None = None
           ) -> dict[str, dict[str, Any]]:
    """Train an artifact's recipe with all options on, and without each one; gives {option: row} of this mode.

    A row has the settings that were changed, the model's metrics on the validation split, steps, minutes, mode, seed
    and the whole configuration. ``only``: this option alone. Rows of all modes are written to ``out`` / name.json
    (None: data/ablations) as soon as each is known. What is there, of the same mode and configuration, is not trained
    again, and a run that was broken off goes on in ``runs`` (None: runs/ablations). ``epochs``, in place of the
    recipe's, are a mode of their own: "full, 5 epochs".
    Errors: TrainingError for an unknown name, mode or option, or a model without ``ABLATIONS``; as
    `choreo_lib.training.loop.fit`. Chapter: 4.
    """
    recipe = find_recipe(name)
    config = find_config(recipe, mode)
    config = replace(config, epochs=epochs or config.epochs)
    rows_of = mode if epochs is None else f"{mode}, {epochs} epochs"
    options = _options(recipe, only)
    target = (FOLDER if out is None else Path(out)) / f"{name}.json"
    runs = Path("runs", "ablations") if runs is None else Path(runs)
    windows, clean = (recipe.windows("train", augment, mode) for augment in (config.augment, None))
    valid = recipe.windows("validation", None, mode)
    for option, settings in options.items():
        model = recipe.build(clean, mode, windows, config.augment, **settings)
        configuration = json.loads(json.dumps({"model": model.config_dict(), "training": vars(config)}, default=str))
        if read_rows(target).get(rows_of, {}).get(option, {}).get("configuration") == configuration:
            continue
        key = sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:12]  # a run of its own
        history = fit(model, windows, config, runs / name / f"{mode}-{key}", valid, device, resume=True)
        finish(model, clean, valid)
        row = {
            "settings": json.loads(json.dumps(settings, default=str)),
            "metrics": recipe.evaluate(model, clean, valid)["model"],
            "steps": len(history) * max(len(windows) // config.batch_size, 1),
            "minutes": round(history.minutes, 2), "mode": rows_of, "seed": config.seed,
            "configuration": configuration}
        rows = read_rows(target)  # as it stands now: another run may have added to it meanwhile
        rows.setdefault(rows_of, {})[option] = row
        target.parent.mkdir(parents=True, exist_ok=True)
        checkpoints.write_json(target, rows)
    found = read_rows(target)[rows_of]
    return {option: found[option] for option in options}


def _options(recipe: Recipe, only: str | None) -> dict[str, dict[str, Any]]:
    """The settings that each run changes: none for the first, then one option's at a time."""
    known = getattr(sys.modules[recipe.model.__module__], "ABLATIONS", None)
    if not known:
        raise TrainingError(f"{recipe.model.__name__} has no options to switch off: its module has no ABLATIONS")
    options = {ALL_ON: {}, **known}
    if only is not None and only not in options:
        raise TrainingError(f"there is no option {only!r}; there are {', '.join(options)}")
    return options if only is None else {only: options[only]}


def read_rows(file: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Rows written before, {mode: {option: row}}, or {}. Errors: TrainingError for a file without such. Chapter: 4."""
    if not file.exists():
        return {}
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(rows, dict):
            raise ValueError("it holds no table of ablations")
    except ValueError as error:
        raise TrainingError(f"{file} cannot be read as JSON: {error}; remove it, and train again") from error
    return rows


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Rows of `ablate` as text: a line an option, the model's metrics beside each other. Chapter: 4."""
    metrics = list(dict.fromkeys(metric for row in rows.values() for metric in row["metrics"]))

    def label(option: str, settings: dict[str, Any]) -> str:
        """What is off in the model as it is, such as a part of the published one, is switched on."""
        on = any(value is True for value in settings.values())
        return option if option == ALL_ON else f"{'with' if on else 'without'} {option}"

    lines = [[label(option, row["settings"]),
              *(f"{row['metrics'][metric]:.4g}" if metric in row["metrics"] else "" for metric in metrics),
              f"{row['steps']}", f"{row['minutes']:.1f}"] for option, row in rows.items()]
    return format_table(["", *metrics, "steps", "minutes"], lines)
