"""Metrics, in SI units: how far a prediction is off, how a body moves, how two belong together. Taught in chapter 3."""

from .edge_score import EdgeScore, edge_accuracy
from .errors import auc, average_precision, best_of, block_bootstrap, diversity, mpjpe
from .foot_skating import foot_skate
from .frechet import (
    cross_distance_features,
    frechet_distance,
    geometric_features,
    kinetic_features,
    split_half_distance,
)
from .intersection import intersection_depth
from .movement import beats, bone_variation, jerk, mean_speed, speed, velocity
from .pairs import CrossCorrelation, beat_echo, contact, coupling, cross_correlation, nearest, pelvis_distance

__all__ = [
    "CrossCorrelation", "EdgeScore", "pelvis_distance", "auc", "average_precision", "beat_echo", "beats", "best_of",
    "block_bootstrap", "bone_variation", "contact", "coupling", "cross_correlation", "cross_distance_features",
    "diversity", "edge_accuracy", "foot_skate", "frechet_distance", "geometric_features", "intersection_depth", "jerk",
    "kinetic_features", "mpjpe", "nearest", "mean_speed", "split_half_distance", "speed", "velocity"]
