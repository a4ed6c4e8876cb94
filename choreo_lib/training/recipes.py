"""Every trained artifact of the book: its data, its model, its training in quick and full, and how it is evaluated.

Taught in chapter 4, "A dancer in 256 numbers"; those of duets in chapter 5, "A partner"; those of rotations in chapters
6 and 7, "Translating a dancer" and "A deepfake of dancers"; those of graphs in chapters 8 and 9.
"""

from dataclasses import replace
from functools import partial
from typing import Any

from .. import evaluation
from ..extensions import CouplingNRI, DuetForecaster, ForceNRI, LinearVAE, MotionTranslator, StyleTransport
from ..sets import splits
from ..sets.augmentation import Augment
from ..systems import VAERNN, DuetVAE, SoloVAE
from ..systems.losses import Schedule
from .recipe import MODES, Recipe, cut_windows
from .train_config import TrainConfig

SALSA = partial(splits.recorded_duets, "salsa")
SALSA_ROTATIONS = partial(cut_windows, SALSA, 64, (16, 4, 8), rotations=True)
SALSA_19 = ("Hips", "Spine", "Spine3", "Neck", "Head",
            *(side + part for side in ("Left", "Right")
              for part in ("Arm", "ForeArm", "Hand", "UpLeg", "Leg", "Foot", "ToeBase")))  # fmt: skip
"""The joints over which forecasts on salsa are compared: no collar bones, no ends of the head, hands and feet."""

# Chapter 4. Components of augmented windows rebuild a dance that is not known 3 to 6 % better than those of bare ones.
SOLO_DUETS = partial(splits.synthetic_duets, (("canon", 1.0), ("mirror", 1.0), ("independent", 1.0)))
SOLO = {"quick": {"latent": 64, "residual_rank": 64}, "full": {"latent": 256, "residual_rank": 256}}
SOLO_TRAINING = {
    "quick": TrainConfig(epochs=0),  # a linear VAE is fitted in closed form
    "full": TrainConfig(epochs=0, augment=Augment(length=64, turn=False, exchange=0.0)),  # its frame undoes a turn
}  # fmt: skip

# Chapter 5. The published best sizes are the defaults; `benchmarks/duet_choices.py` measures what is chosen otherwise.
# A past of 16 frames would be cheaper, and hides a canon half a second behind.
DUET_KINDS = (("mirror", 1.0), ("counterbalance", 1.0), *(("canon", k / 2) for k in range(3)))
DUET_BASE = {"past": 24, "heads": 4, "dropout": 0.0, "mse": 0.0, "distance": 0.5, "velocity": 4.0}
DUET = {"quick": DUET_BASE | {"residual_components": 32},
        "full": DUET_BASE | {"features": 128, "hidden": 128, "noise_injection": 0.5, "speed": 2.0}}
# Synthetic dancers move more smoothly than recorded ones, and their feet stand where salsa's skim.
# Shipped weights had 60 epochs without the acceleration loss, then 6 with it, begun from those (--weights, --epochs 6).
DUET_SYNTHETIC = {"quick": DUET["quick"] | {"foot_friction": 1.0},
                  "full": DUET["full"] | {"foot_friction": 1.0, "acceleration": 24.0, "speed": 6.0}}
# Chapter 11 measures what a seed of training changes with three of these: small enough to lie beside the book.
DUET_SMALL = {"features": 32, "hidden": 32, "latent": 16, "layers": 1, "residual_components": 1, "ridge_frames": 0}
# 24 frames of past and 30 ahead. Noise of 2 mm would drown how smooth movement is, of which the next frames are made.
DUET_AUGMENT = Augment(length=54, turn=False, noise=0.0002, tempo=0.3)
DUET_TRAINING = {
    "quick": TrainConfig(epochs=6, batch_size=64, lr=2e-3, warmup=20, augment=DUET_AUGMENT),
    "full": TrainConfig(epochs=60, batch_size=32, lr=2e-3, warmup=100, weight_decay=0.01, augment=DUET_AUGMENT)}
DUET_SALSA = DUET | {"full": DUET["full"] | {"turning": True, "distance_matrix": 4.0}}  # its followers spin
# One kind of dance, not five. Shipped weights had 20 epochs more, begun from these (--weights, --epochs 20): where two
# takes are left out, 400 ms 51 -> 49 mm, 1 s 105 -> 101, speed 0.92 -> 0.97 (`benchmarks/duet_longer.py`).
DUET_TRAINING_SALSA = DUET_TRAINING | {"full": replace(DUET_TRAINING["full"], epochs=30)}

# Chapter 6. The published sizes and weights of the losses are the model's defaults. A latent for each eighth of the
# window instead of one for the whole takes 26 % of the error on a take left out, dropout another 6.
TRANSLATION = {"rotation_format": "6d", "hidden": 128, "dense": 256, "dropout": 0.5, "position": 5.0, "velocity": 5.0,
               "segments": 8, "kl": Schedule(1e-4)}  # fmt: skip
