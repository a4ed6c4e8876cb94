"""Thousands of spoiled files: each is read, or refused with a MotionFormatError, and never for long.

CHOREO_FUZZ=N sets the number of inputs of the whole run (2,000 if unset); CHOREO_FUZZ_SEED another seed.
FBX goes through a C library, so its inputs run in a process of their own, and a crash there names its case; C3D goes
through C++ that its reader starts in a process of its own.
By hand, with figures: python tests/test_formats_fuzz.py 20000
"""

import io
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from make_fbx import Stack, body, still, sway, write
from make_markers import LABELS, c3d, person, trc
from mutations import spoil_header, spoil_tree

from choreo_lib import Motion, Skeleton, Source
from choreo_lib.io import (
    MotionFormatError,
    MotionGuessWarning,
    read_detections,
    read_duet,
    read_markers,
    read_motion,
    write_motion,
)

TOTAL, SEED = int(os.environ.get("CHOREO_FUZZ", 2000)), int(os.environ.get("CHOREO_FUZZ_SEED", 7))
FIXTURES = Path(__file__).parent / "fixtures"
HANG, MEMORY = 60, 500  # a case that takes a minute hangs, on any machine; megabytes a case
WORDS = [b"nan", b"inf", b"-inf", b"1e999", b"-1e308", b"0", b"-1", b"9" * 30, b"9" * 5000, b"1000000000000",
         b"1e-320", b"", b"{", b"}", b"[", b"]", b"null", b"true", b"\"x\"", b"\x00", b"\xff\xfe", b"JOINT", b"ROOT a",
         b"End Site", b"CHANNELS 3 Xrotation Yrotation Zrotation", b"OFFSET 1 2 3", b"MOTION", b"Frames: 99999999999",
         b"0x10", b"1_0", b"1.0.5", b"--1", b"\xc3\xa9", b"\r", b"\x85", b"[" * 3000, b"{\"a\":" * 3000]

NUMBERS = [b"0", b"1", b"2", b"-1", b"3", b"7", b"29", b"1e-9", b"1e5", b"-1e9", b"1e30", b"1e38", b"-1e39", b"1e300",
           b"0.5", b"90", b"-90", b"999999", b"2147483648", b"-9223372036854775808", b"18446744073709551616"]


def dance(frames=8, seed=0, skeleton=None):
    rng = np.random.default_rng(seed)
    body = skeleton or Skeleton(["Hips", "Spine", "Head", "LeftLeg", "LeftFoot"], [-1, 0, 1, 0, 3],
                                [[0, 0, 0], [0, 0, .4], [0, 0, .3], [.1, 0, -.4], [0, 0, -.45]], [(2, (0, 0, .2))])
    turns = rng.normal(size=(frames, len(body), 4)) + [0, 0, 0, 5]
    turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
    return Motion.from_rotations(turns, rng.normal(size=(frames, 3)), 30, body, source=Source("a set", terms="study"))


def seeds(folder: Path) -> dict[str, list[bytes]]:
    """Small good files, a list a kind."""
    from choreo_lib.sets import synthetic
    write_motion(dance(), folder / "a.bvh")
    write_motion(dance(), folder / "a.npz")
    write_motion(synthetic.duet("canon", frames=12), folder / "d.npz")
    write_motion(synthetic.duet("drives", frames=12), folder / "e.npz")
    rng = np.random.default_rng(0)
    arrays = []
    for shape, kind in (((8, 29, 3), "f8"), ((4, 2, 29, 3), "f4"), ((3, 300, 3), "f8"), ((6, 5, 3), "i4")):
        buffer = io.BytesIO()
        np.save(buffer, (rng.normal(size=shape) * 3).astype(kind))
        arrays.append(buffer.getvalue())
    records = [{"image_id": f"{i // 2}.jpg", "category_id": 1, "idx": i % 2, "score": 2.5, "box": [1.5, 2, 30, 40],
                "keypoints": rng.normal(size=87).round(2).tolist(),
                "pred_xyz_jts": rng.normal(size=(24, 3)).round(2).tolist()} for i in range(4)]
    plain = (folder / "a.bvh").read_bytes()
    shape = (6, 22, 3)
    for name, arrays_of in (("joints", {"joints": rng.normal(size=shape), "fps": np.array(30)}),
                            ("two", {"Jtr": rng.normal(size=(6, 2, 24, 3)), "gender": np.array(b"male")}),
                            ("poses", {"poses": rng.normal(size=(6, 156)), "trans": rng.normal(size=(6, 3)),
                                       "betas": rng.normal(size=16), "mocap_framerate": np.array(120.0)})):
        np.savez(folder / f"{name}.npz", **arrays_of)
    twos = [f"{who}:{label}" for who in ("Ann", "Bo") for label in LABELS]
    both = np.concatenate([person(6), person(6, (0.8, 0, 0))], axis=1)
    gone = person(6)
    gone[2:4, 3] = np.nan
    return {".trc": [trc(person(6)).encode(), trc(gone, unit="m", up="z").encode(), trc(both, twos).encode()],
            ".c3d": [c3d(person(6)), c3d(gone, Y_SCREEN=["+Z"]), c3d(both, twos)],
            ".bvh": [plain, (FIXTURES / "odd.bvh").read_bytes(), plain[:10] + plain[plain.index(b"\nROOT"):]],
            ".npz": [(folder / name).read_bytes() for name in ("a.npz", "d.npz", "e.npz", "joints.npz", "two.npz",
                                                               "poses.npz")], ".npy": arrays,
            ".json": [json.dumps(rng.normal(size=(15, 20, 3)).round(2).tolist()).encode(),
                      json.dumps(records).encode()]}


