"""Windows, frames of reference and augmentation: worked by hand, by loops over slices, or by Motion.moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import choreo_lib as cl
from choreo_lib.body.kinematics import positions_of
from choreo_lib.body.reference import ReferenceFrame, reference_frame, velocities
from choreo_lib.core.seeding import chunks
from choreo_lib.sets import synthetic
from choreo_lib.sets.augmentation import Augment, mirrored, noisy, swap_dancers, time_warp, turned
from choreo_lib.sets.splits import split_in_time
from choreo_lib.sets.windows import cut, takes_of

DEVICES = ["cpu"] + (["cuda", 0] if torch.cuda.is_available() else [])
BODY = cl.Skeleton(
    ("pelvis", "spine", "left_hip", "right_hip", "left_shoulder", "right_shoulder", "left_wrist"),
    (-1, 0, 0, 0, 1, 1, 4),
)
PAIRED = cl.Skeleton(BODY.names + ("right_wrist",), BODY.parents + (5,))


def counted(frames, take=0, fps=30.0, skeleton=BODY, source=cl.OURS):
    """A motion whose every number tells its take and frame: x is the take, y the frame, z the joint."""
    positions = np.zeros((frames, len(skeleton), 3))
    positions[..., 0], positions[..., 1] = take, np.arange(frames)[:, None]
    positions[..., 2] = np.arange(len(skeleton))
    return cl.Motion(positions, fps, skeleton, source=source)


def standing(facing=0.0, place=(0.0, 0.0), width=0.3):
    """One pose [7, 3] of BODY that looks along `facing` (0: along X), so its left is a quarter turn further."""
    ahead, left = np.array([np.cos(facing), np.sin(facing)]), np.array([-np.sin(facing), np.cos(facing)])
    side = np.array([0, 0, 1, -1, 1, -1, 1]) * width / 2
    flat = np.array(place) + side[:, None] * left + np.array([0, 0, 0, 0, 0, 0, 0.4])[:, None] * ahead
    return np.concatenate([flat, [[1.0], [1.3], [1.0], [1.0], [1.5], [1.5], [1.2]]], 1)


@pytest.fixture(scope="module")
def duet():
    return cl.synthetic.duet("mirror", frames=90, seed=3)


# Cutting


def test_windows_hold_the_frames_they_say():
    # 10 frames, windows of 4 two apart: they begin at 0, 2, 4, 6; the second take of 5 frames has one, at 0.
    windows = cut([counted(10, 0), counted(5, 1)], length=4, stride=2)
    assert windows.start.tolist() == [0, 2, 4, 6, 0] and windows.take.tolist() == [0, 0, 0, 0, 1]
    assert windows[:].shape == (5, 4, 1, 7, 3) and windows[:].dtype == torch.float32
    assert windows[2][:, 0, 0, 1].tolist() == [4, 5, 6, 7] and windows[4][:, 0, 0, :2].tolist() == [
        [1, t] for t in range(4)
    ]
    assert windows[[4, 0]][:, 0, 0, 0, 0].tolist() == [1, 0]
    assert windows[windows.take == 1].shape == (1, 4, 1, 7, 3)


@given(
    frames=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    length=st.integers(1, 9), stride=st.integers(1, 6), step=st.integers(1, 4),
)  # fmt: skip
def test_windows_are_the_slices_of_each_take(frames, length, stride, step):
    takes = [cl.Duet(counted(n, k), counted(n, k + 0.5)) for k, n in enumerate(frames)]
    span = (length - 1) * step + 1
    wanted = [
        (k, s, take.positions[s : s + span : step])
        for k, take in enumerate(takes) for s in range(0, len(take) - span + 1, stride)
    ]  # fmt: skip
    if not wanted:
        with pytest.raises(ValueError, match=f"spans {span} frames and the longest take has {max(frames)}"):
            cut(takes, length, stride, step)
        return
    windows = cut(takes, length, stride, step)
    assert list(zip(windows.take.tolist(), windows.start.tolist())) == [(k, s) for k, s, _ in wanted]
    np.testing.assert_array_equal(windows[:].numpy(), np.stack([positions for *_, positions in wanted]))
    assert len(windows.skipped) == sum(n < span for n in frames)
    assert windows.fps == 30 / step


def test_joints_that_stay_hang_from_the_nearest_that_stays():
    # left_wrist hangs from left_shoulder, from spine, from pelvis: with those two gone, from the pelvis.
    windows = cut(counted(5), 3, joints=["left_wrist", "pelvis", "left_hip"])
    assert windows.skeleton == cl.Skeleton(("pelvis", "left_hip", "left_wrist"), (-1, 0, 0))
    assert windows[0][0, 0, :, 2].tolist() == [0, 2, 6]
    with pytest.raises(ValueError, match="there is no nose"):
        cut(counted(5), 3, joints=["pelvis", "nose"])
    with pytest.raises(ValueError, match="pelvis is missing"):
        cut(counted(5), 3, joints=["left_hip"])


def test_the_take_that_differs_is_named():
    solo, other = counted(9), counted(9, skeleton=cl.Skeleton(("hips", "head"), (-1, 0)))
    with pytest.raises(ValueError, match="take 1 runs at 25 frames per second and take 0 at 30"):
        cut([solo, counted(9, fps=25.0)], 4)
    with pytest.raises(ValueError, match=r"dancer a of take 1 has other joints \(2: hips, head"):
        cut([solo, other], 4)
    with pytest.raises(ValueError, match="dancer b of take 0 has other joints"):
        cut(cl.Duet(solo, other), 4)
    with pytest.raises(ValueError, match="take 1 has 2 dancers and take 0 has 1"):
        cut([solo, cl.Duet(solo, solo)], 4)
    for wrong in (dict(length=0), dict(stride=0), dict(step=-1)):
        with pytest.raises(ValueError, match="at least 1"):
            cut(solo, **wrong)
    with pytest.raises(ValueError, match="0 takes"):
        cut([])


def test_windows_know_where_they_are_from():
    private = cl.Source("studio", redistribute=False)
    windows = cut([counted(9), counted(9, source=private), counted(2)], 4)
    assert windows.source.name == "choreo_lib + studio" and not windows.source.redistribute
    assert windows.skipped == ("take 2: 2 frames, and a window spans 4",)
    assert cut(counted(9), 4).source == cl.OURS
    assert repr(windows) == "Windows(12 of 4 frames from 2 takes, 1 x 7 joints, 30 fps, 1 takes too short)"


def test_bodies_of_other_sizes_share_joints_but_not_offsets(duet):
    assert duet.a.skeleton != duet.b.skeleton
    windows = cut(duet, 8)
    assert windows.skeleton.names == duet.a.skeleton.names and windows.skeleton.offsets is None
    assert cut(duet.a, 8).skeleton == duet.a.skeleton


def test_a_subset_shares_its_frames():
    windows = cut([counted(10, 0), counted(9, 1)], 4)
    second = windows.subset(windows.take == 1)
    assert len(second) == 6 and second.start.tolist() == list(range(6))
    assert second.frames.data_ptr() == windows.frames.data_ptr()
    assert second[0][0, 0, 0].tolist() == [1, 0, 0]
    assert windows.subset([0, 12]).take.tolist() == [0, 1]


def test_frames_may_stay_on_the_disk(tmp_path):
    windows = cut([counted(30, 0), counted(9, 1)], 4)
    windows.frames.numpy().tofile(tmp_path / "frames.bin")
    mapped = np.memmap(tmp_path / "frames.bin", np.float32, "c", shape=tuple(windows.frames.shape))
    there = replace(windows, frames=torch.from_numpy(mapped))
    assert torch.equal(there[[3, 30]], windows[[3, 30]])


def test_all_salsa_takes_give_the_windows_that_their_lengths_allow(real_data):
    real_data("salsa")
    split = cl.splits("salsa")
    takes = [cl.load_duet(name) for role in ("train", "validation", "test") for name in split[role]]
    windows = cut(takes)
    # the eight takes have 11,026 frames, and each loses the last 63 as beginnings: 11,026 - 8 * 63
    assert len(windows) == 10_522 and windows[:2].shape == (2, 64, 2, 27, 3)
    assert not windows.source.redistribute


# Batches


def test_batches_go_through_every_window_once():
    windows = cut([counted(10, 0), counted(9, 1)], 4)  # 7 + 6 windows
    seen = list(windows.batches(5))
    assert [len(batch) for batch in seen] == [5, 5, 3]
    assert torch.equal(torch.cat(seen), windows[:])
    shuffled = torch.cat(list(windows.batches(5, seed=1)))
    assert not torch.equal(shuffled, windows[:])
    key = lambda batch: sorted((b[0, 0, 0, 0].item(), b[0, 0, 0, 1].item()) for b in batch)  # noqa: E731
    assert key(shuffled) == key(windows[:])
    assert torch.equal(shuffled, torch.cat(list(windows.batches(5, seed=1))))
    assert not torch.equal(shuffled, torch.cat(list(windows.batches(5, seed=1, epoch=1))))
    assert not torch.equal(shuffled, torch.cat(list(windows.batches(5, seed=2))))
    assert torch.equal(windows[chunks(len(windows), 99, 1)[0]], shuffled)


def test_a_last_batch_is_dropped_only_where_another_is_left():
    windows = cut(counted(10), 4)  # 7 windows
    assert [len(b) for b in windows.batches(5, drop_last=True)] == [5]
    assert [len(b) for b in windows.batches(7, drop_last=True)] == [7]
    assert [len(b) for b in windows.batches(50, drop_last=True)] == [7]


@settings(max_examples=10)
@given(begin=st.integers(0, 6), epoch=st.integers(0, 3))
def test_an_epoch_goes_on_where_it_was_left(begin, epoch):
    augment = Augment(length=6)
    windows = cut(cl.synthetic.duet("canon", frames=32), augment.required_length)
    ways = dict(size=4, seed=5, epoch=epoch, augment=augment)
    whole, rest = list(windows.batches(**ways)), list(windows.batches(**ways, begin=begin))
    assert len(rest) == max(len(whole) - begin, 0)
    assert all(torch.equal(x, y) for x, y in zip(rest, whole[begin:]))


def test_the_order_and_every_batch_draw_from_generators_of_their_own():
    windows, seen = cut(counted(10), 4), []

    class Listen:
        required_length = length = 4

        def __call__(self, batch, skeleton, generator):
            seen.append(generator.initial_seed())
            assert not torch.equal(torch.randperm(7, generator=generator), chunks(7, 7, 1, epoch)[0])
            return batch

    for epoch in (0, 1):
        list(windows.batches(3, seed=1, epoch=epoch, augment=Listen()))
    assert len(set(seen)) == 6  # two epochs of three batches


def test_batches_say_what_they_need():
    windows = cut(counted(70, skeleton=PAIRED), 64)
    with pytest.raises(ValueError, match="give a seed"):
        next(windows.batches(4, augment=Augment()))
    with pytest.raises(ValueError, match="have 64 frames and the augmentation needs 74 to give 64"):
        next(windows.batches(4, seed=0, augment=Augment()))
    with pytest.raises(ValueError, match="at least 1"):
        next(windows.batches(0))
    with pytest.raises(ValueError, match="from 0 windows"):
        next(windows.subset([]).batches(4))


@pytest.mark.parametrize("device", DEVICES)
def test_batches_are_the_same_on_every_device(duet, device):
    augment = Augment(length=16)
    windows = cut(duet, augment.required_length)
    here = list(windows.batches(16, seed=2, augment=augment))
    for there in (windows.batches(16, seed=2, augment=augment, device=device),
                  windows.to(device).batches(16, seed=2, augment=augment)):  # fmt: skip
        for x, y in zip(here, there, strict=True):
            assert y.device.type == torch.device(device).type
            torch.testing.assert_close(x, y.cpu(), atol=1e-5, rtol=0)


# Splits


def test_parts_of_a_take_lie_apart():
    # 1,000 frames less two gaps of 64 are 872; 70 % of them end at 610, 85 % at 741 (rounded).
    parts = split_in_time(counted(1000))
    assert [part.positions[[0, -1], 0, 1].tolist() for part in parts] == [[0, 609], [674, 804], [869, 999]]
    both = split_in_time(cl.Duet(counted(100), counted(100)), (0.5, 0.5), gap=10)
    assert [len(part) for part in both] == [45, 45]


def test_a_split_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="too few for 3 parts with 64"):
        split_in_time(counted(120))
    for shares in ((0.5, 0.4), (1.2, -0.2)):
        with pytest.raises(ValueError, match="add up to 1"):
            split_in_time(counted(500), shares)


# Frames of reference


def pair(*poses):
    return torch.from_numpy(np.stack(poses))[None, None]  # [1, 1, D, J, 3]


def test_the_duets_frame_stands_between_and_looks_from_a_to_b():
    # a at (0, 0), b at (0, 2): midway is (0, 1), and b is along Y, a quarter turn from X.
    batch = pair(standing(0.3, (0, 0)), standing(1.0, (0, 2)))
    frame = reference_frame(batch, 0, BODY)
    np.testing.assert_allclose(frame.origin, [[0, 1, 0]], atol=1e-12)
    np.testing.assert_allclose(frame.heading, [np.pi / 2], atol=1e-12)
    seen = frame.to_local(batch)
    np.testing.assert_allclose(seen[0, 0, :, 0], [[-1, 0, 1], [1, 0, 1]], atol=1e-12)
    # what lies at world (-1, 1) is to the left of one who looks along Y
    np.testing.assert_allclose(frame.to_local(torch.tensor([[-1.0, 1.0, 0.5]]).double()), [[0, 1, 0.5]], atol=1e-12)


@pytest.mark.parametrize("facing", [0.0, 0.7, 2.9, -2.0])
def test_a_dancers_frame_looks_where_the_dancer_faces(facing):
    batch = pair(standing(0.0), standing(facing, (3, -2)))
    frame = reference_frame(batch, 0, BODY, of="b")
    np.testing.assert_allclose(frame.heading, [facing], atol=1e-12)
    np.testing.assert_allclose(frame.origin, [[3, -2, 0]], atol=1e-12)
    seen = frame.to_local(batch)[0, 0, 1]
    # the left hip 15 cm to the left, the left wrist 40 cm ahead as well: as `standing` puts them
    np.testing.assert_allclose(seen[[2, 6]], [[0, 0.15, 1.0], [0.4, 0.15, 1.2]], atol=1e-12)


def test_dancers_in_one_place_look_where_a_faces():
    close = pair(standing(1.0), standing(-2.0, (0.006, 0.003)))
    np.testing.assert_allclose(reference_frame(close, 0, BODY).heading, [1.0], atol=1e-12)
    apart = pair(standing(1.0), standing(-2.0, (0.012, 0.0)))
    np.testing.assert_allclose(reference_frame(apart, 0, BODY).heading, [0.0], atol=1e-12)


def test_dancers_who_hold_hands_face_each_other():
    duet = cl.synthetic.duet("contact", frames=120, seed=3)
    frames = torch.from_numpy(duet.positions)[:, None]  # each frame a window of its own
    a, b, both = (reference_frame(frames, 0, duet.a.skeleton, of).heading for of in ("a", "b", "duet"))
    assert torch.cos(a - both).min() > 0.9 and torch.cos(b - both).max() < -0.9


@pytest.mark.parametrize("of", ["duet", "a", "b"])
@given(
    turn=st.floats(-10, 10), x=st.floats(-30, 30), y=st.floats(-30, 30), at=st.integers(-1, 7), apart=st.floats(0, 0.02)
)
def test_moving_the_world_changes_nothing_that_is_seen(of, turn, x, y, at, apart):
    rng = np.random.default_rng(0)
    poses = np.stack([standing(0.4), standing(-1.1, (apart, 0))]) + 0.02 * rng.normal(size=(3, 8, 2, 7, 3))
    poses[:, at, :, 0, :2] = [(0, 0), (apart, 0)]  # pelvises where they were put, on both sides of one centimetre
    if abs(apart - 0.01) < 1e-6:
        return
    batch = torch.from_numpy(poses)
    cos, sin = np.cos(turn), np.sin(turn)
    moved = batch @ torch.tensor([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]).T + torch.tensor([x, y, 0.0])
    frame, other = reference_frame(batch, at, BODY, of), reference_frame(moved, at, BODY, of)
    torch.testing.assert_close(frame.to_local(batch), other.to_local(moved), atol=1e-9, rtol=0)
    torch.testing.assert_close(other.to_world(other.to_local(moved)), moved, atol=1e-9, rtol=0)


def test_a_frame_serves_anything_that_belongs_to_the_window():
    frame = ReferenceFrame(torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0]]), torch.tensor([np.pi / 2, 0.0]))
    for shape in ((2, 3), (2, 5, 3), (2, 4, 5, 3), (2, 6, 2, 5, 3)):
        x = torch.zeros(shape)
        # the world's origin, seen from (1, 2) looking along Y: 2 m behind and 1 m to the left
        torch.testing.assert_close(frame.to_local(x)[0].reshape(-1, 3)[0], torch.tensor([-2.0, 1.0, 0.0]))
        torch.testing.assert_close(frame.to_local(x)[1], x[1])


def test_gradients_flow_through_the_frame():
    poses = pair(standing(0.4), standing(-1.1, (1, 0.5)))[0].requires_grad_()
    for of in ("duet", "a"):
        assert torch.autograd.gradcheck(lambda x, of=of: reference_frame(x[None], 0, BODY, of).to_local(x[None]), poses)
    near = pair(standing(0.4), standing(-1.1))[0].requires_grad_()  # pelvises in one place
    reference_frame(near[None], 0, BODY).to_local(near[None]).square().sum().backward()
    assert torch.isfinite(near.grad).all()


def test_frames_that_cannot_be_are_refused():
    solo = torch.zeros(1, 1, 1, 7, 3)
    with pytest.raises(ValueError, match="for 1 dancer"):
        reference_frame(solo, 0, BODY)
    with pytest.raises(ValueError, match="no frame of 'c'"):
        reference_frame(pair(standing(), standing()), 0, BODY, "c")
    with pytest.raises(ValueError, match="no left and right hip"):
        reference_frame(torch.zeros(1, 1, 1, 2, 3), 0, cl.Skeleton(("hips", "head"), (-1, 0)), "a")


# Velocities


def test_velocities_are_differences_to_the_frame_before():
    # x = t^2 at 10 frames a second: steps 1, 3, 5, so 10, 30, 50 m/s, and the first repeats the second
    batch = (torch.arange(4.0) ** 2).reshape(1, 4, 1, 1, 1).expand(1, 4, 2, 3, 3)
    assert velocities(batch, 10)[0, :, 0, 0, 0].tolist() == [10, 10, 30, 50]
    # over two frames: (4 - 0) / 0.2 s = 20, (9 - 1) / 0.2 s = 40
    assert velocities(batch, 10, gap=2)[0, :, 1, 2, 1].tolist() == [20, 20, 20, 40]
    assert velocities(batch, 10).shape == batch.shape
    with pytest.raises(ValueError, match="gap 4 in windows of 4"):
        velocities(batch, 10, gap=4)


# Augmentation


def test_turned_is_the_world_turned_about_the_dancers(duet):
    batch = torch.from_numpy(duet.positions)[None, 10:30].repeat(2, 1, 1, 1, 1)
    angles = torch.tensor([0.8, -2.5])
    middle = batch[0, 0, :, 0].mean(0).double().numpy() * (1, 1, 0)
    for k, angle in enumerate(angles.tolist()):
        # to the origin, turn, and back, by Motion.moved
        wanted = [m[10:30].transformed(-middle).transformed(turn=angle).transformed(middle).positions for m in duet]
        np.testing.assert_allclose(turned(batch, angles)[k], np.stack(wanted, 1), atol=2e-6)


def test_a_mirror_exchanges_left_and_right(duet):
    batch = torch.from_numpy(duet.positions)[None]
    names, there = duet.a.skeleton.names, mirrored(batch, duet.a.skeleton)
    for joint, twin in (("left_wrist", "right_wrist"), ("right_bigtoe", "left_bigtoe"), ("head", "head")):
        x, y, z = batch[0, 7, 1, names.index(joint)].tolist()
        assert there[0, 7, 1, names.index(twin)].tolist() == [-x, y, z]
    assert torch.equal(mirrored(there, duet.a.skeleton), batch)
    # seen from the dancer, what was ahead stays ahead and what was left is right
    seen = [reference_frame(x, 7, duet.a.skeleton, "a").to_local(x) for x in (batch, there)]
    back = mirrored(seen[0].flip(-1), duet.a.skeleton).flip(-1)  # a mirror across z ...
    flipped = back * torch.tensor([1.0, -1.0, -1.0])  # ... made one across y
    torch.testing.assert_close(seen[1], flipped, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="no left and right"):
        mirrored(batch[..., :2, :], cl.Skeleton(("hips", "head"), (-1, 0)))


def test_exchanged_and_noisy(duet):
    batch = torch.from_numpy(duet.positions)[None]
    assert torch.equal(swap_dancers(batch)[:, :, 0], batch[:, :, 1]) and torch.equal(
        swap_dancers(swap_dancers(batch)), batch
    )
    noise = noisy(batch, 0.002, torch.Generator().manual_seed(1)) - batch
    # 15,660 draws: the standard deviation's own error is 0.002 / sqrt(2 * 15,660) = 1.1e-5
    assert abs(noise.std().item() - 0.002) < 5e-5 and abs(noise.mean().item()) < 8e-5
    assert torch.equal(noisy(batch, 0.002, torch.Generator().manual_seed(1)) - batch, noise)


def test_another_tempo_is_interpolation_in_time(duet):
    batch = torch.from_numpy(duet.positions)[None, :24].repeat(3, 1, 1, 1, 1)
    factors = torch.tensor([0.85, 1.0, 1.15])
    given = time_warp(batch, factors, 20)
    assert given.shape == (3, 20, 2, 29, 3)
    for k, factor in enumerate((0.85, 1.0, 1.15)):
        wanted = np.interp(np.arange(20) * factor, np.arange(24), duet.b.positions[:24, 20, 0])
        np.testing.assert_allclose(given[k, :, 1, 20, 0], wanted, atol=5e-3)  # near to straight lines, and not on them
    np.testing.assert_array_equal(given[1], batch[1, :20])
    parabola = (torch.arange(24.0) ** 2).reshape(1, -1, 1, 1, 1)
    slow = time_warp(parabola, torch.tensor([0.85]), 20)[0, :, 0, 0, 0]
    np.testing.assert_allclose(slow[2:], (0.85 * np.arange(20))[2:] ** 2, atol=1e-3)  # cubics know a parabola
    # 19 * 1.3 = 24.7 is past frame 23, and needs frames 0 to 25
    with pytest.raises(ValueError, match="windows of 26 frames; these have 24"):
        time_warp(batch, 1.3 * torch.ones(3), 20)


@given(length=st.integers(1, 200), tempo=st.sampled_from([0.0, 0.05, 0.1, 0.15, 0.3, 0.5]))
def test_the_reach_is_what_the_fastest_tempo_needs_and_no_more(length, tempo):
    reach = Augment(length, tempo=tempo).required_length
    assert (length - 1) * (1 + tempo) <= reach - 1 + 1e-6 < (length - 1) * (1 + tempo) + 1 + 1e-5
    line = torch.arange(float(reach)).reshape(1, -1, 1, 1, 1)
    fastest = time_warp(line, torch.tensor([1 + tempo]), length)[0, :, 0, 0, 0]
    np.testing.assert_allclose(fastest, (1 + tempo) * np.arange(length), rtol=1e-5, atol=1e-4)


def test_augmentation_draws_by_the_generator_alone(duet):
    augment = Augment(length=20)
    assert augment.required_length == 23  # 19 * 1.15 = 21.85: frames 0 to 22
    batch = cut(duet, augment.required_length)[:16]
    draw = lambda seed, each=augment: each(batch, duet.a.skeleton, torch.Generator().manual_seed(seed))  # noqa: E731
    assert draw(1).shape == (16, 20, 2, 29, 3)
    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))
    nothing = Augment(length=20, turn=False, mirror=0, exchange=0, noise=0, tempo=0)
    assert nothing.required_length == 20 and torch.equal(draw(1, nothing), batch)
    # one at a time, each is the function of its name
    skeleton = duet.a.skeleton
    assert torch.equal(draw(1, replace(nothing, mirror=1.0)), mirrored(batch, skeleton))
    assert torch.equal(draw(1, replace(nothing, exchange=1.0)), swap_dancers(batch))
    half = draw(1, replace(nothing, mirror=0.5))
    kinds = [torch.equal(x, y) - torch.equal(x, z) for x, y, z in zip(half, batch, mirrored(batch, skeleton))]
    assert set(kinds) == {1, -1}  # each window is itself or mirrored, and both occur among 16
    # turning keeps the distance between a's left hand and b's right
    apart = lambda x: (x[:, :, 0, 20] - x[:, :, 1, 21]).norm(dim=-1)  # noqa: E731
    spun = draw(1, replace(nothing, turn=True))
    torch.testing.assert_close(apart(spun), apart(batch), atol=1e-5, rtol=0)
    assert (spun - batch).abs().max() > 0.1


def test_every_tempo_is_as_likely_and_none_is_outside():
    # a joint at frame t of every window is at x = t, so the second frame's x is the tempo
    line = torch.arange(11.0).reshape(1, 11, 1, 1, 1).expand(2000, 11, 1, 1, 3)
    augment = Augment(length=9, turn=False, mirror=0, noise=0, tempo=0.2)
    tempo = augment(line, cl.Skeleton(("hips",), (-1,)), torch.Generator().manual_seed(0))[:, 1, 0, 0, 0]
    assert 0.8 <= tempo.min() < 0.801 and 1.199 < tempo.max() <= 1.2
    # uniform from 0.8 to 1.2: deviation 0.4 / sqrt(12) = 0.1155; the mean's own error is that over sqrt(2000), 0.0026
    assert abs(tempo.mean() - 1) < 0.01 and abs(tempo.std() - 0.1155) < 0.01


def test_a_solo_is_augmented_too(duet):
    augment = Augment(length=20)
    windows = cut(duet.a, augment.required_length)
    (batch,) = windows.batches(100, seed=0, augment=augment)
    assert batch.shape == (len(windows), 20, 1, 29, 3) and torch.isfinite(batch).all()


# Rotations


def test_windows_of_transforms_are_where_the_dancers_are(duet):
    plain, turns = cut(duet, 20, stride=7), cut(duet, 20, stride=7, rotations=True)
    assert turns[:].shape == (len(plain), 20, 2, len(duet.a.skeleton), 7)
    assert torch.allclose(positions_of(turns.skeleton, turns[:]), plain[:], atol=1e-5)


def test_transforms_keep_each_body_and_the_sign_of_each_turn():
    tall = cl.synthetic.body(1.9)
    short = cl.synthetic.duet("mirror", frames=40, seed=1).a
    flipped = replace(short, rotations=short.rotations * np.where(np.arange(40) % 3, 1, -1)[:, None, None])
    long = cl.Motion.from_rotations(short.rotations, short.positions[:, 0], 30, tall)
    windows = cut([short, flipped, long], 40, rotations=True)
    assert torch.equal(windows[0], windows[1] * windows[1].new_tensor([1, 1, 1, *[-1] * 4]))  # one sign, all along
    assert ((windows[:][:, 1:, ..., 3:] * windows[:][:, :-1, ..., 3:]).sum(-1) > 0).all()
    assert torch.allclose(positions_of(windows.skeleton, windows[2])[:, 0], torch.from_numpy(long.positions), atol=1e-5)


def test_what_has_no_rotations_cannot_be_cut_with_them(duet):
    with pytest.raises(ValueError, match="take 1 has no joint rotations"):
        cut([duet.a, replace(duet.b, rotations=None)], 20, rotations=True)
    with pytest.raises(ValueError, match="none can be left out"):
        cut(duet, 20, joints=duet.a.skeleton.names[:5], rotations=True)


@pytest.mark.parametrize("change", [
    lambda x, body: turned(x, torch.linspace(-3, 3, len(x))),
    mirrored,
    lambda x, body: swap_dancers(x),
    lambda x, body: Augment(length=12, noise=0, tempo=0.0)(x, body, torch.Generator().manual_seed(3)),
])  # fmt: skip
def test_transforms_are_augmented_as_positions_are(duet, change):
    body = duet.a.skeleton
    turns, plain = (cut(duet, 12, stride=9, rotations=kind)[:] for kind in (True, False))
    assert torch.allclose(positions_of(body, change(turns, body)), change(plain, body), atol=1e-5)


def test_another_tempo_keeps_turns_turns_and_bones_bones(duet):
    augment = Augment(length=20, turn=False, mirror=0, exchange=0, noise=0, tempo=0.3)
    turns, plain = (
        next(cut(duet, augment.required_length, stride=9, rotations=kind).batches(8, seed=2, augment=augment))
        for kind in (True, False)
    )
    assert torch.allclose(turns[..., 3:].norm(dim=-1), torch.ones(()), atol=1e-6)
    assert torch.allclose(turns[..., 1:, :3], turns[:, :1, :, 1:, :3], atol=1e-6)
    assert (positions_of(duet.a.skeleton, turns) - plain).norm(dim=-1).max() < 0.005  # a curve, drawn in two ways
    with pytest.raises(ValueError, match="noise"):
        next(cut(duet, 20, rotations=True).batches(8, seed=2, augment=Augment(20, tempo=0)))


def test_takes_keep_what_was_planted_in_them_though_some_are_too_short():
    takes = [synthetic.duet("drives", frames, seed=k, drives=1) for k, frames in enumerate((30, 8, 25))]
    windows = cut(takes, 20)
    again = takes_of(windows)
    assert [duet.coupling for duet in again] == [takes[0].coupling, takes[2].coupling]
    assert [len(duet) for duet in again] == [30, 25] and windows.couplings[1] == takes[1].coupling
    assert takes_of(cut(takes[0][:25], 20))[0].coupling == takes[0].coupling
    last = takes_of(windows.subset(windows.take == 2))
    assert len(last) == 1 and np.array_equal(last[0].positions, takes[2].positions)
