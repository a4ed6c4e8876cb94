"""Chapter 2's repairs, measured on takes spoiled on purpose, where the truth is known."""

import json
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.fft import dct

import choreo_lib as cl
from choreo_lib import cleaning
from choreo_lib.io import landmarks
from choreo_lib.io.detections import read_detections
from choreo_lib.io.joint_sets import SMPL_24, guess_tree

TAKES = ["salsa/Easy_03", "salsa/move_03_03"]


def jerk(positions, fps=30):
    return np.linalg.norm(np.diff(positions, 3, axis=0), axis=-1).mean() * fps**3


def named(duet, spoiled):
    """Positions with dancer a of the take first: `clean` calls a whoever the first full frame lists first."""
    first = next(who for who in spoiled.who if {0, 1} <= set(who.tolist()))
    x = duet.positions.astype(float)
    return x if [k for k in first if k < 2][0] == 0 else x[:, ::-1]


def identity_right(report, spoiled):
    """For each frame that shows somebody: is each dancer who was seen found, and nobody else taken for them?"""
    first = next(who for who in spoiled.who if {0, 1} <= set(who.tolist()))
    order = [k for k in first if k < 2]
    right = np.ones(len(spoiled.who), bool)
    for t, who in enumerate(spoiled.who):
        for column, dancer in enumerate(order):
            i = report.index[t, column]
            right[t] &= who[i] == dancer if i >= 0 else dancer not in who
    return right


def lag(x, y, most=10):
    """The shift in frames at which the velocities of y are most like those of x."""
    u, v = (np.diff(z, axis=0).reshape(len(z) - 1, -1) for z in (x, y))
    inside = slice(most, -most)
    return int(np.argmax([(u[inside] * np.roll(v, -k, axis=0)[inside]).sum() for k in range(-most, most + 1)])) - most


@pytest.mark.parametrize("name", TAKES)
@pytest.mark.parametrize("seed", range(5))
def test_a_spoiled_take_is_put_right(real_data, name, seed):
    real_data(name)
    duet = cl.load_duet(name)
    truth = duet.positions.astype(float)
    spoiled = cleaning.corrupt(duet, seed)
    cleaned, report = cl.clean(spoiled.people, duet.fps)
    right = identity_right(report, spoiled)
    apart = np.linalg.norm(truth[:, 0, 0] - truth[:, 1, 0], axis=-1)
    assert right[apart > 0.5].all() and right.mean() >= 0.99
    positions = named(cleaned, spoiled)
    error = np.linalg.norm(positions - truth, axis=-1).mean()
    theirs, kept = cleaning.as_prototyped(spoiled.people, spoiled.scores)
    if np.linalg.norm(theirs[0] - truth[kept[0]]) > np.linalg.norm(theirs[0, ::-1] - truth[kept[0]]):
        theirs = theirs[:, ::-1]
    # the prototype leaves missing frames out, so its k-th frame is no longer the k-th of the take
    assert error <= np.linalg.norm(theirs - truth[: len(theirs)], axis=-1).mean() / 3
    # and where its frames are put back on the clock by hand, it is still the worse of the two
    assert error < np.linalg.norm(theirs - truth[kept], axis=-1).mean()
    assert 0.8 <= jerk(positions) / jerk(truth) <= 1.25
    assert lag(truth, positions) == 0
    lengths = np.linalg.norm([cleaned.positions[:, :, c] - cleaned.positions[:, :, p]
                              for p, c in cleaned.a.skeleton.bones], axis=-1)  # fmt: skip
    assert lengths.std(axis=1).max() < 1e-5


