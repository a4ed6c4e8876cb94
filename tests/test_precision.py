"""Training in half precision: every recipe and every branch of its losses in bfloat16, on the CPU.

A CPU forgives what CUDA refuses (most of `torch.linalg` in bfloat16) and does not do what CUDA does (cuDNN's LSTM in
float16), so `Watched` looks at what functions are given.
"""

import ast
import copy
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

import choreo_lib as cl
from choreo_lib import training
from choreo_lib.__main__ import main
from choreo_lib.body.bones import project_bone_lengths
from choreo_lib.body.reference import reference_frame
from choreo_lib.core import precision
from choreo_lib.extensions import (
    CouplingNRI,
    DuetForecaster,
    ForceNRI,
    LinearVAE,
    MotionTranslator,
    StyleTransport,
    coupling_encoder,
    coupling_signals,
    force_decoders,
)
from choreo_lib.extensions.duet_as_coded import REPAIRS, DuetAsCoded
from choreo_lib.extensions.edge_refinement import refine_pairs
from choreo_lib.extensions.rollout import Guidance
from choreo_lib.sets import windows
from choreo_lib.sets.particles import simulate
from choreo_lib.systems import SoloVAE
from choreo_lib.systems.graph_convolution import GCN, GCNLSTM
from choreo_lib.training import recipes

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import gpu_check  # noqa: E402

CPU = torch.device("cpu")
REMEMBER = {"lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"}


def half(dtype=torch.bfloat16):
    return torch.autocast("cpu", dtype)


def tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from tensors(each)


class Watched(TorchFunctionMode):
    """Refuses what fails or loses digits on CUDA under autocast (``full``: autocast), and counts what it has seen."""

    def __init__(self, full=False):
        super().__init__()
        self.full, self.linalg, self.remembered = full, set(), set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        given = [x.dtype for x in tensors((args, tuple((kwargs or {}).values()))) if x.is_floating_point()]
        computed = given and name != "__get__"  # asking a tensor where it is computes nothing
        assert not (self.full and computed and torch.is_autocast_enabled("cpu")), f"{name} under autocast"
        if name.startswith("linalg_") and name not in ("linalg_cross", "linalg_vector_norm", "linalg_norm"):
            self.linalg.add(name)
            assert not set(given) & set(precision.HALVES), f"{name} is given {given}: CUDA has it in float32 only"
        if name in REMEMBER:
            self.remembered.add(name)
            assert set(given) <= {torch.float32, torch.float64} and not torch.is_autocast_enabled("cpu"), name
        if name == "lerp":
            assert len(set(given)) == 1, f"lerp is given {given}, and autocast promotes nothing there"
        return func(*args, **(kwargs or {}))


def backward(model, batch, step, dtype=None, seed=0):
    """The losses of a step, and the names of weights that got a gradient which is not nothing."""
    torch.manual_seed(seed)
    model.zero_grad(set_to_none=True)
    with Watched(), torch.autocast("cpu", dtype or torch.bfloat16, enabled=dtype is not None):
        told = model.loss(batch, step)
        told["loss"].backward()
    got = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    assert all(grad.isfinite().all() for grad in got.values())
    return {name: float(value.detach()) for name, value in told.items()}, {
        name for name, grad in got.items() if grad.abs().max() > 0}


def learns(model, batches, steps=4, compared=9, rate=1e-3):
    """Some steps in bfloat16: every loss is a number; ``compared`` of them are near those in float32, and reach every
    weight that those reach."""
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), rate)
    for k, batch in zip(range(steps), batches, strict=False):
        exact, should = backward(model, batch, k, seed=k) if k < compared else (None, set())
        told, does = backward(model, batch, k, torch.bfloat16, seed=k)
        assert all(np.isfinite(value) for value in told.values())
        assert exact is None or told["loss"] == pytest.approx(exact["loss"], rel=0.1, abs=0.02), (k, exact, told)
        assert should <= does, f"step {k}: no gradient reaches {sorted(should - does)}"
        optimiser.step()
    return told


# Every recipe


