"""The ground floor: skeletons, forward kinematics, motions, duets and their sources."""

import numpy as np
import pytest
import roma
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from torch.utils._python_dispatch import TorchDispatchMode

import choreo_lib as cl
from choreo_lib.body.bones import project_bone_lengths
from choreo_lib.body.kinematics import joint_positions
from choreo_lib.body.source import OURS, Source


def chain(seed=0, joints=6):
    rng = np.random.default_rng(seed)
    parents = (-1,) + tuple(int(rng.integers(0, j)) for j in range(1, joints))
    return cl.Skeleton(tuple(f"j{i}" for i in range(joints)), parents, rng.normal(size=(joints, 3)))


def dancer(seed=0, frames=12, source=cl.OURS):
    rng = np.random.default_rng(seed)
    skeleton = chain(seed)
    turns = Rotation.random(frames * len(skeleton), random_state=seed).as_quat().reshape(frames, len(skeleton), 4)
    return cl.Motion.from_rotations(turns, rng.normal(size=(frames, 3)), 30, skeleton, source=source)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_forward_kinematics_agrees_with_scipy(seed):
    rng = np.random.default_rng(seed)
    skeleton = chain(seed)
    turns = Rotation.random(len(skeleton), random_state=seed)
    root = rng.normal(size=3)
    world, where = [turns[0]], [root]
    for j in range(1, len(skeleton)):
        parent = skeleton.parents[j]
        where.append(where[parent] + world[parent].apply(skeleton.offsets[j].copy()))
        world.append(world[parent] * turns[j])
    positions, rotations = cl.forward_kinematics(skeleton, turns.as_quat(), root)
    np.testing.assert_allclose(positions, where, atol=1e-12)
    for got, true in zip(rotations, world, strict=True):
        assert (Rotation.from_quat(got) * true.inv()).magnitude() < 1e-9


def test_gradients_flow_through_forward_kinematics():
    skeleton = chain()
    turns = roma.random_unitquat((3, len(skeleton)), dtype=torch.float64).requires_grad_()
    run = lambda q: cl.forward_kinematics(skeleton, roma.quat_normalize(q), torch.zeros(3, 3).double())[0]  # noqa: E731
    assert torch.autograd.gradcheck(run, (turns,))


