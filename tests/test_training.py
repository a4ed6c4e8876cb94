"""The loop that trains every network: killed and resumed, out of numbers, out of room, on two processes."""

import ast
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import choreo_lib as cl
from choreo_lib import training
from choreo_lib.core.seeding import chunks
from choreo_lib.sets import windows
from choreo_lib.sets.augmentation import Augment
from choreo_lib.training import checkpoints, loop

JOINTS = ("pelvis", "head", "left_wrist", "right_wrist")


class Tiny(nn.Module):
    """A noisy autoencoder of one pose: dropout and noise, so that every source of chance takes part."""

    def __init__(self, width=8, joints=4, noise=0.01):
        super().__init__()
        self.noise = noise
        self.net = nn.Sequential(nn.Linear(2 * joints * 3, width), nn.Tanh(), nn.Dropout(0.1 if noise else 0.0),
                                 nn.Linear(width, 2 * joints * 3))

    def loss(self, batch, step):
        x = batch[:, 0].flatten(1)
        seen = x + self.noise * torch.randn_like(x) if self.training and self.noise else x
        return {"loss": ((self.net(seen) - x) ** 2).mean()}


def data(stride=1, length=None):
    return windows.cut(cl.load_duet("synthetic/canon"), length or 8, stride, joints=JOINTS)


PLAN = training.TrainConfig(epochs=3, batch_size=64, lr=1e-2, warmup=5, seed=3, save_every=0.0)


def fresh(**wishes):
    torch.manual_seed(0)
    return Tiny(**wishes)


def fit(out, config=PLAN, model=None, **how):
    how = {"valid": data(7), "device": "cpu", "progress": False, **how}
    model = model or fresh()
    return model, training.fit(
        model, data(length=config.augment.required_length if config.augment else None), config, out, **how
    )


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_it_learns_and_writes_what_it_did(tmp_path):
    model, history = fit(tmp_path)
    assert len(history) == 3 and history["valid_loss"][-1] < 0.6 * history["valid_loss"][0]
    assert set(os.listdir(tmp_path)) == {"best.safetensors", "last.safetensors", "history.csv"}
    rows = (tmp_path / "history.csv").read_text().splitlines()
    assert len(rows) == 4 and rows[0].startswith("epoch,lr,train_loss")
    # AdamW beside a loop written out: same order, same rate, same clipping; the noise is torch's own
    other, steps = fresh(), len(data()) // 64
    torch.manual_seed(PLAN.seed)
    optimiser = torch.optim.AdamW(other.parameters(), PLAN.lr, weight_decay=0.0)
    torch.manual_seed(PLAN.seed + 1)
    total, number = 3 * steps, 0
    for epoch in range(3):
        parts = chunks(len(data()), 64, PLAN.seed, epoch)
        for k in range(steps):
            batch = data()[parts[k]]
            lower = 0.01 + 0.495 * (1 + np.cos(np.pi * (number - 5) / (total - 5)))
            optimiser.param_groups[0]["lr"] = 1e-2 * ((number + 1) / 5 if number < 5 else lower)
            optimiser.zero_grad()
            other.loss(batch, number)["loss"].backward()
            nn.utils.clip_grad_norm_(other.parameters(), 1.0)
            optimiser.step()
            number += 1
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path):
    first, _ = fit(tmp_path / "a")
    assert same(first, fit(tmp_path / "b")[0])
    assert not same(first, fit(tmp_path / "c", replace(PLAN, seed=4))[0])


def test_weights_are_averaged_as_it_says(tmp_path):
    """Beside a mean that is written out: what is kept and validated is the mean, and training itself goes its way."""
    steps = []

    class Watched(Tiny):
        def loss(self, batch, step):
            if self.training:
                steps.append([p.detach().clone() for p in self.parameters()])  # before this step is taken
            return super().loss(batch, step)

    torch.manual_seed(0)
    watched = Watched()
    kept, history = fit(tmp_path / "a", replace(PLAN, ema_decay=0.7), watched)
    bare, plain = fit(tmp_path / "b")
    assert history["train_loss"] == plain["train_loss"] and history["valid_loss"] != plain["valid_loss"]
    last = load_file(tmp_path / "a" / "last.safetensors")
    steps.append([last[f"model/now.{name}"] for name, _ in bare.named_parameters()])
    mean = steps[1]
    for k, weights in enumerate(steps[2:], start=1):
        share = min(0.7, k / (k + 9))
        mean = [share * old + (1 - share) * new for old, new in zip(mean, weights, strict=True)]
    for (name, made), wanted in zip(kept.named_parameters(), mean, strict=True):
        torch.testing.assert_close(last[f"model/mean.module.{name}"], wanted)
        if history["valid_loss"][-1] == min(history["valid_loss"]):
            torch.testing.assert_close(made.detach(), wanted)


