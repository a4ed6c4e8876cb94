"""What is measured: how far a prediction is from the truth, how a body moves, how two bodies belong together.

Every function gives SI units (metres, m/s, m/s^3); tables turn them into millimetres. `errors` compares a prediction
with what was danced, `movement` looks at one dancer, `pairs` at two, and `frechet` at many windows at once.
`edges` counts what was found of a graph.
`joints` knows the same joints under the names that different recordings give them. Taught in chapter 3.
"""

from .edges import EdgeScore, edge_accuracy
from .errors import auc, average_precision, best_of, block_bootstrap, diversity, joint_error
from .frechet import cross_distance_features, frechet_distance, geometric_features, kinetic_features, real_floor
from .movement import beats, bone_variation, foot_skate, jerk, pace, speed, velocity
from .pairs import CrossCorrelation, apart, beat_echo, contact, coupling, cross_correlation, nearest

__all__ = [
    "CrossCorrelation", "EdgeScore", "apart", "auc", "average_precision", "beat_echo", "beats", "best_of",
    "block_bootstrap", "bone_variation", "contact", "coupling", "cross_correlation", "cross_distance_features",
    "diversity", "edge_accuracy", "foot_skate", "frechet_distance", "geometric_features", "jerk", "joint_error",
    "kinetic_features", "nearest", "pace", "real_floor", "speed", "velocity",
]  # fmt: skip
