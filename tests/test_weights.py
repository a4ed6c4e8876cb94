"""The weights that come with the book: small, whole, told by their cards, and as good as the chapters say."""

import numpy as np
import pytest
import torch

import choreo_lib as cl
from choreo_lib import evaluation
from choreo_lib.evaluation.couplings import finder_of, grade
from choreo_lib.evaluation.metrics import edge_accuracy
from choreo_lib.sets import splits
from choreo_lib.training import artifacts, recipes


def test_every_recipe_has_its_weights():
    assert cl.list_models() == list(recipes.RECIPES)


def load_whole(name):
    model = cl.load_model(name)
    card = model.card
    path = artifacts.WEIGHTS / f"{name}.safetensors"
    assert path.stat().st_size < 10_000_000 and card["mode"] == "full"
    assert {"terms", "data", "training", "seed", "steps", "device", "minutes", "versions"} <= set(card)
    assert all(torch.isfinite(each).all() for each in model.state_dict().values())
    return model, card["measures"]["test"]


def unseen(name):
    """The windows of the test takes; where they are not to be had, the test is skipped with the reason."""
    try:
        return recipes.RECIPES[name].windows("test")
    except cl.DatasetError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", [name for name in cl.list_models() if name.startswith("solo")])
def test_shipped_solo_weights_keep_what_the_chapters_say(name):
    """On test takes, as their cards tell; chapter 4 computes it again."""
    model, rows = load_whole(name)
    assert rows["model"]["error_mm"] < rows["pca"]["error_mm"] < rows["mean phrase"]["error_mm"]
    assert rows["model"]["active_units"] >= 32 and rows["model"]["kl_nats_per_unit"] > 0.5
    asked = unseen(name)
    off = []
    for batch in asked.batches(512):
        x = model.canonicalise(batch)[0]
        with torch.no_grad():
            again = model.decode(model.encode(x)[0])
        off.append((again - x).unflatten(2, (-1, 3)).norm(dim=-1).mean((1, 2)))
    assert 1000 * float(torch.cat(off).mean()) == pytest.approx(rows["model"]["error_mm"], rel=1e-3)


@pytest.mark.parametrize("name", [name for name in cl.list_models() if name.startswith("duet")])
def test_shipped_duet_weights_keep_what_the_chapters_say(name):
    """The errors of their cards, computed again on the test takes; and a rollout keeps bones and distance."""
    model, rows = load_whole(name)
    asked = unseen(name)
    joints = list(range(len(asked.skeleton)))
    if name == "duet-salsa":
        joints = [asked.skeleton.index(joint) for joint in recipes.SALSA_19]
    again = cl.baselines.evaluate({"model": model}, asked, joints=joints).table()["model"]
    assert again == pytest.approx({key: rows["model"][key] for key in again}, rel=2e-3)
    assert rows["model"]["error_mm@1000ms"] < rows["damped velocity"]["error_mm@1000ms"]
    assert rows["model"]["bones_percent"] < 0.1


def test_shipped_translation_keeps_what_the_chapter_says():
    """The errors of its card, computed again on the test take."""
    model, rows = load_whole("translate-salsa")
    asked = unseen("translate-salsa")
    moves = asked[:]
    off = []
    for route in model.config.routes:
        source, _, frame, body = model.source_and_target(moves, route)
        with torch.no_grad():
            _, rotations, root = model(source, route, sample=False)[0]
        made = cl.forward_kinematics(model.skeleton, rotations, root, body)[0]
        true = frame.to_local(cl.body.kinematics.positions_of(model.skeleton, moves[:, :, "ab".index(route[1])]))
        off.append((made - true).norm(dim=-1).mean())
    assert 1000 * float(torch.stack(off).mean()) == pytest.approx(rows["model"]["error_mm"], rel=2e-3)
    assert rows["model"]["error_mm"] < 0.85 * rows["ridge"]["error_mm"] and rows["model"]["seam_ratio"] <= 1.1


def test_shipped_styles_are_what_the_chapter_says():
    """The map measured anew; and on the validation take, whose couple is known, it does more than means alone."""
    model, rows = load_whole("deepfake-salsa")
    asked = unseen("deepfake-salsa")
    known, name = model.card["measures"]["validation"], "style_transfer_accuracy_percent"
    assert known["model"][name] > known["mean matching"][name] + 5 and rows["model"][name] > 80
    assert min(rows["model"]["speed_correlation"], known["model"]["speed_correlation"]) > 0.9
    take = tuple(cl.sets.windows.takes_of(asked)[0])
    made = model.translate(take[0], "ab", take[1].skeleton)
    speeds = [evaluation.metrics.speed(each.positions, 30).mean(-1) for each in (take[0], made)]
    assert np.corrcoef(*speeds)[0, 1] == pytest.approx(rows["model"]["speed_correlation_ab"], abs=2e-3)