TEMPO_AUGMENT = Augment(length=64, turn=False, exchange=0.0, noise=0.0, tempo=0.2)
TRANSLATION_TRAINING = {
    "quick": TrainConfig(epochs=3, batch_size=32, lr=2e-3, warmup=20, ema_decay=0.99),
    "full": TrainConfig(epochs=30, batch_size=32, lr=2e-3, warmup=100, weight_decay=0.01, ema_decay=0.995,
                        augment=TEMPO_AUGMENT)}

# Chapter 7. Nothing is trained; mirrored windows among those measured make what is danced less jerky.
STYLE_TRAINING = {"quick": TrainConfig(epochs=0), "full": TrainConfig(epochs=0, augment=TEMPO_AUGMENT)}

# Chapter 8.
LAW_DECODER = {"decoder": "law", "prediction_steps": 1, "decoder_hidden": 16}
MLP_DECODER = {"decoder": "mlp", "prediction_steps": 10}
BOTH_FORCES = {"no_edge": False}  # charges repel or attract: no type of edge means that there is no force
PARTICLE_TRAINING = TrainConfig(epochs=8, batch_size=64, lr=5e-3, warmup=100)

# Chapter 9. After ten epochs the network would predict a hair better and rank edges a hair worse.
COUPLING_TRAINING = TrainConfig(epochs=5, batch_size=32, lr=8e-3, warmup=50)
EDGE_DROPOUT = {"dropout": 0.5}
AS_DESCRIBED = {"memory": True, "max_lag": 0.0, "correlation": False, "next_window": False, "types": 4,
                "prior": (0.35, 0.25, 0.15, 0.25), "hidden": 64}  # fmt: skip

# Chapter 11: the published systems, repaired, beside what the book made of them. Networks and losses are the shelf's;
# LSTMs are narrower, so that weights stay small, and the KL weight's cycle of 100 epochs is run in 10.
SHELF_TRAINING = {"quick": TrainConfig(epochs=1, batch_size=32, lr=1e-3, warmup=20),
                  "full": TrainConfig(epochs=10, batch_size=32, lr=1e-3, warmup=100)}
SHELF_TRAINING_SYNTHETIC = SHELF_TRAINING | {"full": replace(SHELF_TRAINING["full"], epochs=6)}  # 4 times as many
SHELF_ROTATIONS = {mode: {"hidden": 96, "dense": 256, "kl": Schedule(0.1, "cyclical", wait=2, rise=6, hold=2),
                          "steps_per_epoch": steps} for mode, steps in (("quick", 15), ("full", 62))}


