"""The studio: a recording in, a partner out, on the dancer's own body, with how it was made in every file."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import make_bodies as bodies
import numpy as np
import pytest

import choreo_lib as cl
from choreo_lib import studio
from choreo_lib.__main__ import main
from choreo_lib.evaluation import metrics
from choreo_lib.studio.results import floor_of

ROOT = Path(__file__).parents[1]
load = cache(cl.load_model)


@cache
def mixamo():
    return replace(bodies.body("mixamo", frames=90), source=None)


@cache
def made():
    return studio.partner(mixamo(), load("duet-synthetic"), seed=3)


def pelvis_distance(result, take=0):
    return metrics.pelvis_distance(cl.Duet(*(replace(each, rotations=None) for each in result.duet(take))))


def test_a_partner_is_made_on_the_dancers_own_body_in_one_world_and_on_one_clock():
    motion, result = mixamo(), made()
    partner, = result.made
    assert partner.skeleton.names == motion.skeleton.names and partner.fps == motion.fps
    assert len(partner) == len(result.danced) >= len(motion) - 1 and partner.rotations is not None
    np.testing.assert_allclose(partner.skeleton.offsets, motion.skeleton.offsets)
    assert abs(floor_of(partner) - floor_of(motion)) < 0.005, "they stand on one floor"
    head = motion.skeleton.index("head")
    heights = [each.positions[:, head, 2].mean() - floor_of(each) for each in (partner, motion)]
    assert heights[0] == pytest.approx(heights[1], rel=0.08)
    assert 0.3 < pelvis_distance(result).min() and pelvis_distance(result).max() < 2.0
    assert np.linalg.norm(np.diff(partner.positions, axis=0), axis=-1).max() * partner.fps < 8, "nobody jumps"


def test_what_was_read_dropped_and_made_is_said_and_kept():
    result, text = made(), "\n".join(made().lines)
    assert "read " in text and "inserted" in text and "made partner b" in text
    assert text.endswith("begins in the mean pose at the usual distance")
    led = studio.partner(mixamo(), load("duet-synthetic"), seconds=0.5, distance=0.75)
    assert led.lines[-1].endswith("at the usual distance, is led to 0.75 m")
    notes = " ".join(result.made[0].notes)
    assert "duet-synthetic" in notes and "seed 3" in notes and "unknown source" in notes
    asked = result.provenance
    assert (asked.model, asked.seed, len(asked.weights)) == ("duet-synthetic", 3, 64) and asked.wishes["role"] == "b"
    assert not result.made[0].source.redistribute, "what is made of a recording of unknown terms is not free"
    assert json.loads(json.dumps(asked.as_dict()))["trained_on"]["synthetic"]


def test_a_stage_is_as_good_as_a_floor():
    raised = studio.partner(mixamo().transformed((0, 0, 0.9)), load("duet-synthetic"), seed=3)
    lift = raised.made[0].positions - made().made[0].positions
    assert np.abs(lift - [0, 0, 0.9]).mean() < 0.05
    assert floor_of(raised.made[0]) == pytest.approx(floor_of(raised.danced), abs=0.005)


def test_takes_differ_by_chance_and_come_again_by_their_seed():
    motion, model = cl.load_duet("synthetic/canon").a[:60], load("duet-synthetic")
    several = studio.partner(motion, model, takes=2, seed=5)
    again = studio.partner(motion, model, takes=2, seed=5)
    assert np.abs(several.made[0].positions - several.made[1].positions).max() > 0.02
    np.testing.assert_array_equal(several.made[1].positions, again.made[1].positions)
    with pytest.raises(ValueError, match="temperature"):
        studio.partner(motion, model, takes=2, temperature=0.0)


def test_each_side_of_a_duet_is_followed_from_how_the_other_began():
    duet, model = cl.load_duet("synthetic/canon")[:90], load("duet-synthetic")
    for who, real in (("leader", duet.a), ("follower", duet.b)):
        result = studio.partner(duet, model, who=who)
        assert result.who == {"leader": "a", "follower": "b"}[who]
        near = np.linalg.norm(result.made[0].positions - real.positions, axis=-1).mean(1)
        assert near[: model.past].max() < 0.02 < near[model.past :].max()
        assert near[model.past : model.past + 10].mean() < 0.15, "and dances on from there"
        assert getattr(result.duet(), result.who) is result.made[0]


def test_a_distance_is_kept():
    motion, model = cl.load_duet("synthetic/mirror").a, load("duet-synthetic")
    near, far = (pelvis_distance(studio.partner(motion, model, seconds=4, distance=d))[-30:].mean() for d in (0.8, 1.8))
    assert near < 1.2 < far


def test_progress_counts_up_and_can_end_the_work():
    seen = []
    studio.partner(mixamo(), load("duet-synthetic"), seconds=2, progress=lambda done, of: seen.append((done, of)))
    assert seen[0][0] == 0 and seen[-1][0] == seen[-1][1] and [d for d, _ in seen] == sorted(d for d, _ in seen)

    def enough(done, of):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        studio.partner(mixamo(), load("duet-synthetic"), progress=enough)


def test_what_no_model_can_follow_is_refused():
    with pytest.raises(ValueError, match="scale="):
        studio.partner(replace(mixamo(), positions=100 * mixamo().positions, rotations=None), load("duet-synthetic"))
    with pytest.raises(ValueError, match="duet-synthetic, duet-salsa"):
        studio.partner(mixamo(), "solo-synthetic")
    with pytest.raises(ValueError, match="64"):
        studio.vary(mixamo()[:20], load("solo-synthetic"))


def test_translations_styles_and_variations_come_back_on_the_dancers_body():
    motion = mixamo()
    for result in (studio.translate(motion), studio.deepfake(motion, style_weight=0.5),
                   studio.vary(motion, load("solo-synthetic"), takes=2)):
        for each in result.made:
            assert each.skeleton.names == motion.skeleton.names and each.rotations is not None
            assert abs(len(each) - len(motion)) <= 1 and result.provenance.verb in each.notes[-3]


def test_a_variation_goes_as_far_as_it_is_asked_to():
    motion, model = cl.load_duet("synthetic/canon").a[:150], load("solo-synthetic")
    off = [np.linalg.norm(studio.vary(motion, model, sigma=s, seed=1).made[0].positions - motion.positions,
                          axis=-1).mean() for s in (0.0, 0.3, 1.0)]
    assert off[0] < 0.004 < 0.01 < off[1] < 0.5 * off[2]
    varied = studio.vary(motion, model, sigma=0.5, seed=1).made[0]
    assert metrics.jerk(varied.positions, 30.0).mean() < 1.5 * metrics.jerk(motion.positions, 30.0).mean()


def test_planted_strings_are_found():
    duet = cl.load_duet("synthetic/drives")
    found = studio.strings(duet, load("strings-synthetic"))
    planted = {(f"{d.source[0]} {d.source[1]}", f"{d.target[0]} {d.target[1]}") for d in duet.coupling.drives}
    assert planted & {(row["from"], row["to"]) for row in found.edges[:3]}
    assert found.edges[0]["probability"] >= found.edges[-1]["probability"] >= 0.5


@pytest.mark.parametrize("suffix", [".bvh", ".glb", ".npz"])
def test_files_hold_both_dancers_and_how_they_were_made(tmp_path, suffix):
    if suffix == ".glb":
        gl = pytest.importorskip("pygltflib")
    result = made()
    files = studio.save(result, tmp_path / f"p{suffix}", both=True)
    if suffix == ".bvh":
        assert [file.name for file in files] == ["p_a.bvh", "p_b.bvh"]
        back = cl.read_duet(*files)
    elif suffix == ".npz":
        back = cl.read_duet(files[0])
    else:
        nodes = gl.GLTF2.load(str(files[0])).nodes
        assert sum("seed 3" in str(node.extras) for node in nodes) == 1
        return
    np.testing.assert_allclose(back.b.positions, result.made[0].positions, atol=1e-4)
    np.testing.assert_allclose(back.a.positions, result.danced.positions, atol=1e-4)
    assert any("seed 3" in note for note in back.b.notes) and back.b.source.name == result.made[0].source.name


def test_a_film_has_it_beside_it(tmp_path):
    short = studio.partner(mixamo(), load("duet-synthetic"), seconds=0.5)
    film, beside = studio.save(short, tmp_path / "p.gif")
    assert film.stat().st_size > 1000 and json.loads(beside.read_text())["model"] == "duet-synthetic"


# ---- the command

def test_the_command_says_what_it_did_and_the_file_is_read_back(tmp_path, capsys):
    given, out = tmp_path / "mine.bvh", tmp_path / "partner.bvh"
    cl.write_motion(mixamo(), given, up="y", scale=0.01)
    words = ["partner", str(given), "--out", str(out), "--model", "duet-synthetic", "--seed", "3", "--json"]
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["files"] == [str(out)] and said["provenance"]["seed"] == 3 and any("made" in x for x in said["lines"])
    first = cl.read_motion(out)
    assert first.skeleton.names == mixamo().skeleton.names and main(words) == 0
    np.testing.assert_array_equal(cl.read_motion(out).rotations, first.rotations)
    assert main(["convert", str(out), "--out", str(tmp_path / "p.npz")]) == 0
    assert main(["info", str(out)]) == 0 and "joints:" in capsys.readouterr().out
    assert main(["play", str(given), str(out), "--out", str(tmp_path / "p.html"), "--no-open"]) == 0
    assert "<html" in (tmp_path / "p.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("words, why", [
    (["partner", "none.bvh", "--out", "x.bvh"], "no such file"),
    (["partner", "synthetic/canon/a", "--out", "x.bvh", "--model", "nobody"], "nobody"),
    (["partner", "synthetic/canon/a", "--out", "x.doc", "--model", "duet-synthetic", "--seconds", "1"], "doc"),
    (["strings", "synthetic/canon/a"], "two dancers"),
    (["vary", "synthetic/canon", "--out", "x.bvh"], "one dancer"),
])  # fmt: skip
def test_what_cannot_be_done_is_one_line_and_status_1(tmp_path, monkeypatch, capsys, words, why):
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--json"]) == 1
    said = capsys.readouterr()
    assert why in said.err and len(said.err.strip().splitlines()) == 1 and "Traceback" not in said.err
    assert why in json.loads(said.out)["error"] and not list(tmp_path.iterdir())


def test_wrong_words_are_status_2():
    with pytest.raises(SystemExit) as stopped:
        main(["partner"])
    assert stopped.value.code == 2


def test_ctrl_c_leaves_nothing_half_written(tmp_path, monkeypatch, capsys):
    def stopped(*given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr("choreo_lib.io.bvh_write.np.savetxt", stopped)
    assert main(["partner", "synthetic/canon/a", "--out", str(tmp_path / "p.bvh"), "--model", "duet-synthetic",
                 "--seconds", "1"]) == 130  # fmt: skip
    assert not list(tmp_path.iterdir()) and "stopped" in capsys.readouterr().err


def test_it_runs_from_a_shell():
    done = subprocess.run([sys.executable, "-m", "choreo_lib", "info", "synthetic/canon", "--json"], cwd=ROOT,
                          capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["dancers"]) == 2 and not done.stderr