class Counted(TorchDispatchMode):
    """How many operators run that make numbers, and are no mere view of some."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += all(each.alias_info is None for each in function._schema.returns)
        return function(*args, **(kwargs or {}))


def test_a_pose_and_its_gradient_take_few_operators():
    """An operator is a kernel that a GPU has to launch; walked joint by joint, there were 3,729."""
    turns = roma.random_unitquat((2, 29)).requires_grad_()
    offsets = torch.ones(29, 3)
    step = lambda: joint_positions(cl.HYBRIK_29, turns, torch.zeros(2, 3), offsets).sum().backward()  # noqa: E731
    step()  # tables of levels are made once
    with Counted() as kernels:
        step()
    assert kernels.count < 230
    assert max(len(joints) for joints, _ in cl.HYBRIK_29.levels) == 5 and len(cl.HYBRIK_29.levels) == 10


def test_another_body_can_be_lent_its_bones():
    skeleton, motion = chain(), dancer()
    double, _ = cl.forward_kinematics(skeleton, motion.rotations, 2 * motion.positions[:, 0], 2 * skeleton.offsets)
    np.testing.assert_allclose(double, 2 * motion.positions, atol=1e-5)


@pytest.mark.parametrize(
    ("names", "parents", "word"),
    [
        (("a", "a"), (-1, 0), "twice"),
        (("a", "b"), (-1, 1), "parent"),
        (("a", "b"), (0, -1), "root"),
        (("a",), (), "one parent"),
        ((), (), "one parent"),
    ],
)
def test_a_broken_skeleton_is_refused_by_name(names, parents, word):
    with pytest.raises(ValueError, match=word):
        cl.Skeleton(names, parents)


def test_pairs_are_found_by_their_names():
    skeleton = cl.Skeleton(("root", "LeftArm", "RightArm", "l_toe", "r_toe", "collar"), (-1, 0, 0, 0, 0, 0))
    assert skeleton.left_right_pairs == ((1, 2), (3, 4))
    assert {len({a, b}) for a, b in cl.HYBRIK_29.left_right_pairs} == {2} and len(cl.HYBRIK_29.left_right_pairs) == 11


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (dict(fps=0), "fps"),
        (dict(fps=float("nan")), "fps"),
        (dict(positions=np.zeros((5, 2, 3))), "positions"),
        (dict(positions=np.full((4, 6, 3), np.nan)), "frame 0, joint 0"),
        (dict(positions=np.zeros((0, 6, 3))), "no frames"),
        (dict(rotations=np.zeros((12, 6, 4))), "zero"),
        (dict(rotations=np.ones((3, 6, 4))), "the same frames are 12"),
    ],
)
def test_bad_motion_is_refused_with_the_place(change, word):
    fields = dict(positions=dancer().positions, fps=30, skeleton=chain()) | change
    with pytest.raises(ValueError, match=word):
        cl.Motion(**fields)


def test_slices_keep_time_and_source():
    motion = dancer()
    assert len(motion[2:8]) == 6 and motion[::2].fps == 15 and motion[2:8].source == cl.OURS
    with pytest.raises(ValueError, match="no frames"):
        motion[5:5]
    with pytest.raises(TypeError, match="sliced"):
        motion[3]


def test_resampling_keeps_frames_that_both_rates_share():
    motion = dancer()
    np.testing.assert_allclose(motion.resampled(60).positions[::2], motion.positions, atol=1e-5)
    length = lambda p: np.linalg.norm(p[:, 1] - p[:, 0], axis=-1)  # noqa: E731
    assert np.ptp(length(motion.resampled(47).positions)) < 1e-5
    assert motion.resampled(47).duration == pytest.approx(motion.duration, abs=1.5 / 30)


def test_moving_a_motion_moves_points_and_rotations_alike():
    moved = dancer().transformed((1, 2, 3), turn=0.7)
    again, _ = cl.forward_kinematics(moved.skeleton, moved.rotations, moved.positions[:, 0])
    np.testing.assert_allclose(again, moved.positions, atol=1e-5)


def test_a_duet_needs_one_clock():
    a = dancer()
    with pytest.raises(ValueError, match="frames of both"):
        cl.Duet(a, a[:5])
    with pytest.raises(ValueError, match="resampled"):
        cl.Duet(a, cl.Motion(a.positions, 25, a.skeleton))
    assert cl.Duet(a, a).positions.shape == (12, 2, 6, 3)


def test_terms_travel_with_the_motion():
    study = cl.Source("salsa", "its makers", "study only")
    duet = cl.Duet(dancer(), dancer(1, source=study).transformed((1, 0, 0)).resampled(60).resampled(30))
    assert not duet.source.redistribute and "study only" in duet.source.terms
    assert not cl.Source.join(cl.OURS, None).redistribute, "what is unknown is not free"
    assert cl.Duet(dancer(), dancer()).source == cl.OURS


def _lengths(skeleton, positions):
    parents, children = torch.tensor(skeleton.bones).T
    return (positions[..., children, :] - positions[..., parents, :]).norm(dim=-1)


def test_kept_bones_have_their_lengths_and_joints_move_as_little_as_they_can():
    import scipy.optimize

    motion = cl.load_duet("synthetic/canon").a[:4]
    chance = torch.Generator().manual_seed(0)
    drawn = torch.from_numpy(motion.positions) + 0.01 * torch.randn(4, 29, 3, generator=chance)
    kept = project_bone_lengths(motion.skeleton, drawn)
    mean = _lengths(motion.skeleton, drawn).mean(0)
    torch.testing.assert_close(_lengths(motion.skeleton, kept), mean.expand(4, -1), atol=2e-4, rtol=0)
    start = drawn[0].double().numpy().ravel()  # against a general solver, for one frame
    target = mean.double().numpy()
    parents, children = np.transpose(motion.skeleton.bones)
    found = scipy.optimize.minimize(
        lambda x: ((x - start) ** 2).sum(), start, jac=lambda x: 2 * (x - start), method="SLSQP",
        constraints={"type": "eq", "fun": lambda x: np.linalg.norm(
            x.reshape(-1, 3)[children] - x.reshape(-1, 3)[parents], axis=1) - target})
    moved = np.linalg.norm(kept[0].double().numpy().ravel() - start), np.linalg.norm(found.x - start)
    assert found.success and moved[0] < 1.01 * moved[1]
    assert np.abs(kept[0].double().numpy().ravel() - found.x).max() < 0.005  # another point, as near


def test_kept_bones_take_lengths_and_let_gradients_through():
    skeleton = cl.Skeleton(("hip", "knee", "foot", "tip"), (-1, 0, 1, 2))
    chance = torch.Generator().manual_seed(1)
    drawn = torch.randn(2, 5, 4, 3, generator=chance, requires_grad=True)
    with torch.no_grad():
        drawn[:, :, 3] = drawn[:, :, 2]  # a bone without length is left alone
    lengths = torch.stack([_lengths(skeleton, drawn.detach())[..., 0].mean(1, keepdim=True),
                           _lengths(skeleton, drawn.detach())[..., 1].mean(1, keepdim=True), torch.zeros(2, 1)], -1)
    kept = project_bone_lengths(skeleton, drawn, lengths, iterations=12)
    torch.testing.assert_close(_lengths(skeleton, kept)[..., :2], lengths[..., :2].expand(-1, 5, -1), atol=1e-3, rtol=0)
    kept.square().sum().backward()
    assert torch.isfinite(drawn.grad).all() and drawn.grad.abs().sum() > 0
    still = project_bone_lengths(skeleton, drawn.detach()[:, :1])
    torch.testing.assert_close(still, drawn.detach()[:, :1])  # one frame is its own mean


def _apart(positions, pairs):
    one, other = map(list, zip(*pairs))
    return (positions[..., one, :] - positions[..., other, :]).norm(dim=-1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_links_keep_their_length_however_a_body_turns(seed):
    moved = torch.from_numpy(dancer(seed).positions)
    links = dancer(seed).skeleton.links
    assert links[: len(moved[0]) - 1] == dancer(seed).skeleton.bones and len(set(links)) == len(links)
    torch.testing.assert_close(_apart(moved, links), _apart(moved, links)[:1].expand(len(moved), -1), atol=1e-5, rtol=0)


def test_a_pelvis_that_was_folded_is_stiff_again_and_a_flat_one_does_not_leap():
    """Three children of one joint: bones alone let them fold together, struts do not."""
    body = cl.Skeleton(("pelvis", "spine", "left", "right"), (-1, 0, 0, 0))
    assert body.links == ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
    true = torch.tensor([[[0.0, 0, 0], [0, 0, 0.1], [0.08, 0.02, -0.05], [-0.08, 0.02, -0.05]]])
    folded = true.clone()
    folded[0, 2:, 0] *= 0.3
    lengths = _apart(true, body.links)
    stiff = project_bone_lengths(body, folded, lengths, iterations=8)
    torch.testing.assert_close(_apart(stiff, body.links), lengths, atol=1e-3, rtol=0)
    limp = project_bone_lengths(body, folded, _apart(true, body.bones), iterations=8)
    assert float((_apart(limp, body.links) - lengths).abs().max()) > 0.03
    flat = true * torch.tensor([1.0, 0, 1])  # in one plane a distance follows from the five others
    noisy = flat + 1e-6 * torch.randn(1, 4, 3, generator=torch.Generator().manual_seed(0))
    kept = [project_bone_lengths(body, each, _apart(flat, body.links) + 1e-4) for each in (flat, noisy)]
    assert float((kept[0] - kept[1]).abs().max()) < 1e-4


def test_a_joint_that_is_held_stays_and_the_others_make_room():
    skeleton = cl.Skeleton(("hip", "knee", "foot"), (-1, 0, 1))
    drawn, lengths = torch.tensor([[[0.0, 0, 0], [0.5, 0, 0], [1.0, 0, 0]]]), torch.tensor([[0.45, 0.45]])
    for held in range(3):
        inverse_mass = torch.ones(3)
        inverse_mass[held] = 1e-4
        kept = project_bone_lengths(skeleton, drawn, lengths, inverse_mass=inverse_mass)
        moved = (kept - drawn)[0].norm(dim=-1)
        torch.testing.assert_close(_lengths(skeleton, kept), lengths, atol=1e-4, rtol=0)
        assert moved[held] < 1e-3 and moved.max() > 0.04


def test_a_limb_drawn_through_itself_does_not_whirl():
    """A forearm that shrinks to nothing and comes out at the other side: kept, it jumps; in doubt, it passes."""
    skeleton = cl.Skeleton(("shoulder", "elbow", "hand"), (-1, 0, 1))
    across = torch.linspace(0.3, -0.3, 61)
    drawn = torch.zeros(61, 3, 3)
    drawn[:, 1, 0], drawn[:, 2, 0], drawn[:, 2, 1] = 0.3, 0.3 + across, 0.002
    lengths = torch.tensor([[0.3, 0.3]])
    whirl, calm = (
        project_bone_lengths(skeleton, drawn, lengths, compliance=compliance).diff(dim=0).norm(dim=-1).max()
        for compliance in (0, 8)
    )
    assert whirl > 0.1 and calm < 0.05
    near = drawn[:1] * 0.98  # nearly right, so hardly doubted
    assert (_lengths(skeleton, project_bone_lengths(skeleton, near, lengths, compliance=8)) - 0.3).abs().max() < 0.006


def test_what_is_made_of_what_was_made_names_each_source_once():
    salsa = Source("salsa", "its makers", "study only", url="https://example.org")
    made = Source.join(OURS, salsa)
    again = Source.join(salsa, made)
    assert again.name == f"salsa + {OURS.name}" and again.credit == f"its makers; {OURS.credit}"
    assert again.terms == f"study only; {OURS.terms}" and not again.redistribute