def _both(settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return dict.fromkeys(MODES, settings)


def _particles(what: str, kind: str, bodies: int, many: int, settings: dict[str, Any], **training: Any) -> Recipe:
    return Recipe(
        f"neural relational inference, {bodies} bodies, {what}", ("synthetic",),
        partial(splits.simulations, kind, bodies, many), ForceNRI,
        _both(settings | (BOTH_FORCES if kind == "charged" else {})),
        {"quick": replace(PARTICLE_TRAINING, epochs=2), "full": replace(PARTICLE_TRAINING, **training)},
        evaluation.evaluate_particles)  # fmt: skip


def _couplings(what: str, settings: dict[str, Any], fixed: bool = False, seed: int = 0, **training: Any) -> Recipe:
    base = replace(COUPLING_TRAINING, seed=seed)
    return Recipe(
        f"neural relational inference for dancers, {what}", ("synthetic",),
        partial(cut_windows, partial(splits.driven_duets, fixed=fixed), 128, (1, 1, 1)), CouplingNRI, _both(settings),
        {"quick": replace(base, epochs=2), "full": replace(base, **training)}, evaluation.evaluate_couplings)


RECIPES = {
    **{f"solo-{data}": Recipe(
        f"linear VAE of 64-frame phrases, {data} dancers", (data,),
        partial(cut_windows, duets, 64, (8, 2, 4), solo=True),
        LinearVAE, SOLO, SOLO_TRAINING, evaluation.evaluate_solo, augmented_epochs=2)
       for data, duets in (("synthetic", SOLO_DUETS), ("salsa", SALSA))},
    "duet-synthetic": Recipe(
        "duet VAE, synthetic dancers, canons of three strengths among them", ("synthetic",),
        partial(cut_windows, partial(splits.synthetic_duets, DUET_KINDS, seeds=24), 54, (8, 16, 32)),
        DuetForecaster, DUET_SYNTHETIC, DUET_TRAINING, evaluation.evaluate_duet,
        long_takes=partial(splits.long_synthetic_duets, DUET_KINDS, seeds=24)),
    "duet-salsa": Recipe(
        "duet VAE, salsa dancers", ("salsa",), partial(cut_windows, SALSA, 54, (8, 2, 4)),
        DuetForecaster, DUET_SALSA, DUET_TRAINING_SALSA, partial(evaluation.evaluate_duet, joints=SALSA_19),
        long_takes=partial(splits.long_recorded_duets, "salsa")),
    "translate-salsa": Recipe(
        "VAE-RNN on rotations, the one dancer of salsa into the other", ("salsa",), SALSA_ROTATIONS,
        MotionTranslator, {"quick": TRANSLATION | {"hidden": 32, "dense": 64}, "full": TRANSLATION},
        TRANSLATION_TRAINING, evaluation.evaluate_translation, augmented_epochs=1),
    "deepfake-salsa": Recipe(
        "mean matching and optimal transport of poses, either salsa dancer in the other's style", ("salsa",),
        SALSA_ROTATIONS, StyleTransport, _both({}), STYLE_TRAINING, evaluation.evaluate_deepfake, augmented_epochs=1),
    "springs5": _particles("springs, a law of forces", "springs", 5, 50_000, LAW_DECODER),
    "springs10": _particles("springs, a law of forces", "springs", 10, 12_000, LAW_DECODER, lr=2e-3),
    "charged5": _particles("charges, a law of forces", "charged", 5, 50_000, LAW_DECODER, epochs=10),
    "charged10": _particles("charges, a law of forces", "charged", 10, 12_000, LAW_DECODER, lr=2e-3),
    "springs5-mlp": _particles("springs, the published decoder", "springs", 5, 20_000, MLP_DECODER, epochs=6, lr=2e-3),
    "springs5-recurrent": _particles("springs, the published recurrent decoder", "springs", 5, 10_000,
                                     MLP_DECODER | {"decoder": "recurrent", "refine": 0}, epochs=6, lr=2e-3),
    "charged5-mlp": _particles("charges, the published decoder", "charged", 5, 20_000,
                               MLP_DECODER | {"refine": 0}, epochs=4, lr=2e-3),
    **{f"{kind}{bodies}-supervised": _particles(
        "the encoder supervised by the true edges", kind, bodies, 25_000 if bodies == 5 else 8_000,
        LAW_DECODER | {"supervised": True, "refine": 0}, epochs=2, lr=2e-3)
       for kind in ("springs", "charged") for bodies in (5, 10)},
    "strings-salsa": Recipe(
        "neural relational inference for dancers, salsa", ("salsa",),
        partial(cut_windows, SALSA, 64, (4, 4, 4), step=3),
        CouplingNRI, _both({"frames": 32, "zero_lag": True, "prior": (0.95, 0.05)}),
        {"quick": replace(COUPLING_TRAINING, epochs=1),
         "full": replace(COUPLING_TRAINING, lr=3e-3, epochs=12, augment=TEMPO_AUGMENT)}, evaluation.evaluate_couplings),
    "strings-synthetic": _couplings("couplings different in every clip", EDGE_DROPOUT),
    **{f"strings-synthetic-{seed}": _couplings("couplings different in every clip, another seed", EDGE_DROPOUT,
                                               seed=seed) for seed in (1, 2)},
    "strings-longer": _couplings("couplings different in every clip, trained twice as long", EDGE_DROPOUT, epochs=10),
    "strings-fixed": _couplings("couplings the same in every clip", EDGE_DROPOUT, fixed=True),
    "strings-described": _couplings("as its author describes it", AS_DESCRIBED, lr=3e-3, epochs=8),
    "strings-lags": _couplings("as described, with lags",
                               EDGE_DROPOUT | {"memory": True, "correlation": False, "next_window": False}),
    "strings-correlated": _couplings("begun from correlation, one window only", EDGE_DROPOUT | {"next_window": False}),
    "shelf-solo-synthetic": Recipe(
        "the published LSTM-VAE, synthetic dancers", ("synthetic",),
        partial(cut_windows, SOLO_DUETS, 64, (8, 8, 4), solo=True),
        SoloVAE, _both({"hidden": 128}), SHELF_TRAINING_SYNTHETIC, evaluation.evaluate_reconstruction),
    "shelf-solo-salsa": Recipe(
        "the published LSTM-VAE, salsa dancers", ("salsa",),
        partial(cut_windows, SALSA, 64, (8, 4, 4), solo=True),
        SoloVAE, _both({"hidden": 128}), SHELF_TRAINING, evaluation.evaluate_reconstruction),
    "shelf-duet-synthetic": Recipe(
        "the published duet VAE and transformer, synthetic dancers", ("synthetic",),
        partial(cut_windows, partial(splits.synthetic_duets, DUET_KINDS, seeds=24), 65, (8, 8, 32)),
        DuetVAE, _both({}), SHELF_TRAINING_SYNTHETIC, evaluation.evaluate_forecasts),
    "shelf-duet-salsa": Recipe(
        "the published duet VAE and transformer, salsa dancers", ("salsa",),
        partial(cut_windows, SALSA, 65, (8, 4, 4)),
        DuetVAE, _both({}), SHELF_TRAINING, partial(evaluation.evaluate_forecasts, joints=SALSA_19)),
    **{f"shelf-{task}-salsa": Recipe(
        f"the published VAE-RNN, {what}", ("salsa",), SALSA_ROTATIONS,
        VAERNN, {mode: {"routes": routes, **settings} for mode, settings in SHELF_ROTATIONS.items()}, SHELF_TRAINING,
        evaluate)
       for task, what, routes, evaluate in (
           ("translate", "the one dancer of salsa into the other", ("ab",), evaluation.evaluate_translation),
           ("deepfake", "either salsa dancer in the other's style", ("aa", "bb"), evaluation.evaluate_deepfake))}}
"""Every artifact by name."""