def test_the_report_counts_what_was_spoiled():
    duet = cl.load_duet("synthetic/canon")
    spoiled = cleaning.corrupt(duet, seed=3)
    _, report = cl.clean(spoiled.people, 30)
    people = np.array([len(frame) for frame in spoiled.people])
    assert (report.seen == people).all() and (people == 0).sum() == 30
    assert (people == 1).sum() == 15 and (people == 3).sum() == 12
    assert identity_right(report, spoiled).all()
    order = [tuple(k for k in who if k < 2) for who in spoiled.who if {0, 1} <= set(who.tolist())]
    assert len(report.swaps) == sum(x != y for x, y in pairwise(order))
    assert report.clutter.sum() == 12 and report.filled.sum() == 2 * 30 + 15
    assert np.abs(report.noise - 0.02).max() < 0.002  # two centimetres were planted
    assert "dancer a filled" in repr(report) and "<table>" in report._repr_html_()
    assert len(report.timeline().axes) == 1


def test_dancers_are_followed_through_a_crossing_and_an_absence():
    """Two points walk through one place; one of them hides for the crossing. By nearest neighbour they change names."""
    t = np.arange(61) / 60
    body = np.stack([np.zeros(5), np.zeros(5), np.linspace(0, 1, 5)], axis=-1)
    a = np.stack([4 * t - 2, 0 * t, 0 * t], axis=-1)[:, None] + body
    b = np.stack([2 - 4 * t, 0 * t + 0.05, 0 * t], axis=-1)[:, None] + 1.05 * body
    frames = [np.stack([a[k], b[k]]) for k in range(61)]
    for k in range(24, 38):
        frames[k] = frames[k][:1] if k < 28 else frames[k][:0]
    index, _ = cleaning.track(frames, 30)
    assert (index[:24] == (0, 1)).all() and (index[38:] == (0, 1)).all()
    assert (index[24:28] == (0, -1)).all() and (index[28:38] == -1).all()


def test_smoothing_a_line_or_a_parabola_changes_nothing_and_adds_no_lag():
    """A path with no jerk is its own smoothest path; only the tension that tames long gaps may touch it, slightly."""
    t = np.arange(90)[:, None, None] / 30
    path = np.concatenate([1 + 2 * t, 0.5 * t**2, 0 * t], axis=-1)
    np.testing.assert_allclose(cleaning.smooth(path, 30)[0], path, atol=2e-4)


def test_smoothing_solves_the_equation_it_names():
    """The banded solution against a dense one, built another way: least squares on stacked equations."""
    rng = np.random.default_rng(0)
    y = rng.normal(0, 0.02, (40, 1, 1)) + np.sin(np.arange(40) / 5)[:, None, None]
    y[12:17] = np.nan
    ours, _ = cleaning.smooth(y, 30, smoothing=1.0)
    seen = np.isfinite(y[:, 0, 0])
    middle = y[seen, 0, 0].mean()
    third, first = np.diff(np.eye(40), 3, axis=0), np.diff(np.eye(40), 1, axis=0)
    best, chosen = np.inf, None
    for stiffness in 10.0 ** np.arange(-3, 7, 0.5):
        rows = np.concatenate([np.eye(40)[seen], np.sqrt(stiffness) * third, np.sqrt(stiffness) / 30**2 * first])
        right = np.concatenate([y[seen, 0, 0] - middle, np.zeros(37 + 39)])
        z, *_ = np.linalg.lstsq(rows, right, rcond=None)
        variance = ((right - rows @ z) ** 2).sum() / seen.sum()
        nll = (seen.sum() * np.log(variance) + np.linalg.slogdet(rows.T @ rows)[1] - 40 * np.log(stiffness))
        if nll < best:
            best, chosen = nll, z + middle
    np.testing.assert_allclose(ours[:, 0, 0], chosen, atol=1e-6)


def test_a_gap_is_filled_at_the_pace_of_both_ends():
    duet = cl.load_duet("synthetic/mirror")
    path = duet.a.positions[:, 0].astype(float)[:, None]
    holed = path.copy()
    holed[100:112] = np.nan
    filled = cleaning.fill_gaps(holed, 30)
    known = np.isfinite(holed)
    np.testing.assert_array_equal(filled[known], path[known])
    held = np.linalg.norm(path[100:112] - path[99], axis=-1).mean()
    straight = np.linspace(path[99], path[112], 14)[1:-1]
    error = np.linalg.norm(filled[100:112] - path[100:112], axis=-1).mean()
    assert error < held / 4 and error < np.linalg.norm(straight - path[100:112], axis=-1).mean() / 2


