"""Full disk, at four levels, for everything that writes: the old file stays, nothing half is left, and it is said.

Once with a limit on the size of files, which every POSIX system has; and once with a disk of some hundred kilobytes,
where the test may mount one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

import choreo_lib as cl
from choreo_lib import training
from choreo_lib.core import files
from choreo_lib.training import checkpoints

resource = pytest.importorskip("resource")
DUET = cl.load_duet("synthetic/canon")[:20]


class Tiny(torch.nn.Module):
    """Some weights, enough that a file of them has a middle."""

    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(300, 30)


def weights(path):
    checkpoints.write_weights(path, Tiny())


def checkpoint(path):
    model = Tiny()
    optimiser = torch.optim.AdamW(model.parameters())
    model.net(torch.ones(1, 300)).sum().backward()
    optimiser.step()
    checkpoints.save(path, model, optimiser, torch.amp.GradScaler("cpu", enabled=False), "{}", {"epoch": 1})


def history(path):
    training.History([{"epoch": k, "train_loss": 1 / (k + 1), "seconds": 1.0} for k in range(500)]).write(path)


def film(path):
    cl.animate(DUET, path, size=(160, 100), progress=False)


def motion(path):
    cl.write_motion(DUET.a, path)


WRITERS = {
    "BVH": ("a.bvh", motion, cl.MotionFormatError), "NPZ": ("a.npz", motion, cl.MotionFormatError),
    "GLB": ("a.glb", motion, cl.MotionFormatError), "GIF": ("a.gif", film, cl.MotionFormatError),
    "MP4": ("a.mp4", film, cl.MotionFormatError), "player": ("a.html", lambda path: cl.play(DUET).save(path),
                                                             cl.MotionFormatError),
    "weights": ("a.safetensors", weights, cl.TrainingError),
    "checkpoint": ("a.safetensors", checkpoint, cl.TrainingError), "history": ("a.csv", history, cl.TrainingError),
}  # fmt: skip
NEEDS = {"GLB": "pygltflib", "MP4": "imageio_ffmpeg"}
LEVELS = {"nothing left": 0.0, "after the head": 0.01, "in the middle": 0.5, "at the end": 0.98}


@pytest.fixture(params=WRITERS)
def writer(request):
    """(name of a file, how it is written, the error that is documented)."""
    if request.param in NEEDS:
        pytest.importorskip(NEEDS[request.param])
    return WRITERS[request.param]


class Limit:
    """No file may grow beyond so many bytes: what a full disk is to whoever writes."""

    def __init__(self, most: int):
        self.most, self.before = most, resource.getrlimit(resource.RLIMIT_FSIZE)

    def __enter__(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.most, self.before[1]))

    def __exit__(self, *problem):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


def held(folder) -> dict:
    """Every file of a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def kept(folder, name, error, write, trouble):
    """What is right after a failure: said, the old files as they were, and nothing beside them."""
    write(folder / name)  # which files there are: a BVH may have words beside it
    (folder / name).write_bytes(b"old")  # and a side-car as it is, since only one of ours is written over
    before = held(folder)
    with pytest.raises(error, match=rf"{re.escape(name)}\S*: .*disk that holds .* is full.*Make room.*untouched") as it:
        with trouble():
            write(folder / name)
    assert it.type is error and held(folder) == before
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(error, match="nothing was left behind"), trouble():
        write(folder / name)
    assert held(folder) == {}, "a first file that could not be written left something"


@pytest.mark.parametrize("level", LEVELS)
def test_a_full_disk_loses_nothing(writer, level, tmp_path):
    name, write, error = writer
    (tmp_path / "whole").mkdir()
    (tmp_path / "full").mkdir()
    write(tmp_path / "whole" / name)
    size = (tmp_path / "whole" / name).stat().st_size
    kept(tmp_path / "full", name, error, write, lambda: Limit(int(LEVELS[level] * size)))
    write(tmp_path / "full" / name)  # and with room again it goes on
    assert (tmp_path / "full" / name).stat().st_size == size