@pytest.fixture(scope="module", autouse=True)
def no_real_set():
    """The same dances with and without the real sets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu_check, "stand_in", lambda name: "salsa" in name)
        yield


@pytest.mark.parametrize("name", gpu_check.TRAINED)
def test_every_recipe_learns_in_bfloat16(name):
    model, _ = gpu_check.prepared(name, "quick")
    config = recipes.RECIPES[name].training["full"]  # whose windows are long enough for a past that the model danced
    learns(model, gpu_check.batches_of(name, config, 2, 4), compared=1)


# Every branch


@pytest.fixture(scope="module")
def duets():
    return [cl.synthetic.duet("canon", 60, seed=seed) for seed in range(2)]


@pytest.fixture(scope="module")
def pairs(duets):
    return windows.cut(duets, 40, 4)


def duet_model(pairs, **wishes):
    torch.manual_seed(0)
    model = DuetForecaster(pairs.skeleton, **{"past": 12, "ahead": 10, "features": 16, "heads": 2, "latent": 8,
                                              "hidden": 16, "residual_components": 4, **wishes})
    model.fit_statistics(pairs.batches(8))
    nn.init.normal_(model.output_proj.weight, std=0.03)  # answers that are not nothing
    nn.init.normal_(model.extrapolation.gate.weight, std=0.1)
    return model


@pytest.mark.parametrize("branch", ["forecast", "no_input_prob", "scheduled_sampling"])
@pytest.mark.parametrize("who", ["a", "b"])
def test_every_branch_of_the_duet_model(pairs, branch, who):
    chosen = {"no_input_prob": 0.0, "scheduled_sampling": 0.0} | ({} if branch == "forecast" else {branch: 1.0})
    model = duet_model(pairs, **chosen, distance=0.5, velocity=4.0).train()
    told = learns(model, [pairs[:4]] * 2, steps=1 + (who == "a"))  # even steps are b's, odd ones a's
    assert ("reconstruction" in told) == (branch == "no_input_prob")


TURN = {"frames": 16, "latent": 8, "hidden": 12, "dense": 16}


def solo_model(duets, kind, **wishes):
    torch.manual_seed(0)
    cut = windows.cut([motion for duet in duets for motion in duet], 16, 4)
    model = kind(cut.skeleton, frames=16, latent=8, **wishes)
    model.fit_statistics(cut.batches(8))
    return model, cut


def turning_model(duets, **wishes):
    torch.manual_seed(0)
    cut = windows.cut(duets, 16, 4, rotations=True)
    model = MotionTranslator(cut.skeleton, **{**TURN, **wishes})
    model.fit_statistics(cut.batches(8))
    return model, cut


def test_the_solo_model(duets):
    model, cut = solo_model(duets, SoloVAE, hidden=12)
    learns(model, [cut[:6]] * 2, steps=2)


@pytest.mark.parametrize("wishes", [
    {}, {"rotation_format": "6d", "velocity": 5.0}, {"routes": ("ab", "ba")}, {"segments": 4, "dropout": 0.3}], ids=str)
def test_every_branch_of_the_model_of_rotations(duets, wishes):
    model, cut = turning_model(duets, **wishes)
    learns(model, [cut[:6]] * 2, steps=2)


def particle_model(**wishes):
    torch.manual_seed(0)
    model = ForceNRI(**{"hidden": 8, "decoder_hidden": 8, **wishes})
    model.fit_statistics(simulate("springs", 20, 4, seed=1))
    with torch.no_grad():  # a decoder that has not begun says the same whatever the edges are
        for weights in model.decoder.parameters():
            weights.add_(0.05 * torch.randn(weights.shape))
    return model


@pytest.mark.parametrize("decoder", ["mlp", "recurrent", "law"])
@pytest.mark.parametrize("wishes", [{}, {"hard": True}, {"supervised": True}, {"no_edge": False}], ids=str)
def test_every_branch_of_relational_inference(decoder, wishes):
    # step 0 looks one frame ahead, step 1 three
    model = particle_model(decoder=decoder, one_step=1, prediction_steps=3, **wishes)
    model.train()
    worlds = simulate("springs", 6, 4, seed=3)
    for step in (0, 1):
        _, should = backward(model, worlds, step)
        told, does = backward(model, worlds, step, torch.bfloat16)
        assert all(np.isfinite(value) for value in told.values()) and should <= does


DESCRIBED = {"max_lag": 0.0, "correlation": False, "next_window": False, "types": 4, "memory": True}
FORMS = {"as described": DESCRIBED, "without memory": DESCRIBED | {"memory": False},
         "lags": {"correlation": False, "next_window": False}, "correlation": {"next_window": False}, "ours": {},
         "zero lag": {"zero_lag": True}, "undirected": {"directed": False}, "one-hot": {"hard": True}}  # fmt: skip


@pytest.fixture(scope="module")
def strings():
    return windows.cut([cl.synthetic.duet("drives", 80, seed=k) for k in range(2)], 80)


def string_model(strings, **wishes):
    torch.manual_seed(0)
    model = CouplingNRI(strings.skeleton, **{"frames": 40, "hidden": 8, **wishes})
    model.fit_statistics([strings[:]])
    return model


@pytest.mark.parametrize("form", FORMS)
def test_every_branch_of_invisible_strings(strings, form):
    model = string_model(strings, **FORMS[form])
    learns(model, [strings[:]], steps=1)


@pytest.mark.parametrize("repairs", [0, 1, len(REPAIRS)])
def test_the_prototype_as_it_was_coded(pairs, repairs):
    torch.manual_seed(0)
    model = DuetAsCoded(pairs.skeleton, repairs, frames=39, features=16, heads=2, latent=8, hidden=8)
    model.fit_statistics(pairs.batches(8))
    model.config = replace(model.config, no_input_prob=0.0)
    learns(model, [pairs[:4]] * 2, steps=2)
    told, _ = backward(model.train(), pairs[:4], 0, torch.bfloat16)
    model.config = replace(model.config, no_input_prob=1.0)
    assert "reconstruction" in backward(model, pairs[:4], 0, torch.bfloat16)[0] and np.isfinite(told["loss"])
    with half(), Watched():
        assert model.predict(pairs[:2][:, :12], pairs[:2][:, 12:, 0], [1, 3]).isfinite().all()


# What is measured is measured in full; what is asked for is nearly the same


def made_of(kind, duets, pairs, strings):
    """A model, and the batches that it measures."""
    if kind == "solo":
        model, cut = solo_model(duets, LinearVAE, residual_rank=4)
        return model, [cut[:]]
    if kind == "duet":
        return duet_model(pairs), [pairs[:]]
    if kind == "rotations":
        model, cut = turning_model(duets, rotation_format="6d")
        return model, [cut[:]]
    if kind == "styles":
        cut = windows.cut(duets, 16, 4, rotations=True)
        return StyleTransport(cut.skeleton), [cut[:]]
    if kind == "springs":
        return particle_model(decoder="law"), simulate("springs", 20, 4, seed=1)
    return string_model(strings), [strings[:]]


@pytest.mark.parametrize("kind", ["solo", "duet", "rotations", "styles", "springs", "strings"])
def test_what_a_model_measures_is_the_same_to_the_bit(kind, duets, pairs, strings):
    model, batches = made_of(kind, duets, pairs, strings)
    other = copy.deepcopy(model)
    for each, halved in ((model, False), (other, True)):
        with torch.autocast("cpu", torch.bfloat16, enabled=halved), Watched(full=True) as seen:
            each.fit_statistics(batches)
        torch.manual_seed(1)
        for weight in each.parameters():
            nn.init.normal_(weight, std=0.02)  # as if trained: networks add something
        if hasattr(each, "fit_residuals"):
            with torch.autocast("cpu", torch.bfloat16, enabled=halved), Watched(full=True):
                each.fit_residuals(batches)
    assert kind in ("springs", "rotations") or seen.linalg
    for (name, one), two in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(one, two), name


def near(ask, least, most):
    """What is asked for in float32 and in bfloat16: as different as a half is, and no more, in metres."""
    exact = ask()
    with half(), Watched() as seen:
        rough = ask()
    off = (rough - exact).norm(dim=-1).max()
    assert rough.dtype == torch.float32 and rough.isfinite().all() and least <= off <= most, off
    return seen


def test_a_partner_in_bfloat16(duets, pairs):
    model = duet_model(pairs).eval()
    model.fit_residuals([pairs[:]])
    past, partner = pairs[:3][:, :12], pairs[:3][:, 12:, 0]
    for who in "ab":
        near(lambda who=who: model.predict(past, partner, [1, 8], who), 0.0, 0.02)
        near(lambda who=who: model.sample(past, partner, [1, 8], who, count=2), 0.0, 0.02)
    seen = near(lambda: torch.from_numpy(model.rollout(duets[0].a, temperature=1.0, steps=25).positions), 0.0, 0.1)
    assert "lstm" in seen.remembered
    guidance = Guidance(distance=1.0, contact=(("left_wrist", "right_wrist"),))
    guided = lambda: model.rollout(duets[0].a, duets[0].b[:20], guidance=guidance, steps=12).positions  # noqa: E731
    near(lambda: torch.from_numpy(guided()), 0.0, 0.1)


def test_a_phrase_in_bfloat16(duets):
    model, cut = solo_model(duets, LinearVAE, residual_rank=4)
    model.fit_residuals([cut[:]])
    phrase = duets[0].a[:16]

    def again():
        return torch.from_numpy(model.decode_motion(*model.encode_motion(phrase), residual_seed=3)[0].positions)

    near(again, 0.0, 0.0)  # it has no layer to be in half precision
    near(lambda: model.sample_latents(3), 0.0, 0.0)


def test_a_translation_in_bfloat16(duets):
    model, _ = turning_model(duets, rotation_format="6d")
    near(lambda: torch.from_numpy(model.translate(duets[0].a, "ab").positions), 1e-6, 0.15)


def test_what_networks_say_comes_back_as_float32(duets, pairs, strings):
    """So what is made of it (logarithms, distances, losses) is not in half precision by accident."""
    solo, cut = solo_model(duets, SoloVAE, hidden=12)
    turning, _ = turning_model(duets, rotation_format="6d")
    encoder, decoder = turning.encoders["a"], turning.decoders["b"]
    duet, bodies, joints = duet_model(pairs).vaes["a"], particle_model(), string_model(strings)
    coded = DuetAsCoded(pairs.skeleton, 0, frames=39, features=16, heads=2, latent=8, hidden=8)
    when, mask = torch.zeros(5, 16), torch.zeros(5, 5, dtype=torch.bool)
    with half():
        assert solo.encoder.to_mean(torch.ones(1, 12)).dtype == torch.bfloat16  # autocast is on
        said = (solo.encode(solo.canonicalise(cut[:2])[0]), solo.decode(torch.zeros(2, 8)),
                duet.encode(torch.zeros(2, 5, duet.input_proj.in_features), when, mask),
                duet.decode(torch.zeros(2, 5, 8)),
                encoder(torch.zeros(2, 16, encoder.lstm.input_size)), decoder(torch.zeros(2, 1, 8)),
                bodies.encode(simulate("springs", 2, 4).states),
                joints.encoder.network(torch.zeros(2, 2, 29, 240), joints.encoder.graph),
                joints.encoder(strings[:1][:, :40]).logits,
                GCN(9, 4)(torch.zeros(2, 3, 29, 9), joints.encoder.graph)[0],
                coded.vaes["a"].encode(torch.zeros(2, 5, 87), when, mask),
                coded.vaes["a"].decode(torch.zeros(2, 5, 8)))
    assert [x.dtype for x in tensors(said)] == [torch.float32] * len(list(tensors(said)))


def test_components_are_no_network_and_lose_no_digit(duets):
    """What linear models say is no network's, and the same to the bit."""
    model, _ = solo_model(duets, LinearVAE, residual_rank=4)
    with torch.no_grad():
        model.residuals.normal_()
    phrase = duets[0].a[:16]

    def again():
        return torch.from_numpy(model.decode_motion(*model.encode_motion(phrase), residual_seed=3)[0].positions)

    near(again, 0.0, 0.0)
    model, batches = made_of("styles", duets, None, None)
    model.fit_statistics(batches)
    near(lambda: torch.from_numpy(model.translate(duets[0].a, "ab", style_weight=0.5).positions), 0.0, 0.0)