@pytest.mark.parametrize("name", [name for name in cl.list_models() if name.startswith(("springs", "charged"))])
def test_shipped_weights_of_particles_keep_what_the_chapters_say(name):
    """The edges of their cards, found again in a part of the test simulations, and in others."""
    model, rows = load_whole(name)
    asked = recipes.RECIPES[name].windows("test")[:100]
    alone = edge_accuracy(model.infer(asked.states).edges, asked.edges).accuracy
    assert alone == pytest.approx(rows["encoder alone"]["edge_accuracy"], abs=0.03)
    if not name.endswith("supervised"):  # which are there for their encoders
        assert rows["model"]["mse@20steps"] < rows["constant velocity"]["mse@20steps"]
    assert rows["encoder alone"]["edge_accuracy"] > rows["correlation of paths"]["edge_accuracy"] + 0.1
    if name in ("springs5", "springs10", "charged5", "charged10"):
        wish = {"springs5": 0.999, "springs10": 0.984, "charged5": 0.93, "charged10": 0.75}[name]
        assert rows["model"]["edge_accuracy"] >= wish
        other = recipes.RECIPES[name].windows(77)[:40]
        assert edge_accuracy(model.infer(other.states, refine=100).edges, other.edges).accuracy >= wish
        near = torch.tensor([0.5, 1.0, 2.0])
        true = 0.1 * near[:, None] if name.startswith("springs") else near[:, None] ** -2
        with torch.no_grad():
            assert ((model.decoder.force(near).abs() / true - 1).abs() < 0.15).all()


STRINGS = ("strings-synthetic", "strings-synthetic-1", "strings-synthetic-2")


@pytest.mark.parametrize("name", [name for name in cl.list_models() if name.startswith("strings")])
def test_shipped_weights_of_strings_keep_what_the_chapter_says(name):
    """What their cards tell, and on twenty clips of a seed that no card knows."""
    model, rows = load_whole(name)
    ours, short = rows["model"], f"error_mm@{1000 / model.fps:.0f}ms"
    assert ours[short] < rows["constant velocity"][short] and ours[short] <= rows["repeat"][short] / 2
    if name == "strings-salsa":
        assert ours["swap_auc"] >= 0.9 > rows["untrained"]["swap_auc"] and ours["swap_auc"] == max(
            row["swap_auc"] for row in rows.values() if "swap_auc" in row)
        return
    long = f"error_mm@{10_000 / model.fps:.0f}ms"
    assert ours[long] < rows["constant velocity"][long]
    if name == "strings-described":
        assert ours["average_precision"] < 0.02  # which is what the chapter shows
        return
    clips = [clip[:64] for clip in splits.driven_duets(702, length=64, fixed=name == "strings-fixed")[:20]]
    score = grade(finder_of(model), clips)
    assert score["average_precision"] == pytest.approx(ours["average_precision"], abs=0.15)
    if name in STRINGS:
        assert ours["edge_auc"] >= 0.97 and ours["average_precision"] >= 0.45
        assert ours["direction_accuracy"] >= 0.95 and ours["lag_accuracy"] >= 0.8
        assert ours["average_precision"] == max(row.get("average_precision", 0) for row in rows.values())
        assert ours["kl_nats_independent"] < 0.02 and ours["confident_independent"] < 0.01
        assert ours["kl_nats_planted"] > 1
    elif name == "strings-fixed":
        assert ours["average_precision"] >= 0.8


def test_all_weights_together_are_small():
    assert {path.suffix for path in artifacts.WEIGHTS.iterdir()} == {".json", ".safetensors"}
    assert sum(path.stat().st_size for path in artifacts.WEIGHTS.iterdir()) < 60_000_000


@pytest.mark.parametrize("name", [name for name in cl.list_models() if name.startswith("shelf")])
def test_shipped_weights_of_the_published_systems_are_what_their_cards_say(name):
    """Their errors, found again: of the duet's, which goes frame by frame, the first."""
    model, rows = load_whole(name)
    assert type(model).__name__ in ("SoloVAE", "DuetVAE", "VAERNN")
    asked, row = unseen(name), rows["model"]
    if "solo" in name:
        x = torch.cat([model.canonicalise(batch)[0] for batch in asked.batches(512)])
        with torch.no_grad():
            off = (torch.cat([model.eval()(part)[0] for part in x.split(512)]) - x).unflatten(2, (-1, 3)).norm(dim=-1)
        assert 1000 * float(off.mean()) == pytest.approx(row["error_mm"], rel=1e-3)
        assert row["error_mm"] < rows["mean phrase"]["error_mm"]
    elif "duet" in name:
        joints = recipes.SALSA_19 if "salsa" in name else asked.skeleton.names
        few = asked.subset(torch.arange(0, len(asked), 4))  # with twice the past, which is as far as a window goes
        again = cl.baselines.evaluate({"model": model}, few, (1,), asked.skeleton.indices(joints)).table()["model"]
        assert again["error_mm@33ms"] == pytest.approx(row["error_mm@33ms"], rel=0.1)
        assert row["error_mm@33ms"] < 1.1 * rows["repeat"]["error_mm@33ms"]  # which is what it has become
    elif "translate" in name:
        made = evaluation.predicted_positions(model, asked[:], "ab")
        true = cl.body.kinematics.positions_of(model.skeleton, asked[:][:, :, 1])
        assert 1000 * float((made - true).norm(dim=-1).mean()) == pytest.approx(row["error_mm"], rel=1e-3)
        assert row["error_mm"] < rows["mean partner"]["error_mm"]
    else:
        take = tuple(cl.sets.windows.takes_of(asked)[0])
        made = model.translate(take[0], "ab", take[1].skeleton)
        speeds = [evaluation.metrics.speed(each.positions, 30).mean(-1) for each in (take[0], made)]
        assert np.corrcoef(*speeds)[0, 1] == pytest.approx(row["speed_correlation_ab"], abs=2e-3)
