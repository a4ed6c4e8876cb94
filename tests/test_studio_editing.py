"""Wishes laid over a dance: each is met as it says, nothing jumps, feet stand, bones keep their lengths."""

from dataclasses import replace

import numpy as np
import pytest

import choreo_lib as cl
from choreo_lib.body.blending import inertialise, minimum_jerk
from choreo_lib.body.bones import carry_rotations
from choreo_lib.evaluation import metrics
from choreo_lib.sets import synthetic
from choreo_lib.studio.editing import (
    Canon,
    Edited,
    EndAt,
    Hold,
    Inpaint,
    Loop,
    Met,
    Mirror,
    Path,
    Tempo,
    Vary,
    edit,
)
from choreo_lib.studio.reshaping import bent_path, floor_path, heading


@pytest.fixture(scope="module")
def duet():
    return synthetic.duet("canon", 420, seed=501)


@pytest.fixture(scope="module")
def model():
    return cl.load_model("duet-synthetic")


def lengths(motion):
    parents, children = zip(*motion.skeleton.bones)
    return np.linalg.norm(motion.positions[:, children] - motion.positions[:, parents], axis=-1)


def changes(motion):
    """How much each joint's velocity changes from frame to frame, m/s, [T - 2, J]."""
    return np.linalg.norm(np.diff(metrics.velocity(motion.positions, motion.fps), axis=0), axis=-1)


def is_a_dance(made, danced, skate=1.2):
    """Bones keep their lengths, rotations say the same as positions, feet stand, no seam is felt."""
    take = made.take if isinstance(made.take, cl.Motion) else made.take.b
    assert np.abs(lengths(take) - np.median(lengths(danced), 0)).max() < 2e-4
    if take.rotations is not None:
        posed, _ = cl.forward_kinematics(take.skeleton, take.rotations, take.positions[:, 0])
        assert np.abs(posed - take.positions).max() < 1e-4
    assert all(seam.smooth for seam in made.seams), made.report
    assert made.skate[1] < skate * made.skate[0] + 0.002, made.report
    return take


def only(made, what):
    return next(one for _, one in made.met if one.what == what)


def test_a_gap_is_led_to_nothing_from_its_value_and_velocity():
    value, velocity = np.ones((2, 3)), np.full((2, 3), 0.1)
    way = inertialise(value, velocity, 30)
    assert way.shape == (30, 2, 3) and np.abs(way[-1]).max() < 1e-12 and np.abs(way[-1] - way[-2]).max() < 0.01
    np.testing.assert_allclose(way[0], value + velocity, atol=0.01)
    share = minimum_jerk(np.linspace(-1, 2, 301))
    assert share[:101].max() == 0 and share[200:].min() == 1 and (np.diff(share) >= 0).all()
    assert np.diff(share, n=3).max() < 1e-4  # nowhere a jerk


def test_who_is_turned_while_walking_walks_on_in_the_new_direction():
    path = np.stack([np.arange(5.0), np.zeros(5)], -1)
    np.testing.assert_allclose(bent_path(path, np.full(5, np.pi / 2)), [[0, k] for k in range(5)], atol=1e-12)
    np.testing.assert_allclose(bent_path(path, np.zeros(5)), path)


def test_rotations_follow_points_and_keep_their_twist(duet):
    dancer = duet.b[:60]
    same = carry_rotations(dancer, dancer.positions)
    turn = np.abs((same.rotations * dancer.rotations).sum(-1))
    assert turn.min() > 1 - 1e-5
    other = duet.b[100:160]  # another posture of the same body
    placed = carry_rotations(dancer, other.positions)
    assert np.abs(placed.positions - other.positions).max() < 1e-4
    assert carry_rotations(replace(dancer, rotations=None), other.positions).rotations is None


def test_a_hand_is_held_between_its_seconds_and_only_then():
    duet = synthetic.duet("counterbalance", 300, seed=503)  # partners within reach of each other
    made = edit(duet, [Hold("left_wrist", "right_wrist", 4, 6)])
    take = is_a_dance(made, duet.b)
    assert made.ok and only(made, "left_wrist at right_wrist").error < 30
    hand, other = duet.b.skeleton.index("left_wrist"), duet.a.skeleton.index("right_wrist")
    gap = np.linalg.norm(take.positions[:, hand] - duet.a.positions[:, other], axis=-1)
    assert gap[120:181].max() < 0.03 and gap[:95].max() > 0.05
    np.testing.assert_allclose(take.positions[:95], duet.b.positions[:95], atol=1e-4)
    np.testing.assert_allclose(take.positions[205:], duet.b.positions[205:], atol=1e-4)
    np.testing.assert_array_equal(made.take.a.positions, duet.a.positions)