def spoil(data: bytes, rng) -> bytes:
    """One to four injuries: flipped bytes, cuts, lines and words doubled, dropped, swapped or replaced."""
    for _ in range(rng.choice([1, 1, 1, 2, 3, 4])):
        at = int(rng.integers(0, len(data) + 1))
        match rng.integers(0, 12):
            case 0 if data:
                spoiled = bytearray(data)
                for i in rng.integers(0, len(data), rng.integers(1, 9)):
                    spoiled[i] ^= 1 << int(rng.integers(0, 8))
                data = bytes(spoiled)
            case 1:
                data = data[:at]
            case 2:
                data = data[:at] + WORDS[rng.integers(len(WORDS))] + data[at:]
            case 3 | 4:
                gap = [b" ", b",", b"\n", b":"][rng.integers(4)]
                words = data.split(gap)
                words[rng.integers(len(words))] = WORDS[rng.integers(len(WORDS))]
                data = gap.join(words)
            case 5:
                words = data.split(b" ")
                i, k = rng.integers(0, len(words), 2)
                words[i], words[k] = words[k], words[i]
                data = b" ".join(words)
            case 6:
                lines = data.split(b"\n")
                i, k = rng.integers(0, len(lines), 2)
                data = b"\n".join(lines[:i] + lines[k:k + int(rng.integers(0, 4))] + lines[i:])
            case 7:
                lines = data.split(b"\n")
                del lines[rng.integers(len(lines))]
                data = b"\n".join(lines)
            case 8 | 9 | 10:  # a number for a number: what the checks of form let through
                numbers = list(re.finditer(rb"-?[0-9]+(\.[0-9]+)?", data))
                if numbers:
                    one = numbers[rng.integers(len(numbers))]
                    data = data[:one.start()] + NUMBERS[rng.integers(len(NUMBERS))] + data[one.end():]
            case 11:
                data = data[:at] + rng.bytes(int(rng.integers(0, 40))) + data[at + int(rng.integers(0, 40)):]
    return data


