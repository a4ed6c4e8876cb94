"""The prototype's faults are there until they are mended, and each switch mends its own."""

import pytest
import torch

from choreo_lib.extensions.duet_as_coded import REPAIRS, DuetAsCoded
from choreo_lib.sets import synthetic, windows

PAST, AHEAD = 10, 6
ALL = list(REPAIRS)


@pytest.fixture(scope="module")
def train():
    return windows.cut([synthetic.duet("canon", 90, seed=seed) for seed in range(2)], PAST + AHEAD, stride=3)


def small(train, repairs):
    torch.manual_seed(0)
    model = DuetAsCoded(train.skeleton, repairs, past=PAST, ahead=AHEAD, features=16, heads=2, latent=8, hidden=16)
    model.fit_statistics(train.batches(64))
    return model


@torch.no_grad()
def changed(model, batch, frame, window=slice(None)):
    """At which of the answers b is moved when a is moved at one frame, in the first window."""
    moved = batch.clone()
    moved[window, frame, 0] += 0.3
    ask = model.eval().split
    before, after = (model(*ask(*model.local_view(each, "b"))[:2], "b")[0] for each in (batch, moved))
    return (before - after).abs().amax(2)[0] > 1e-6


def test_as_coded_time_is_not_seen_and_neighbours_are(train):
    model, batch = small(train, ()), train[:4]
    assert changed(model, batch, 6).nonzero().flatten().tolist() == [6]
    assert changed(model, batch, 6, slice(1, None)).any()  # only the other windows were moved


def test_along_time_everything_is_seen_the_future_too_until_that_is_masked(train):
    batch = train[:4]
    seen = changed(small(train, ALL[:1]), batch, 6)
    assert seen.all()
    assert not changed(small(train, ALL[:1]), batch, 6, slice(1, None)).any()
    seen = changed(small(train, ALL[:2]), batch, 6)
    assert seen[6:].all() and not seen[:6].any()


def test_the_gate(train):
    """`randn < 0.1` is true for 54 % of all draws, `rand < 0.1` for 10 %."""
    for repairs, share in ((ALL[:2], 0.54), (ALL[:3], 0.1)):
        model = small(train, repairs).train()
        torch.manual_seed(0)
        steps = 400
        with torch.no_grad():
            counted = sum("reconstruction" in model.loss(train[:1], step) for step in range(steps)) / steps
        assert abs(counted - share) < 3 * (share * (1 - share) / steps) ** 0.5


def test_units(train):
    assert (small(train, ALL[:3]).unit == 1).all()
    plain, displaced, chunk = (float(small(train, ALL[:k]).unit.mean()) for k in (4, 5, 7))
    assert displaced < 0.2 * plain and displaced < chunk


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 6, 7])
def test_each_step_of_the_way_learns_in_all_its_parts_and_forecasts(train, count):
    model = small(train, ALL[:count]).train()
    model.no_input_prob = -9.0  # never, whichever gate
    for step in (0, 1):
        model.loss(train[:8], step)["loss"].backward()
    idle = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0}
    decoders = ("smoothing", "to_pose")  # which learn when one dancer is rebuilt
    idle = {name for name in idle if not any(f"vaes.{each}.{part}" in name for each in ("a", "b", "difference")
                                             for part in decoders)}
    assert idle == (set() if "chunk" in model.repairs else {"future_flag"})
    batch = train[:3]
    made = model.predict(batch[:, :PAST], batch[:, PAST:, 0], [1, 4])
    assert made.shape == (3, 2, len(train.skeleton), 3)
    later = batch.clone()
    later[:, PAST + 4 :] += 1.0
    torch.testing.assert_close(model.predict(later[:, :PAST], later[:, PAST:, 0], [1, 4]), made, atol=0, rtol=0)


def test_a_repair_that_there_is_not_is_refused(train):
    with pytest.raises(ValueError, match="no repair faster; there are time, causal"):
        DuetAsCoded(train.skeleton, ["faster"])
