"""From motion capture to generated dance partners: the library of "AI Choreography: From Solos to Duets".

Conventions, the same everywhere: metres, seconds, frames per second; a right-handed world with Z up;
quaternions x y z w; axes in the order [batch, time, dancer, joint, xyz]; dancers a and b. Files that
think otherwise are converted where they are read (`choreo_lib.io`) and nowhere else.
"""

from . import checks, cleaning
from .body.motion import OURS, Duet, Motion, Source
from .body.skeleton import HYBRIK_29, Skeleton, forward_kinematics
from .cleaning import RepairReport, clean
from .evaluation import baselines, metrics
from .io import Markers, MotionFormatError, MotionGuessWarning, read_duet, read_markers, read_motion, write_motion
from .io.conform import ConformReport, conform
from .sets import augmentation, synthetic, windows
from .sets.registry import DatasetError, data_path, list_datasets, load_duet, load_motion
from .sets.splits import splits
from .show import palette, plots
from .show.export import animate
from .show.player import Player, play
from .training.artifacts import evaluate, list_models, load_model
from .training.checkpoints import TrainingError

__version__ = "0.1.0"
