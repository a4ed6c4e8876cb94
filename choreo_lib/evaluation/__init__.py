"""How a trained model is evaluated: its metrics and all baselines', on the same windows. Taught in chapters 4 to 9."""

from .couplings import evaluate_couplings
from .duet import ShuffledPartner, evaluate_duet, evaluate_forecasts
from .endurance import endurance, evaluate_endurance
from .listening import benefit, listening, true_errors
from .particles import evaluate_particles
from .rotations import evaluate_deepfake, evaluate_translation, predicted_positions
from .solo import evaluate_reconstruction, evaluate_solo
from .style_classifier import IdentityClassifier

__all__ = [
    "IdentityClassifier", "ShuffledPartner", "benefit", "endurance", "evaluate_couplings", "evaluate_deepfake",
    "evaluate_duet", "evaluate_endurance", "evaluate_forecasts", "evaluate_particles", "evaluate_reconstruction",
    "evaluate_solo", "evaluate_translation", "listening", "predicted_positions", "true_errors"]