def spoil_zip(data: bytes, rng) -> bytes:
    """Injure a member inside its zip and pack it again, so that the checksums hold."""
    if rng.random() < 0.3:
        return spoil(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = list(members)[rng.integers(len(members))]
    match rng.integers(0, 5):
        case 0:
            del members[name]
        case 1:
            members[name + ".npy"] = members.pop(name)
        case 2:
            other = list(members)[rng.integers(len(members))]
            members[name] = members[other]
        case _:
            members[name] = spoil(members[name], rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if rng.random() < 0.8 else zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


GRAMMAR = {".bvh": spoil_tree, ".npy": spoil_header}


def injure(suffix: str, data: bytes, rng) -> bytes:
    """Bytes and words at random, or an injury that knows the grammar, or both."""
    if suffix == ".npz":
        return spoil_zip(data, rng)
    if suffix in GRAMMAR and rng.random() < 0.6:
        data = GRAMMAR[suffix](data, rng)
        return data if rng.random() < 0.8 else spoil(data, rng)
    return spoil(data, rng)


def read_every_way(path, suffix, rng) -> int:
    """Try the readers that take this kind of file; 1 if one of them could still read it, 0 if all refused."""
    said = {} if rng.random() < (0.6 if suffix == ".npz" else 0.3) else {"up": "y", "scale": 0.01}
    readers = [lambda: read_motion(path, **said)]
    if suffix != ".bvh":
        readers.append(lambda: read_duet(path, **said))
    if suffix == ".npy":
        readers.append(lambda: read_duet(path, **said, layout=("interleaved", "stacked")[int(rng.integers(2))]))
    if suffix == ".bvh":
        readers.append(lambda: read_duet(path, path, up=("y", "z"), scale=(0.01, 1), fps=30))
    if suffix == ".json":
        readers.append(lambda: read_detections(path))
    if suffix in (".trc", ".c3d"):
        readers.append(lambda: read_markers(path, **said))
    read = 0
    for reader in readers:
        try:
            reader()
            read = 1
        except MotionFormatError:
            pass
    return read


def fuzz(suffix: str, good: list[bytes], count: int, folder: Path, say=None) -> dict:
    """Spoil and read `count` files; how many were still read, the slowest; the first that misbehaves is named."""
    slowest, read, path = (0.0, -1), 0, folder / f"spoiled{suffix}"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for case in range(count):
        rng = np.random.default_rng([SEED, ord(suffix[-1]), ord(suffix[-2]), case])
        data = injure(suffix, good[rng.integers(len(good))], rng)
        path.write_bytes(data)
        if say:
            say(case)
        start = time.process_time()
        try:
            with warnings.catch_warnings():
                # anything but our own guess is a symptom: an overflow, a deprecated call, a file left open
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", MotionGuessWarning)
                read += read_every_way(path, suffix, rng)
        except Exception as error:
            message = f"{suffix} case {case} (seed {SEED}) raised {type(error).__name__}: {error}"
            raise AssertionError(message) from error
        seconds = time.process_time() - start
        slowest = max(slowest, (seconds, case))
        assert seconds < HANG, f"{suffix} case {case} (seed {SEED}) took {seconds:.1f} s"
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        assert grown < MEMORY, f"{suffix} case {case} (seed {SEED}) took {grown:.0f} MB"
    return {"kind": suffix, "cases": count, "still_read": read, "slowest_s": slowest[0], "slowest_case": slowest[1]}


SHARE = {".bvh": 0.35, ".npz": 0.25, ".npy": 0.15, ".json": 0.15, ".trc": 0.10, ".c3d": 0.02, ".fbx": 0.05}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return seeds(tmp_path_factory.mktemp("good"))


@pytest.mark.parametrize("suffix", [".bvh", ".npz", ".npy", ".json", ".trc", ".c3d"])
def test_spoiled_files_are_refused_in_words(suffix, good, tmp_path):
    if suffix == ".c3d":
        pytest.importorskip("ezc3d")
    assert fuzz(suffix, good[suffix], int(TOTAL * SHARE[suffix]), tmp_path)["cases"] >= 1
    for data in good[suffix][:3]:  # and the unspoiled ones are read, or the fuzzing would prove nothing
        (tmp_path / f"good{suffix}").write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MotionGuessWarning)
            for read in (read_motion, read_duet, read_detections, read_markers):
                try:
                    read(tmp_path / f"good{suffix}", **({} if suffix == ".npz" or read is read_detections
                                                        else {"up": "y", "scale": 0.01}))
                    break
                except MotionFormatError:
                    continue
            else:
                raise AssertionError(f"a good {suffix} file is refused by every reader")


def fuzz_fbx(count: int) -> subprocess.CompletedProcess:
    root = Path(__file__).parent.parent
    paths = os.pathsep.join(p for p in (str(root), os.environ.get("PYTHONPATH", "")) if p)
    return subprocess.run([sys.executable, __file__, "fbx", str(count)], capture_output=True, text=True,
                          env=os.environ | {"PYTHONPATH": paths})


def test_spoiled_fbx_is_refused_in_words():
    pytest.importorskip("ufbx")
    done = fuzz_fbx(int(TOTAL * SHARE[".fbx"]))
    assert done.returncode == 0, f"exit {done.returncode}: {done.stdout[-300:]} {done.stderr[-3000:]}"


def good_fbx() -> list[bytes]:
    paths = [FIXTURES / "handmade.fbx"]
    if "CHOREO_DATA" in os.environ:
        paths += sorted(Path(os.environ["CHOREO_DATA"]).glob("fbx/85_03.fbx"))
    with tempfile.TemporaryDirectory() as name:
        nodes, curves = {}, {}
        for who in ("A:", "B:"):
            nodes, curves = nodes | body(who), curves | sway(who, frames=6)
        two = write(Path(name) / "two.fbx", nodes, [Stack("rest", still("A:", 2)), Stack("dance", curves)])
        return [path.read_bytes() for path in (*paths, two)]


def main(arguments):
    """`fbx N`: one kind, a case number before each, so that a crash names it. `N`: all kinds, with figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments[0] == "fbx":
            import choreo_lib.io.fbx  # noqa: F401 (its import is not a case's time)
            print(fuzz(".fbx", good_fbx(), int(arguments[1]), folder,
                       lambda case: print(case, end=" ", flush=True)))
            print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
            return
        total, before = int(arguments[0]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        for suffix, files in seeds(folder).items():
            start = time.perf_counter()
            result = fuzz(suffix, files, int(total * SHARE[suffix]), folder)
            print(result, f"{time.perf_counter() - start:.0f} s", flush=True)
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, of which "
              f"{before:.0f} MB before the first case")
        done = fuzz_fbx(int(total * SHARE[".fbx"]))
        print("fbx: exit", done.returncode, done.stdout[-400:].splitlines()[-2:], done.stderr[-2000:])


if __name__ == "__main__":
    main(sys.argv[1:])
