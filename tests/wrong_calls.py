"""Wrong calls of the public verbs, made from their signatures: one argument at a time becomes each wrong value."""

from __future__ import annotations

import inspect
import json
import traceback
import warnings
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import torch

import choreo_lib as cl
from choreo_lib import checks, cleaning, extensions, io, studio, systems, training
from choreo_lib.body import blending
from choreo_lib.body.bones import project_bone_lengths
from choreo_lib.body.kinematics import positions_of
from choreo_lib.body.reference import reference_frame, velocities
from choreo_lib.body.rotations import rotate_z, slerp
from choreo_lib.cleaning.upright import find_up
from choreo_lib.evaluation import baselines, metrics
from choreo_lib.extensions import foot_contact, latents
from choreo_lib.io.landmarks import records
from choreo_lib.io.local_rotations import recover_rotations
from choreo_lib.sets import augmentation, joining, particles, registry, splits, synthetic, windows
from choreo_lib.show import captions, payload, player, plots
from choreo_lib.studio import editing
from choreo_lib.systems import losses
from choreo_lib.training import ablations, artifacts

FOLDER = Path(mkdtemp(prefix="wrong-calls-"))
HOME = str(Path(cl.__file__).parent)
REQUIRED = inspect.Parameter.empty

DUET = synthetic.duet("canon", 90, seed=3)
MOTION, BODY = DUET.a, DUET.a.skeleton
WINDOWS = windows.cut([DUET, synthetic.duet("mirror", 60, seed=4)], length=20, stride=10)
BATCH = WINDOWS[:2]  # [2, 20, 2, J, 3]
TURNS = windows.cut([DUET], length=20, stride=10, rotations=True)
WORLDS = particles.simulate("springs", 30, bodies=4, frames=12)
PEOPLE = [np.stack([a, b]) for a, b in zip(DUET.a.positions[:30], DUET.b.positions[:30])]
REPORT = cl.clean(PEOPLE, 30.0)[1]
FRAME = reference_frame(BATCH, -1, BODY)
POSES = MOTION.positions[:20]
SMALL = dict(past=14, ahead=6, features=8, heads=2, latent=4, hidden=8, layers=1, residual_components=2)
torch.manual_seed(0)
SOLO = extensions.LinearVAE(BODY, frames=20, latent=8, residual_rank=2)
PUBLISHED = systems.SoloVAE(BODY, frames=20, latent=8, hidden=8, layers=1)
PARTNER = extensions.DuetForecaster(BODY, **SMALL)
PARTNER.fit_statistics([BATCH])
TRANSLATOR = extensions.MotionTranslator(BODY, frames=20, latent=4, hidden=8, layers=1, dense=8)
TRANSLATOR.fit_statistics([TURNS[:]])
STYLE = extensions.StyleTransport(BODY)
STYLE.fit_statistics([TURNS[:]])
READ = TRANSLATOR.encode_motion(MOTION[:40])
STRINGS = extensions.CouplingNRI(BODY, frames=20, hidden=8, max_lag=0.1)
SPRINGS = extensions.ForceNRI(hidden=8, decoder_hidden=8, frames=12)
CODES = SOLO.sample_latents(2)

for motion, name in zip(DUET, "ab"):
    cl.write_motion(motion, FOLDER / f"{name}.bvh")
(FOLDER / "weights.json").write_text('{"*wrist": 0.1}', encoding="utf-8")
(FOLDER / "pairs.json").write_text('[{"a": "a.bvh", "b": "b.bvh"}]', encoding="utf-8")
one = {"image_id": "1.jpg", "category_id": 1, "score": 1.0, "box": [0, 0, 200, 200], "idx": 1,
       "keypoints": [[100.0 + 9 * k, 100.0 + k * k, 1.0] for k in range(29)],
       "pred_xyz_jts": [[0.1 * k, 0.01 * k * k, 0] for k in range(24)]}
(FOLDER / "seen.json").write_text(json.dumps([one]), encoding="utf-8")
(FOLDER / "run").mkdir()
(FOLDER / "run" / "last.safetensors").touch()
SEEN = io.read_detections(FOLDER / "seen.json")

