"""The one card for every system, and the partners that cheat it: each does what it says, and beats its measure."""

import numpy as np
import pytest
import torch

import choreo_lib as cl
from choreo_lib.evaluation import cheats, metrics, scorecard
from choreo_lib.sets import synthetic

KINDS = ["mirror", "canon"] * 2


@pytest.fixture(scope="module")
def dances():
    """Training, reference and asked dances, eight seconds each."""
    return [[synthetic.duet(kind, 240, seed=first + k) for k, kind in enumerate(KINDS)] for first in (0, 500, 600)]


@pytest.fixture(scope="module")
def cheating(dances):
    known, _, asked = dances
    return {name: cheats.cheat(name, asked, known) for name in cheats.CHEATS}


@pytest.fixture(scope="module")
def cards(dances, cheating):
    known, reference, asked = (scorecard.measure(each, kinds=KINDS) for each in dances)
    rows = {"danced": asked} | {name: scorecard.measure(each, kinds=KINDS) for name, each in cheating.items()}
    return {name: scorecard.scorecard(row, reference, known, samples=20) for name, row in rows.items()}


def test_the_leader_stays_and_the_partner_is_made(dances, cheating):
    for name, made in cheating.items():
        for duet, true in zip(made, dances[2]):
            assert duet.a is true.a and duet.coupling is None and np.isfinite(duet.b.positions).all(), name
            assert len(duet) == len(true) and duet.b.positions.dtype == np.float32


def test_statues_stand(cheating, dances):
    for name in ("trembling", "slides", "bobbing"):
        for duet in cheating[name]:
            b = duet.b.positions - duet.b.positions[:, :1]
            moves = np.abs(np.diff(b, axis=0)).max((1, 2))
            if name == "slides":  # but for the three changes of pose
                assert (moves > 1e-4).sum() == 240 // 60 - 1
            elif name == "bobbing":
                assert moves.max() < 1e-5 and np.abs(np.diff(duet.b.positions[:, 0, :2], axis=0)).max() < 1e-6
    wanted = np.mean([metrics.jerk(each.b.positions, 30).mean() for each in dances[0]])
    made = [metrics.jerk(each.b.positions, 30).mean() for each in cheating["trembling"]]
    np.testing.assert_allclose(made, wanted, rtol=0.01)


def test_the_copy_is_the_leader_and_the_stranger_a_training_dance(cheating, dances):
    for duet in cheating["copy"]:
        off = duet.b.positions - duet.a.positions
        assert np.abs(off - off[:1, :1]).max() < 1e-5 and abs(np.linalg.norm(off[0, 0]) - 1.7) < 0.2
    known = np.stack([each.b.positions for each in dances[0]])
    for duet in cheating["stranger"]:
        speeds = metrics.speed(duet.b.positions, 30)
        assert min(np.abs(metrics.speed(each, 30) - speeds).max() for each in known) < 1e-3


def test_shuffled_and_torn_keep_their_pieces(cheating):
    for duet in cheating["shuffled"]:
        jumps = metrics.speed(duet.b.positions, 30).mean(1)
        assert (np.flatnonzero(jumps > 3) % 30 == 29).all() and (jumps > 3).any()
    for duet in cheating["torn"]:
        variation = np.nanmean(metrics.bone_variation(duet.b))
        assert variation > 0.05, "no body is left"


def test_every_cheat_beats_what_it_was_made_for(cards):
    """Against the danced row: what a table would print in bold for a partner whom nobody would want."""
    danced = cards["danced"]
    for name in ("bed", "coupling"):
        assert cards["copy"][name].value > 0.999 > danced[name].value
    assert cards["bobbing"]["bed"].value > danced["bed"].value - 0.05
    assert cards["bobbing"]["skate"].value < 1e-6 < danced["skate"].value
    assert cards["stranger"]["fid_k"].value < 10 * max(danced["fid_k"].value, 1)
    assert cards["stranger"]["copied_mm"].value < 30 < danced["copied_mm"].value, "its windows are training windows"
    assert cards["parrot"]["fid_cd"].value < cards["stranger"]["fid_cd"].value
    assert cards["torn"]["speed"].value == pytest.approx(cards["stranger"]["speed"].value, rel=0.1)


def test_intervals_hold_their_value_and_distances_are_those_of_the_metrics(dances, cards):
    reference, asked = (scorecard.measure(each, kinds=KINDS) for each in dances[1:])
    for name, score in cards["danced"].items():
        assert score.low <= score.value + 1e-9 and score.value <= score.high + 1e-9, name
    for name, kind in (("fid_k", "kinetic"), ("fid_g", "geometric"), ("fid_cd", "cross")):
        direct = metrics.frechet_distance(asked.features[kind], reference.features[kind])
        assert cards["danced"][name].value == pytest.approx(direct)
    unscaled = scorecard.scorecard(asked, reference, scaled=False, samples=2)
    assert unscaled["fid_k"].value != pytest.approx(cards["danced"]["fid_k"].value)
    assert "copied_mm" not in unscaled


