"""Thousands of spoiled cards, weights, checkpoints and lists: each is taken, or refused with the documented error.

As `test_formats_fuzz`, whose injuries these are, and besides: a value of a JSON tree becomes another kind of value, an
entry of a safetensors header another type, shape or place. CHOREO_FUZZ=N sets the number (here a quarter of it).
By hand, with figures: python tests/test_artifacts_fuzz.py 20000
"""

import copy
import hashlib
import json
import resource
import struct
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from test_formats_fuzz import HANG, SEED, TOTAL, dance, spoil

from choreo_lib import Skeleton
from choreo_lib.io import MotionFormatError, joint_weights, read_pairs, write_motion
from choreo_lib.sets.windows import cut
from choreo_lib.systems import SoloVAE
from choreo_lib.training import TrainConfig, TrainingError, artifacts, checkpoints, fit

STRANGE = [None, True, False, 0, -1, 1, 2.5, -0.0, 1e308, 10**30, -(10**400), "", "x", "nan", "0" * 70, [], [0], [[]],
           [None], ["a"] * 3, {}, {"a": 1}, {"": None}, [1e9] * 3, "BOOL", "F64", [2**31, 2**31],
           [0, 2**62], [-1, 5]]  # fmt: skip
BODY = Skeleton(
    ["Hips", "Spine", "Head", "LeftArm", "RightArm", "LeftUpLeg", "LeftFoot", "RightUpLeg", "RightFoot"],
    [-1, 0, 1, 1, 1, 0, 5, 0, 7],
    [[0, 0, 0], [0, 0, .4], [0, 0, .3], [.2, 0, .1], [-.2, 0, .1], [.1, 0, 0], [0, 0, -.9], [-.1, 0, 0], [0, 0, -.9]],
)  # fmt: skip


def spoil_tree(tree, rng):
    """One value of a JSON tree replaced, dropped, doubled or exchanged with another, wherever in the tree it is."""
    tree = copy.deepcopy(tree)
    places = []

    def walk(node):
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(tree)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        node, key = places[rng.integers(len(places))]
        if isinstance(node, list) and key >= len(node) or isinstance(node, dict) and key not in node:
            continue
        match rng.integers(0, 5):
            case 0:
                del node[key]
            case 1:
                other, theirs = places[rng.integers(len(places))]
                try:
                    node[key] = copy.deepcopy(other[theirs])
                except (KeyError, IndexError):
                    pass
            case _:
                node[key] = STRANGE[rng.integers(len(STRANGE))]
    return tree


def spoil_json(data: bytes, rng) -> bytes:
    return spoil(data, rng) if rng.random() < 0.3 else json.dumps(spoil_tree(json.loads(data), rng)).encode()


