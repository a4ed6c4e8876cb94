"""From motion capture to generated dance partners: the library of "AI Choreography: From Solos to Duets".

Conventions, the same everywhere: metres, seconds, frames per second; a right-handed world with Z up;
quaternions x y z w; axes in the order [batch, time, dancer, joint, xyz]; dancers a and b. Files that
think otherwise are converted where they are read (`choreo_lib.formats`) and nowhere else.
"""

from . import augmentation, baselines, checks, cleaning, metrics, palette, plots, synthetic, windows
from .artifacts import evaluate, list_models, load_model
from .checkpoints import TrainingError
from .cleaning import RepairReport, clean
from .datasets import DatasetError, data_path, list_datasets, load_duet, load_motion, splits
from .export import animate
from .formats import Markers, MotionFormatError, MotionGuessWarning, read_duet, read_markers, read_motion, write_motion
from .formats.conform import ConformReport, conform
from .motion import OURS, Duet, Motion, Source
from .player import Player, play
from .skeleton import HYBRIK_29, Skeleton, forward_kinematics

__version__ = "0.1.0"