def test_a_long_absence_is_not_swung_wide_and_an_end_does_not_run_away():
    t = np.arange(200)[:, None, None] / 30
    path = np.concatenate([t, 0 * t, 0 * t], axis=-1)  # one metre a second
    path[60:150] = np.nan  # three seconds
    path[150:, :, 0] = 2 - (t[150:, :, 0] - 5)  # comes back at one metre a second
    filled = cleaning.fill_gaps(path, 30)
    assert np.nanmax(filled[..., 0]) < 3.5  # the two straight lines would meet at 4.5
    path[120:] = np.nan
    assert np.abs(cleaning.fill_gaps(path, 30)[..., 0]).max() < 4


def test_bones_get_one_length_and_little_else():
    duet = cl.load_duet("synthetic/canon")
    rng = np.random.default_rng(1)
    noisy = duet.a.positions + rng.normal(0, 0.01, duet.a.positions.shape)
    bones = duet.a.skeleton.bones
    fixed = cleaning.fix_bones(noisy, bones)
    lengths = np.array([np.linalg.norm(fixed[:, c] - fixed[:, p], axis=-1) for p, c in bones])
    assert lengths.std(axis=1).max() < 1e-9
    error = lambda x: np.linalg.norm(x - duet.a.positions, axis=-1).mean()  # noqa: E731
    assert error(fixed) < error(noisy)


def camera_file(tmp_path, places, focal=1500.0, size=(1920, 1080)):
    """A result file made by projecting known dancers through a known camera: the inverse of `place`."""
    duet = cl.load_duet("synthetic/mirror")
    records = []
    for t in range(40):
        for who, dancer in enumerate(duet):
            points = dancer.positions[t, :24].astype(float)
            local = points - points[0]
            local = np.stack([local[:, 0], -local[:, 2], local[:, 1]], axis=-1)  # camera: Y down, Z away
            there = local + places[who]
            pixels = focal * there[:, :2] / there[:, 2:] + np.array(size) / 2
            pixels = np.concatenate([pixels, pixels[-5:]])
            low, high = pixels.min(axis=0), pixels.max(axis=0)
            records.append({"image_id": f"{t}.jpg", "idx": who + 1, "score": 3.0, "box": [*low, *(high - low)],
                            "keypoints": np.column_stack([pixels, np.ones(29)]).ravel().tolist(),
                            "pred_xyz_jts": local.ravel().tolist()})  # fmt: skip
    path = tmp_path / "results.json"
    path.write_text(json.dumps(records))
    return path, records


def test_a_known_camera_gives_back_the_places(tmp_path):
    places = np.array([[-0.6, 0.1, 4.0], [0.7, 0.0, 5.0]])
    path, _ = camera_file(tmp_path, places)
    fit = cleaning.place(read_detections(path), focal=1500, image_size=(1920, 1080))
    want = np.tile(places[:, [0, 2, 1]] * (1, 1, -1), (40, 1))  # our world: y away from the camera, z up
    np.testing.assert_allclose(fit.positions[:, 0], want, atol=1e-6)
    assert fit.residual.max() < 1e-6 and not fit.assumed
    longer = cleaning.place(read_detections(path), focal=3000, image_size=(1920, 1080))
    depth = np.median(longer.positions[0::2, 0, 1])
    assert 7.5 < depth < 8.5  # twice the lens, twice as far
    cleaned, report = cl.clean(path, fps=30, focal=1500, image_size=(1920, 1080))
    gap = np.linalg.norm(cleaned.positions[:, 0, 0] - cleaned.positions[:, 1, 0], axis=-1)
    np.testing.assert_allclose(gap, np.linalg.norm(places[0] - places[1]), atol=5e-3)
    assert report.placement.focal == 1500 and "given" in repr(report)


