"""Artifacts: made by one command, described by a card, refused where card and weights do not agree."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import choreo_lib as cl
from choreo_lib.__main__ import main
from choreo_lib.sets import splits, windows
from choreo_lib.systems import SoloVAE
from choreo_lib.systems.losses import Schedule
from choreo_lib.training import artifacts, devices, recipes
from choreo_lib.training.train_config import TrainConfig


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An artifact of a recipe made small: the whole way from the shell's words to the card."""
    out = tmp_path_factory.mktemp("made")
    recipe = recipes.RECIPES["solo-synthetic"]
    settings = {"quick": {"frames": 16, "latent": 6, "hidden": 8, "layers": 1, "kl": Schedule(1e-5)}}
    small = recipes.Recipe(
        recipe.what, recipe.data, lambda split, augment=None, mode="quick": few(split),
        SoloVAE, settings, {"quick": TrainConfig(epochs=2, batch_size=64, warmup=1)}, errors)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recipes.RECIPES, "solo-synthetic", small)
        patch.setattr(artifacts, "WEIGHTS", out)
        assert main(["train", "solo-synthetic", "--out", str(out), "--device", "cpu"]) == 0
        yield out


@torch.no_grad()
def errors(model, train, asked):
    """Of the model and of the training set's mean window, in millimetres."""
    x = model.canonicalise(asked[:])[0]
    made = {"model": model(x)[0], "mean phrase": model.mean_window.expand_as(x)}
    return {row: {"error_mm": 1000 * float((each - x).unflatten(2, (-1, 3)).norm(dim=-1).mean())}
            for row, each in made.items()}


def few(split):
    seed = {"train": 1, "validation": 2, "test": 3}.get(split, split)
    return windows.cut(list(cl.synthetic.duet("canon", 120, seed=seed)), 16)