@pytest.mark.parametrize(("stop", "average"), [(0, 0), (1, 0), (3, 0), (4, 0.9), (7, 0), (11, 0.9)])
def test_a_run_that_broke_off_goes_on_as_if_nothing_had_happened(tmp_path, stop, average):
    config = replace(PLAN, augment=Augment(length=8), ema_decay=average)
    left_alone, history = fit(tmp_path / "a", config)

    class Breaks(Tiny):
        def loss(self, batch, step):
            if step == stop:
                raise KeyboardInterrupt
            return super().loss(batch, step)

    torch.manual_seed(0)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "b", config, Breaks())
    resumed, again = fit(tmp_path / "b", config, resume=True)
    assert same(left_alone, resumed)
    assert history["train_loss"] == again["train_loss"] and history["valid_loss"] == again["valid_loss"]


KILLED = textwrap.dedent("""
    import os, sys
    sys.path[:0] = [{tests!r}]
    import torch, torch._dynamo  # which the first optimiser would import
    from dataclasses import replace
    from test_training import PLAN, Tiny, data, fresh
    from choreo_lib import training
    torch.set_num_threads(1)
    config, windows, valid = replace(PLAN, epochs=250), data(), data(7)
    for out in sys.stdin:  # a process for each run, without the seconds that imports take
        if not (child := os.fork()):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            training.fit(fresh(), windows, config, out.strip(), valid=valid, device="cpu", resume=True, progress=False)
            os._exit(0)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)
""")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_twenty_sigkills_change_no_bit(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(KILLED.format(tests=os.path.dirname(__file__)))
    runs = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(out):
        print(out, file=runs.stdin, flush=True)
        return int(runs.stdout.readline())

    def status():
        return int(runs.stdout.readline())

    def runs_on(child):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return False
        return True

    start(tmp_path / "alone")
    assert status() == 0
    rng, kills, out = np.random.default_rng(0), 0, tmp_path / "killed"
    while kills < 20:
        child, before = start(out), _age(out)
        while _age(out) == before and runs_on(child):  # at least one checkpoint of its own, so that it gets on
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.04))
        if not runs_on(child):
            break
        os.kill(child, signal.SIGKILL)
        assert status() == signal.SIGKILL
        kills += 1
    assert kills == 20
    start(out)
    assert status() == 0
    runs.stdin.close()
    assert runs.wait(60) == 0
    for name in ("last.safetensors", "best.safetensors"):
        one, other = load_file(tmp_path / "alone" / name), load_file(out / name)
        assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one), name


def _age(out):
    try:
        return (out / "last.safetensors").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def test_a_loss_that_is_no_number_stops_and_says_where(tmp_path):
    class Sick(Tiny):
        def loss(self, batch, step):
            return {"loss": super().loss(batch, step)["loss"] * (float("nan") if step == 6 else 1)}

    torch.manual_seed(0)
    with pytest.raises(training.TrainingError, match=r"step 6 \(epoch 1, batch 2, seed 3\).*last.safetensors"):
        fit(tmp_path, model=Sick())
    held = load_file(tmp_path / "last.safetensors")
    assert all(torch.isfinite(value).all() for name, value in held.items() if name.startswith("model/"))
    resumed, _ = fit(tmp_path, resume=True)
    assert same(resumed, fit(tmp_path / "well")[0])


def test_early_stop_keeps_the_best(tmp_path):
    class Worse(Tiny):
        def loss(self, batch, step):
            losses = super().loss(batch, step)
            return losses if self.training else {"loss": losses["loss"] * 0 + self.calls()}

        def calls(self):
            self.count = getattr(self, "count", 0) + 1
            return float(abs(self.count - 2))  # one batch a validation: the second epoch is the best

    torch.manual_seed(0)
    config = replace(PLAN, epochs=20, patience=3, batch_size=256)
    model, history = fit(tmp_path, config, Worse(), valid=data(60))
    assert len(history) == 5 and history["valid_loss"] == [1, 0, 1, 2, 3]
    assert all(torch.equal(value, model.state_dict()[name])
               for name, value in load_file(tmp_path / "best.safetensors").items())


def test_runs_are_not_mixed_up(tmp_path):
    fit(tmp_path)
    before = (tmp_path / "last.safetensors").read_bytes()
    with pytest.raises(training.TrainingError, match="holds a run already"):
        fit(tmp_path)
    with pytest.raises(training.TrainingError, match="made with another lr"):
        fit(tmp_path, replace(PLAN, lr=1e-3), resume=True)
    with pytest.raises(training.TrainingError, match=r"net.0.weight is \(8, 24\), and this model has \(9, 24\)"):
        fit(tmp_path, model=fresh(width=9), resume=True)
    with pytest.raises(training.TrainingError, match="made with another windows"):
        training.fit(fresh(), data(2), PLAN, tmp_path, resume=True, device="cpu", progress=False)

    class Named(Tiny):
        def config_dict(self):
            return {"kl": 2}

    with pytest.raises(training.TrainingError, match="made with another model"):
        fit(tmp_path, model=Named(), resume=True)
    assert (tmp_path / "last.safetensors").read_bytes() == before
    with pytest.raises(training.TrainingError, match="Do joints"):
        checkpoints.read_weights(tmp_path / "best.safetensors", fresh(joints=5))


