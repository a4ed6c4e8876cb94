"""Forces read off movement: the rival without a network."""

import pytest
import torch

from choreo_lib.evaluation.baselines import correlation_edges, force_edges
from choreo_lib.evaluation.metrics import edge_accuracy
from choreo_lib.sets.particles import simulate


def percent(edges, world):
    return 100 * edge_accuracy(edges, world.edges).accuracy


def test_springs_are_found_with_their_law():
    world = simulate("springs", 60, 5, seed=31)
    found = force_edges(world.states)
    assert percent(found.edges, world) == 100
    assert torch.equal(found.edges, found.edges.mT) and (found.edges.diagonal(dim1=1, dim2=2) == 0).all()
    ties = world.edges[:, *torch.triu_indices(5, 5, 1)].bool()
    weights = found.weights[:, *torch.triu_indices(5, 5, 1)]
    assert weights.abs().mean() == pytest.approx(1, abs=1e-3)
    # a force towards the other, of 0.1 a unit of length
    assert float(found.law[0] * (weights[ties].median() - weights[~ties].median())) == pytest.approx(-0.1, rel=0.02)
    assert (found.law[1:].abs() < 1e-3 * found.law[0].abs()).all()


def test_charges_are_found_with_their_law():
    world = simulate("charged", 120, 5, seed=31)
    found, alone = force_edges(world.states), force_edges(world.states, signs=False)
    assert percent(found.edges, world) > 98.5 and percent(alone.edges, world) > 98
    assert found.law[3].abs() == pytest.approx(1, abs=0.05) and (found.law[:3].abs() < 0.02).all()
    triads = torch.einsum("nij,njk,nki->nijk", *3 * [2 * found.edges - 1])
    one, two, three = torch.tensor([[0, 1, 2], [1, 2, 4], [0, 3, 4]]).T
    assert (triads[:, one, two, three] == 1).all()  # signs a body: the three of a triangle multiply to one


def test_a_law_that_is_not_in_the_list_costs_edges():
    world = simulate("charged", 60, 5, seed=32)
    known, unknown = (percent(force_edges(world.states, terms).edges, world) for terms in (4, 1))
    assert unknown < known - 5


def test_noise_is_borne_for_a_while():
    world = simulate("springs", 60, 5, seed=33, noise=3e-3)
    assert percent(force_edges(world.states).edges, world) > 98


def test_correlation_sees_little():
    world = simulate("springs", 300, 5, seed=34)
    assert 50 <= percent(correlation_edges(world.states), world) < 80
    same = world.states.clone()
    same[:, :, 1] = same[:, :, 0]  # and what moves exactly alike, it does see
    assert (correlation_edges(same)[:, 0, 1] == 1).all()


@pytest.mark.parametrize("shape", [(3, 49, 5), (3, 2, 5, 4), (3, 49, 1, 4), (3, 49, 5, 2)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="simulations, frames, bodies, 4"):
        force_edges(torch.zeros(shape))


def test_edge_accuracy_renames_once_for_the_whole_set():
    true = torch.tensor([[[0, 1, 0], [1, 0, 1], [0, 1, 0]]] * 2)
    assert edge_accuracy(true, true)[::2] == (1.0, (0, 1))
    assert edge_accuracy((1 - true), true)[::2] == (1.0, (1, 0))
    half = torch.stack([true[0], 1 - true[1]])
    score = edge_accuracy(half, true)
    assert score.accuracy == 0.5 and score.two_sigma == pytest.approx(2 * 0.5**0.5 / 2**0.5)
    three = torch.tensor([[[0, 2, 0], [2, 0, 1], [0, 1, 0]]])
    assert edge_accuracy((three + 1) % 3, three, types=3)[::2] == (1.0, (2, 0, 1))
    with pytest.raises(ValueError, match="graphs, bodies"):
        edge_accuracy(true[0], true[0])