VALUES = {  # what an argument of this name is given, if the verb has no default for it
    "motion": MOTION, "duet": DUET, "a": MOTION, "b": DUET.b, "other": DUET.b, "take": DUET, "takes": DUET, "fps": 30.0,
    "skeleton": BODY, "positions": POSES, "predicted": POSES, "true": POSES, "batch": BATCH, "windows": WINDOWS,
    "frame": 10, "x": np.sin(np.arange(300.0)), "y": np.cos(np.arange(300.0)), "names": BODY.names,
    "parents": BODY.parents, "scores": np.arange(6.0), "truth": np.arange(6) > 2, "values": np.arange(30.0), "block": 5,
    "errors": np.ones((3, 4)), "samples": np.zeros((3, 4, 5, 3)),
    "features": np.random.default_rng(0).normal(size=(8, 3)), "name": "left_wrist", "rotations": MOTION.rotations,
    "root": MOTION.positions[:, 0], "found": WORLDS.edges, "states": WORLDS.states, "duets": [DUET, DUET],
    "measure": lambda a, b: 1.0, "sends": np.ones((2, len(BODY))), "receives": np.ones((2, len(BODY))),
    "curves": {"a": np.arange(9.0)}, "dancers": (MOTION,), "text": "<p>", "detections": PEOPLE, "people": PEOPLE,
    "bones": BODY.bones, "size": 4, "angle": torch.zeros(2), "sigma": 0.01, "generator": torch.Generator(),
    "factor": torch.ones(2), "length": 10, "transforms": TURNS[:2], "at": -1, "kind": "springs", "count": 2,
    "mean": torch.zeros(2, 3), "log_variance": torch.zeros(2, 3), "per_unit": torch.ones(3), "means": torch.ones(4, 3),
    "one": torch.ones(2, 4) / 2, "past": BATCH[:, :14], "partner": BATCH[:, 14:, 0], "horizons": (1, 3),
    "models": {"still": baselines.ZeroVelocity()}, "start": CODES[0], "end": CODES[1], "steps": 3, "latents": CODES,
    "motions": MOTION[:20], "share": torch.zeros(20, len(BODY)), "rng": np.random.default_rng(0),
    "shift": (0.0, 0.0, 0.0), "signal": torch.zeros(3, 8, 3), "weights": torch.zeros(3, 3), "path": FOLDER / "a.bvh",
    "path_a": FOLDER / "a.bvh", "path_b": FOLDER / "b.bvh", "frames": 8, "edges": WORLDS.edges, "which": [0, 1],
    "device": "cpu", "high": 1.0, "step": 3, "source": ("a", "left_wrist"), "target": ("b", "left_wrist"), "lag": 3,
    "strength": 0.5, "answer": 3, "change": torch.zeros(4), "number": 1, "amplitude": 0.5, "period": 5.0,
    "made": MOTION, "sources": cl.OURS, "result": {"pose_landmarks": [], "pose_world_landmarks": []},
    "indices": slice(2), "candidates": "head",
    "index": np.zeros((5, 2), int), "joints": ("left_wrist",), "spread": torch.eye(3), "onto": torch.eye(3),
}
SPECIAL = {  # of one verb, where the name alone does not say
    "slerp": {"start": torch.ones(2, 4) / 2, "end": torch.ones(2, 4) / 2, "share": torch.zeros(2)},
    "project_bone_lengths": {"positions": torch.tensor(POSES)}, "frechet_distance": {"x": np.eye(4), "y": np.eye(4)},
    "to_local": {"x": BATCH}, "to_world": {"x": BATCH}, "edge_accuracy": {"true": WORLDS.edges},
    "smooth": {"positions": np.array(POSES)}, "Skeleton.index": {"name": "head"}, "Source": {"name": "me"},
    "Skeleton.indices": {"names": ["head"]}, "Skeleton.find": {"names": "head"},
    "load_motion": {"name": "synthetic/canon/a"}, "load_duet": {"name": "synthetic/canon"}, "splits": {"name": "salsa"},
    "data_path": {"name": "synthetic/canon"}, "load_model": {"name": "springs5"}, "Coupling": {"kind": "canon"},
    "fetch": {"name": "synthetic/canon"}, "missing": {"name": "synthetic/canon"},
    "datasets.source": {"name": "synthetic"},
    "find_recipe": {"name": "springs5"}, "read_duet": {"path_b": FOLDER / "b.bvh"},
    "rotate_z": {"rotations": torch.tensor(MOTION.rotations), "angle": torch.zeros(1)},
    "rotation_difference": {"one": torch.ones(2, 4) / 2, "other": torch.ones(2, 4) / 2},
    "animate": {"motion": MOTION[:2], "path": FOLDER / "film.gif", "size": (32, 32), "progress": False},
    "write_motion": {"path": FOLDER / "made.npz"},
    "fit": {"model": PUBLISHED, "train": WINDOWS, "config": training.TrainConfig(), "out": FOLDER / "run"},
    "records": {"size": (100, 100)}, "sliced": {"frames": slice(0, 10), "length": 60},
    "plot": {"names": "train_loss"}, "conform": {"model": BODY}, "report.back": {"made": MOTION},
    "evaluate_long": {"name": "nobody"}, "refit": {"name": "nobody"},
    "model.evaluate": {"name": "nobody"}, "train": {"name": "nobody"}, "ablate": {"name": "nobody"},
    "joint_weights": {"path": FOLDER / "weights.json"}, "read_pairs": {"path": FOLDER / "pairs.json"},
    "read_detections": {"path": FOLDER / "seen.json"}, "save": {"path": FOLDER / "page.html"},
    "as_prototyped": {"scores": [np.ones(2)] * 30}, "solo.add_residual": {"x": torch.zeros(2, 20, 87)},
    "partner.rollout": {"leader": MOTION[:30], "every": 3}, "partner.stream": {"every": 3},
    "strings.predict": {"batch": BATCH, "steps": 2}, "springs.predict": {"steps": 2}, "simulate": {"count": 2},
    "Motion": {"positions": MOTION.positions}, "draw_drives": {"count": 2},
    "translator.translate": {"motion": MOTION[:40]}, "translator.encode_motion": {"motion": MOTION[:40]},
    "latents.interpolate": {"other": READ, "share": 0.5}, "random_walk": {"size": 0.1},
    "decode_motion": {"sequence": READ, "feet": False}, "sinusoid": {"unit": 1},
    "overlap_add": {"rotations": TURNS[:2][:, :, 0, :, 3:], "root": TURNS[:2][:, :, 0, 0, :3]},
    "Windows.subset": {"which": torch.tensor([0, 1])}, "arrows": {"frame": 10},
    "ghost": {"frame": 0}, "at_tempo": {"length": 10}, "cut": {"length": 20}, "clock": {"frames": 8, "features": 6},
    "resampled": {"fps": 20.0}, "coupling": {"duet": None}, "cross_correlation": {"fps": 30.0}, "Schedule": {"rise": 1},
    "with_joints": {"names": BODY.names[:3]}, "place": {"detections": SEEN},
}
SPECIAL |= {f"studio.{verb}": {"motion": MOTION[:40], "model": model} for verb, model in (
    ("partner", PARTNER), ("translate", TRANSLATOR), ("deepfake", STYLE), ("vary", SOLO))}
