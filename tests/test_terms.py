"""Terms kept by the software: no committed notebook or page carries motion that its source does not let us pass on."""

import dataclasses
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

import choreo_lib as cl
from choreo_lib.show.player import read_payload

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
STUDY = cl.Source("somebody's dance", "its makers", "study only")


def committed():
    """Text files git knows, or, outside a checkout, those a reader gets."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    names = listed.stdout.split("\0") if listed.returncode == 0 else [str(p.relative_to(ROOT)) for p in NOTEBOOKS]
    return [
        ROOT / n for n in names if n.endswith((".ipynb", ".html", ".md")) and "vendor" not in n and (ROOT / n).exists()
    ]


def forbidden(text):
    """What is wrong with the players in a text: one line for each that carries positions it should not."""
    wrong = []
    for payload in read_payload(text):
        for body in payload["dancers"] + payload["ghosts"]:
            source = body["source"]
            if not payload["redistribute"] or source is None or not source["redistribute"]:
                wrong.append(f"{body['name']}: positions of {source['name'] if source else 'unknown source'}")
    return wrong


def test_committed_pages_carry_only_what_is_free():
    files = committed()
    assert any(f.suffix == ".ipynb" for f in files) and any(f.name == "welcome_player.html" for f in files)
    wrong = {f.name: forbidden(f.read_text(encoding="utf-8")) for f in files}
    assert not {name: lines for name, lines in wrong.items() if lines}
    assert sum(len(read_payload(f.read_text(encoding="utf-8"))) for f in files) >= 3, "the guard saw no player to guard"


def test_the_guard_sees_a_player_that_breaks_the_terms(monkeypatch):
    monkeypatch.delenv("CHOREO_PUBLISH", raising=False)
    motion = cl.load_duet("synthetic/canon").a[:5]
    taken = cl.Motion(motion.positions, motion.fps, motion.skeleton, source=STUDY)
    for player in (
        cl.play(taken),
        cl.play(motion, ghost=taken),
        cl.play(cl.Motion(motion.positions, 30, motion.skeleton)),
    ):
        notebook = json.dumps(
            {"cells": [{"outputs": [{"data": {"text/html": player.html.splitlines(keepends=True)}}]}]}
        )
        assert forbidden(player.html) and forbidden(notebook)
    assert not forbidden(cl.play(motion).html)


def test_publish_mode_shows_a_film_without_positions(monkeypatch):
    pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setenv("CHOREO_PUBLISH", "1")
    motion = cl.load_duet("synthetic/canon").a[:20]
    taken = cl.Motion(motion.positions, motion.fps, motion.skeleton, source=STUDY)
    film = cl.play(taken.transformed((1, 0, 0)))
    assert not read_payload(film.html) and "<video" in film.html and "its makers" in film.html
    assert read_payload(cl.play(motion).html)


FREE = cl.Source("choreo_lib", cl.OURS.credit, cl.OURS.terms, redistribute=True)  # what anybody can write into a file


def through(kind, motion, folder):
    """The motion, written and read again: all it knows of its terms is what the file says."""
    cl.write_motion(motion, folder / f"d{kind}")
    if isinstance(motion, cl.Duet):
        return cl.read_duet(folder / f"d{kind}")
    return cl.read_motion(folder / f"d{kind}")


@pytest.mark.parametrize("kind", [".bvh", ".npz"])
def test_a_files_own_word_that_it_is_free_is_not_published(tmp_path, monkeypatch, kind):
    """Somebody's dance, whose file says of itself that it is ours: shown here, and never among what others see."""
    pytest.importorskip("imageio_ffmpeg")
    danced = cl.synthetic.duet("canon", frames=30, seed=77).a  # in no registered set: anybody's, for all we know
    read = through(kind, cl.Motion(danced.positions, 30, danced.skeleton, danced.rotations, FREE), tmp_path)
    assert read.source == FREE and read.source.redistribute and not read.source.verified  # the word goes on with it
    monkeypatch.delenv("CHOREO_PUBLISH", raising=False)
    assert forbidden(cl.play(read).html), "a page with this player would pass the guard"
    monkeypatch.setenv("CHOREO_PUBLISH", "1")
    for derived in (read, read.transformed((1, 0, 0)), read[3:20], read.resampled(20)):
        assert not read_payload(cl.play(derived).html)
    assert not read_payload(cl.play(danced, ghost=read).html) and read_payload(cl.play(danced).html)
    assert not read_payload(cl.play(cl.Duet(danced, read)).html)
    mine = cl.Motion(read.positions, 30, read.skeleton, source=cl.Source("my own dance", redistribute=True))
    assert read_payload(cl.play(mine).html)  # who vouches for it, in so many words, may publish it


@pytest.mark.parametrize("kind", [".bvh", ".npz"])
def test_motion_of_a_registered_set_stays_free_through_a_file(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("CHOREO_PUBLISH", "1")
    clip = cl.load_duet("synthetic/canon")
    motion = through(kind, clip.a if kind == ".bvh" else clip, tmp_path)
    for part in (motion, motion[10:40]):
        (shown,) = read_payload(cl.play(part).html)
        assert shown["redistribute"] and all(body["source"]["redistribute"] for body in shown["dancers"])


def test_the_word_of_a_file_is_not_laundered_by_joining():
    said = dataclasses.replace(cl.OURS, verified=False)
    assert said == cl.OURS and repr(said) == repr(cl.OURS)
    for sources in ((cl.OURS, said), (said, cl.OURS), (said, said), (said,), (cl.Source("x", redistribute=True), said)):
        assert not cl.Source.join(*sources).verified
    assert cl.Source.join(cl.OURS, cl.OURS).verified and cl.Source.join() is None and cl.Source.join(None) is None


def test_stored_films_are_small_and_notebooks_too():
    for path in NOTEBOOKS:
        assert path.stat().st_size < 1_500_000, path.name
        assert str(ROOT) not in path.read_text(encoding="utf-8"), f"{path.name} holds a path of the machine that ran it"


@pytest.mark.real_data
def test_no_committed_player_carries_a_recorded_pose():
    """Not by what a player says of itself, but by its numbers: no pose of a recorded take stands in a player."""
    folder = os.environ.get("CHOREO_DATA")
    if not folder or not (Path(folder) / "salsa").is_dir():
        pytest.skip("CHOREO_DATA is not set to a folder that holds salsa")
    poses = np.concatenate([m.positions[:, 1:] - m.positions[:, :1] for m in cl.load_duet("salsa/Easy_01")])
    for path in committed():
        for payload in read_payload(path.read_text(encoding="utf-8")):
            for body in payload["dancers"] + payload["ghosts"]:
                p = body["positions"]
                if p.shape[1] == poses.shape[1] + 1:
                    near = np.abs(poses - (p[len(p) // 2, 1:] - p[len(p) // 2, :1])).max(axis=(1, 2)).min()
                    assert near > 0.005, f"{path.name} carries a pose of salsa/Easy_01"
