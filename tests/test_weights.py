"""The weights that come with the book: small, whole, told by their cards, and as good as the chapters say."""

import pytest
import torch

import choreo_lib as cl
from choreo_lib import artifacts, recipes


def test_every_recipe_has_its_weights():
    assert cl.list_models() == list(recipes.RECIPES)


@pytest.mark.parametrize("name", cl.list_models())
def test_shipped_weights_keep_what_the_chapters_say(name):
    """On test takes, as their cards tell; chapter 4 computes it again."""
    model = cl.load_model(name)
    card = model.card
    path = artifacts.WEIGHTS / f"{name}.safetensors"
    assert path.stat().st_size < 10_000_000 and card["mode"] == "full"
    assert {"terms", "data", "plan", "seed", "steps", "device", "minutes", "versions"} <= set(card)
    assert all(torch.isfinite(each).all() for each in model.state_dict().values())
    rows = card["measures"]["test"]
    assert rows["model"]["error_mm"] < rows["pca"]["error_mm"] < rows["mean phrase"]["error_mm"]
    assert rows["model"]["active_units"] >= 32 and rows["model"]["kl_nats_per_unit"] > 0.5
    try:
        asked = recipes.RECIPES[name].windows("test")
    except cl.DatasetError as error:
        pytest.skip(str(error))
    off = []
    for batch in asked.batches(512):
        x = model.seen(batch)[0]
        with torch.no_grad():
            again = model.decode(model.encode(x)[0])
        off.append((again - x).unflatten(2, (-1, 3)).norm(dim=-1).mean((1, 2)))
    assert 1000 * float(torch.cat(off).mean()) == pytest.approx(rows["model"]["error_mm"], rel=1e-3)


def test_all_weights_together_are_small():
    assert {path.suffix for path in artifacts.WEIGHTS.iterdir()} == {".json", ".safetensors"}
    assert sum(path.stat().st_size for path in artifacts.WEIGHTS.iterdir()) < 60_000_000