SPECIAL["studio.strings"] = {"duet": DUET[:40], "model": STRINGS}
SPECIAL["studio.save"] = {"made": studio.vary(MOTION[:40], SOLO), "path": FOLDER / "varied.npz"}
SPECIAL["edit"] = {"take": DUET[:60], "wishes": [editing.Mirror()]}
SPECIAL["recover_rotations"] = {"motion": MOTION[:5]}
LONG = synthetic.duet("canon", 300, seed=5)
SPECIAL["coupling"]["duet"] = LONG
SPECIAL["baselines.evaluate"] = SPECIAL["ridge.predict"] = {"horizons": (1, 3)}
SPECIAL["split_in_time"] = {"gap": 2}
SPECIAL["join"] = {"takes": [LONG, LONG], "frames": 400}
SPECIAL["damped.fit"] = SPECIAL["ridge.fit"] = {"horizons": (1, 3)}
SPECIAL["partner_swap"] = {"duets": [LONG, LONG], "seconds": 2.0}


def verbs() -> dict:
    """Name -> callable: every public verb, those of `choreo_lib.__init__` and of the pages of the reference first."""
    found = {}

    def add(*things, of=None, prefix=""):
        for thing in things:
            name = thing if isinstance(thing, str) else thing.__name__
            found[prefix + name] = getattr(of, thing) if isinstance(thing, str) else thing

    add(cl.play, cl.animate, cl.read_motion, cl.read_duet, cl.write_motion, cl.load_motion, cl.load_duet, cl.splits,
        cl.data_path, cl.load_model, cl.clean, cl.forward_kinematics, cl.Motion, cl.Duet, cl.Skeleton, cl.Source)
    add(cl.conform, cl.read_markers)
    add("back", of=cl.conform(MOTION, BODY)[1], prefix="report.")
    add(cl.evaluate, prefix="model.")
    add(artifacts.train, artifacts.evaluate_long, artifacts.refit, artifacts.find_recipe, joining.join)
    add(ablations.ablate, registry.fetch, registry.missing)
    add(registry.source, prefix="datasets.")
    add("from_rotations", of=cl.Motion), add("transformed", "resampled", of=MOTION)
    add("index", "indices", "find", of=BODY, prefix="Skeleton.")
    add("join", of=cl.Source, prefix="Source.")
    add("save", of=player.Player("", "", ""))
    add(
        slerp,
        project_bone_lengths,
        synthetic.duet,
        synthetic.draw_drives,
        synthetic.body,
        synthetic.Drive,
        synthetic.Coupling,
        particles.simulate,
    )
    add("batches", "to", of=WORLDS, prefix="Particles.")
    add(*(name for name in metrics.__all__ if name[0].islower()), of=metrics)
    add(*(name for name in baselines.__all__ if name[0].islower() and name != "evaluate"), of=baselines)
    add(baselines.evaluate, prefix="baselines.")
    add(baselines.Ridge, metrics.frechet.relations, find_up, records, training.fit)
    add("timeline", of=REPORT)
    add("plot", of=training.History([{"epoch": 1, "train_loss": 1.0}]))
    add("matrix", "sliced", of=DUET.coupling)
    for name, kind in (("repeat", baselines.ZeroVelocity()), ("damped", baselines.DampedVelocity()),
                       ("ridge", baselines.Ridge(penalty=1.0, frames=2)), ("usual", baselines.MeanPartner())):
        add("fit", of=kind, prefix=f"{name}.")
    add("predict", of=baselines.ZeroVelocity(), prefix="repeat.")
    add("predict", of=baselines.Ridge(penalty=1.0, frames=2).fit(WINDOWS, (1, 3)), prefix="ridge.")
    add("predict", of=baselines.MeanPartner().fit(WINDOWS), prefix="usual.")
    add("table", of=baselines.Scores({}, (1,), 30.0))
    add(plots.seq, plots.ghost, plots.couplings, plots.leads, plots.arrows, plots.paths, plots.distance, plots.traces,
        plots.best_side, captions.describe, payload.read_payload)
    add(windows.cut, splits.split_in_time, windows.takes_of, positions_of, rotate_z,
        reference_frame, velocities)
    add("subset", "to", "batches", "with_joints", "__getitem__", of=WINDOWS, prefix="Windows.")
    add("to_local", "to_world", of=FRAME)
    add(
        augmentation.turned,
        augmentation.mirrored,
        augmentation.swap_dancers,
        augmentation.noisy,
        augmentation.time_warp,
        augmentation.Augment,
    )
    add(*(name for name in cleaning.__all__ if name[0].islower()), of=cleaning)
    add(io.match_skeletons, io.read_pairs, io.joint_weights, io.read_detections)
    add(losses.kl_per_unit, losses.kl_loss, losses.active_units, losses.rotation_difference, losses.Schedule)
    add("at", of=losses.Schedule(1.0))
    add(
        training.TrainConfig,
        latents.interpolate,
        foot_contact.fix_foot_skate,
        blending.overlap_add,
        blending.overlapping_windows,
        extensions.Guidance,
    )
    add(studio.partner, studio.translate, studio.deepfake, studio.vary, studio.strings, studio.save, prefix="studio.")
    add(recover_rotations, editing.edit)
    add("sample_latents", "add_residual", "encode_motion", "decode_motion", of=SOLO, prefix="solo.")
    add("predict", "sample", "stream", "rollout", of=PARTNER, prefix="partner.")
    add("encode_motion", "decode_motion", "translate", of=TRANSLATOR, prefix="translator.")
    add("offset", "random_walk", "sinusoid", "interpolate", of=READ, prefix="latents.")
    add("find", "gain", "predict", of=STRINGS, prefix="strings.")
    add("infer", "predict", of=SPRINGS, prefix="springs.")
    add(*(name for name in checks.__all__ if name.startswith("ex")), of=checks)
    return found


