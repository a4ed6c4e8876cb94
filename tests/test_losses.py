"""The terms of the losses, by hand or by torch's own distributions."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from choreo_lib.systems import losses


def test_kl_is_that_of_two_normals():
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 50, 7, generator=generator, dtype=torch.float64)
    want = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).mean(0)
    torch.testing.assert_close(losses.kl_per_unit(mean, log_variance), want)
    # by hand: mean 2, variance 1 costs 2^2 / 2 nats
    assert float(losses.kl_per_unit(torch.full((3, 1), 2.0), torch.zeros(3, 1))) == pytest.approx(2.0)


def test_units_below_the_free_bits_get_no_gradient():
    units = torch.tensor([0.1, 0.5, 3.0], requires_grad=True)
    loss = losses.kl_loss(units, free_bits=0.5)
    loss.backward()
    assert loss.item() == pytest.approx(4.0) and units.grad.tolist()[0] == 0 and units.grad.tolist()[2] == 1
    assert float(losses.kl_loss(units.detach())) == pytest.approx(3.6)


def test_active_units_are_those_whose_mean_varies():
    means = torch.zeros(1000, 3)
    means[:, 1] = torch.randn(1000, generator=torch.Generator().manual_seed(1))
    means[:, 2] = 5.0  # the same for every window
    assert losses.active_units(means) == 1


def test_schedules():
    constant = losses.Schedule(2.0)
    assert [constant.at(k) for k in (0, 10**6, None)] == [2.0, 2.0, 2.0]
    warm = losses.Schedule(1.0, "warm-up", low=0.2, wait=2, rise=4)
    assert [warm.at(k) for k in range(8)] == pytest.approx([0.2, 0.2, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    cycle = losses.Schedule(0.1, "cyclical", wait=20, rise=60, hold=20)
    assert warm.at() == 1.0 and cycle.at(None) == 0.1  # validation has the highest weight
    values = np.array([cycle.at(k) for k in range(300)])
    assert (values[:20] == 0).all() and (values[80:100] == 0.1).all() and values[50] == pytest.approx(0.05)
    assert np.allclose(values[:100], values[100:200]) and np.allclose(values[:100], values[200:])


@pytest.mark.parametrize("wrong", [{"kind": "sometimes"}, {"kind": "warm-up", "rise": -1}, {"kind": "cyclical"}])
def test_schedules_that_are_refused(wrong):
    with pytest.raises(ValueError):
        losses.Schedule(1.0, **wrong)


def test_rotation_difference_by_hand():
    """A quarter turn: 4 sin^2(45 degrees) = 2, whatever the quaternion's sign; half a turn: 4."""
    still, half = torch.tensor([0.0, 0, 0, 1]), torch.tensor([1.0, 0, 0, 0])
    quarter = torch.tensor([2**-0.5, 0, 0, 2**-0.5])
    assert float(losses.rotation_difference(still, quarter)) == pytest.approx(2, abs=1e-6)
    assert float(losses.rotation_difference(still, -quarter)) == pytest.approx(2, abs=1e-6)
    assert float(losses.rotation_difference(still, half)) == 4 and float(losses.rotation_difference(half, -half)) == 0
