"""Our measures beside what two public evaluations gave for the same seeded arrays.

Numbers of Duolando (github.com/lisiyao21/Duolando, commit abb93e6: utils/metrics.py, utils/metrics_duet.py) and of
InterGen (github.com/tr3e/InterGen, commit b1750df: utils/metrics.py), run with SciPy 1.17.1. Their code is not here.
"""

import numpy as np
import pytest

import choreo_lib as cl
from choreo_lib.evaluation import metrics


def arrays(windows, features):
    """Features of as many generated and real windows."""
    rng = np.random.default_rng(11)
    mix = rng.normal(size=(features, features)) / np.sqrt(features)
    return rng.normal(size=(windows, features)) @ mix * 1.3 + 0.2, rng.normal(size=(windows, features)) @ mix


def dancers(seed):
    """Ten seconds of two bodies of 55 points that swing, [300, 2, 55, 3], Y up."""
    rng = np.random.default_rng(seed)
    time = np.arange(300) / 30
    phase, speed = rng.uniform(0, 2 * np.pi, (2, 55, 3)), rng.uniform(2, 6, (2, 1, 1))
    return 0.2 * np.sin(time[:, None, None, None] * speed + phase) + rng.normal(size=(2, 55, 3))


FRECHET = {(400, 51): (9.97457594638027, 342.53546868923604), (400, 100): (22.43324466269806, 804.726918632703),
           (120, 29): (6.311949842501534, 222.6878481042654), (60, 100): (92.45071690072146, 3110.675807273101)}


@pytest.mark.parametrize("shape", FRECHET, ids=str)
def test_frechet_distances_are_theirs_on_given_features(shape):
    """FID_k and FID_cd as Duolando, within a millionth, also with fewer windows than features; InterGen's times 36."""
    x, y = arrays(*shape)
    duolando, intergen = FRECHET[shape]
    assert metrics.frechet_distance(x, y) == pytest.approx(duolando, rel=1e-6)
    assert 36 * metrics.frechet_distance(x, y, scaled=False) == pytest.approx(intergen, rel=1e-6)


@pytest.mark.parametrize("seed, echo, apart", [(0, 0.333551503694234, 1.89592765511545),
                                               (1, 0.37138528861601006, 2.3053304489001567),
                                               (2, 0.2627890721176342, 2.0459683836937774)])  # fmt: skip
def test_echoed_beats_and_distances_are_theirs(seed, echo, apart):
    """Beats differ by less than half a frame (forward differences there, central ones here): 5 % of the degree."""
    positions = dancers(seed).astype(np.float32)
    cloud = cl.Skeleton(tuple(f"joint {k}" for k in range(55)), (-1, *[0] * 54))
    lead, follow = (cl.Motion(positions[:, who], 30.0, cloud) for who in (0, 1))
    assert metrics.beat_echo(lead, follow) == pytest.approx(echo, abs=0.05)
    # the ten joints of their cross-distances, under the names that ours are found by
    places = (0, 7, 8, 10, 11, 15, 16, 17, 20, 21)
    body = cl.Skeleton(tuple(metrics.frechet.CROSS), (-1, *[0] * 9))
    pair = cl.Duet(*(cl.Motion(positions[:, who][:, places], 30.0, body) for who in (0, 1)))
    assert metrics.cross_distance_features(pair).mean() == pytest.approx(apart, rel=1e-5)


def test_what_they_call_acceleration_is_a_distance():
    """Of their kinetic features every third is 3,540 times how far a joint is from where the pelvis began.

    In `calc_average_acceleration` the division by the frame's time stands inside the bracket of one term, so a joint
    that never moves, a metre from there, has an "energy expenditure" of 60 * 59. Ours of a statue is zero.
    """
    positions = dancers(0)[:60, 0, :24]
    positions = positions - positions[:1, :1]
    theirs, distance = 5.9916743e3, np.linalg.norm(positions, axis=-1).mean()
    assert theirs / distance == pytest.approx(60 * 59, rel=0.01)
    still = cl.Motion(np.repeat(cl.load_duet("synthetic/canon").a.positions[:1], 60, 0), 30.0, cl.HYBRIK_29)
    assert np.abs(metrics.kinetic_features(still)).max() == 0