def test_draws_are_those_of_the_metrics_and_the_same_for_every_partner(dances, cheating):
    """What a bootstrap finds in dances drawn twice is what the metrics find in their windows; and draws are paired."""
    known, reference, asked = (scorecard.measure(each, kinds=KINDS) for each in dances)
    drawn = scorecard.draws(asked, reference, known, samples=8)
    rng = np.random.default_rng(0)
    for k in range(1, 9):
        again = scorecard._redrawn(asked.kinds, rng)
        rows = np.concatenate([np.flatnonzero(asked.dance == dance) for dance in again])
        for name, kind in (("fid_k", "kinetic"), ("fid_g", "geometric"), ("fid_cd", "cross")):
            direct = metrics.frechet_distance(asked.features[kind][rows], reference.features[kind])
            assert drawn[name][k] == pytest.approx(direct, rel=1e-6), name
        assert drawn["bed"][k] == pytest.approx(asked.numbers["bed"][again].mean())
    unscaled = metrics.frechet.frechet_redrawn(asked.features["cross"], reference.features["cross"],
                                               np.ones((1, len(asked.dance))), scaled=False)
    direct = metrics.frechet_distance(asked.features["cross"], reference.features["cross"], scaled=False)
    assert unscaled[0] == pytest.approx(direct, rel=1e-6)
    assert scorecard.scores(drawn) == scorecard.scorecard(asked, reference, known, samples=8)
    assert all((scorecard.draws(asked, reference, known, samples=8)[name] == drawn[name]).all() for name in drawn)
    # the same dances, so that the difference of a partner from itself is nothing in each draw
    assert scorecard.interval(drawn["fid_k"] - drawn["fid_k"], moved=True, least=-np.inf) == (0, 0, 0)
    below = scorecard.interval(np.array([-1.0, -3.0, -1.0]), least=-np.inf)
    assert below.value == -1 and below.low < -2.9 and scorecard.interval(np.array([-1.0, -3.0, -1.0])).low == 0


def test_large_scores_are_written_short():
    assert str(scorecard.Score(34979866.0, 28292073.0, 43139677.0)) == "35.0 M (28.3 to 43.1 M)"
    assert str(scorecard.Score(48190.0, 20118.0, 81805.0)) == "48.2 k (20.1 to 81.8 k)"
    assert str(scorecard.Score(6.756, 3.6, 10.8)) == "6.76 (3.60 to 10.80)"
    assert str(scorecard.Score(5960.0, 0.0, 17172.0)) == "5960 (0 to 17172)"


def test_partners_are_told_from_strangers_by_what_knows_the_leader(dances, cheating):
    _, reference, asked = dances
    true, strangers, real = (scorecard.measure(each, kinds=KINDS) for each in (asked, cheating["stranger"], reference))
    areas = scorecard.tells_partners(true, strangers, real, samples=20)
    assert areas["coupling"].value > 0.9
    assert areas["coupling"].low <= areas["coupling"].value <= areas["coupling"].high
    same = scorecard.tells_partners(true, true, real, samples=2)
    assert all(score.value == 0.5 for score in same.values())


def test_in_range_and_what_cannot_be_measured(dances):
    asked = dances[2]
    within = scorecard.measure(asked, distances=(0.01, 50.0)).numbers["in_range_percent"]
    assert (within == 100).all()
    assert (scorecard.measure(asked, distances=(20.0, 50.0)).numbers["in_range_percent"] == 0).all()
    with pytest.raises(ValueError, match="six seconds"):
        scorecard.measure([asked[0][:100]])
    with pytest.raises(ValueError, match="kinds"):
        scorecard.measure(asked, kinds=["canon"])
    with pytest.raises(ValueError, match="as long as"):
        cheats.cheat("stranger", asked, [asked[0][:100]])


def test_a_twin_is_filmed_with_as_much_noise_as_asked():
    duet = synthetic.duet("canon", 300, seed=1)
    twin = cheats.as_filmed(duet, noise=0.02)
    assert np.std(twin.positions - duet.positions) == pytest.approx(0.02, rel=0.05)
    deep = cheats.as_filmed(duet, depth=0.1).positions - duet.positions
    assert np.abs(deep[..., [0, 2]]).max() == 0 and np.abs(deep[..., 1] - deep[:, :, :1, 1]).max() < 1e-5
    assert 0.02 < np.std(deep[..., 1]) < 0.3
    gaps = cheats.as_filmed(duet, missing=0.3, gap=0.5)
    straight = np.linalg.norm(np.diff(gaps.a.positions, 2, axis=0), axis=-1).max(1) < 1e-6
    assert straight.sum() > 30
    whole = cheats.as_filmed(duet)
    np.testing.assert_allclose(whole.positions, duet.positions, atol=1e-6)


def test_a_model_rolls_out_several_dances_as_it_does_one():
    model = cl.load_model("duet-synthetic")
    for frames, dtype, atol in ((50, torch.float32, 1e-4), (120, torch.float64, 1e-6)):  # as long as roundings stay so
        duets = [synthetic.duet("canon", frames, seed=seed) for seed in (600, 601)]
        made = scorecard.danced_along(model.to(dtype), duets)
        alone = model.rollout(duets[1].a, duets[1].b[: model.past])
        np.testing.assert_allclose(made[1].b.positions, alone.positions, atol=atol)
        assert made[0].a is duets[0].a
    shelf, short = cl.load_model("shelf-duet-synthetic"), [duet[:30] for duet in duets]
    made = scorecard.danced_along(shelf, short, past=20)
    alone = shelf.rollout(short[1].a, short[1].b[:20])
    np.testing.assert_allclose(made[1].b.positions, alone.positions, atol=1e-4)
    with pytest.raises(ValueError, match="past must be less than the 30 frames"):
        scorecard.danced_along(shelf, short, past=30)
