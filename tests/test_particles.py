"""Springs and charges: as the law says, whatever the size of the batch, and nowhere outside the box."""

import numpy as np
import pytest
import torch

from choreo_lib.sets import particles
from choreo_lib.sets.particles import BOX, STEP, SUBSTEPS, Particles, simulate


def one_at_a_time(kind, place, pace, edges, frames):
    """The same world in plain NumPy, written without a look at the other: one simulation, one step, one pair."""
    place, pace, told = place.astype(float).copy(), pace.astype(float).copy(), []

    def force():
        f = np.zeros_like(place)
        for i in range(len(place)):
            for j in range(len(place)):
                if i != j:
                    d = place[i] - place[j]
                    f[i] += -0.1 * edges[i, j] * d if kind == "springs" else (2 * edges[i, j] - 1) * d / (d @ d) ** 1.5
        return f.clip(-100, 100)

    pace += 0.001 * force()
    for _ in range(frames):
        told.append((place.copy(), pace.copy()))
        for _ in range(100):
            place += 0.001 * pace
            high, low = place > 5, place < -5
            place[high], pace[high] = 10 - place[high], -abs(pace[high])
            place[low], pace[low] = -10 - place[low], abs(pace[low])
            pace += 0.001 * force()
    return np.array([x for x, _ in told]), np.array([v for _, v in told])


@pytest.mark.parametrize("kind", particles.KINDS)
def test_as_a_plain_loop_would_have_it(kind):
    world = simulate(kind, 3, bodies=4, frames=6, seed=5)
    chance = torch.Generator().manual_seed(5)  # the start, before the first kick and to all its digits
    torch.rand(3, 4, 4, generator=chance) if kind == "springs" else torch.randint(2, (3, 4), generator=chance)
    at, pace = (torch.randn(3, 4, 2, generator=chance, dtype=torch.float64) for _ in range(2))
    at, pace = particles.SPREAD[kind] * at, 0.5 * pace / pace.norm(dim=-1, keepdim=True)
    for n in range(3):
        x, v = one_at_a_time(kind, at[n].numpy(), pace[n].numpy(), world.edges[n].numpy(), 6)
        np.testing.assert_allclose(world.positions[n], x, atol=2e-5)
        np.testing.assert_allclose(world.velocities[n], v, atol=2e-4)


def test_a_wall_turns_the_speed_that_goes_into_it_and_no_other():
    at, to = particles.walls(torch.tensor([[BOX + 0.5, 1.0], [-BOX - 1.0, -2.0]]),
                             torch.tensor([[1.0, 3.0], [-2.0, 4.0]]))
    torch.testing.assert_close(at, torch.tensor([[BOX - 0.5, 1.0], [-BOX + 1.0, -2.0]]))
    torch.testing.assert_close(to, torch.tensor([[-1.0, 3.0], [2.0, 4.0]]))


def test_walls_throw_back(monkeypatch):
    """The fast way of springs, near a wall, is the slow way."""
    monkeypatch.setattr(particles, "BOX", 0.8)
    place = torch.tensor([[[0.7, 0.1], [-0.3, 0.2]], [[0.0, 0.1], [0.1, 0.0]]], dtype=torch.float64)
    pace = torch.tensor([[[0.5, 0.0], [-0.4, 0.3]], [[0.0, 0.1], [0.1, 0.0]]], dtype=torch.float64)
    edges = torch.tensor([[[0, 1], [1, 0]]] * 2)
    x, v = particles._springs(place, pace, edges, 40)
    assert x.abs().max() <= 0.8 and x[0].abs().max() > 0.79 and (v[0, 1:, 0, 0] < 0).any()
    at, to = place[:1].clone(), pace[:1] + STEP * 0.1 * (place[:1].flip(1) - place[:1])
    for frame in range(40):
        torch.testing.assert_close(x[:1, frame], at, atol=1e-9, rtol=0)
        for _ in range(SUBSTEPS):
            at, to = particles.walls(at + STEP * to, to)
            to = to + STEP * 0.1 * (at.flip(1) - at)


@pytest.mark.parametrize("kind", particles.KINDS)
def test_nobody_leaves_the_box_and_everybody_starts_as_described(kind):
    world = simulate(kind, 400, frames=120 if kind == "springs" else 20, seed=1)
    assert world.positions.abs().max() <= BOX and world.positions.isfinite().all()
    assert world.positions[:, 0].std() == pytest.approx(particles.SPREAD[kind], rel=0.05)
    assert world.velocities[:, 0].norm(dim=-1).median() == pytest.approx(0.5, abs=0.01)
    assert (world.edges == world.edges.mT).all() and (world.edges.diagonal(dim1=1, dim2=2) == 0).all()
    pairs = world.edges[:, *np.triu_indices(5, 1)].float()
    assert pairs.mean() == pytest.approx(0.5, abs=0.06)
    if kind == "charged":  # a friend of a friend is a friend
        i, j, k = 0, 1, 2
        same = [world.edges[:, a, b].bool() for a, b in ((i, j), (j, k), (i, k))]
        assert ((same[0] == same[1]) == same[2]).all()


def test_springs_keep_energy_and_momentum():
    world = simulate("springs", 50, frames=49, seed=2)
    x, v, edges = world.positions.double(), world.velocities.double(), world.edges[:, None].double()
    calm = (x.abs() < BOX - 0.1).all(-1).all(-1).all(-1)  # no wall was touched
    square = (x[:, :, :, None] - x[:, :, None]) ** 2
    energy = 0.5 * (v**2).sum((2, 3)) + 0.5 * 0.1 * 0.5 * (edges * square.sum(-1)).sum((2, 3))
    assert calm.sum() > 20
    assert ((energy[calm] - energy[calm, :1]).abs() / energy[calm, :1]).max() < 1e-3
    assert (v[calm].sum(2) - v[calm, :1].sum(2)).abs().max() < 1e-5


def test_chunks_and_seeds(monkeypatch):
    one = simulate("charged", 7, frames=3, seed=3)
    with monkeypatch.context() as patch:
        patch.setattr(particles, "AT_ONCE", 2)
        other = simulate("charged", 7, frames=3, seed=3)
    assert torch.equal(one.positions, other.positions) and torch.equal(one.edges, other.edges)
    assert not torch.equal(one.positions, simulate("charged", 7, frames=3, seed=4).positions)
    noisy = simulate("charged", 7, frames=3, seed=3, noise=0.1)
    assert (noisy.positions - one.positions).std() == pytest.approx(0.1, rel=0.2)
    some = one[torch.tensor([True] * 3 + [False] * 4)]
    assert isinstance(some, Particles) and len(some) == 3 and torch.equal(some.edges, one.edges[:3])


@pytest.mark.parametrize(("name", "wrong"), [("kind", ("gravity", 3)), ("count", ("springs", 0)),
                                             ("bodies", ("springs", 3, 1)), ("frames", ("charged", 3, 5, 0))])
def test_worlds_that_cannot_be(name, wrong):
    with pytest.raises(ValueError, match=f"^{name} must be "):
        simulate(*wrong)
