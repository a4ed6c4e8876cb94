"""A training step takes few operators: each is a kernel that somebody has to launch, which for small networks is most
of the time.

What is counted here are a CPU's; a GPU has other ones inside an LSTM, but not many more. The limits leave some room
for other versions of torch.
"""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
import gpu_check  # noqa: E402

NO_KERNEL = set("""
    view reshape _unsafe_view _reshape_alias as_strided as_strided_ alias expand expand_as view_as flatten unflatten t
    transpose permute movedim swapaxes mT numpy_T squeeze unsqueeze slice select narrow diagonal unbind unfold split
    split_with_sizes chunk broadcast_tensors detach detach_ set_ resize_ empty empty_like empty_strided new_empty
    contiguous clone to lift_fresh result_type resolve_conj resolve_neg is_nonzero item _local_scalar_dense
    cudnn_is_acceptable dropout
""".split())
"""Names of torch's for another look at numbers, for memory without any, for questions, and for dropout that is off. One
that does copy numbers calls ``copy_`` for it."""

PREDICTION = {"no_input_prob": 0.0, "noise_injection": 0.0}
FROM_A_DISPLACED_PAST = {"no_input_prob": 0.0, "noise_injection": 1.1}
RECONSTRUCTION = {"no_input_prob": 1.1}


def operators(step) -> int:
    """How many operators run in a step that make numbers, and leave none of that to others."""
    def counts(event):
        return event.name.startswith("aten::") and event.name.removeprefix("aten::") not in NO_KERNEL

    with profile(activities=[ProfilerActivity.CPU]) as seen:
        step()
    return sum(counts(event) and not any(map(counts, event.cpu_children)) for event in seen.events())


@pytest.mark.parametrize("name, limit, changes", [
    ("duet-synthetic", 520, PREDICTION),
    ("duet-synthetic", 670, FROM_A_DISPLACED_PAST),
    ("duet-synthetic", 360, RECONSTRUCTION),
    ("duet-salsa", 640, PREDICTION),
    ("duet-salsa", 790, FROM_A_DISPLACED_PAST),
    ("translate-salsa", 1100, {}),
    ("strings-synthetic", 620, {}),
])  # fmt: skip
def test_a_training_step_takes_few_operators(name, limit, changes):
    """Both ways, in the recipe's full mode, on few windows; of salsa, or of synthetic dancers where it is not."""
    model, config = gpu_check.prepared(name)
    model.config = replace(model.config, **changes)
    batch, = gpu_check.batches_of(name, config, 8, 1)
    model.train()

    def step():
        model.loss(batch, 400)["loss"].backward()

    step()  # tables are made once
    model.zero_grad(set_to_none=True)
    found = operators(step)
    assert found <= limit, found