@pytest.mark.parametrize("harm", ["cut", "empty", "foreign", "pickle", "weights"])
def test_a_harmed_checkpoint_is_refused_and_left(tmp_path, harm):
    fit(tmp_path)
    path = tmp_path / "last.safetensors"
    whole = path.read_bytes()
    if harm == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "foreign":
        save_file({"a": torch.zeros(3)}, path)
    elif harm == "pickle":
        torch.save(fresh().state_dict(), path)
    else:
        path.write_bytes((tmp_path / "best.safetensors").read_bytes())
    harmed = path.read_bytes()
    with pytest.raises(training.TrainingError, match="last.safetensors"):
        fit(tmp_path, resume=True)
    assert path.read_bytes() == harmed


def test_a_full_disk_loses_nothing(tmp_path, monkeypatch):
    fit(tmp_path, replace(PLAN, epochs=1))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(tensors, path, meta=None):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(training.TrainingError, match="No space left.*untouched"):
        checkpoints.write_weights(tmp_path / "best.safetensors", fresh())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_no_pickle_is_ever_loaded():
    """In the code, that is; a message may tell how others open theirs."""
    for path in (Path(__file__).parents[1] / "choreo_lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = [each.name for each in node.names] if isinstance(node, ast.Import) else (
                [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else [])
            assert not {name.partition(".")[0] for name in named} & {"pickle", "joblib", "dill", "shelve"}, path.name
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in ("torch.load", "torch.jit.load"), path.name
                # numpy's own default is False, and what is said must be said so
                assert all(isinstance(each.value, ast.Constant) and each.value.value is False
                           for each in node.keywords if each.arg == "allow_pickle"), path.name


def test_larger_than_memory(tmp_path):
    """Frames on disk: a memory-mapped array gives the same run as one in memory."""
    held = data()
    np.save(tmp_path / "frames.npy", held.frames.numpy())
    mapped = replace(held, frames=torch.from_numpy(np.load(tmp_path / "frames.npy", mmap_mode="c")))
    models = []
    for number, train in enumerate((held, mapped)):
        models.append(fresh())
        training.fit(models[-1], train, PLAN, tmp_path / str(number), device="cpu", progress=False)
    assert same(*models)


SHARED = textwrap.dedent("""
    import sys
    sys.path[:0] = [{tests!r}]
    import torch, torch.distributed as dist
    from test_training import PLAN, data, fresh
    from choreo_lib import training
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    training.fit(fresh(noise=0), data(), PLAN, sys.argv[1], valid=data(7), device="cpu", progress=False)
    dist.destroy_process_group()
""")


def test_two_processes_are_one(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(SHARED.format(tests=os.path.dirname(__file__)))
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
                           str(script), str(tmp_path / "two")], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    alone, _ = fit(tmp_path / "one", model=fresh(noise=0))
    for name, value in load_file(tmp_path / "two" / "best.safetensors").items():
        torch.testing.assert_close(value, alone.state_dict()[name], rtol=1e-4, atol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_cpu_and_gpu_agree(tmp_path):
    config = replace(PLAN, precision="float32")
    on_cpu, _ = fit(tmp_path / "cpu", config, fresh(noise=0))
    on_gpu, _ = fit(tmp_path / "gpu", config, fresh(noise=0), device="cuda")
    for a, b in zip(on_cpu.cpu().parameters(), on_gpu.cpu().parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_what_a_plan_cannot_do(tmp_path):
    with pytest.raises(RuntimeError, match="no GPU"):
        if torch.cuda.is_available():
            pytest.skip("there is a GPU")
        training.choose_device("cuda")
    assert training.choose_precision("auto", torch.device("cpu")) == torch.float32
    assert json.loads(json.dumps(vars(training.TrainConfig()), default=str))["epochs"] == 100


@pytest.mark.parametrize("every", [7, 1000])
def test_losses_that_are_read_seldom_are_the_same(tmp_path, monkeypatch, every):
    """As on a GPU, where each reading waits for the device."""
    always, history = fit(tmp_path / "always")
    monkeypatch.setitem(loop.READ_EVERY, "cpu", every)
    seldom, again = fit(tmp_path / "seldom")
    assert same(always, seldom)
    without_time = [{k: v for k, v in row.items() if k != "seconds"} for row in history.rows]
    assert without_time == [{k: v for k, v in row.items() if k != "seconds"} for row in again.rows]


def test_the_first_step_that_is_not_finite_is_named_however_late_it_is_read(tmp_path, monkeypatch):
    class Breaks(Tiny):
        def loss(self, batch, step):
            return {"loss": super().loss(batch, step)["loss"] * (torch.nan if step in (9, 10) else 1)}

    monkeypatch.setitem(loop.READ_EVERY, "cpu", 1000)
    with pytest.raises(training.TrainingError, match=r"not finite at step 9 \(epoch 2, batch 1, seed 3\): loss nan"):
        fit(tmp_path, replace(PLAN, save_every=60.0), Breaks())
    held = load_file(tmp_path / "last.safetensors")
    assert all(torch.isfinite(value).all() for name, value in held.items() if name.startswith("model/"))
