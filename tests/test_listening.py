"""Whether a duet model listens: forecasters that hear nothing, or one thing only, have rows known beforehand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from choreo_lib import evaluation
from choreo_lib.body.reference import reference_frame
from choreo_lib.body.skeleton import Skeleton
from choreo_lib.evaluation import baselines
from choreo_lib.evaluation.listening import LEADERS, neighbours, phase_randomised
from choreo_lib.sets import synthetic, windows

PAST, AHEAD = 24, 30


@pytest.fixture(scope="module")
def asked():
    return windows.cut([synthetic.duet("mirror", 240, seed=seed) for seed in range(3)], PAST + AHEAD, stride=15)


class Watcher:
    """Predicts what the leader does at the horizon, and keeps what it was shown."""

    def __init__(self):
        self.shown = []

    def predict(self, past, partner, horizons, who="b"):
        self.shown.append((past, partner, who))
        return partner[:, [h - 1 for h in horizons]]


def test_who_looks_at_nobody_loses_nothing(asked):
    rows = evaluation.listening(baselines.ZeroVelocity(), asked)
    assert tuple(rows) == LEADERS and set(rows["true"]) == {"error_mm", "windows"}
    late = int((asked.start >= 15).sum())  # half a second: the first window of each take has no late leader
    assert rows["true"]["windows"] == late < len(asked)
    for name in LEADERS[1:]:
        row = rows[name]
        assert row["error_mm"] == rows["true"]["error_mm"]
        assert row["cost_mm"] == row["answer_mm"] == row["cost_low"] == row["cost_high"] == 0
        assert row["nearer_percent"] == row["nearer_low"] == row["nearer_high"] == 50


def test_who_copies_a_mirror_pays_for_every_other_leader(asked):
    """An oracle that knows how b mirrors a is nearer with the true leader, in nearly every window."""

    class Oracle:
        def predict(self, past, partner, horizons, who="b"):
            own, lead = past[:, -1, "ab".index(who)], past[:, -1, "ba".index(who)]
            swap = torch.tensor(left_right(asked.skeleton))
            steps = torch.stack([partner[:, h - 1] - lead for h in horizons], 1)[:, :, swap]
            here = reference_frame(past[:, -1:], 0, asked.skeleton, of="duet")
            local = here.to_local(steps + here.origin[:, None, None]) * steps.new_tensor([-1.0, 1.0, 1.0])
            return own[:, None] + here.to_world(local) - here.origin[:, None, None]

    rows = evaluation.listening(Oracle(), asked)
    repeat = evaluation.listening(baselines.ZeroVelocity(), asked)
    assert rows["true"]["error_mm"] < 0.7 * repeat["true"]["error_mm"]
    for name in LEADERS[1:]:
        row = rows[name]
        assert row["cost_mm"] == pytest.approx(row["error_mm"] - rows["true"]["error_mm"], rel=1e-5)
        assert row["cost_percent"] == pytest.approx(100 * row["cost_mm"] / rows["true"]["error_mm"], rel=1e-5)
        assert 0 < row["cost_low"] <= row["cost_mm"] * 1.3 and row["cost_high"] > row["cost_low"]
        assert row["nearer_percent"] > 80 and row["nearer_low"] > 50 and row["answer_mm"] > row["cost_mm"]


def test_a_leader_may_move_a_forecaster_and_be_of_no_use(asked):
    """Sensitivity is no benefit: who is led astray by half of what the leader does loses with every false one, too."""

    class Led:
        def predict(self, past, partner, horizons, who="b"):
            moved = partner[:, [h - 1 for h in horizons]] - past[:, -1:, "ba".index(who)]
            return past[:, -1:, "ab".index(who)] + moved / 2

    errors = evaluation.true_errors(Led(), asked)
    repeat = evaluation.true_errors(baselines.ZeroVelocity(), asked)
    rows = evaluation.listening(Led(), asked)
    assert errors.shape == (rows["true"]["windows"],)
    assert errors.mean() == pytest.approx(rows["true"]["error_mm"], rel=1e-5)
    assert rows["swapped"]["answer_mm"] > 50
    found = evaluation.benefit(errors, repeat, asked)
    assert found["gain_mm"] == pytest.approx(repeat.mean() - errors.mean(), abs=1e-3)
    assert found["gain_low"] <= found["gain_mm"] <= found["gain_high"]
    assert found["nearer_percent"] == pytest.approx(100 * (errors < repeat).mean())
    other = evaluation.benefit(repeat, errors, asked)
    assert other["gain_mm"] == pytest.approx(-found["gain_mm"]) and other["deaf_mm"] == found["error_mm"]
    nothing = evaluation.benefit(repeat, repeat, asked)
    assert nothing["gain_mm"] == nothing["gain_low"] == nothing["gain_high"] == 0 and nothing["nearer_percent"] == 50
    with pytest.raises(ValueError, match="same windows and delay"):
        evaluation.benefit(errors[:-1], repeat[:-1], asked)
    with pytest.raises(ValueError, match="shorter"):
        evaluation.true_errors(Led(), asked, delay=60.0)


def left_right(skeleton):
    """Each joint's counterpart on the other side."""
    other = [name.replace("left", "?").replace("right", "left").replace("?", "right") for name in skeleton.names]
    return [skeleton.names.index(name) for name in other]


