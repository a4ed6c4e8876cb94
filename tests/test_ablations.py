"""What an option is worth: trained with and without it, one row each, never twice, whole or not at all."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

import choreo_lib as cl
from choreo_lib.__main__ import main
from choreo_lib.sets import windows
from choreo_lib.training import TrainConfig, ablations, recipes

JOINTS = ("pelvis", "head")
ABLATIONS = {"bias": {"bias": False}, "depth": {"layers": 1}}
BUILT = []


class Tiny(nn.Module):
    """Rebuilds a pose, with or without biases, from one layer or two."""

    def __init__(self, skeleton, fps=30.0, layers=2, bias=True):
        super().__init__()
        self._config = {"layers": layers, "bias": bias}
        self.net = nn.Sequential(*(nn.Linear(12, 12, bias=bias) for _ in range(layers)))
        BUILT.append(self._config)

    def config_dict(self):
        return self._config

    def fit_statistics(self, batches):
        self.seen = sum(len(batch) for batch in batches)

    def loss(self, batch, step):
        x = batch[:, 0].flatten(1)
        return {"loss": ((self.net(x) - x) ** 2).mean()}


def few(split, augment=None, mode="quick"):
    seed = {"train": 1, "validation": 2}[split]
    return windows.cut(cl.synthetic.duet("canon", 40, seed=seed), 8, joints=JOINTS)


def error(model, train, asked):
    assert not model.training
    with torch.no_grad():
        loss = float(model.loss(asked[:], 0)["loss"])
    return {"model": {"loss": loss, "windows": len(asked)}, "baseline": {"loss": 1.0}}


@pytest.fixture
def tiny(monkeypatch):
    """A recipe whose model has two options."""
    config = TrainConfig(epochs=2, batch_size=8, lr=1e-2, warmup=1, seed=3)
    recipe = recipes.Recipe("tiny", ("synthetic",), few, Tiny, {"quick": {}}, {"quick": config}, error)
    monkeypatch.setitem(recipes.RECIPES, "tiny", recipe)
    BUILT.clear()
    return recipe


def ablate(folder, **how):
    return ablations.ablate("tiny", out=folder / "out", runs=folder / "runs", device="cpu", **how)


def test_a_row_an_option_and_one_with_all_of_them(tiny, tmp_path):
    rows = ablate(tmp_path)
    assert list(rows) == ["all on", "bias", "depth"]
    assert BUILT == [{"layers": 2, "bias": True}, {"layers": 2, "bias": False}, {"layers": 1, "bias": True}]
    assert [row["settings"] for row in rows.values()] == [{}, {"bias": False}, {"layers": 1}]
    for row in rows.values():
        assert set(row["metrics"]) == {"loss", "windows"} and row["metrics"]["windows"] == 33  # of validation
        assert row["steps"] == 2 * (33 // 8) and row["seed"] == 3 and row["mode"] == "quick" and row["minutes"] >= 0
    assert len({row["metrics"]["loss"] for row in rows.values()}) == 3
    assert json.loads((tmp_path / "out" / "tiny.json").read_text()) == {"quick": rows}


def test_what_is_there_is_not_trained_again(tiny, tmp_path, monkeypatch):
    first = ablate(tmp_path, only="bias")
    assert list(first) == ["bias"]
    trained = []
    fit = ablations.fit
    monkeypatch.setattr(ablations, "fit", lambda *given, **how:
                        trained.append(given[0].config_dict()) or fit(*given, **how))
    rows = ablate(tmp_path)
    assert trained == [{"layers": 2, "bias": True}, {"layers": 1, "bias": True}] and rows["bias"] == first["bias"]
    assert ablate(tmp_path) == rows and len(trained) == 2
    longer = replace(tiny, training={"quick": replace(tiny.training["quick"], epochs=3)})
    monkeypatch.setitem(recipes.RECIPES, "tiny", longer)
    assert ablate(tmp_path, only="bias")["bias"]["steps"] == 12 and len(trained) == 3  # another configuration
    assert json.loads((tmp_path / "out" / "tiny.json").read_text())["quick"]["depth"] == rows["depth"]


def test_other_epochs_are_rows_of_their_own(tiny, tmp_path, capsys):
    usual, longer = ablate(tmp_path, only="bias"), ablate(tmp_path, only="bias", epochs=5)
    assert longer["bias"]["steps"] == 5 * (33 // 8) and longer["bias"]["mode"] == "quick, 5 epochs"
    assert json.loads((tmp_path / "out" / "tiny.json").read_text()) == {"quick": usual, "quick, 5 epochs": longer}
    argv = ["ablate", "tiny", "--only", "bias", "--epochs", "1", "--out", str(tmp_path / "out"), "--device", "cpu"]
    assert main(argv) == 0 and "quick, 1 epochs" in (tmp_path / "out" / "tiny.json").read_text()
    capsys.readouterr()


def test_a_run_that_breaks_off_leaves_the_rows_before_it_and_goes_on(tiny, tmp_path, monkeypatch):
    def broken(model, train, asked):
        if not model.config_dict()["bias"]:
            raise KeyboardInterrupt
        return error(model, train, asked)

    monkeypatch.setitem(recipes.RECIPES, "tiny", replace(tiny, evaluate=broken))
    with pytest.raises(KeyboardInterrupt):
        ablate(tmp_path)
    written = (tmp_path / "out" / "tiny.json").read_text()
    assert list(json.loads(written)["quick"]) == ["all on"]
    monkeypatch.setitem(recipes.RECIPES, "tiny", tiny)
    assert list(ablate(tmp_path)) == ["all on", "bias", "depth"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tiny.json"]


def test_the_shell_prints_a_table(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["ablate", "tiny", "--out", str(tmp_path / "out"), "--device", "cpu"]) == 0
    table = [line.split() for line in capsys.readouterr().out.splitlines()[-4:]]
    assert table[0] == ["loss", "windows", "steps", "minutes"]
    assert [line[:2] for line in table[1:]] == [["all", "on"], ["without", "bias"], ["without", "depth"]]
    row = {"metrics": {"loss": 1.0}, "steps": 2, "minutes": 0.1}
    rows = {"all on": row | {"settings": {}}, "cells": row | {"settings": {"memory": True}}}
    assert "with cells" in ablations.table(rows)
    assert main(["ablate", "tiny", "--only", "hair", "--out", str(tmp_path)]) == 1
    assert "no option 'hair'; there are all on, bias, depth" in capsys.readouterr().err


def test_what_cannot_be_ablated(tiny, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    for content, words in (("{", "cannot be read as JSON"), ("[]", "holds no table")):
        (tmp_path / "out" / "tiny.json").write_text(content)
        with pytest.raises(cl.TrainingError, match=words):
            ablate(tmp_path)
    monkeypatch.delitem(globals(), "ABLATIONS")
    with pytest.raises(cl.TrainingError, match="Tiny has no options to switch off"):
        ablate(tmp_path)


def test_what_another_run_writes_meanwhile_is_kept(tiny, tmp_path, monkeypatch):
    def meanwhile(model, train, asked):
        file = tmp_path / "out" / "tiny.json"
        file.parent.mkdir(exist_ok=True)
        rows = ablations.read_rows(file)
        file.write_text(json.dumps(rows | {"full": {"bias": {"metrics": {"loss": 7.0}}}}))
        return error(model, train, asked)

    monkeypatch.setitem(recipes.RECIPES, "tiny", replace(tiny, evaluate=meanwhile))
    ablate(tmp_path, only="bias")
    rows = ablations.read_rows(tmp_path / "out" / "tiny.json")
    assert set(rows) == {"quick", "full"} and rows["full"]["bias"]["metrics"] == {"loss": 7.0}
