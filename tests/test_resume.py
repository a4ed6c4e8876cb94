"""What a run goes on from: its own data, a checkpoint with all its parts, a card that makes sense, its own folder."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from test_training import PLAN, data, fit, fresh

import choreo_lib as cl
from choreo_lib import systems, training
from choreo_lib.__main__ import main
from choreo_lib.sets import particles, windows
from choreo_lib.training import cards, checkpoints, fingerprints, recipes

ONE = replace(PLAN, epochs=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run; its folder is copied before anything is done to it."""
    out = tmp_path_factory.mktemp("run")
    fit(out, valid=None)
    return out


def opened(path):
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata())  # noqa: SIM118


def spoilt(run, folder, change):
    """A copy of a run whose checkpoint was changed."""
    tensors, meta = opened(run / "last.safetensors")
    change(tensors, meta)
    save_file(tensors, folder / "last.safetensors", meta)
    return folder


def worded(name, change):
    """A change of one of the checkpoint's JSON texts."""
    def spoil(tensors, meta):
        words = json.loads(meta[name])
        words = change(words) or words
        meta[name] = json.dumps(words)
    return spoil


HARMS = {
    "a slot gone": (lambda t, m: t.pop("optimiser/1/exp_avg"), "optimiser/1/exp_avg is not there"),
    "all slots gone": (lambda t, m: [t.pop(k) for k in list(t) if k.startswith("optimiser")], "optimiser/0.*others"),
    "a slot and its name gone": (lambda t, m: (t.pop("optimiser/1/exp_avg"), worded(
        "parts", lambda parts: parts.remove("optimiser/1/exp_avg"))(t, m)), "optimiser/1/exp_avg is not there"),
    "a slot of another shape": (lambda t, m: t.update({"optimiser/1/exp_avg": torch.zeros(3)}), "optimiser/1/exp_avg"),
    "a slot not finite": (lambda t, m: t["optimiser/1/exp_avg"].fill_(torch.inf), "optimiser/1/exp_avg"),
    "a slot of nobody": (lambda t, m: t.update({"optimiser/99/exp_avg": torch.zeros(3)}), "belongs to no weight"),
    "random state gone": (lambda t, m: t.pop("random/cpu"), "random/cpu is not there"),
    "random state short": (lambda t, m: t.update({"random/cpu": t["random/cpu"][:7].clone()}), "random/cpu"),
    "random state of floats": (lambda t, m: t.update({"random/cpu": t["random/cpu"].float()}), "random/cpu"),
    "scaler gone": (lambda t, m: m.pop("scaler"), "its scaler is not there"),
    "scaler of another": (lambda t, m: m.update(scaler='{"scale": 2.0}'), "gradient scaler"),
    "state gone": (lambda t, m: m.pop("state"), "its state is not there"),
    "state no JSON": (lambda t, m: m.update(state="{"), "its state is not there or cannot be read"),
    "state without epoch": (worded("state", lambda s: s.pop("epoch") and None), "epoch, where the run stood"),
    "epoch of text": (worded("state", lambda s: s.update(epoch="3")), "epoch, where the run stood"),
    "epoch negative": (worded("state", lambda s: s.update(epoch=-1)), "epoch, where the run stood"),
    "epoch true": (worded("state", lambda s: s.update(epoch=True)), "epoch, where the run stood"),
    "rows of text": (worded("state", lambda s: s.update(rows=["a"])), "rows, where the run stood"),
    "best no number": (worded("state", lambda s: s.update(best=float("nan"))), "best, where the run stood"),
    "parts gone": (lambda t, m: m.pop("parts"), "its parts is not there"),
    "identity gone": (lambda t, m: m.pop("identity"), "its identity is not there"),
    "identity a list": (lambda t, m: m.update(identity="[]"), "its identity is not there"),
    "training a number": (worded("identity", lambda i: i.update(training=3)), "made with another"),
    "NaN": (lambda t, m: t["model/net.0.weight"][0].fill_(torch.nan), "net.0.weight holds numbers that are not finite"),
    "infinity": (lambda t, m: t["model/net.3.bias"].fill_(-torch.inf), "net.3.bias holds numbers that are not finite"),
    "whole numbers": (lambda t, m: t.update({"model/net.0.weight": t["model/net.0.weight"].long()}),
                      "net.0.weight is int64, and this model has float32"),
    "complex numbers": (lambda t, m: t.update({"model/net.0.weight": t["model/net.0.weight"] + 0j}), "complex64"),
    "a weight gone": (lambda t, m: t.pop("model/net.0.weight"), "net.0.weight is not there"),
    "of an older version": (worded("identity", lambda i: i.pop("data") and None), "made with another data"),
}  # fmt: skip