def spoil_tensors(data: bytes, rng) -> bytes:
    """A safetensors file with an injured header (its length told rightly, mostly), or injured numbers."""
    size = struct.unpack("<Q", data[:8])[0]
    head, body = data[8 : 8 + size], data[8 + size :]
    match rng.integers(0, 6):
        case 0:
            return spoil(data, rng)
        case 1:
            numbers = bytearray(body)
            at = int(rng.integers(0, len(body) // 4)) * 4
            numbers[at : at + 4] = struct.pack("<f", [np.nan, np.inf, -np.inf, 1e38][rng.integers(4)])
            return data[: 8 + size] + bytes(numbers)
        case 2:
            head = spoil(head, rng)
        case _:
            head = json.dumps(spoil_tree(json.loads(head), rng)).encode()
    return struct.pack("<Q", len(head)) + head + body


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("good"))


def prepare(folder: Path) -> Path:
    """A small artifact, a run that was broken off, and two dancers: everything that the cases spoil."""
    torch.manual_seed(0)
    windows = cut(dance(40, skeleton=BODY), 8)
    model = SoloVAE(windows.skeleton, frames=8, fps=30, latent=3, hidden=4, layers=1)
    model.fit_statistics(windows.batches(64))
    checkpoints.write_weights(folder / "small.safetensors", model)
    sha = hashlib.sha256((folder / "small.safetensors").read_bytes()).hexdigest()
    card = {"name": "small", "model": "SoloVAE", "config": model.config_dict(), "weights_sha256": sha, "mode": "quick"}
    (folder / "small.json").write_text(json.dumps(card))
    for who in "ab":
        write_motion(dance(12, seed=ord(who), skeleton=BODY), folder / f"{who}.bvh")
    (folder / "pairs.json").write_text(json.dumps([{"a": "a.bvh", "b": "b.bvh", "frames": [2, 9], "fps": 30}]))
    (folder / "joints.json").write_text(json.dumps({"*Leg*": 0.5, "Head": 2}))
    fit(model, windows, PLAN, folder / "run", device="cpu", progress=False)
    return folder


PLAN = TrainConfig(epochs=1, batch_size=16, warmup=1, patience=None)


def load_artifact(folder: Path, spoiled: Path):
    """Load the weights that stand in ``spoiled``, under a card that says they are its own."""
    card = json.loads((folder / "small.json").read_text())
    card["weights_sha256"] = hashlib.sha256((spoiled / "small.safetensors").read_bytes()).hexdigest()
    (spoiled / "small.json").write_text(json.dumps(card))
    artifacts.load_model("small", spoiled)


def go_on(folder: Path, spoiled: Path):
    """Go on with a run from its spoiled checkpoint."""
    windows = cut(dance(40, skeleton=BODY), 8)
    model = SoloVAE(windows.skeleton, frames=8, fps=30, latent=3, hidden=4, layers=1)
    fit(model, windows, PLAN, spoiled, device="cpu", resume=True, progress=False)


KINDS = {
    "card": ("small.json", spoil_json, lambda folder, spoiled: artifacts.load_model("small", spoiled), TrainingError),
    "weights": ("small.safetensors", spoil_tensors, load_artifact, TrainingError),
    "checkpoint": ("run/last.safetensors", spoil_tensors, go_on, TrainingError),
    "pairs": ("pairs.json", spoil_json, lambda folder, spoiled: read_pairs(spoiled / "pairs.json"), MotionFormatError),
    "joints": ("joints.json", spoil_json, lambda folder, spoiled: joint_weights(spoiled / "joints.json", BODY),
               MotionFormatError),
}  # fmt: skip
SHARE = {"card": 0.3, "weights": 0.25, "checkpoint": 0.15, "pairs": 0.2, "joints": 0.1}


def fuzz(kind: str, folder: Path, count: int, spoiled: Path) -> dict:
    name, injure, use, refusal = KINDS[kind]
    whole, taken, slowest = (folder / name).read_bytes(), 0, (0.0, -1)
    for file in ("small.safetensors", "a.bvh", "b.bvh", "a.bvh.json", "b.bvh.json"):
        if (folder / file).exists():
            (spoiled / file).write_bytes((folder / file).read_bytes())
    for case in range(count):
        rng = np.random.default_rng([SEED, *kind.encode(), case])
        (spoiled / Path(name).name).write_bytes(injure(whole, rng))
        start = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                use(folder, spoiled)
            taken += 1
        except refusal:
            pass
        except Exception as error:
            raise AssertionError(f"{kind} case {case} (seed {SEED}) raised {type(error).__name__}: {error}") from error
        slowest = max(slowest, (time.process_time() - start, case))
        assert slowest[0] < HANG, f"{kind} case {slowest[1]} (seed {SEED}) took {slowest[0]:.1f} s"
    return {"kind": kind, "cases": count, "taken": taken, "slowest_s": round(slowest[0], 3)}


@pytest.mark.parametrize("kind", KINDS)
def test_spoiled_files_of_a_model_are_refused_in_words(kind, good, tmp_path):
    name, _, use, _ = KINDS[kind]
    fuzz(kind, good, max(int(TOTAL / 4 * SHARE[kind]), 1), tmp_path)
    (tmp_path / Path(name).name).write_bytes((good / name).read_bytes())
    use(good, tmp_path)  # what is not spoiled is taken, or the fuzzing would prove nothing


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        prepared = prepare(Path(temporary))
        for each in KINDS:
            (place := Path(temporary) / f"spoiled-{each}").mkdir()
            print(fuzz(each, prepared, int(int(sys.argv[1]) * SHARE[each]), place), flush=True)
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
