"""Experts that carry over what the partner did a lag ago; and pasts displaced as a long rollout displaces them."""

import numpy as np
import pytest
import torch
from test_duet_forecaster import AHEAD, PAST, small

from choreo_lib.extensions.exposure import inject_noise
from choreo_lib.extensions.lag_experts import SCALE, LagExperts, PrincipalComponents
from choreo_lib.sets import synthetic, windows

LAG = 4


@pytest.fixture(scope="module")
def train():
    duets = [synthetic.duet(kind, 120, seed=seed) for seed in range(2) for kind in ("mirror", "canon")]
    return windows.cut(duets, PAST + AHEAD, stride=4)


def test_principal_components_are_those_of_the_covariance():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6)) + 3)
    rows = torch.cat([torch.ones(500, 1), x], 1)
    found = PrincipalComponents(6, 4)
    found.fit(rows.T @ rows)
    z = found(x.float())
    torch.testing.assert_close(torch.cov(z.T, correction=0), torch.eye(4), atol=1e-4, rtol=0)
    values, vectors = np.linalg.eigh(np.cov(x.numpy().T, bias=True))
    kept = vectors[:, ::-1][:, :4]
    centred = x.numpy() - x.numpy().mean(0)
    np.testing.assert_allclose(found.back(z).numpy(), centred @ kept @ kept.T, atol=1e-4)
    np.testing.assert_allclose(found.std.numpy(), np.sqrt(values[::-1][:4]), rtol=1e-4)


def test_an_expert_gives_what_the_partner_did_a_lag_ago():
    """Attention on one lag, a map that copies, and the gate open: the displacement since then, frame by frame."""
    width, past, ahead = 3, 8, 6
    experts = LagExperts(width, 6, 4, 1)
    for part, size in ((experts.partner, 6), (experts.pose, 3), (experts.displacement, 3)):
        part.axes.copy_(torch.eye(size))
    torch.nn.init.zeros_(experts.lags.weight)
    with torch.no_grad():
        experts.lags.bias.copy_(50.0 * (torch.arange(6) == 5 - LAG))  # the latest last
        experts.gate.bias.copy_(torch.tensor([50.0, 0.0]))
        experts.maps[0, :3] = torch.eye(3) / SCALE  # now, of the first view
        experts.maps[0, 6:9] = -torch.eye(3) / SCALE  # and where it was when the own dancer was last seen
    seen, h = torch.randn(2, past + ahead, 6), torch.randn(2, ahead, 4)
    made = experts(h, experts.partner(seen), torch.zeros(2, past, width), slice(0, ahead))
    wanted = seen[:, past - LAG : past - LAG + ahead, :3] - seen[:, past - 1 - LAG : past - LAG, :3]
    torch.testing.assert_close(made, wanted, atol=1e-5, rtol=0)
    later = experts(h[:, 2:4], experts.partner(seen[:, : past + 4]), torch.zeros(2, past, width), slice(2, 4))
    torch.testing.assert_close(later, wanted[:, 2:4], atol=1e-5, rtol=0)
    with torch.no_grad():
        experts.gate.bias.copy_(torch.tensor([0.0, 50.0]))  # nobody
    nothing = experts(h, experts.partner(seen), torch.zeros(2, past, width), slice(0, ahead))
    torch.testing.assert_close(nothing, torch.zeros_like(nothing), atol=1e-6, rtol=0)


def test_a_displaced_past_is_somewhere_between_two_dancers_and_leads_back_to_the_dance(train):
    model, batch = small(train, pose_prior=0.0), train[:6]
    torch.manual_seed(3)
    window = inject_noise(model, batch, "b", most=0.5)
    torch.testing.assert_close(window[:, :, 0], batch[:, :, 0], atol=1e-6, rtol=0)  # the partner dances on
    off = (window - batch)[:, :, 1].norm(dim=-1).mean(2)  # [B, T]
    assert float(off[:, PAST - 1].max()) > 0.02 and float(off[:, -1].max()) < 1e-6
    parents, children = map(list, zip(*train.skeleton.bones))
    lengths, true = ((x[:, :PAST, 1][:, :, children] - x[:, :PAST, 1][:, :, parents]).norm(dim=-1)
                     for x in (window, batch))  # fmt: skip
    torch.testing.assert_close(lengths, true, atol=2e-3, rtol=0)
    torch.testing.assert_close(inject_noise(model, batch, "b", most=0.0), batch, atol=1e-4, rtol=0)
    a = inject_noise(model, batch, "a", most=0.5)
    torch.testing.assert_close(a[:, :, 1], batch[:, :, 1], atol=1e-6, rtol=0)