@pytest.mark.parametrize("harm", HARMS)
def test_a_checkpoint_without_its_parts_is_refused_by_name_and_changes_nothing(run, tmp_path, harm):
    change, words = HARMS[harm]
    spoilt(run, tmp_path, change)
    before, model = (tmp_path / "last.safetensors").read_bytes(), fresh()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(cl.TrainingError, match=f"last.safetensors.*{words}"):
        fit(tmp_path, valid=None, model=model, resume=True)
    assert (tmp_path / "last.safetensors").read_bytes() == before
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert [path.name for path in tmp_path.iterdir()] == ["last.safetensors"]


def go_on(folder, train):
    return training.fit(fresh(), train, PLAN, folder, device="cpu", resume=True, progress=False)


def test_a_run_goes_on_with_its_own_data_only(run, tmp_path):
    """The same number of windows, and something else about them each time."""
    mine = data()
    go_on(spoilt(run, tmp_path, lambda t, m: None), data())
    turned = cl.Duet(*(motion.transformed(turn=1e-3) for motion in cl.load_duet("synthetic/canon")))
    other = windows.cut(turned, 8, joints=mine.skeleton.names)
    assert len(other) == len(mine)
    with pytest.raises(cl.TrainingError, match=r"another data \(the windows' content\); go on"):
        go_on(tmp_path, other)
    with pytest.raises(cl.TrainingError, match="another fps"):
        go_on(tmp_path, replace(mine, fps=mine.fps / 2))
    body = mine.skeleton
    swapped = replace(mine, skeleton=cl.Skeleton(body.names[:2] + body.names[:1:-1], body.parents))
    with pytest.raises(cl.TrainingError, match="another order of joints"):
        go_on(tmp_path, swapped)
    renamed = replace(mine, skeleton=cl.Skeleton(("hips", *body.names[1:]), body.parents))
    with pytest.raises(cl.TrainingError, match="another joints"):
        go_on(tmp_path, renamed)
    frames = mine.frames.clone()
    frames[7, 0, 1, 2] += 1e-4
    with pytest.raises(cl.TrainingError, match="windows' content"):
        go_on(tmp_path, replace(mine, frames=frames))


def test_fingerprints_know_windows_simulations_and_where_each_number_stands(monkeypatch):
    a, b = data(), data()
    alike = lambda one, other: not fingerprints.changes(*(  # noqa: E731
        {"training": {}, "model": None, "windows": 0, "data": json.loads(json.dumps(fingerprints.fingerprint(each)))}
        for each in (one, other)))
    assert alike(a, b) and not alike(a, a.subset(slice(5)))
    worlds = [particles.simulate("springs", 3, seed=seed, frames=5) for seed in (0, 0, 1)]
    assert alike(worlds[0], worlds[1]) and not alike(worlds[0], worlds[2])
    # the last bit of every number, as another processor's sine leaves it, is no other data; a tenth of a millimetre is
    b.frames.copy_(torch.nextafter(b.frames, 9 * torch.randint(-1, 2, b.frames.shape).float()))
    assert not torch.equal(a.frames, b.frames) and alike(a, b)
    b.frames[7, 0, 1, 2] += 1e-4
    assert not alike(a, b)
    b.frames.copy_(a.frames)
    b.frames[3:5] = a.frames[3:5].flip(0)
    assert not alike(a, b)
    monkeypatch.setattr(fingerprints, "BLOCKS", 3)
    assert len(fingerprints.fingerprint(a)["sums"]) == 3 and alike(a, a)


def test_weights_of_other_joints_are_refused(tmp_path):
    names = ("hips", "head", "left_hand", "right_hand")
    sizes = dict(frames=8, latent=2, hidden=8, layers=1)
    torch.manual_seed(0)
    model = systems.SoloVAE(cl.Skeleton(names, (-1, 0, 0, 0)), **sizes)
    checkpoints.write_weights(tmp_path / "a.safetensors", model)
    checkpoints.read_weights(tmp_path / "a.safetensors", model)
    swapped = systems.SoloVAE(cl.Skeleton((*names[:2], *names[:1:-1]), (-1, 0, 0, 0)), **sizes)
    with pytest.raises(cl.TrainingError, match="another order"):
        checkpoints.read_weights(tmp_path / "a.safetensors", swapped)


SHIPPED = sorted(path.stem for path in (Path(cl.sets.registry.DATA) / "weights").glob("*.json"))


def test_every_card_that_comes_with_the_library_is_one():
    for name in SHIPPED:
        cards.read(Path(cl.sets.registry.DATA) / "weights" / f"{name}.json")


@pytest.mark.parametrize("name", ["solo-synthetic", "translate-salsa", "springs5-mlp", "strings-synthetic",
                                  "duet-synthetic"])
def test_a_model_of_each_kind_still_loads(name):
    assert cl.load_model(name).card["name"] == name