def test_uncertainty_is_the_spread_that_pixel_noise_makes(tmp_path):
    path, _ = camera_file(tmp_path, np.array([[-0.6, 0.1, 4.0], [0.7, 0.0, 5.0]]))
    seen = read_detections(path)
    rng = np.random.default_rng(0)
    tries = []
    for _ in range(60):
        noisy = seen.keypoints.copy()
        noisy[..., :2] += rng.normal(0, 4, noisy[..., :2].shape)
        fit = cleaning.place(type(seen)(**{**vars(seen), "keypoints": noisy}), 1500, (1920, 1080))
        tries.append(fit.positions[:, 0])
    np.testing.assert_allclose(fit.uncertainty.mean(axis=0), np.std(tries, axis=0).mean(axis=0), rtol=0.15)


def test_alphapose_raw_becomes_a_duet(real_data):
    path = real_data("alphapose-raw")[0]
    duet, report = cl.clean(path, fps=30)
    assert len(duet) == 297 and duet.a.skeleton == SMPL_24
    counts = dict(zip(*np.unique(report.seen, return_counts=True)))
    assert report.seen.sum() == 576 and counts == {1: 30, 2: 255, 3: 12}
    assert report.first == 0 and report.filled.sum() < 45


@pytest.fixture
def records(tmp_path):
    _, made = camera_file(tmp_path, np.array([[-0.6, 0.1, 4.0], [0.7, 0.0, 5.0]]))
    return made


@pytest.mark.parametrize("corrupt, said", [
    (lambda r: [], "at least one detection"),
    (lambda r: [x for x in r if x["idx"] == 1], "at most one person"),
    (lambda r: [r[k] for k in np.random.default_rng(0).permutation(len(r))], "not in order"),
    (lambda r: [*r[:7], {k: v for k, v in r[7].items() if k != "pred_xyz_jts"}, *r[8:]], "record 7.*pred_xyz_jts"),
    (lambda r: [{**x, "keypoints": x["keypoints"][:51]} for x in r], "record 0, keypoints.*29 x 3"),
    (lambda r: [{**x, "pred_xyz_jts": x["pred_xyz_jts"][:51]} for x in r], "24 x 3"),
    (lambda r: [*r[:-1], {**r[-1], "image_id": "99999999999.jpg"}], "frames, more than"),
])  # fmt: skip
def test_a_bad_file_gets_one_clear_error(tmp_path, records, corrupt, said):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(corrupt(records)))
    with pytest.raises(cl.MotionFormatError, match=f"(?s){said}"):
        cl.clean(path, fps=30)


def frames_of(count=60):
    return list(cl.load_duet("synthetic/canon").positions[:count].astype(float))


@pytest.mark.parametrize("frames, said", [
    ([], "expected a path"),
    ([np.empty((0, 29, 3))] * 40, "none of the 40 frames shows anybody"),
    ([frame[:1] for frame in frames_of()], "at most one person"),
    ([frames_of(300)[k] for k in np.random.default_rng(0).permutation(300)], "not in the order of time"),
    ([*frames_of(5), frames_of(6)[5][:, :24]], "frame 5.*29 joints.*got 24"),
    ([*frames_of(5), frames_of(6)[5][..., :2]], "frame 5.*shape"),
    ([*frames_of(5), np.full((2, 29, 3), np.nan)], "frame 5, person 0, joint 0"),
    ([frame - frame[:, :1] for frame in frames_of()], "one and the same place"),
    (frames_of(5), "at least 8"),
])  # fmt: skip
def test_a_bad_list_gets_one_clear_error(frames, said):
    with pytest.raises(cl.MotionFormatError, match=f"(?s){said}"):
        cl.clean(frames, fps=30)


def test_frames_per_second_must_be_told_and_make_sense():
    with pytest.raises(cl.MotionFormatError, match="fps"):
        cl.clean(frames_of(), fps=0)