def test_the_card_tells_all(made):
    card = json.loads((made / "solo-synthetic.json").read_text())
    weights = made / "solo-synthetic.safetensors"
    assert card["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert card["epochs"] == 2 and card["steps"] == 2 * (210 // 64) and card["seed"] == 0 and card["mode"] == "quick"
    frames = few("test").frames.numpy().tobytes()
    assert card["data"]["test"]["sha256"] == hashlib.sha256(frames).hexdigest()
    assert card["data"]["train"]["sha256"] != card["data"]["test"]["sha256"]
    assert card["terms"]["synthetic"]["redistribute"] and set(card["versions"]) == {"torch", "numpy", "choreo-lib"}
    assert set(card["measures"]) == {"validation", "test"}
    assert set(card["measures"]["test"]) == {"model", "mean phrase"}
    assert (made / "history.png").exists()


def test_a_model_that_is_not_trained_is_an_artifact_too(tmp_path, monkeypatch):
    """Its recipe has no epochs: statistics, residuals, a card, and no history."""
    recipe = recipes.RECIPES["solo-salsa"]
    monkeypatch.setitem(recipes.RECIPES, "solo-salsa", replace(
        recipe, windows=lambda split, augment=None, mode="quick": few(split), evaluate=errors,
        config={"quick": {"frames": 16, "latent": 6, "residual_rank": 3}}))
    card = json.loads(artifacts.train("solo-salsa", out=tmp_path, device="cpu").read_text())
    assert (card["epochs"], card["steps"], card["minutes"], card["model"]) == (0, 0, 0.0, "LinearVAE")
    measures = card["measures"]["test"]
    assert measures["model"]["error_mm"] < 0.9 * measures["mean phrase"]["error_mm"]
    assert {path.name for path in tmp_path.iterdir()} >= {"solo-salsa.json", "solo-salsa.safetensors"}
    assert not (tmp_path / "history.png").exists()
    again = artifacts.load_model("solo-salsa", tmp_path)
    assert again.residuals.abs().sum() > 0 and again.residuals.shape == (3, 16 * 29 * 3)


def test_a_run_says_where_it_is_and_is_kept_on_a_drive_that_is_mounted(tmp_path, monkeypatch, capsys):
    """What Colab computes on is taken away after a disconnect; the reader's Drive stays."""
    drive = tmp_path / "MyDrive"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(devices, "DRIVE", drive)
    monkeypatch.delenv("CHOREO_RUNS", raising=False)
    assert devices.runs_folder("a") == Path("runs", "a")
    drive.mkdir()
    recipe = recipes.RECIPES["solo-salsa"]
    monkeypatch.setitem(recipes.RECIPES, "solo-salsa", replace(
        recipe, windows=lambda split, augment=None, mode="quick": few(split), evaluate=errors,
        config={"quick": {"frames": 16, "latent": 6, "residual_rank": 3}}))
    card = artifacts.train("solo-salsa", device="cpu")
    assert card.parent == drive / "choreo_runs" / "solo-salsa" and card.exists()
    said = capsys.readouterr().out
    assert "on CPU, " in said and str(card.parent) in said
    monkeypatch.setenv("CHOREO_RUNS", str(tmp_path / "told"))
    assert devices.runs_folder("a") == tmp_path / "told" / "a"
    monkeypatch.setattr(devices.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(devices.torch.cuda, "get_device_name", lambda: "A GPU of a name")
    assert devices.machine() == "A GPU of a name" and devices.machine("cpu").startswith("CPU")


def test_what_is_loaded_is_what_was_judged(made):
    model = artifacts.load_model("solo-synthetic")
    assert not model.training and model.card["name"] == "solo-synthetic"
    assert artifacts.list_models() == ["solo-synthetic"]
    again = artifacts.evaluate("solo-synthetic", "test")
    for row, measures in model.card["measures"]["test"].items():
        assert again[row] == pytest.approx(measures, rel=1e-4)
    assert artifacts.evaluate("solo-synthetic", 9)["model"]["error_mm"] != again["model"]["error_mm"]
    x = model.canonicalise(few("test")[:])[0]  # the error by hand: encode, decode, mean distance
    with torch.no_grad():
        by_hand = (model.decode(model.encode(x)[0]) - x).view(len(x), 16, -1, 3).norm(dim=-1).mean()
    assert again["model"]["error_mm"] == pytest.approx(1000 * float(by_hand), rel=1e-5)


@pytest.mark.parametrize("harm", ["weights", "card", "kind", "gone"])
def test_weights_that_are_not_the_cards_are_refused(made, tmp_path, harm):
    for name in ("solo-synthetic.json", "solo-synthetic.safetensors"):
        (tmp_path / name).write_bytes((made / name).read_bytes())
    card, weights = tmp_path / "solo-synthetic.json", tmp_path / "solo-synthetic.safetensors"
    if harm == "weights":
        weights.write_bytes(weights.read_bytes()[:-1])
    elif harm == "gone":
        weights.unlink()
    elif harm == "card":
        card.write_text(card.read_text()[:100])
    else:
        card.write_text(card.read_text().replace('"SoloVAE"', '"Nothing"'))
    with pytest.raises(cl.TrainingError, match="train it again"):
        artifacts.load_model("solo-synthetic", tmp_path)


@pytest.mark.parametrize("words", [("--epochs", "0"), ("--keep-every", "-1"), ("--epochs", "many")])
def test_numbers_that_are_none_are_told_in_the_words_of_the_shell(words, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", "solo-synthetic", *words])
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {words[0]}:" in said and words[1] in said


def test_names_that_are_none(made, capsys):
    with pytest.raises(cl.TrainingError, match="python -m choreo_lib train duet-nothing"):
        artifacts.load_model("duet-nothing")
    assert main(["train", "solo-nothing"]) == 1 and "there is no recipe" in capsys.readouterr().err
    assert main(["train", "solo-synthetic", "--out", str(made)]) == 1
    assert "holds a run already" in capsys.readouterr().err
    assert main(["list"]) == 0 and "solo-salsa" in capsys.readouterr().out


def test_the_shell_evaluates(made, capsys):
    assert main(["evaluate", "solo-synthetic", "--split", "validation"]) == 0
    assert "mean phrase" in capsys.readouterr().out.splitlines()[0]
    assert main(["evaluate", "solo-synthetic", "--long"]) == 1
    assert "does not dance along with anybody; the models that do are duet-synthetic" in capsys.readouterr().err


def test_weights_without_a_statistic_that_came_later_get_it_and_nothing_else(tmp_path, monkeypatch):
    recipe = recipes.RECIPES["duet-synthetic"]
    sizes = {"past": 8, "ahead": 10, "features": 8, "heads": 2, "latent": 4, "hidden": 4, "residual_components": 4}
    small = replace(
        recipe, windows=lambda split, augment=None, mode="quick": windows.cut(
            [cl.synthetic.duet("canon", 120, seed=k + {"train": 1, "validation": 3, "test": 5}[split]) for k in (0, 1)],
            18),
        config={"quick": sizes}, training={"quick": TrainConfig(epochs=1, batch_size=64, warmup=1)},
        evaluate=lambda model, train, asked: {"model": {"share": float(model.pose_prior.weight)}},
        long_takes=lambda split, minutes: [cl.synthetic.duet("canon", round(1800 * minutes), seed=split)])  # fmt: skip
    monkeypatch.setitem(recipes.RECIPES, "duet-synthetic", small)
    card = artifacts.train("duet-synthetic", out=tmp_path / "made", device="cpu")
    told, weights = json.loads(card.read_text()), load_file(card.with_suffix(".safetensors"))
    older = {name: value for name, value in weights.items() if not name.startswith(("pose_prior", "ridge"))}
    (tmp_path / "old").mkdir()
    save_file(older, tmp_path / "old" / "duet-synthetic.safetensors")
    digest = hashlib.sha256((tmp_path / "old" / "duet-synthetic.safetensors").read_bytes()).hexdigest()
    (tmp_path / "old" / card.name).write_text(json.dumps(told | {"weights_sha256": digest, "measures": {"test": {}}}))
    with pytest.raises(artifacts.TrainingError, match="pose_prior"):
        artifacts.load_model("duet-synthetic", tmp_path / "old")
    again = artifacts.refit("duet-synthetic", tmp_path / "old", tmp_path / "new")
    found = load_file(again.with_suffix(".safetensors"))
    assert older.keys() < found.keys() == weights.keys() and found["ridge.shares"].any()
    assert all(torch.equal(found[name], value) for name, value in weights.items())
    assert json.loads(again.read_text())["measures"] == {"test": {"model": {"share": pytest.approx(0.3, rel=1e-3)}}}
    assert artifacts.load_model("duet-synthetic", tmp_path / "new").card["steps"] == told["steps"]
    monkeypatch.setattr(artifacts, "WEIGHTS", tmp_path / "new")
    rows = artifacts.evaluate_long("duet-synthetic", 7, minutes=0.1)
    assert list(rows) == ["piece 1"] and 0.5 < rows["piece 1"]["height_ratio"] < 1.5
    with pytest.raises(artifacts.TrainingError, match="not the file"):
        (tmp_path / "old" / "duet-synthetic.safetensors").write_bytes(b"another")
        artifacts.refit("duet-synthetic", tmp_path / "old", tmp_path / "new")


def test_the_shell_knows_the_library():
    def shell(*words):
        return subprocess.run([sys.executable, "-m", "choreo_lib", *words], capture_output=True, text=True)

    done = shell("train", "--help")
    assert done.returncode == 0 and "--resume" in done.stdout and "torchrun" in done.stdout
    wrong = shell("train", "x", "--mode", "slow")
    assert wrong.returncode == 2 and "quick" in wrong.stderr


def test_a_model_is_loaded_without_the_compiler():
    """A second of a command's or a chapter's start: a check of shapes, without memory, had PyTorch import it."""
    code = ("import sys, choreo_lib as cl\n"
            "names = [name for name in cl.list_models() if 'strings' not in name]\n"  # which PyG does itself
            "for name in names: cl.load_model(name)\n"
            "print(len(names) > 9, sorted({'torch._dynamo', 'sympy'} & sys.modules.keys()))")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "True []"


def test_splits_of_generated_duets_share_no_seed():
    made = [{duet.a.positions.tobytes() for duet in splits.synthetic_duets((("canon", 1.0),), split, "full")}
            for split in ("train", "validation", "test", 9000)]
    assert all(not a & b for i, a in enumerate(made) for b in made[:i])


def test_a_training_of_rotations_leaves_something_to_look_at(tmp_path, monkeypatch):
    """Log, history, plot, weights kept on the way, and a take as danced and as made; then on from given weights."""
    recipe = recipes.RECIPES["translate-salsa"]
    settings = {"quick": {"routes": ("ab", "ba"), "frames": 16, "latent": 4, "hidden": 8, "layers": 1, "dense": 8}}

    def turning(split, augment=None, mode="quick"):
        seed = {"train": 1, "validation": 2, "test": 3}[split]
        return windows.cut(cl.synthetic.duet("contact", 60, seed=seed), 16, rotations=True)

    small = recipes.Recipe(
        recipe.what,
        ("synthetic",),
        turning,
        recipe.model,
        settings,
        {"quick": TrainConfig(epochs=2, batch_size=16, warmup=1)},
        lambda model, train, asked: {"model": {}},
    )
    monkeypatch.setitem(recipes.RECIPES, "translate-salsa", small)
    out = tmp_path / "run"
    assert main(["train", "translate-salsa", "--out", str(out), "--device", "cpu", "--keep-every", "1"]) == 0
    wanted = {"history.csv", "history.png", "best.safetensors", "epoch-0001.safetensors", "epoch-0002.safetensors",
              "danced-a.bvh", "danced-b.bvh"} | {f"made-{route}.{kind}" for route in ("ab", "ba")
                                                 for kind in ("bvh", "gif")}
    assert wanted <= {path.name for path in out.iterdir()}
    danced, made = (cl.read_motion(out / name) for name in ("danced-b.bvh", "made-ab.bvh"))
    assert len(made) == len(danced) == 60
    again = tmp_path / "again"
    kept = str(out / "epoch-0002.safetensors")
    assert main(["train", "translate-salsa", "--out", str(again), "--device", "cpu", "--weights", kept,
                 "--epochs", "1"]) == 0
    losses = [float((folder / "history.csv").read_text().splitlines()[1].split(",")[2]) for folder in (out, again)]
    assert losses[1] < losses[0]
    assert main(["train", "translate-salsa", "--out", str(tmp_path / "x"), "--weights", str(out / "made-ab.bvh")]) == 1
    assert main(["train", "translate-salsa", "--out", str(again), "--resume", "--weights", kept]) == 1
    cards = [json.loads((folder / "translate-salsa.json").read_text()) for folder in (out, again)]
    assert [card["epochs"] for card in cards] == [2, 1]  # the recipe's, and as many as were asked for
    begun = hashlib.sha256((out / "epoch-0002.safetensors").read_bytes()).hexdigest()
    assert [card["begun_from"] for card in cards] == [None, begun]
