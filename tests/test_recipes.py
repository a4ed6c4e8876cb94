"""Splits that share nothing, windows as a recipe cuts them, and models as it builds them."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import choreo_lib as cl
from choreo_lib import extensions, systems
from choreo_lib.core.tables import format_table
from choreo_lib.sets import splits, synthetic, windows
from choreo_lib.sets.augmentation import Augment
from choreo_lib.sets.particles import Particles
from choreo_lib.training import TrainConfig, cards, recipes

JOINTS = ("pelvis", "left_wrist", "right_wrist")


@pytest.mark.parametrize(("split", "trained", "seed"), [
    ("train", 1, 0), ("train", 24, 0), ("validation", 1, 500), ("test", 8, 600), (24, 24, 24), (9000, 8, 9000)])
def test_a_split_of_generated_data_is_a_seed(split, trained, seed):
    assert splits.first_seed(split, trained) == seed


@pytest.mark.parametrize(("split", "trained"), [(23, 24), (0, 1), (-1, 1), ("challenge", 1), (None, 1), (1.0, 1)])
def test_what_was_trained_on_is_no_split(split, trained):
    with pytest.raises(ValueError, match=f"choose from train, validation, test, or a seed from {trained} on"):
        splits.first_seed(split, trained)


def test_recorded_takes_are_those_of_the_registry(monkeypatch):
    monkeypatch.setattr(splits, "load_duet", lambda name: name)
    for split, takes in cl.splits("salsa").items():
        assert splits.recorded_duets("salsa", split) == splits.recorded_duets("salsa", split, "quick") == takes
    for wrong in ("all", 700):
        with pytest.raises(ValueError, match="salsa is recorded, so no seed makes more"):
            splits.recorded_duets("salsa", wrong)


def test_how_much_generated_data_a_split_has(monkeypatch):
    made = []
    monkeypatch.setattr(synthetic, "duet", lambda kind, frames, seed, **how: made.append((kind, seed)) or (kind, seed))
    kinds = (("canon", 1.0), ("mirror", 0.5))
    assert splits.synthetic_duets(kinds, "train", seeds=8) == [
        (kind, seed) for seed in range(8) for kind in ("canon", "mirror")]
    for split, mode, count in (("train", "quick", 2), ("validation", "full", 4), ("test", "quick", 1), (77, "full", 1)):
        assert len(splits.synthetic_duets(kinds, split, mode)) == 2 * count
    drives = splits.driven_duets("test", "quick", 30)
    assert [seed for _, seed in drives] == [*range(6_000_000, 6_000_010)] and {kind for kind, _ in drives} == {"drives"}
    assert len(splits.driven_duets("train")) == 2000 and len(splits.driven_duets(3)) == 100


def test_windows_are_as_long_and_as_many_as_the_recipe_says():
    def duets(split, mode):
        return [synthetic.duet("canon", 60, seed=1)]

    def cut(split, augment=None, mode="full", **how):
        return recipes.cut_windows(duets, 16, (8, 2, 4), split, augment, mode, **how)

    assert [len(cut("train")), len(cut("train", mode="quick")), len(cut("test")), len(cut(900))] == [23, 6, 12, 12]
    assert cut("test").frames.shape[1] == 2 and cut("test", solo=True).frames.shape[1] == 1
    assert len(cut("test", solo=True)) == 2 * len(cut("test"))
    augment = Augment(length=16, tempo=0.2)
    assert cut("train", augment).length == augment.required_length > 16
    assert cut("test", rotations=True).frames.shape[-1] == 7 and cut("test", step=2).fps == 15


class Measured(nn.Module):
    """Keeps what it was given."""

    def __init__(self, skeleton=None, fps=None, size=3):
        super().__init__()
        self.fps, self.size, self.weight = fps, size, nn.Parameter(torch.randn(size))

    def fit_statistics(self, batches):
        self.given = batches if isinstance(batches, Particles) else [batch.clone() for batch in batches]


def recipe(seed=0, **more):
    return recipes.Recipe("", (), None, Measured, {"quick": {"size": 4}, "full": {}},
                          dict.fromkeys(recipes.MODES, TrainConfig(seed=seed)), None, **more)


def test_a_model_is_built_from_its_settings_seed_and_statistics():
    duet, augment = synthetic.duet("canon", 60, seed=1), Augment(length=16, tempo=0.2)
    clean, longer = (windows.cut(duet, n, 8, joints=JOINTS) for n in (16, augment.required_length))
    model = recipe().build(clean, "quick", longer, augment)
    assert model.size == 4 and model.fps == 30 and len(model.given) == 1 and torch.equal(model.given[0], clean[:])
    assert recipe().build(clean, "full").size == 3 and recipe().build(clean, "quick", size=7).size == 7
    assert torch.equal(recipe().build(clean, "quick").weight, model.weight)
    assert not torch.equal(recipe(seed=1).build(clean, "quick").weight, model.weight)
    twice = recipe(augmented_epochs=2).build(clean, "quick", longer, augment).given
    assert len(twice) == 3 and twice[1].shape[1:] == clean[:].shape[1:] and not torch.equal(twice[1], twice[2])
    assert len(recipe(augmented_epochs=2).build(clean, "quick").given) == 1  # without augmentation


def test_particles_measure_a_thousand_simulations():
    worlds = Particles("springs", *torch.zeros(2, 1200, 3, 2, 2), torch.zeros(1200, 2, 2, dtype=torch.long))
    model = recipe().build(worlds, "full")
    assert len(model.given) == 1000 and model.fps is None


def test_a_card_names_an_extension_before_a_system(monkeypatch):
    one, other = (type("Both", (nn.Module,), {"from_config": None}) for _ in range(2))
    monkeypatch.setattr(extensions, "Both", one, raising=False)
    monkeypatch.setattr(systems, "Both", other, raising=False)
    monkeypatch.setattr(systems, "Only", other, raising=False)
    monkeypatch.setattr(systems, "Helper", SimpleNamespace(from_config=None), raising=False)
    classes = cards.model_classes()
    assert classes["Both"] is one and classes["Only"] is other and "Helper" not in classes
    assert {recipe.model.__name__ for recipe in recipes.RECIPES.values()} <= set(classes)


def test_every_recipe_says_how_it_is_trained_in_both_modes():
    for name, each in recipes.RECIPES.items():
        assert tuple(each.config) == tuple(each.training) == recipes.MODES, name
        quick, full = (each.training[mode].epochs for mode in recipes.MODES)
        assert quick < full or name.endswith("-supervised") or quick == full == 0, name
        assert "augment" not in each.config["full"] and each.data in (("synthetic",), ("salsa",)), name
    seeds = [recipes.RECIPES[f"strings-synthetic{end}"].training["full"].seed for end in ("", "-1", "-2")]
    assert seeds == [0, 1, 2]


def test_a_table_has_columns_as_wide_as_their_widest_cell():
    table = format_table(("name", "n"), [("a", "10"), ("bbbbbb", "9"), ("c" * 60, "")])
    assert table.splitlines()[:3] == ["name" + " " * 46 + "n", "a" + " " * 49 + "10", "bbbbbb" + " " * 44 + "9"]
    assert table.splitlines()[3] == "c" * 47 + "…"
    assert format_table(("x",), [("y" * 60,)], widest=100).splitlines()[1] == "y" * 60


def test_a_body_without_offsets_cannot_perform():
    bare = cl.Skeleton(cl.HYBRIK_29.names, cl.HYBRIK_29.parents)
    with pytest.raises(ValueError, match="bodies need rest offsets"):
        synthetic.duet("canon", 10, bodies=(bare, synthetic.body()))
