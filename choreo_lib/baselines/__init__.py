"""What a network has to beat: forecasts without one, and classical answers to who moves whom. Taught in chapter 3."""

from .coupling import Strings, Swap, cross_correlation_strings, granger_strings, partner_swap, ridge_strings
from .forecast import HORIZONS, ConstantVelocity, DampedVelocity, Forecaster, Repeat, Ridge, Scores, evaluate
from .translation import RidgeTranslation, UsualPartner

__all__ = [
    "HORIZONS", "ConstantVelocity", "DampedVelocity", "Forecaster", "Repeat", "Ridge", "RidgeTranslation", "Scores",
    "Strings", "Swap", "UsualPartner", "cross_correlation_strings", "evaluate", "granger_strings", "partner_swap",
    "ridge_strings",
]  # fmt: skip
