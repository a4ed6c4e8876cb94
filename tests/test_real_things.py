"""What real libraries do that a good guess gets wrong: the page says what is done about it, and which test holds it."""

import re
from pathlib import Path

import pytest
import roma
import torch
from scipy.spatial.transform import Rotation, Slerp

import choreo_lib as cl
from choreo_lib.body.rotations import slerp
from choreo_lib.extensions import DuetForecaster
from choreo_lib.systems import losses

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "book" / "what_real_things_do.md").read_text(encoding="utf-8")
HELD = re.findall(r"`(test_\w+)\.(test_\w+)`", PAGE)


def test_the_page_names_tests_that_exist():
    assert len(set(HELD)) >= 20
    for file, name in set(HELD):
        text = (ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8")
        assert f"def {name}(" in text, f"the page says that {file}.{name} holds something, and there is no such test"


def test_every_row_says_what_is_done_about_it():
    """A row of a table: the thing, the version, what was seen, what this library does, and where a test holds it."""
    rows = [line for line in PAGE.splitlines() if line.startswith("|") and not set(line) <= set("|- ")]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if not row.startswith("| thing")]
    assert len(rows) >= 30 and {len(row) for row in rows} == {4}
    assert not [row for row in rows if not all(row)]


@pytest.mark.parametrize("sign", [1, -1])
def test_halfway_through_half_a_turn_follows_the_sign(sign):
    """Half a turn has two halfway rotations; SciPy gives one of them for either sign, ours the one the sign names."""
    start, half = torch.tensor([0.0, 0, 0, 1]).double(), sign * torch.tensor([0.0, 0, 1, 0]).double()
    middle = slerp(start, half, torch.tensor(0.5, dtype=torch.float64))
    assert roma.unitquat_to_rotvec(middle).tolist() == pytest.approx([0, 0, sign * torch.pi / 2])
    scipys = Slerp([0, 1], Rotation.from_quat([start.tolist(), half.tolist()]))(0.5)
    assert scipys.as_rotvec() == pytest.approx([0, 0, torch.pi / 2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_loss_of_half_a_turn_has_a_gradient(dtype):
    """Where an angle by arc cosine has an infinite one."""
    one = torch.tensor([0.0, 0, 0, 1], dtype=dtype, requires_grad=True)
    losses.rotation_difference(one, torch.tensor([0.0, 0, 1, 0], dtype=dtype)).backward()
    assert torch.isfinite(one.grad).all()
    near = torch.tensor([0.0, 0, 1, 1e-3], dtype=dtype)
    one.grad = None
    losses.rotation_difference(one, near / near.norm()).backward()
    assert torch.isfinite(one.grad).all() and one.grad.abs().max() > 1e-4  # and away from it a way down


def test_nobody_is_asked_to_look_at_nothing():
    """Attention whose every key is masked gives NaN, or not, by settings that nobody thinks of: no row of ours is."""
    model = DuetForecaster(cl.HYBRIK_29, past=8, ahead=6, features=16, heads=2, latent=4, hidden=8, layers=1)
    assert not model.causal_mask.all(1).any()
    for begin, end in ((0, 14), (0, 8), (8, 9), (13, 14)):
        assert not model.causal_mask[begin:end, :end].all(1).any()


def test_sums_over_edges_are_not_gathered():
    """In bfloat16 a sum that adds one edge after the other stops growing at 256; ours are dense sums and products."""
    for path in (ROOT / "choreo_lib").rglob("*.py"):
        assert not re.search(r"(index|scatter)_(add|reduce)", path.read_text(encoding="utf-8")), path.name
    ones = torch.ones(1, 4096, 1, dtype=torch.bfloat16)
    assert ones.sum(1).item() == (ones.mT @ ones).item() == 4096
