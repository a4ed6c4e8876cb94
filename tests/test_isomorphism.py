"""Graphs that are the same but for a renaming."""

import pytest
import torch

from choreo_lib.evaluation.isomorphism import class_split, isomorphism_class
from choreo_lib.sets.particles import simulate


def all_graphs(bodies):
    one, other = torch.triu_indices(bodies, bodies, 1)
    bits = torch.arange(2 ** len(one))[:, None] >> torch.arange(len(one)) & 1
    edges = torch.zeros(len(bits), bodies, bodies, dtype=torch.long)
    edges[:, one, other] = bits
    return edges + edges.mT


@pytest.mark.parametrize("bodies, classes", [(2, 2), (3, 4), (4, 11), (5, 34)])
def test_there_are_as_many_classes_as_there_are_graphs_without_names(bodies, classes):
    """The numbers of graphs on so many unnamed nodes, sequence A000088."""
    assert len(isomorphism_class(all_graphs(bodies)).unique()) == classes


def test_a_renamed_graph_is_of_the_same_class_and_one_edge_more_of_another():
    edges = simulate("springs", 40, 5, frames=2, seed=1).edges
    order = torch.tensor([3, 0, 4, 1, 2])
    renamed = edges[:, order][:, :, order]
    assert torch.equal(isomorphism_class(edges), isomorphism_class(renamed))
    more = edges.clone()
    more[:, 0, 1], more[:, 1, 0] = 1 - more[:, 0, 1], 1 - more[:, 1, 0]
    assert (isomorphism_class(more) != isomorphism_class(edges)).all()


def test_no_class_is_on_both_sides():
    simulations = simulate("springs", 300, 5, frames=2, seed=2)
    known, away = class_split(simulations, 10, seed=3)
    classes = isomorphism_class(simulations.edges)
    assert (known ^ away).all() and not set(classes[known].tolist()) & set(classes[away].tolist())
    assert len(classes[away].unique()) == 10
    assert torch.equal(away, class_split(simulations, 10, seed=3)[1])
    assert not torch.equal(away, class_split(simulations, 10, seed=4)[1])


def test_what_has_no_class_is_said():
    with pytest.raises(ValueError, match="2 to 6 bodies"):
        isomorphism_class(torch.zeros(1, 7, 7))
    with pytest.raises(ValueError, match="0 or 1"):
        isomorphism_class(torch.full((1, 3, 3), 2))
    with pytest.raises(ValueError, match="one at least"):
        class_split(simulate("springs", 20, 3, frames=2), 4)