WRONG = {
    "None": None, "text": "nonsense", "bytes": b"bytes", "minus one": -1, "minus": -2.5, "a trillion": 10**12,
    "huge": 10**400, "nan": float("nan"), "inf": float("inf"), "half": 1.5, "True": True, "list": [], "dict": {},
    "[None]": [None], "['x']": ["x"], "object": object(), "empty array": np.zeros(0),
    "nan array": np.full((2, 3), np.nan), "5-D array": np.zeros((3,) * 5), "int array": np.ones((2, 2), int),
    "function": lambda *a, **k: None, "complex": 1j, "motion": MOTION, "duet": DUET, "tensor": torch.zeros(0, 4),
    "nested": [[1], [1, 2]],
}


RIGHT_KINDS = ("motion", "duet", "function")  # right, where the verb takes such a thing


def calls():
    """Yield (name of the verb, verb, argument, what is wrong, all arguments)."""
    for name, verb in verbs().items():
        short = name.rpartition(".")[2]
        own = SPECIAL.get(name, SPECIAL.get(short, {}))
        given = {}
        parameters = inspect.signature(verb).parameters
        for each in parameters.values():
            if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
                continue
            if each.name in own:
                given[each.name] = own[each.name]
            elif each.default is REQUIRED:
                given[each.name] = 3 if name[:2] == "ex" and name[2].isdigit() else VALUES[each.name]
        for each in parameters.values():
            if each.kind is each.VAR_KEYWORD:
                continue
            for wrong, value in WRONG.items():
                if each.kind is each.VAR_POSITIONAL:
                    spread = lambda verb=verb, **one: verb(*one.values())  # noqa: E731
                    right = own[each.name] if each.name in own else VALUES[each.name]
                    yield name, spread, each.name, wrong, {each.name: value}, {each.name: right}
                elif (value is None and each.default is None) or (value is True and isinstance(each.default, bool)):
                    continue
                elif wrong not in RIGHT_KINDS or not isinstance(given.get(each.name), type(value)):
                    yield name, verb, each.name, wrong, {**given, each.name: value}, given