def test_dancers_who_stand_still_are_not_taken_for_shuffled():
    rng = np.random.default_rng(0)
    still = [frames_of(1)[0] + rng.normal(0, 0.02, (2, 29, 3)) for _ in range(60)]
    duet, _ = cl.clean(still, fps=30)
    assert np.linalg.norm(duet.positions - frames_of(1)[0], axis=-1).mean() < 0.015


def test_a_tree_is_guessed_in_the_order_the_joints_have():
    motion = cl.load_duet("synthetic/drives").a
    guessed = guess_tree(motion.positions)
    assert len(guessed) == 29 and np.mean(np.equal(guessed.parents, motion.skeleton.parents)) > 0.7


def as_landmarks(points, pixels, size):
    """What MediaPipe would give for bodies whose 33 landmarks are known; the names are those of its documentation."""
    point = lambda xyz, seen: SimpleNamespace(x=xyz[0], y=xyz[1], z=xyz[2], visibility=seen)  # noqa: E731
    flat = [[point((*(uv / size), 0.0), 0.9) for uv in person] for person in pixels]
    solid = [[point(xyz, 0.9) for xyz in person] for person in points]
    return SimpleNamespace(pose_landmarks=flat, pose_world_landmarks=solid)


def test_landmarks_of_a_video_become_records_that_clean_reads(tmp_path):
    rng = np.random.default_rng(0)
    size, focal = np.array([1280, 720]), 1200.0
    bodies = rng.uniform(-0.5, 0.5, (2, 33, 3))
    bodies -= bodies[:, 23:25].mean(axis=1, keepdims=True)  # about the hips, as MediaPipe has them
    places = np.array([[-0.7, 0.0, 4.0], [0.6, 0.0, 4.5]])
    collected = []
    for t in range(30):
        moved = places + [[0.01 * t, 0, 0], [0, 0, 0.01 * t]]
        there = bodies + moved[:, None]
        pixels = focal * there[..., :2] / there[..., 2:] + size / 2
        collected += landmarks.records(as_landmarks(bodies, pixels, size), t, size)
    assert collected[0]["pred_xyz_jts"][:3] == [0, 0, 0]  # the pelvis
    left_knee = np.reshape(collected[0]["pred_xyz_jts"], (24, 3))[SMPL_24.index("left_knee")]
    np.testing.assert_allclose(left_knee, bodies[0, 25], atol=1e-6)
    assert len(json.dumps(collected[:2])) * 10_000 < 48_000_000  # as much as the reader takes
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(collected))
    fit = cleaning.place(read_detections(path), focal, (1280, 720))
    np.testing.assert_allclose(fit.positions[0::2, 0, 0], -0.7 + 0.01 * np.arange(30), atol=0.02)
    np.testing.assert_allclose(fit.positions[1::2, 0, 1], 4.5 + 0.01 * np.arange(30), atol=0.1)
    duet, _ = cl.clean(path, fps=30, focal=focal, image_size=(1280, 720))
    assert len(duet) == 30
    with pytest.raises(ValueError, match="33 landmarks"):
        landmarks.records(as_landmarks(bodies[:, :17], pixels[:, :17], size), 0, size)


def bystander(duet, share, seed=0):
    """A list of frames in a share of which somebody else stands still beside the dancers."""
    rng = np.random.default_rng(seed)
    x = duet.positions.astype(float)
    still = np.broadcast_to(x[:1, :1] + (2.0, 0.5, 0), (len(x), 1, *x.shape[2:]))
    everybody = np.concatenate([x, still], axis=1)
    order = [rng.permutation(3 if rng.random() < share else 2) for _ in x]
    people = [frame[o] + rng.normal(0, 0.01, (len(o), *frame.shape[1:])) for frame, o in zip(everybody, order)]
    return people, order


@pytest.mark.parametrize("share", [1.0, 0.9, 0.6])
@pytest.mark.parametrize("name", ["canon", "mirror"])
def test_whoever_stands_still_throughout_is_not_taken_for_a_dancer(name, share):
    duet = cl.load_duet(f"synthetic/{name}")
    people, order = bystander(duet, share)
    index, _ = cleaning.track(people, 30, duet.a.skeleton.bones)
    found = np.array([who[i] for who, i in zip(order, index)])
    assert (index >= 0).all() and (found == found[0]).all() and set(found[0].tolist()) == {0, 1}