@pytest.mark.real_data
def test_hands_are_held_in_salsa_and_seconds_danced_anew(real_data):
    real_data("salsa/Easy_03")
    salsa = cl.load_duet("salsa/Easy_03")[300:600]
    held = edit(salsa, [Hold("RightHand", "LeftHand", 6, 8)])
    is_a_dance(held, salsa.b)
    assert held.ok
    anew = edit(salsa, [Inpaint(3, 6, samples=2)])
    is_a_dance(anew, salsa.b, skate=2)
    assert anew.ok


def test_a_hand_that_is_out_of_reach_is_reported_and_nothing_jumps(duet):
    far = cl.Duet(duet.a, duet.b.transformed((3.0, 0.0, 0.0)))
    made = edit(far, [Hold("left_wrist", "right_wrist", 4, 6)])
    is_a_dance(made, duet.b)
    assert not made.ok and 1000 < only(made, "left_wrist at right_wrist").error < 6000
    assert "NOT MET" in repr(made.report)


def test_an_error_is_written_as_one_reads_it():
    """What is far below its tolerance is no number with a power of ten, and neither is what is far above it."""
    errors = [(0.0, 30.0, "mm"), (0.000146, 30.0, "mm"), (0.0126, 20.0, "mm"), (12.91, 20.0, "mm"),
              (1234.6, 30.0, "mm"), (2.31e-7, 0.01, "m/s"), (0.025, 1 / 30, "s")]
    met = tuple((Mirror(), Met("what", *each)) for each in errors)
    report = Edited(synthetic.duet("canon", 30, seed=1), met, (), 0.0, (0.006, 0.006)).report
    assert [row[2] for row in report.rows[:-1]] == [
        "0 mm", "< 0.01 mm", "0.0126 mm", "12.9 mm", "1,235 mm", "< 0.0001 m/s", "0.025 s"]
    assert report.rows[-1][-1] == "before the wish"


def test_the_end_is_where_it_was_asked_and_feet_do_not_slide_there(duet):
    place = floor_path(duet.b)[-1] + [1.0, -0.6]
    made = edit(duet, [EndAt(place, facing=2.0)])
    take = is_a_dance(made, duet.b)
    assert made.ok and np.linalg.norm(take.positions[-1, take.skeleton.pelvis, :2] - place) < 0.02
    assert abs(np.remainder(heading(take) - 2.0 + np.pi, 2 * np.pi) - np.pi) < np.radians(3)
    np.testing.assert_allclose(take.positions[0], duet.b.positions[0], atol=5e-3)  # a straight knee bends a little


def test_the_end_in_another_posture_and_with_the_partner(duet):
    made = edit(duet, [EndAt(floor_path(duet.b)[-1], pose=duet.b[:100], ramp=1.5)])
    take = is_a_dance(made, duet.b, skate=3)
    assert made.ok and only(made, "posture").error < 30
    height = take.positions[-1, :, 2] - duet.b.positions[99, :, 2]
    assert np.abs(height).max() < 0.03
    both = edit(duet, [EndAt((0, 0), facing=0.0, together=True)]).take
    before, after = (np.linalg.norm(floor_path(d.a) - floor_path(d.b), axis=-1) for d in (duet, both))
    np.testing.assert_allclose(before, after, atol=1e-4)  # as near to each other as they were


def test_a_path_on_the_floor_is_kept_and_the_dance_goes_on_from_it(duet):
    start = floor_path(duet.b)[60]
    asked = [start, start + [0.7, 0.0], start + [0.7, 0.7]]
    made = edit(duet, [Path(asked, 2, 9)])
    take = is_a_dance(made, duet.b)
    assert made.ok and only(made, "path").error < 20
    assert np.linalg.norm(floor_path(take)[270] - asked[2]) < 0.3  # sway apart
    danced, led = (floor_path(m)[320:] - floor_path(m)[-1] for m in (duet.b, take))
    np.testing.assert_allclose(danced, led, atol=1e-3)


