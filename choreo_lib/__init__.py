"""From motion capture to generated dance partners: the library of "AI Choreography: From Solos to Duets".

Conventions, the same everywhere: metres, seconds, frames per second; a right-handed world with Z up;
quaternions x y z w; axes in the order [batch, time, dancer, joint, xyz]; dancers a and b. Files that
think otherwise are converted where they are read (`choreo_lib.io`) and nowhere else.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .body.kinematics import forward_kinematics
from .body.motion import Duet, Motion
from .body.skeleton import HYBRIK_29, Skeleton
from .body.source import OURS, Source
from .io import Markers, MotionFormatError, MotionGuessWarning, read_duet, read_markers, read_motion, write_motion
from .io.conform import ConformReport, conform
from .sets import augmentation, synthetic, windows
from .sets.registry import DatasetError, data_path, list_datasets, load_duet, load_motion
from .sets.splits import splits
from .show import palette, plots
from .show.export import animate
from .show.player import Player, play

if TYPE_CHECKING:
    from . import checks, cleaning, evaluation, extensions, studio, systems, training
    from .cleaning import RepairReport, clean
    from .evaluation import baselines, metrics
    from .training.artifacts import evaluate, list_models, load_model
    from .training.checkpoints import TrainingError

__version__ = "0.1.0"

_LATER = {  # rooms, and names with the module that has them: loaded when first used, since they need SciPy
    **dict.fromkeys(("checks", "cleaning", "evaluation", "extensions", "studio", "systems", "training"), ""),
    **dict.fromkeys(("RepairReport", "clean"), "cleaning"),
    **dict.fromkeys(("baselines", "metrics"), "evaluation"),
    **dict.fromkeys(("evaluate", "list_models", "load_model"), "training.artifacts"),
    "TrainingError": "training.checkpoints",
}


def _load(name: str):
    """A name of `_LATER`, from the module that has it. Errors: AttributeError for another."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_LATER[name] or name}")
    value = globals()[name] = getattr(home, name) if _LATER[name] else home
    return value


if not TYPE_CHECKING:  # a type checker shall go on telling which names there are
    __getattr__ = _load


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER} - {"TYPE_CHECKING", "import_module"})