@pytest.mark.parametrize("side", ["end", "start"])
def test_a_dancer_who_leaves_for_good_keeps_their_bones_and_does_not_fly_away(side):
    """Of half a take nothing was seen: what was filled must not say how long a bone is, nor run off with the pace."""
    duet = cl.load_duet("synthetic/canon")
    rng = np.random.default_rng(0)
    people = [frame + rng.normal(0, 0.02, frame.shape) for frame in duet.positions.astype(float)]
    people = [frame if k < 120 else frame[:1] for k, frame in enumerate(people)]
    if side == "start":
        people = people[::-1]
    cleaned, report = cl.clean(people, 30, duet.a.skeleton)
    x = cleaned.b.positions.astype(float)[:: 1 if side == "end" else -1]
    assert report.filled.sum(axis=0).tolist() == [0, 180]
    truth = duet.b.positions
    for parent, child in duet.a.skeleton.bones:
        length, real = (np.linalg.norm(y[0, child] - y[0, parent]) for y in (x, truth))
        assert abs(length - real) < 0.01 + 0.05 * real
    assert np.linalg.norm(x[120:] - x[119], axis=-1).max() < 0.6
    assert np.linalg.norm(x[:120] - truth[:120], axis=-1).mean() < 0.02


@pytest.mark.parametrize("seconds", [2, 5])
def test_over_a_long_absence_a_path_is_drawn_nearly_straight(seconds):
    duet = cl.load_duet("synthetic/mirror")
    path, gap = duet.a.positions.astype(float), 30 * seconds
    ours, straight = [], []
    for start in (20, 60, 100):
        holed = path.copy()
        holed[start : start + gap] = np.nan
        filled = cleaning.fill_gaps(holed, 30)[start : start + gap]
        line = np.linspace(path[start - 1], path[start + gap], gap + 2)[1:-1]
        ours.append(np.linalg.norm(filled - path[start : start + gap], axis=-1).mean())
        straight.append(np.linalg.norm(line - path[start : start + gap], axis=-1).mean())
    assert np.mean(ours) < 1.3 * np.mean(straight)


def test_a_minute_away_at_many_frames_per_second_is_filled_or_refused_in_words():
    path = np.full((9000, 2, 3), np.nan)
    path[:60] = np.sin(np.arange(60) / 20)[:, None, None]
    assert np.isfinite(cleaning.fill_gaps(path, 120)).all()
    with pytest.raises(cl.MotionFormatError, match="an absence of 8,940 frames"):
        cleaning.fill_gaps(path, 5000)


def test_smoothing_knows_no_direction_of_time_no_place_and_no_start():
    """Backwards, elsewhere, or begun later: the same path. So it cannot lag."""
    rng = np.random.default_rng(0)
    x = cl.load_duet("synthetic/canon").a.positions[:200, :5].astype(float)
    x += rng.normal(0, 0.02, x.shape)
    x[50:60] = x[100:130] = x[195:] = np.nan
    path, noise = cleaning.smooth(x, 30)
    np.testing.assert_allclose(cleaning.smooth(x[::-1], 30)[0][::-1], path, atol=1e-9)
    np.testing.assert_allclose(cleaning.smooth(x + 7, 30)[0] - 7, path, atol=1e-9)
    late, _ = cleaning.smooth(np.concatenate([x[:1].repeat(40, axis=0), x]), 30)
    assert np.median(np.abs(late[90:] - path[50:])) < 1e-3


def test_bones_are_fixed_even_where_all_joints_lie_in_one_place():
    duet = cl.load_duet("synthetic/canon")
    x = duet.a.positions[:40].astype(float)
    x[7] = x[7, :1]
    fixed = cleaning.fix_bones(x, duet.a.skeleton.bones)
    lengths = np.array([np.linalg.norm(fixed[:, c] - fixed[:, p], axis=-1) for p, c in duet.a.skeleton.bones])
    assert lengths.std(axis=1).max() < 1e-8


