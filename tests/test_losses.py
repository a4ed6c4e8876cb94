"""What a code costs, worked out by hand or by torch's own distributions."""

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


def test_free_bits_ask_nothing_of_cheap_units():
    units = torch.tensor([0.1, 0.5, 3.0], requires_grad=True)
    loss = losses.kl_loss(units, free_bits=0.5)
    loss.backward()
    assert loss.item() == pytest.approx(4.0) and units.grad.tolist()[0] == 0 and units.grad.tolist()[2] == 1
    assert float(losses.kl_loss(units.detach())) == pytest.approx(3.6)


def test_active_units_are_those_that_say_something():
    means = torch.zeros(1000, 3)
    means[:, 1] = torch.randn(1000, generator=torch.Generator().manual_seed(1))
    means[:, 2] = 5.0  # says the same of everything
    assert losses.active_units(means) == 1


def test_schedules():
    constant = losses.Schedule(2.0)
    assert [constant.at(k) for k in (0, 10**6)] == [2.0, 2.0]
    warm = losses.Schedule(1.0, "warm-up", low=0.2, wait=2, rise=4)
    assert [warm.at(k) for k in range(8)] == pytest.approx([0.2, 0.2, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    cycle = losses.Schedule(0.1, "cyclical", wait=20, rise=60, hold=20)
    values = np.array([cycle.at(k) for k in range(300)])
    assert (values[:20] == 0).all() and (values[80:100] == 0.1).all() and values[50] == pytest.approx(0.05)
    assert np.allclose(values[:100], values[100:200]) and np.allclose(values[:100], values[200:])


@pytest.mark.parametrize("wrong", [{"kind": "sometimes"}, {"kind": "warm-up", "rise": -1}, {"kind": "cyclical"}])
def test_schedules_that_are_none(wrong):
    with pytest.raises(ValueError):
        losses.Schedule(1.0, **wrong)
