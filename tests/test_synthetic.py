"""Synthetic duets: bodies that could be danced, and couplings that are what they claim."""

import numpy as np
import pytest

from choreo_lib.sets import synthetic
from choreo_lib.sets.synthetic import Drive
from choreo_lib.sets.synthetic.body import JOINT_INDEX as AT

SEEDS = range(4)


def lagged(duet, drive, furthest=15):
    """The lag at which the receiver's velocity (from its parent) best matches the sender's (from its root)."""
    dancers = {"a": duet.a, "b": duet.b}
    sent, heard = (dancers[who].positions.astype(float) for who in (drive.source[0], drive.target[0]))
    target = AT[drive.target[1]]
    u = np.diff(sent[:, AT[drive.source[1]]] - sent[:, 0], axis=0)
    v = np.diff(heard[:, target] - heard[:, duet.a.skeleton.parents[target]], axis=0)
    score = {}
    for lag in range(-furthest, furthest + 1):
        x, y = (u[: len(u) - lag], v[lag:]) if lag >= 0 else (u[-lag:], v[:lag])
        score[lag] = (x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum())
    return max(score, key=score.get)


def bend(p, first, middle, last):
    """The angle by which a limb bends at its middle joint, degrees [T]."""
    upper, lower = p[:, AT[middle]] - p[:, AT[first]], p[:, AT[last]] - p[:, AT[middle]]
    cosine = (upper * lower).sum(-1) / np.linalg.norm(upper, axis=-1) / np.linalg.norm(lower, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


@pytest.mark.parametrize("kind", synthetic.KINDS)
def test_bodies_keep_their_bones_feet_and_distance(kind):
    for seed in SEEDS:
        duet = synthetic.duet(kind, frames=400, seed=seed)
        for m in duet:
            p = m.positions.astype(float)
            parents, children = np.array(m.skeleton.bones).T
            bones = np.linalg.norm(p[:, parents] - p[:, children], axis=-1)
            assert (bones.std(0) / bones.mean(0)).max() < 1e-5
            feet = p[:, [AT["left_ankle"], AT["right_ankle"]]]
            lower = feet[..., 2].argmin(1)
            slide = np.linalg.norm(np.diff(feet, axis=0), axis=-1)[np.arange(len(p) - 1), lower[1:]] * m.fps
            assert slide[lower[1:] == lower[:-1]].max() < 0.02, "a supporting foot slides"
            assert p[..., 2].min() > -0.005, "a joint is under the floor"
            for side in ("left", "right"):
                assert bend(p, f"{side}_hip", f"{side}_knee", f"{side}_ankle").max() < 141
                assert bend(p, f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist").max() < 150
                knee = p[:, AT[f"{side}_knee"]] - (p[:, AT[f"{side}_hip"]] + p[:, AT[f"{side}_ankle"]]) / 2
                toe = p[:, AT[f"{side}_bigtoe"]] - p[:, AT[f"{side}_ankle"]]
                assert (knee[:, :2] * toe[:, :2]).sum(-1).min() > -0.002, "a knee bends backwards"
        trunk = [AT[n] for n in ("pelvis", "spine1", "spine2", "spine3", "neck", "jaw")]
        for me, other in (duet, (duet.b, duet.a)):
            gap = np.linalg.norm(me.positions[:, trunk][:, :, None] - other.positions[:, None], axis=-1)
            assert gap.min() > 0.12, "one body passes through the other"


def test_jerk_lies_where_recorded_salsa_has_it():
    """Recorded salsa has a mean jerk of 32 to 58 m/s^3; dancers who hold hands are calmer, and the page says so."""
    for kind in ("independent", "mirror", "canon", "drives"):
        jerks = [
            np.linalg.norm(np.diff(m.positions.astype(float), 3, axis=0) * m.fps**3, axis=-1).mean()
            for seed in range(8)
            for m in synthetic.duet(kind, frames=600, seed=seed)
        ]
        assert 32 < np.mean(jerks) < 58, (kind, np.mean(jerks))


def test_planted_drives_are_found_at_their_lag():
    found = [
        abs(lagged(duet, drive) - drive.lag) <= 1
        for seed in range(20)
        for duet in [synthetic.duet("drives", frames=300, seed=seed)]
        for drive in duet.coupling.drives
    ]
    assert len(found) == 120 and np.mean(found) >= 0.95


def test_strength_is_what_carries_the_drive():
    drive = Drive(("a", "left_wrist"), ("b", "right_wrist"), 6, 0.9)
    silent = Drive(("a", "left_wrist"), ("b", "right_wrist"), 6, 0.0)
    hits = {
        d.strength: sum(abs(lagged(synthetic.duet("drives", 300, s, drives=[d]), d) - 6) <= 1 for s in range(12))
        for d in (drive, silent)
    }
    assert hits[0.9] >= 11 and hits[0.0] <= 4


def local(motion):
    return motion.rotations[:, 1:]


def test_a_canon_is_the_same_dance_later():
    duet = synthetic.duet("canon", frames=300, lag=12, seed=3, bodies=(synthetic.body(), synthetic.body()))
    arms = [AT[f"{s}_{p}"] - 1 for s in ("left", "right") for p in ("elbow", "wrist")]
    late, first = local(duet.b)[12:, arms], local(duet.a)[:-12, arms]
    assert np.abs((late * first).sum(-1)).min() > 0.9999
    assert np.abs((local(duet.b)[:, arms] * local(duet.a)[:, arms]).sum(-1)).min() < 0.99


def test_a_mirror_mirrors():
    duet = synthetic.duet("mirror", frames=200, seed=3, bodies=(synthetic.body(), synthetic.body()))
    left, right = (duet.a.positions[:, AT["left_wrist"], 2], duet.b.positions[:, AT["right_wrist"], 2])
    np.testing.assert_allclose(left, right, atol=0.03)
    assert np.abs(left - duet.b.positions[:, AT["left_wrist"], 2]).max() > 0.2


def test_strength_decides_how_much_of_a_canon_is_followed():
    def likeness(strength):
        values = []
        for seed in range(6):
            duet = synthetic.duet("canon", frames=400, lag=10, seed=seed, strength=strength)
            heights = [m.positions[:, [AT["left_wrist"], AT["right_wrist"]], 2] for m in duet]
            values.append(np.corrcoef(heights[0][:-10].ravel(), heights[1][10:].ravel())[0, 1])
        return np.mean(values)

    none, half, full = likeness(0.0), likeness(0.6), likeness(1.0)
    assert none < 0.4 < half < full and full > 0.9


@pytest.mark.parametrize(("kind", "hands"), [("contact", 1), ("counterbalance", 2)])
def test_hands_that_hold_stay_together(kind, hands):
    for seed in SEEDS:
        duet = synthetic.duet(kind, frames=300, seed=seed)
        pairs = [("left", "right"), ("right", "left")][:hands]
        for mine, yours in pairs:
            gap = np.linalg.norm(
                duet.a.positions[:, AT[f"{mine}_middle"]] - duet.b.positions[:, AT[f"{yours}_middle"]], axis=-1
            )
            assert np.percentile(gap, 99) < 0.06


def test_same_seed_same_bytes():
    one, two, three = (synthetic.duet("drives", frames=50, seed=s) for s in (7, 7, 8))
    assert one.positions.tobytes() == two.positions.tobytes() and one.coupling == two.coupling
    assert one.positions.tobytes() != three.positions.tobytes()


def test_the_truth_survives_slicing_and_files():
    duet = synthetic.duet("drives", frames=60, seed=1)
    assert duet[10:50].coupling == duet.coupling
    assert [d.lag for d in duet[::2].coupling.drives] == [round(d.lag / 2) for d in duet.coupling.drives]
    assert synthetic.Coupling.from_arrays(duet.coupling.to_arrays()) == duet.coupling
    assert duet.coupling.matrix().shape == (58, 58) and (duet.coupling.matrix() > 0).sum() == 6


@pytest.mark.parametrize(
    "wrong", [dict(kind="tango"), dict(lag=-1), dict(strength=2), dict(frames=0), dict(kind="drives", drives=99)]
)
def test_wrong_wishes_are_refused(wrong):
    with pytest.raises(ValueError, match=rf"^{list(wrong)[-1]} must be .*; got "):
        synthetic.duet(**wrong)


@pytest.mark.parametrize("wrong", [dict(kind="contact", lag=5), dict(kind="independent", strength=0.5)])
def test_the_planted_truth_never_names_what_was_not_planted(wrong):
    with pytest.raises(ValueError, match="mean nothing"):
        synthetic.duet(**wrong)


@pytest.mark.parametrize("kind", ["canon", "mirror"])
def test_half_an_echo_needs_one_beat(kind):
    with pytest.raises(ValueError, match="strength 0.5 with shared_beat False: .* take strength 1"):
        synthetic.duet(kind, 60, strength=0.5, shared_beat=False)
    assert len(synthetic.duet(kind, 60, shared_beat=False)) == 60