def test_a_disk_that_fails_when_the_file_is_closed_loses_nothing(writer, tmp_path, monkeypatch):
    """As on a network disk, or with a quota: the bytes were taken, and are refused at the very end."""
    name, write, error = writer

    def fails(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextlib.contextmanager
    def trouble():
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fails)
            yield

    kept(tmp_path, name, error, write, trouble)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 600 kB, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "none", folder], capture_output=True)
    except OSError as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()[:80]}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_is_really_full_loses_nothing(writer, small_disk):
    """Filled to the last page, then with a page or two free, then with room again."""
    name, write, error = writer
    write(small_disk / name)
    old = held(small_disk)
    for free in (0, 1, max(len(old[name]) // 4096 // 2, 1)):
        fill(small_disk / "filler", free)
        with pytest.raises(error, match="disk that holds .* is full.*untouched"):
            write(small_disk / name)
        (small_disk / "filler").unlink()
        assert held(small_disk) == old
    write(small_disk / name)
    assert len(held(small_disk)[name]) == len(old[name])


def fill(path: Path, free: int):
    """Take all of a disk but so many pages of it."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as full:
            assert full.errno == errno.ENOSPC
        file.truncate(max(file.tell() // 4096 - free, 0) * 4096)


def test_a_film_that_ffmpeg_did_not_finish_is_no_film(tmp_path, monkeypatch):
    """ffmpeg that stops early, and ffmpeg that says all is well and leaves frames out."""
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    real = ffmpeg.get_ffmpeg_exe()
    for script, said in (("exit 3", "status 3"), (f'cat >/dev/null; echo >"$last"; exit 0 # {real}', "0 of 20 frames"),
                         (f'head -c 480000 | "{real}" "$@"; cat >/dev/null', "10 of 20 frames"),
                         ("cat >/dev/null; kill -9 $$", "status -9")):
        fake = tmp_path / "ffmpeg"
        fake.write_text('#!/bin/sh\nfor last; do :; done\nif [ "$last" = "-" ]; then exec "' + real + '" "$@"; fi\n'
                        + script + "\n")
        fake.chmod(0o755)
        monkeypatch.setattr(ffmpeg, "get_ffmpeg_exe", lambda fake=fake: str(fake))
        (tmp_path / "films").mkdir(exist_ok=True)
        (tmp_path / "films" / "a.mp4").write_bytes(b"old")
        with pytest.raises(cl.MotionFormatError, match=f"{said}.*untouched"):
            film(tmp_path / "films" / "a.mp4")
        assert [path.name for path in (tmp_path / "films").iterdir()] == ["a.mp4"]
        assert (tmp_path / "films" / "a.mp4").read_bytes() == b"old"


def test_every_place_that_writes_does_it_whole():
    """No module of the library or its tools opens a file under the name that it is to have."""
    root, found = Path(__file__).parents[1], []
    pattern = re.compile(r"\.write_(?:text|bytes)\(|\.savefig\(|np\.savez?\w*\(|open\([^)]*[\"'][wxa]b?\+?[\"']|"
                         r"save_file\(|save_binary\(|\.save\([^)]*path|ZipFile\([^)]*[\"']w[\"']|os\.umask")
    whole = re.compile(r"\bhalf|\btemporary\b")
    # each into a temporary folder of its own
    allowed = {"chapter_01.py": 1, "resolve_colab.py": 3, "mutate.py": 2, "try_colab.py": 1}
    for path in [*(root / "choreo_lib").rglob("*.py"), *(root / "tools").glob("*.py")]:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines()
                 if pattern.search(line) and not whole.search(line) and not line.lstrip().startswith(("#", '"'))]
        if len(lines) > allowed.get(path.name, 0):
            found.append((path.name, lines))
    assert not found


def test_the_numbers_of_a_full_disk_are_known():
    assert {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} <= set(files.FULL) and np.all(np.array(files.FULL) > 0)