CARDS = {
    "a list": lambda card: [card], "a number": lambda card: 3, "nothing": lambda card: None,
    **{f"{field} is {value!r}"[:60]: (lambda card, field=field, value=value: card.update({field: value}) or card)
       for field in ("model", "config", "weights_sha256", "name", "mode", "measures", "training", "seed", "minutes")
       for value in (7.5 if field != "minutes" else "long", [1], True)},
    **{f"without {field}": (lambda card, field=field: card.pop(field) and card)
       for field in ("model", "config", "weights_sha256")},
    "a model that is a module": lambda card: card | {"model": "solo_vae"},
    "a model that is no network": lambda card: card | {"model": "Wish"},
    "a model that is a secret": lambda card: card | {"model": "__doc__"},
    **{f"config.{key} is {str(value)[:30]!r}": (lambda card, key=key, value=value: card | {
        "config": card["config"] | {key: value}})
       for key, value in (
           ("hidden", "192"), ("hidden", 192.0), ("hidden", 10**9), ("hidden", 10**30), ("hidden", -1),
           ("hidden", True), ("hidden", 9_000),
           ("layers", 10**6), ("layers", 0), ("latent", None), ("latent", [256]), ("frames", 10**9),
           ("frames", 0), ("fps", "30"), ("fps", float("nan")), ("fps", 1e300), ("dropout", "0"), ("dropout", 7.0),
           ("shortcut", "no"), ("shortcut", 1), ("kl", 3), ("kl", {"high": "1"}), ("kl", {"low": 1.0}),
           ("kl", {"high": 1.0, "other": 1}), ("kl", None), ("names", "abc"), ("names", [1, 2]), ("names", None),
           ("names", []), ("parents", [0]), ("parents", ["-1"]), ("parents", [True]), ("nothing", 3), ("x" * 5000, 1))},
    "config empty": lambda card: card | {"config": {}},
    "measures of text": lambda card: card | {"measures": {"test": {"model": {"error_mm": "low"}}}},
    "sha in capitals": lambda card: card | {"weights_sha256": card["weights_sha256"].upper()},
}  # fmt: skip


@pytest.mark.parametrize("name", ["solo-synthetic", "duet-synthetic"])
@pytest.mark.parametrize("harm", CARDS)
def test_a_card_of_nonsense_is_refused(tmp_path, harm, name):
    source = Path(cl.sets.registry.DATA) / "weights" / f"{name}.json"
    card = CARDS[harm](json.loads(source.read_text()))
    (tmp_path / f"{name}.json").write_text(json.dumps(card))
    (tmp_path / f"{name}.safetensors").symlink_to(source.with_suffix(".safetensors"))
    with pytest.raises(cl.TrainingError, match=rf"{name}\.json is no card.*train it again|of another model"):
        cl.load_model(name, tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"{" * 5, b"1" * 5000, b"nul", b" " * 10])
def test_a_card_that_is_no_json_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(cl.TrainingError, match="no card of this library"):
        cards.read(tmp_path / "a.json")


def test_weights_that_are_no_numbers_are_refused_whatever_the_card_says(tmp_path):
    source = Path(cl.sets.registry.DATA) / "weights" / "springs5.json"
    tensors = load_file(source.with_suffix(".safetensors"))
    name = next(name for name, value in tensors.items() if value.is_floating_point())
    for change, words in ((lambda t: t * torch.nan, "not finite"), (lambda t: t.long(), "int64")):
        save_file(tensors | {name: change(tensors[name])}, tmp_path / "springs5.safetensors")
        card = json.loads(source.read_text())
        card["weights_sha256"] = hashlib.sha256((tmp_path / "springs5.safetensors").read_bytes()).hexdigest()
        (tmp_path / "springs5.json").write_text(json.dumps(card))
        with pytest.raises(cl.TrainingError, match=f"{name}.*{words}"):
            cl.load_model("springs5", tmp_path)


HOLDS = """
import sys
from dataclasses import replace
from choreo_lib.core import files
with files.folder_lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def in_use(tmp_path):
    """A folder that another process trains in."""
    root = str(Path(__file__).parents[1])
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], cwd=root, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == "held\n"
    yield tmp_path, process.pid
    process.communicate()


def test_two_processes_in_one_folder_the_second_is_refused(in_use, capsys, monkeypatch):
    """Before it makes its windows, which takes minutes of a real set."""
    folder, number = in_use
    recipe = replace(recipes.RECIPES["solo-synthetic"], windows=lambda *how: pytest.fail("windows for nothing"))
    monkeypatch.setitem(recipes.RECIPES, "solo-synthetic", recipe)
    with pytest.raises(cl.TrainingError, match=f"in use by process {number} on .*another folder"):
        fit(folder, resume=True)
    assert main(["train", "solo-synthetic", "--out", str(folder)]) == 1
    said = capsys.readouterr().err
    assert str(folder) in said and f"in use by process {number}" in said
    assert [path.name for path in folder.iterdir()] == [".lock"]


def test_a_run_holds_its_folder_until_it_ends(tmp_path):
    seen = []

    class Watched(type(fresh())):
        def loss(self, batch, step):
            seen.append((tmp_path / ".lock").exists())
            return super().loss(batch, step)

    torch.manual_seed(0)
    fit(tmp_path, ONE, Watched(), valid=None)
    assert seen and all(seen) and not (tmp_path / ".lock").exists()