@pytest.mark.parametrize("repair, said", [
    (lambda x: cleaning.smooth(x[:0], 30), "shape"),
    (lambda x: cleaning.smooth(x, 0), "frames per second"),
    (lambda x: cleaning.smooth(x, 30, smoothing=0.0), "smoothing.*positive"),
    (lambda x: cleaning.smooth(x * 1e200, 30), "frame 0.*metres"),
    (lambda x: cleaning.smooth(x * np.nan, 30), "0 frames were seen"),
    (lambda x: cleaning.fill_gaps("path", 30), "numbers"),
    (lambda x: cleaning.fix_bones(np.where(x > 1, np.nan, x), [(0, 1)]), "without gaps"),
    (lambda x: cleaning.fix_bones(x, [(0, 99)]), r"bone \(0, 99\)"),
    (lambda x: cleaning.fix_bones(x, [(1, 2), (0, 1)]), "parents first"),
    (lambda x: cleaning.track([x[:2], x[:2] * np.nan], 30), "frame 1, person 0, joint 0"),
    (lambda x: cleaning.track([x[:2], x[:2, :5]], 30), "frame 1.*29 joints.*got 5"),
    (lambda x: cleaning.track([x[:2]] * 9, 0), "frames per second"),
])  # fmt: skip
def test_a_repair_by_itself_says_what_it_cannot_do(repair, said):
    with pytest.raises(cl.MotionFormatError, match=f"(?s){said}"):
        repair(cl.load_duet("synthetic/canon").a.positions[:40].astype(float))


@pytest.mark.parametrize("change, said", [
    (lambda x: [1000 * frame for frame in x], "people measure.*no metres"),
    (lambda x: [*x[:20], x[20] + 1e6, *x[21:]], "frame 20, person 0, joint 0"),
    (lambda x: [*x[:20], np.where(np.arange(29)[:, None] == 5, 1e200, x[20]), *x[21:]], "frame 20, person 0, joint 5"),
    (lambda x: [np.stack([frame[0], frame[0]]) for frame in x], "one person, seen double"),
    (lambda x: [*x[:20], np.tile(x[20], (30, 1, 1)), *x[21:]], "frame 20: 60 people"),
    (lambda x: [*x[:20], None, *x[21:]], "frame 20.*an empty one where nobody was seen"),
    (lambda x: [np.tile(frame, (1, 21, 1)) for frame in x], "512 joints"),
])  # fmt: skip
def test_a_list_that_is_no_duet_in_metres_is_refused(change, said):
    with pytest.raises(cl.MotionFormatError, match=f"(?s){said}"):
        cl.clean(change(frames_of()), fps=30)


@pytest.mark.parametrize("change, said", [
    ({"keypoints": [0.0] * 87}, r"record 9 \(4.jpg\): its key points lie within one pixel"),
    ({"pred_xyz_jts": [0.0] * 72}, r"record 9 \(4.jpg\): .*behind the camera"),
    ({"image_id": "900000.jpg"}, "frames, more than"),
])  # fmt: skip
def test_one_bad_record_is_named(tmp_path, records, change, said):
    place = 9 if "image_id" not in change else len(records) - 1
    records[place] = {**records[place], **change}
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(records))
    with pytest.raises(cl.MotionFormatError, match=f"(?s){said}"):
        cl.clean(path, fps=30)


@pytest.mark.parametrize("change, said", [
    (lambda r: {**r, "pred_xyz_jts": [1000 * x for x in r["pred_xyz_jts"]]}, "record 0.*metres"),
    (lambda r: {**r, "keypoints": (np.reshape(r["keypoints"], (29, 3)) / (1920, 1080, 1)).ravel().tolist()},
     "record 0.*pixels"),
    (lambda r: {**r, "image_id": "take1.jpg"}, "80 people.*a number of its own"),
    (lambda r: {**r, "box": [0, 0, 1e9, 1e9]}, "image_size"),
])  # fmt: skip
def test_a_file_in_other_units_is_refused(tmp_path, records, change, said):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps([change(record) for record in records]))
    with pytest.raises(cl.MotionFormatError, match=f"(?s){said}"):
        cl.clean(path, fps=30)