def test_what_a_joint_is_used_to_and_resembles_loses_no_digit(strings):
    heard = coupling_signals.signals(strings.skeleton, strings[:])
    for made in (
        lambda: coupling_signals.ar_coefficients(heard.local),
        lambda: coupling_signals.damped(1.1 * coupling_signals.ar_coefficients(heard.local)),
        lambda: coupling_signals.lagged_correlation(heard.root_relative, heard.local, range(3)),
    ):
        near(made, 0.0, 0.0)


def test_cells_of_graphs_remember_in_float32():
    torch.manual_seed(0)
    cell, graph = GCNLSTM(5, 4), torch.ones(3, 3) - torch.eye(3)
    near(lambda: cell(torch.ones(2, 6, 3, 5).cumsum(1), graph)[0].detach(), 0.0, 0.0)


@pytest.mark.parametrize("decoder", ["mlp", "recurrent", "law"])
def test_what_comes_next_for_bodies_is_not_halved(decoder):
    model, worlds = particle_model(decoder=decoder).eval(), simulate("springs", 4, 4, seed=3)
    near(lambda: model.predict(worlds.states, worlds.edges, 3), 0.0, 0.0)
    with half(), Watched():
        guess = model.infer(worlds.states, 0 if decoder == "recurrent" else 3)
        if decoder != "recurrent":
            kinds = torch.zeros_like(worlds.edges)
            assert torch.equal(*(refine_pairs(worlds.states, kinds, model.decoder, 2) for _ in range(2)))
    assert guess.probability.dtype == torch.float32 and guess.probability.isfinite().all()