def test_every_leader_stands_where_the_true_one_stands_and_dances_otherwise(asked):
    watcher = Watcher()
    evaluation.listening(watcher, asked, delay=0.5)
    late = asked.subset(asked.start >= 15)
    batch = late[:]
    for role, who in enumerate("ab"):
        rows = watcher.shown[role * 5 : role * 5 + 5]
        lead = 1 - role
        leaders = {}
        for name, (past, partner, asked_of) in zip(LEADERS, rows):
            assert asked_of == who and torch.equal(past[:, :, role], batch[:, :PAST, role]), "the own past stays"
            leaders[name] = torch.cat([past[:, :, lead], partner], 1)
            there, here = (reference_frame(x[:, :, None], PAST - 1, asked.skeleton, of="a")
                           for x in (leaders[name], batch[:, :, lead]))
            torch.testing.assert_close(there.origin, here.origin, atol=1e-4, rtol=0)
            torch.testing.assert_close((there.heading - here.heading).cos(), torch.ones(len(batch)), atol=1e-5, rtol=0)
        assert torch.equal(leaders["true"], batch[:, :, lead])
        assert leaders["frozen"].std(1).max() < 1e-5
        local = {name: reference_frame(x[:, :, None], PAST - 1, asked.skeleton, of="a").to_local(x)
                 for name, x in leaders.items()}
        # half a second late: what he does at frame t he did 15 frames before
        whole = [asked.frames[row : row + PAST + AHEAD, lead] for row in (late.first - 15).tolist()]
        earlier = torch.stack(whole)
        expected = reference_frame(earlier[:, :, None], PAST - 1, asked.skeleton, of="a").to_local(earlier)
        torch.testing.assert_close(local["delayed"], expected, atol=1e-4, rtol=0)
        known = reference_frame(asked[:][:, :, [lead]], PAST - 1, asked.skeleton, of="a").to_local(asked[:][:, :, lead])
        off = (local["swapped"][:, None] - known).abs().amax((2, 3, 4))  # [late, N]
        assert off.amin(1).max() < 1e-4, "a swapped leader is one of the windows"
        assert (asked.take[off.argmin(1)] != late.take).all(), "of another take"


def test_noise_moves_as_much_and_dances_nothing():
    x = torch.from_numpy(synthetic.duet("canon", 128, seed=3).positions)[None, :, 0]  # [1, T, J, 3]
    noise = phase_randomised(x, torch.Generator().manual_seed(0))
    assert noise.shape == x.shape and noise.dtype == x.dtype

    def detrended(y):
        along = torch.linspace(0, 1, y.shape[1]).view(1, -1, 1, 1)
        return y - (y[:, :1] + along * (y[:, -1:] - y[:, :1]))

    line = x[:, :1] + torch.linspace(0, 1, 128).view(1, -1, 1, 1) * (x[:, -1:] - x[:, :1])
    power, same = (torch.fft.rfft(each.double(), dim=1).abs() for each in (noise - line, detrended(x)))
    torch.testing.assert_close(power[:, 1:-1], same[:, 1:-1], atol=1e-3, rtol=1e-3)
    assert (noise - x).norm(dim=-1).mean() > 0.03
    again = phase_randomised(x, torch.Generator().manual_seed(0))
    assert torch.equal(noise, again)


def test_blocks_are_four_seconds_of_neighbours(asked):
    assert neighbours(asked) == 8  # a window every half second
    assert neighbours(asked.subset(slice(0, 3))) == 1  # half of all


def test_what_cannot_be_asked_is_said(asked):
    repeat = baselines.ZeroVelocity()
    with pytest.raises(ValueError, match="one.*take|other take"):
        evaluation.listening(repeat, asked.subset(asked.take == 0))
    assert np.isfinite(evaluation.listening(repeat, asked.subset(asked.take == 0), asked)["true"]["error_mm"])
    with pytest.raises(ValueError, match="delay"):
        evaluation.listening(repeat, asked, delay=60.0)
    with pytest.raises(ValueError, match="alike"):
        evaluation.listening(repeat, asked, windows.cut(synthetic.duet("mirror", 100, seed=9), 60))
    turned = replace(asked, skeleton=Skeleton(asked.skeleton.names[::-1], asked.skeleton.parents))
    with pytest.raises(ValueError, match="another order"):
        evaluation.listening(repeat, asked, turned)
    with pytest.raises(TypeError, match="forecaster"):
        evaluation.listening(baselines.ZeroVelocity, asked)