NAMED = (cl.MotionFormatError, cl.DatasetError, cl.TrainingError)


def outcome(verb, given: dict) -> Exception | None:
    """What a call raises, if anything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made = verb(**given)
            if inspect.isgenerator(made):
                next(made, None)
        except Exception as error:  # it is looked at by `judged`
            return error
    return None


def judged(error: Exception | None, verb, argument: str, value, expected: str = "") -> tuple[str, str]:
    """Of what a call raised: "accepted", "refused" or "raw", and where and what it said."""
    if error is None:
        return "accepted", ""
    said, where = str(error), traceback.extract_tb(error.__traceback__)[-1]
    told = f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {said[:200]}"
    if said == expected:  # as the right call answers, too: what was changed is no fault
        return "accepted", told
    others = [f"{name} must be" for name in inspect.signature(verb).parameters]
    named = argument in said or any(said.startswith(other) for other in others) or isinstance(error, NAMED) and any(
        text in said for text in (repr(value), str(value), type(value).__name__))
    right = isinstance(error, (TypeError, ValueError, KeyError, ImportError, IndexError, *NAMED))
    if isinstance(error, (IndexError, KeyError)):
        right = said.strip("\"'").startswith(argument)
    return ("refused" if right and named and where.filename.startswith(HOME) else "raw"), told


BASES: dict = {}


def answer(name: str, verb, argument: str, given: dict, right: dict) -> tuple[str, str]:
    if name not in BASES:
        BASES[name] = str(outcome(verb, right) or "")
    return judged(outcome(verb, given), verb, argument, given.get(argument), BASES[name])