def test_slower_is_longer_and_both_keep_one_clock(duet):
    made = edit(duet, [Tempo(0.8)])
    is_a_dance(made, duet.b)
    assert made.ok and len(made.take) == int(419 / 0.8) + 1
    np.testing.assert_allclose(made.take.a.positions[500], duet.a.positions[400], atol=1e-4)
    assert metrics.mean_speed(made.take.b).mean() == pytest.approx(0.8 * metrics.mean_speed(duet.b).mean(), rel=0.02)
    points = edit(cl.Duet(*(replace(m, rotations=None) for m in duet)), [Tempo(0.8)])
    is_a_dance(points, duet.b)
    assert np.abs(points.take.b.positions - made.take.b.positions).max() < 0.02


def test_beats_fall_where_the_music_has_them(duet):
    own = metrics.beats(duet.b) / 30
    wanted = own[1:-1] + 0.1
    made = edit(duet, [Tempo(beats=list(wanted))])
    off = [min(abs(metrics.beats(made.take.b) / 30 - beat)) for beat in wanted]
    was = [min(abs(own - beat)) for beat in wanted]
    assert np.median(off) < 0.4 * np.median(was)
    assert only(made, "beats").error == pytest.approx(np.percentile(off, 90))
    with pytest.raises(ValueError, match="none of the 1 beats"):
        edit(duet, [Tempo(beats=[100.0])])


def test_a_mirror_exchanges_left_and_right_from_the_same_place(duet):
    made = edit(duet, [Mirror()])
    take = is_a_dance(made, duet.b)
    assert made.ok
    np.testing.assert_allclose(floor_path(take)[0], floor_path(duet.b)[0], atol=1e-4)
    assert heading(take, 0) == pytest.approx(heading(duet.b, 0), abs=1e-3)
    left, right = (duet.b.skeleton.index(f"{side}_wrist") for side in ("left", "right"))
    np.testing.assert_allclose(take.positions[:, left, 2], duet.b.positions[:, right, 2], atol=1e-3)
    assert np.abs(edit(made.take, [Mirror()]).take.b.positions - duet.b.positions).max() < 1e-3
    alone = edit(duet, [Mirror(together=False)]).take
    np.testing.assert_array_equal(alone.a.positions, duet.a.positions)


def test_a_canon_is_the_partners_dance_later_from_ones_own_place(duet):
    made = edit(duet, [Canon(1.0)])
    take = made.take
    assert made.ok and len(take) == 390
    np.testing.assert_allclose(take.a.positions, duet.a.positions[30:], atol=0)
    np.testing.assert_allclose(take.b.positions[..., 2], duet.a.positions[:390, :, 2], atol=1e-4)
    np.testing.assert_allclose(floor_path(take.b)[0], floor_path(duet.b)[0], atol=1e-4)


def test_a_loop_comes_back_to_itself_in_place_or_carried_on(duet):
    made = edit(duet, [Loop(least=3, times=3, in_place=True)])
    take = is_a_dance(made, duet.b, skate=5)  # of a take this short no two moments are very alike
    assert made.ok and len(take) % 3 == 0 and only(made, "place").error < 20
    round_ = len(take) // 3
    assert 90 <= round_ < 420
    np.testing.assert_allclose(take.positions[:round_], take.positions[round_ : 2 * round_], atol=1e-3)
    assert changes(take).max() <= changes(duet.b).max() * 1.2
    on = edit(duet, [Loop(least=3, times=2)])
    assert on.ok and len(on.take.a) == len(on.take.b)
    one = edit(duet.b, [Loop(least=3, times=1)])
    assert isinstance(one.take, cl.Motion) and one.ok


def test_seconds_are_danced_anew_and_the_rest_is_left(duet, model):
    asked = Inpaint(5, 7, model=model, samples=4, seed=1, temperature=1.0)
    made = edit(duet, [asked])
    take = is_a_dance(made, duet.b, skate=8)  # as the model's own feet do
    assert made.ok
    off = np.linalg.norm(take.positions - duet.b.positions, axis=-1).max(1)
    assert off[:149].max() < 1e-3 and off[211:].max() < 1e-3 and off[170:190].max() > 0.05
    again, one = (edit(duet, [replace(asked, samples=count)]).take.b for count in (4, 1))
    np.testing.assert_array_equal(again.positions, take.positions)
    assert take.rotations is None and "edited: Inpaint" in take.notes[-1]

    def left(motion):  # metres from where the dance goes on
        return float(motion.notes[-2].split(", ")[1].split()[0])

    assert left(take) < left(one)


