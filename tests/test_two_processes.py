"""Training shared by two processes, as torchrun starts them: every recipe, with the branches of its losses."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import gpu_check  # noqa: E402

STEPS = 6
NAMES = [name for name in gpu_check.TRAINED  # each network once: the others differ in data, seed and epochs
         if not name.startswith("strings-synthetic-") and name not in ("strings-longer", "strings-fixed", "charged10",
                                                                       "springs10", "duet-salsa")
         and (not name.endswith("supervised") or name.startswith("springs5"))]
SCRIPT = textwrap.dedent(f"""
    import json, sys, traceback
    from dataclasses import replace
    sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tools")!r}]
    import torch, torch.distributed as dist
    import gpu_check
    from choreo_lib import training
    gpu_check.stand_in = lambda name: "salsa" in name  # the same dances with and without the real sets
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    found = {{}}
    for name in {NAMES}:
        model, _ = gpu_check.prepared(name, "quick")
        config = gpu_check.recipes.RECIPES[name].training["full"]
        windows = gpu_check.windows(name, config.augment, 4 * {STEPS})
        before = torch.cat([weight.detach().flatten() for weight in model.parameters()])
        try:
            training.fit(model, windows, replace(config, epochs=1, batch_size=4), sys.argv[1] + "/" + name,
                         device="cpu", progress=False)
            after = torch.cat([weight.detach().flatten() for weight in model.parameters()])
            both = [torch.empty_like(after) for _ in range(2)]
            dist.all_gather(both, after)
            found[name] = {{"same": torch.equal(*both), "finite": bool(after.isfinite().all()),
                           "moved": float((after != before).float().mean())}}
        except Exception:
            found[name] = {{"error": traceback.format_exc()[-1500:]}}
    if not dist.get_rank():
        print(json.dumps(found), flush=True)
    dist.destroy_process_group()
""")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    (folder / "run.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
                           str(folder / "run.py"), str(folder)], capture_output=True, text=True, timeout=900,
                          env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_shared_by_two_processes(trained, name):
    found = trained[name]
    assert "error" not in found, found["error"]
    assert found["finite"] and found["moved"] > 0.3, found
    assert found["same"], "the two processes have gone apart"
