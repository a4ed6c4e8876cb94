"""A dance in the other dancer's style: the map between Gaussians beside SciPy, and what of a pose it may change."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.ndimage import convolve1d

import choreo_lib as cl
from choreo_lib.body.rotations import quaternion_from_6d, quaternion_to_6d
from choreo_lib.extensions import StyleTransport
from choreo_lib.extensions.style_transport import ABLATIONS, gaussian_ot_map, regularised_covariance
from choreo_lib.sets import windows
from choreo_lib.systems.losses import rotation_difference


@pytest.fixture(scope="module")
def duet():
    """Two bodies of different sizes, of whom b stoops and swings the arms more widely."""
    a, b = cl.synthetic.duet("independent", frames=300, seed=4)
    turns, skeleton = b.rotations.copy(), b.skeleton
    turns[:, skeleton.index("spine1")] = [np.sin(0.2), 0.0, 0.0, np.cos(0.2)]
    for name in ("left_shoulder", "right_shoulder"):
        turns[:, skeleton.index(name), :3] *= 1.3
    turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
    tall = cl.synthetic.body(1.9, legs=1.1)
    return cl.Duet(a, cl.Motion.from_rotations(turns, b.positions[:, 0] * (1, 1, 1.05), 30, tall, source=cl.OURS))


@pytest.fixture(scope="module")
def cut(duet):
    return windows.cut(duet, 16, 3, rotations=True)


def make(cut, **settings):
    model = StyleTransport(cut.skeleton, **settings)
    model.fit_statistics(cut.batches(16))
    return model


def test_six_numbers_are_a_rotation_whatever_their_length():
    q = torch.nn.functional.normalize(torch.randn(50, 4, generator=torch.Generator().manual_seed(0)), dim=-1)
    axes = quaternion_to_6d(q)
    assert axes.shape == (50, 6) and torch.equal(axes, quaternion_to_6d(-q))
    torch.testing.assert_close(axes[:, ::2].norm(dim=1), torch.ones(50))
    bent = axes.clone()
    bent[:, 1::2] += 0.3 * axes[:, ::2]  # the second axis not perpendicular, both of other lengths
    for each in (axes, 3 * axes, bent):
        assert rotation_difference(quaternion_from_6d(each), q).max() < 1e-5


def test_one_gaussian_is_moved_onto_the_other_and_by_the_shortest_way():
    """Beside SciPy's roots of matrices; and no other map that carries it goes less far."""
    draw = torch.Generator().manual_seed(0)
    one, other = (x @ x.T + torch.eye(6) for x in torch.randn(2, 6, 6, generator=draw))
    way = gaussian_ot_map(one, other)
    torch.testing.assert_close(way @ one @ way.T, other, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(way, way.T, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.linalg.inv(way), gaussian_ot_map(other, one), rtol=1e-3, atol=1e-3)
    other_map = torch.from_numpy(sqrtm(other.numpy()).real @ np.linalg.inv(sqrtm(one.numpy()).real)).float()
    torch.testing.assert_close(other_map @ one @ other_map.T, other, rtol=1e-3, atol=1e-2)  # moves it there too
    far = [float(torch.trace((w - torch.eye(6)) @ one @ (w - torch.eye(6)).T)) for w in (way, other_map)]
    assert far[0] < far[1]


def test_a_ridge_is_added_to_every_variance():
    x = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    x -= x.mean(0)
    want = np.cov(x.numpy().T, bias=True) + 0.5 * np.eye(3)
    np.testing.assert_allclose(regularised_covariance(x, 0.5), want, atol=1e-6)


def test_moved_poses_have_the_others_mean_and_standard_deviation(cut):
    model, batch = make(cut, ridge=0.01, smoothing=0.0), cut[:]
    for route, source, target in (("ab", 0, 1), ("ba", 1, 0)):
        own, wanted = (model.features(batch[:, :, who, :, 3:]) for who in (source, target))
        moved = model.features(model(batch[:, :, source, :, 3:], route))
        for measure in (lambda x: x.mean((0, 1)), lambda x: x.std((0, 1))):
            before, after = ((measure(x) - measure(wanted)).abs().mean() for x in (own, moved))
            assert after < 0.5 * before


def test_without_transport_only_means_are_matched(cut):
    plain, batch = make(cut, transport=False), cut[:8][:, :, 0, :, 3:]
    assert torch.equal(plain.transport, torch.eye(len(plain.transport)))
    shifted = plain.features(batch) + plain.mean[1] - plain.mean[0]
    want = quaternion_from_6d(shifted.unflatten(-1, (-1, 6)))
    assert rotation_difference(plain(batch, "ab")[..., 1:, :], want).max() < 1e-5
    assert ABLATIONS == {"optimal transport": {"transport": False}, "smoothing": {"smoothing": 0.0}}
    assert rotation_difference(make(cut)(batch, "ab"), plain(batch, "ab")).mean() > 1e-4


def test_what_the_map_adds_is_smoothed_and_the_dance_is_not(cut):
    """Beside SciPy's convolution: a Hann window of 9 frames, ends held."""
    model, batch = make(cut), cut[:8][:, :, 0, :, 3:]
    sharp = make(cut, smoothing=0.0)
    x, y = sharp.features(batch), sharp.features(sharp(batch, "ab"))
    change = torch.randn(2, 16, 5, generator=torch.Generator().manual_seed(0))
    window = np.hanning(11)[1:-1]
    want = convolve1d(change.numpy(), window / window.sum(), axis=1, mode="nearest")
    np.testing.assert_allclose(model.smoothed(change), want, atol=1e-6)
    assert torch.equal(sharp.smoothed(change), change)
    third = lambda each: each.diff(n=3, dim=1).norm(dim=-1).mean()  # noqa: E731 (how it shakes)
    assert third(model.features(model(batch, "ab")) - x) < 0.7 * third(y - x)


def test_there_and_back_is_the_dance(duet, cut):
    model = make(cut, smoothing=0.0)
    turns = torch.from_numpy(duet.a.rotations)
    assert rotation_difference(model(model(turns, "ab"), "ba"), turns).mean() < 2e-3  # bent axes are made straight


def test_where_a_dancer_goes_and_faces_is_no_style(duet, cut):
    made = make(cut).translate(duet.a, "ab", feet=False)
    assert rotation_difference(*(torch.from_numpy(each.rotations[:, 0]) for each in (made, duet.a))).max() < 1e-5
    np.testing.assert_allclose(made.positions[:, 0, :2], duet.a.positions[:, 0, :2], atol=1e-6)
    moved = make(cut).translate(duet.a.transformed((2, -1, 0), turn=2.5), "ab")
    still = make(cut).translate(duet.a, "ab").transformed((2, -1, 0), turn=2.5)
    np.testing.assert_allclose(moved.positions, still.positions, atol=1e-3)


def test_a_root_is_as_high_as_the_legs_are_long(duet, cut):
    """As high as the dancer whose style it is, times how much longer the legs are than that dancer's."""
    model = make(cut)
    for body in (duet.b.skeleton, duet.a.skeleton, None):
        for weight, styled in ((1.0, duet.b), (0.0, duet.a)):
            made = model.translate(duet.a, "ab", body, weight, feet=False)
            longer = leg_length(body or duet.b.skeleton) / leg_length(styled.skeleton)
            assert made.positions[:, 0, 2].mean() == pytest.approx(longer * styled.positions[:, 0, 2].mean(), rel=0.02)


def leg_length(skeleton):
    return sum(np.linalg.norm(skeleton.offsets[skeleton.index(f"left_{part}")]) for part in ("hip", "knee", "ankle"))


def test_a_style_weight_is_a_part_of_the_way(duet, cut):
    model, own = make(cut), duet.a.skeleton
    ends = [model.translate(duet.a, "ab", own, weight, feet=False) for weight in (0.0, 1.0, 0.5)]
    np.testing.assert_allclose(ends[0].positions, duet.a.positions, atol=1e-4)
    half = [np.linalg.norm(ends[2].positions - end.positions, axis=-1).mean() for end in ends[:2]]
    assert np.linalg.norm(ends[0].positions - ends[1].positions, axis=-1).mean() > 0.01 and max(half) < 1.3 * min(half)


def test_what_it_cannot_read_or_write_is_refused(duet, cut):
    model = make(cut)
    for change, route, word in ((lambda m: replace(m, rotations=None), "ab", "no joint rotations"),
                                (lambda m: replace(m, fps=25), "ab", "25 frames a second"),
                                (lambda m: m, "aa", "this model has ab, ba")):
        with pytest.raises(ValueError, match=word):
            model.translate(change(duet.a), route)
    with pytest.raises(ValueError, match="joints"):
        model.translate(duet.a, body=cl.Skeleton(("pelvis",), (-1,), np.zeros((1, 3))))
    assert not model.translate(replace(duet.a, source=None)).source.redistribute


def test_it_is_built_again_from_its_config(duet, cut):
    model = make(cut)
    again = StyleTransport.from_config(model.config_dict())
    again.load_state_dict(model.state_dict())
    assert not list(model.parameters())
    np.testing.assert_array_equal(*(each.translate(duet.a, "ba").positions for each in (model, again)))