def test_strings_in_bfloat16(strings):
    model, duet = string_model(strings).eval(), cl.synthetic.duet("drives", 90, seed=5)
    near(lambda: model.predict(strings[:1][:, :40], 4), 0.0, 0.02)
    exact = model.find(duet)
    with half(), Watched():
        rough = model.find(duet)
        assert model.gain(duet).isfinite().all()
    assert (rough.probability - exact.probability).abs().max() < 0.05


# What remembers, and what autocast may round


def test_only_one_module_has_layers_that_remember():
    """Elsewhere they are `precision.LSTM` and `precision.GRUCell`, or autocast would have them on CUDA in float16."""
    bare = {f"{kind}{cell}" for kind in ("LSTM", "GRU", "RNN") for cell in ("", "Cell", "Base")}
    for path in (ROOT / "choreo_lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in bare and isinstance(node.value, ast.Name):
                assert node.value.id != "nn" or path.name == "precision.py", f"{path.name}: nn.{node.attr}"


@pytest.mark.parametrize("ours, theirs", [(precision.LSTM, nn.LSTM), (precision.GRUCell, nn.GRUCell)])
def test_a_layer_that_remembers_is_torchs_in_float32(ours, theirs):
    torch.manual_seed(0)
    one, other = ours(5, 4), theirs(5, 4)
    other.load_state_dict(one.state_dict())
    x = torch.randn(3, 5)
    with half():
        found = one(x.bfloat16())
    wanted = other(x.bfloat16().float())
    for a, b in zip(tensors((found,)), tensors((wanted,)), strict=True):
        assert a.dtype == torch.float32 and torch.equal(a, b)
    assert next(tensors((one.double()(x.double()),))).dtype == torch.float64


def test_bones_are_kept_as_well_in_half_precision(duets):
    drawn = torch.tensor(duets[0].a.positions[:10])
    drawn = drawn + 0.01 * torch.randn(drawn.shape, generator=torch.Generator().manual_seed(0))
    inverse_mass = torch.ones(drawn.shape[1])
    inverse_mass[3] = 0.02
    exact = project_bone_lengths(duets[0].a.skeleton, drawn, inverse_mass=inverse_mass)
    with half():
        assert torch.equal(project_bone_lengths(duets[0].a.skeleton, drawn, inverse_mass=inverse_mass), exact)


# Where things are computed

SOMEWHERE = {"duet-synthetic": {"no_input_prob": 0.0, "scheduled_sampling": 0.0},
             "duet-salsa": {"no_input_prob": 1.1}, "translate-salsa": {},
             "springs5": {}, "springs5-mlp": {}, "springs5-recurrent": {}, "charged5-supervised": {},
             "strings-salsa": {}, "strings-described": {}}  # fmt: skip


@pytest.mark.parametrize("name", SOMEWHERE)
def test_no_step_mixes_devices(name, monkeypatch):
    """On torch's device without memory, which refuses a tensor that was left on the CPU as CUDA does."""
    model, config = gpu_check.prepared(name, "quick")
    if SOMEWHERE[name]:
        model.config = replace(model.config, **SOMEWHERE[name])
    batch = gpu_check.batches_of(name, config, 2, 1)[0].to("meta")
    # two places that ask for a number, of which there is none: whether anybody is beyond a wall, or the two stand close
    monkeypatch.setattr(force_decoders, "walls", lambda place, pace: (place, pace))
    monkeypatch.setattr(coupling_encoder, "reference_frame", partial(reference_frame, of="a"))
    model.to("meta").train()
    loss = model.loss(batch, 0)["loss"]
    loss.backward()
    assert loss.device.type == "meta"
    with pytest.raises(RuntimeError):
        loss + torch.ones(2)  # it does refuse


# What a config may ask for


def test_a_precision_that_cannot_be_is_refused_before_anything_starts(tmp_path, capsys, monkeypatch):
    def never(*_):
        raise AssertionError("the data were made before the config was looked at")

    recipe = recipes.RECIPES["solo-synthetic"]
    monkeypatch.setitem(recipes.RECIPES, "solo-synthetic", replace(recipe, windows=never))
    out = tmp_path / "run"
    assert main(["train", "solo-synthetic", "--device", "cpu", "--precision", "float16", "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "float16 is for CUDA" in said and "bfloat16" in said and not out.exists()
    with pytest.raises(cl.TrainingError, match="'half'; choose from auto, float32, bfloat16, float16"):
        training.choose_precision("half", CPU)
    tiny = nn.Linear(1, 1)
    with pytest.raises(cl.TrainingError, match="float16 is for CUDA"):
        training.fit(tiny, simulate("springs", 2), training.TrainConfig(precision="float16"), out, device="cpu")
    assert not out.exists()


def test_bfloat16_is_refused_where_a_gpu_would_emulate_it(monkeypatch):
    cuda = torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (7, 5))
    with pytest.raises(cl.TrainingError, match="Tesla T4 has no bfloat16"):
        training.choose_precision("bfloat16", cuda)
    assert training.choose_precision("float16", cuda) == torch.float16
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (9, 0))
    assert training.choose_precision("bfloat16", cuda) == torch.bfloat16
    assert training.choose_precision("auto", cuda) == training.choose_precision("auto", CPU) == torch.float32


def test_tf32_is_allowed_for_a_step_on_cuda_only_and_never_stays(tmp_path, monkeypatch):
    before = torch.get_float32_matmul_precision()
    with precision.tensor_cores("cuda"):
        assert torch.get_float32_matmul_precision() == "high"
        with precision.full_precision("cpu"):
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "high"
    with precision.tensor_cores("cpu"):
        assert torch.get_float32_matmul_precision() == before
    seen = []

    class Sick(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def loss(self, batch, step):
            seen.append((step, torch.get_float32_matmul_precision()))
            return {"loss": self.weight * batch.square().mean() * (float("nan") if step == 3 else 1.0)}

    monkeypatch.setattr(training.loop, "tensor_cores", lambda _: precision.tensor_cores("cuda"))
    train = windows.cut(cl.load_duet("synthetic/canon")[:40], 8, 2)
    config = training.TrainConfig(epochs=2, batch_size=8)
    with pytest.raises(cl.TrainingError, match="step 3"):
        training.fit(Sick(), train, config, tmp_path, train, "cpu", progress=False)
    assert {how for step, how in seen if step is not None} == {"high"}  # a step
    assert {how for step, how in seen if step is None} == {before}  # what is validated is not rounded
    assert torch.get_float32_matmul_precision() == before


# The check itself


@pytest.mark.parametrize("name", ["springs5-supervised", "translate-salsa"])
def test_the_check_of_a_gpu_goes_its_whole_way_on_a_cpu(name, capsys):
    assert gpu_check.main(["--device", "cpu", "--steps", "2", "--batch", "4", "--recipes", name, "--no-kill"]) == 0
    said = capsys.readouterr().out
    assert f"\n{name}" in said and "1 of 1 ok" in said and ("stand-in for salsa" in said) == ("salsa" in name)


def test_one_recipe_that_fails_does_not_stop_the_others(monkeypatch, capsys):
    real = gpu_check.train

    def sick(name, *rest):
        if name == "springs5":
            raise RuntimeError("out of memory")
        return real(name, *rest)

    monkeypatch.setattr(gpu_check, "train", sick)
    words = ["--device", "cpu", "--steps", "2", "--batch", "4", "--no-kill", "--recipes"]
    assert gpu_check.main([*words, "springs5,springs5-supervised"]) == 1
    said = capsys.readouterr().out
    assert "FAILED: RuntimeError: out of memory" in said and "1 of 2 ok" in said


def test_a_gpu_that_computes_something_else_is_found(monkeypatch):
    """On a machine whose second device has one weight of the law a little wrong."""
    model, config = gpu_check.prepared("springs5-supervised")
    assert gpu_check.compare("springs5-supervised", model, config, CPU, 3, 4) == 0.0
    real, seen = gpu_check.without_dropout, []

    def wrong(made):
        seen.append(made)
        with torch.no_grad():
            made.decoder.strength.add_(1e-3 * (len(seen) == 2))
        return real(made)

    monkeypatch.setattr(gpu_check, "without_dropout", wrong)
    assert gpu_check.compare("springs5-supervised", model, config, CPU, 3, 4) > gpu_check.TOLERANCE["ForceNRI"]