def test_the_end_can_be_left_to_the_model(duet, model):
    on = edit(duet[:270], [Inpaint(7, model=model, temperature=0.0)])
    assert on.ok and len(on.take) == 270 and [seam.time for seam in on.seams] == [7.0]
    assert np.abs(on.take.b.positions - duet.b.positions[:270]).max() > 0.05


def test_a_phrase_is_varied_by_sigma(duet):
    model = cl.load_model("solo-synthetic")
    moved = []
    for sigma in (0.0, 0.25, 0.5):
        made = edit(duet.b, [Vary(sigma, 3, 9, model=model)])
        take = is_a_dance(made, duet.b, skate=3)
        assert made.ok
        moved.append(np.linalg.norm(take.positions - duet.b.positions, axis=-1)[90:270].mean())
    assert moved[0] < 2e-3 and 0.01 < moved[1] < 0.7 * moved[2]


def test_wishes_come_together_in_an_order_that_keeps_them(duet):
    place = floor_path(duet.b)[-1] + [0.3, 0.0]
    asked = [EndAt(place), Tempo(0.9), Mirror()]
    made, turned = (edit(duet, wishes).take.b for wishes in (asked, asked[::-1]))
    np.testing.assert_array_equal(made.positions, turned.positions)
    assert np.linalg.norm(floor_path(made)[-1] - place) < 0.02
    assert [note.split("(")[0] for note in made.notes[-3:]] == ["edited: Mirror", "edited: Tempo", "edited: EndAt"]


@pytest.mark.parametrize(("wish", "words"), [
    (lambda: Hold("left_wrist", "right_wrist", 5, 4), "start is 5 s, and must be before stop, 4 s"),
    (lambda: Hold("left_wrist", "right_wrist", 5, 40), "stop is 40 s, and the take ends at 13.97 s"),
    (lambda: Hold("tail", "right_wrist", 5, 6), "joint: no joint 'tail'"),
    (lambda: Hold("left_wrist", "tail", 5, 6), "partner_joint: no joint 'tail'"),
    (lambda: Hold("head", "left_wrist", 5, 6), "is no hand's"),
    (lambda: Path([(0, 0)], 1, 2), "points must be a list of at least 2"),
    (lambda: Path([(0, 0), (1, 1)], 20), "start is 20 s"),
    (lambda: EndAt((0, 0, 0)), "place must be a list of 2"),
    (lambda: EndAt((0, 0), pose=cl.Motion(np.zeros((2, 1, 3)), 30, cl.Skeleton(("x",), (-1,)))), "other joints"),
    (lambda: Tempo(0), "factor must be"),
    (lambda: Canon(50.0), "Canon: a delay of 50 s in a take of 14.00 s"),
    (lambda: Loop(least=60), "Loop: a round of 60 s"),
    (lambda: Inpaint(5, 5.2, model="duet-synthetic"), "from 5 s to stop there is less than 0.5 s"),
    (lambda: Inpaint(0.1, 3, model="duet-synthetic"), "the model looks at 0.8 s before it"),
    (lambda: Vary(1.0, 3, 4, model="solo-synthetic"), "variations need 64"),
])  # fmt: skip
def test_what_means_nothing_is_refused_in_one_line(duet, wish, words):
    with pytest.raises(ValueError) as refused:
        edit(duet, [wish()])
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_one_dancer_has_no_partner_to_hold(duet):
    for wish in (Hold("left_wrist", "right_wrist", 2, 4), Canon(1.0), Inpaint(3, 5)):
        with pytest.raises(ValueError, match="needs a partner"):
            edit(duet.b, [wish])
    assert isinstance(edit(duet.b, [EndAt((0, 0))]).take, cl.Motion)


def test_an_edit_keeps_whose_motion_it_was(duet):
    strangers = replace(duet.a, source=cl.Source("somebody", terms="ask first"))
    made = edit(cl.Duet(strangers, duet.b), [Canon(1.0)]).take
    assert not made.b.source.redistribute and "somebody" in made.b.source.name
