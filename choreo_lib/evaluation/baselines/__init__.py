"""What a network has to beat: forecasts, and classical answers to who moves whom. Taught in chapters 3 and 8."""

from .coupling import CouplingScores, Swap, cross_correlation_coupling, granger_coupling, partner_swap, ridge_coupling
from .forces import Forces, correlation_edges, force_edges
from .forecast import HORIZONS, ConstantVelocity, DampedVelocity, Forecaster, Scores, ZeroVelocity, evaluate
from .ridge import Ridge
from .translation import MeanPartner, RidgeTranslation

__all__ = [
    "HORIZONS", "ConstantVelocity", "DampedVelocity", "Forces", "Forecaster", "ZeroVelocity",
    "Ridge", "RidgeTranslation",
    "Scores", "CouplingScores", "Swap", "MeanPartner", "correlation_edges", "cross_correlation_coupling", "evaluate",
    "force_edges", "granger_coupling", "partner_swap", "ridge_coupling"]