@pytest.mark.parametrize("camera", [{"focal": 0}, {"focal": np.nan}, {"focal": "long"}, {"image_size": (0, 0)},
                                    {"image_size": 5}, {"image_size": (1, 2, 3)}])  # fmt: skip
def test_a_camera_that_cannot_be_is_refused(tmp_path, records, camera):
    path = tmp_path / "good.json"
    path.write_text(json.dumps(records))
    with pytest.raises(cl.MotionFormatError, match="in pixels"):
        cl.clean(path, fps=30, **camera)


def test_where_every_third_image_was_searched_a_second_stays_a_second(tmp_path, records):
    path = tmp_path / "sparse.json"
    path.write_text(json.dumps([{**r, "image_id": f"{3 * int(r['image_id'][:-4])}.jpg"} for r in records]))
    duet, report = cl.clean(path, fps=30)
    assert len(duet) == 40 and duet.fps == 10 and report.fps == 10 and report.every == 3


@pytest.mark.parametrize("change, said", [
    (lambda r: (r, 2.5), "frame's number"),
    (lambda r: (r, -3), "frame's number"),
    (lambda r: (SimpleNamespace(pose_landmarks=r.pose_landmarks, pose_world_landmarks=r.pose_world_landmarks[:1]), 7),
     "frame 7.*2 people.*and 1"),
    (lambda r: (setattr(r.pose_landmarks[1][4], "x", np.nan), (r, 7))[1], "frame 7, person 2.*finite"),
    (lambda r: (setattr(r.pose_landmarks[1][4], "visibility", None), (r, 7))[1], "frame 7, person 2.*finite"),
])  # fmt: skip
def test_landmarks_that_are_none_are_refused(change, said):
    bodies = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 33, 3))
    result, frame = change(as_landmarks(bodies, 300 + 100 * bodies[..., :2], np.array([640, 480])))
    with pytest.raises(cl.MotionFormatError, match=f"(?s){said}"):
        landmarks.records(result, frame, (640, 480))


def test_landmarks_take_the_frame_number_that_opencv_gives():
    """It counts in floats; '2.0.jpg' would be read as frame 0."""
    bodies = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 33, 3))
    result = as_landmarks(bodies, 300 + 100 * bodies[..., :2], np.array([640, 480]))
    assert landmarks.records(result, 2.0, (640, 480))[0]["image_id"] == "2.jpg"


@pytest.mark.parametrize("faults", [{"dropped": 0.95}, {"swaps": 999}, {"longest": 400}])
def test_more_faults_than_a_take_has_room_for_are_refused(faults):
    with pytest.raises(ValueError, match="too short for|cannot fill"):
        cleaning.corrupt(cl.load_duet("synthetic/canon"), **faults)


def test_smoothing_makes_calmer():
    duet = cl.load_duet("synthetic/canon")
    people = cleaning.corrupt(duet, seed=0).people
    found = [jerk(cl.clean(people, duet.fps, duet.a.skeleton, smoothing=much)[0].positions) for much in (0.1, 1, 10)]
    assert found[0] > 1.2 * found[1] > 1.4 * found[2]
    with pytest.raises(cl.MotionFormatError, match="smoothing"):
        cl.clean(people, duet.fps, duet.a.skeleton, smoothing=0)


def test_the_prototype_keeps_the_lowest_quarter_of_a_cosine_transform():
    people = np.random.default_rng(0).normal(0, 1, (40, 2, 5, 3))
    waves = dct(cleaning.as_prototyped(list(people), [np.ones(2)] * 40)[0], axis=0, norm="ortho")
    assert np.abs(waves[9]).max() > 0.1 and np.abs(waves[10:]).max() < 1e-9
