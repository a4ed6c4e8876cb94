"""The layers that systems share, against their equations."""

import math
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from choreo_lib.body.skeleton import HYBRIK_29
from choreo_lib.systems import DuetVAE
from choreo_lib.systems.layers import System, eval_mode, positional_encoding, reparameterise
from choreo_lib.systems.losses import Schedule


def test_reparameterised_samples_have_the_posteriors_mean_and_variance():
    torch.manual_seed(0)
    mean = torch.tensor([1.0, -2.0], requires_grad=True)
    log_variance = torch.tensor([0.0, 2 * math.log(3.0)], requires_grad=True)
    z = reparameterise(mean.expand(50_000, 2), log_variance.expand(50_000, 2))
    torch.testing.assert_close(z.mean(0), mean, atol=0.05, rtol=0)
    torch.testing.assert_close(z.std(0), torch.tensor([1.0, 3.0]), atol=0.05, rtol=0)
    z.sum().backward()
    assert mean.grad.tolist() == [50_000, 50_000] and (log_variance.grad != 0).all()


@pytest.mark.parametrize("features", [8, 5])
def test_the_positional_encoding_by_its_formula(features):
    made = positional_encoding(20, features)
    want = [[(math.cos if k % 2 else math.sin)(t / 10_000 ** ((k - k % 2) / features)) for k in range(features)]
            for t in range(20)]
    torch.testing.assert_close(made, torch.tensor(want), atol=1e-5, rtol=0)


def test_every_module_gets_its_own_mode_back():
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout(), nn.Linear(2, 2)))
    model[0].eval()
    before = [module.training for module in model.modules()]
    with pytest.raises(ZeroDivisionError), eval_mode(model):
        assert not any(module.training for module in model.modules())
        _ = 1 / 0
    assert [module.training for module in model.modules()] == before == [True, False, True, True, True]


@dataclass(frozen=True)
class Sizes:
    width: int = 3
    shape: tuple[int, ...] = (1, 2)
    kl: Schedule = Schedule(0.5)


class Small(System):
    Config = Sizes


def test_a_system_is_built_again_from_its_config():
    model = Small(HYBRIK_29, width=4)
    assert model.config == Sizes(width=4) == Small(HYBRIK_29, Sizes(width=4)).config
    config = model.config_dict() | {"shape": [5, 6], "kl": {"high": 2.0}}  # as they come back from JSON
    again = Small.from_config(config)
    assert again.config == Sizes(4, (5, 6), Schedule(2.0)) and again.skeleton.names == HYBRIK_29.names
    for wrong in (lambda: Small(HYBRIK_29, height=1), lambda: Small.from_config(config | {"height": 1})):
        with pytest.raises(TypeError, match="height"):
            wrong()


def test_the_shelfs_partner_is_predicted_without_the_fast_path_of_attention():
    """It is the slower one, with a mask on a CPU: of PyTorch's own operators none is the fast path's."""
    torch.manual_seed(0)
    model = DuetVAE(HYBRIK_29, features=8, heads=2, latent=4, hidden=8, feedforward=8, frames=6)
    past, partner = torch.randn(2, 6, 2, 29, 3), torch.randn(2, 2, 29, 3)

    def operators():
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
            made = model.predict(past, partner, [2])
        return made, {each.key for each in seen.key_averages()}

    assert torch.backends.mha.get_fastpath_enabled()
    plain, without = operators()
    assert torch.backends.mha.get_fastpath_enabled(), "as it was before"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("choreo_lib.systems.duet_vae.plain_attention", nullcontext)
        fast, with_it = operators()
    name = "aten::_native_multi_head_attention"
    assert name in with_it and name not in without
    torch.testing.assert_close(plain, fast, atol=1e-5, rtol=0)
