"""Stills and films: returned, sized, told apart without colour, and whole or not at all."""

import io
import subprocess

import numpy as np
import pytest
from PIL import Image

import choreo_lib as cl
from choreo_lib.show import camera, palette, plots

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(scope="module")
def duet():
    return cl.load_duet("synthetic/contact")[:40]


def pixels(figure):
    """A figure as it would be stored: uint8 [height, width, 3]."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=60)
    return np.asarray(Image.open(file).convert("RGB"))


def views(duet, ax=None):
    yield plots.seq(duet, count=4, ax=ax)
    yield plots.seq(duet.a, count=4, ax=ax)
    yield plots.ghost(duet, duet[5:], 3, ax=ax)
    yield plots.couplings(duet, 3, ax=ax)
    yield plots.arrows(duet, 9, gap=3, joints=["left_wrist"], ax=ax)
    yield plots.paths(duet, ax=ax)
    yield plots.distance(duet, ("left_middle", "right_middle"), ax=ax)
    yield plots.traces({"a": np.arange(9.0), "b": np.arange(9.0)}, 30, ax=ax)


def test_every_view_returns_its_figure_and_draws_something(duet):
    for figure in views(duet):
        assert isinstance(figure, matplotlib.figure.Figure)
        picture = pixels(figure)
        assert (picture != picture[0, 0]).any(axis=-1).mean() > 0.001


def test_every_view_draws_on_the_axes_it_is_given(duet):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2)
    for drawn in views(duet, ax=axes[1]):
        assert drawn is figure and axes[1].has_data() and not axes[0].has_data()
        axes[1].clear()
    plt.close(figure)


def test_a_projection_keeps_lengths_across_the_line_of_sight():
    flat = camera.project(np.array([(0.0, 0, 0), (1, 0, 0), (0, 0, 1)]), view=(-90, 0))
    np.testing.assert_allclose(flat, [(0, 0), (1, 0), (0, 1)], atol=1e-12)


def test_from_the_best_side_a_stands_left_or_both_show_their_front():
    for kind in ("canon", "mirror", "contact", "independent"):
        duet = cl.load_duet(f"synthetic/{kind}")
        azimuth = plots.best_side(tuple(duet))
        across = camera.project(duet.positions[len(duet) // 2, :, 0], (azimuth, 0))[:, 0]
        assert abs(across[1] - across[0]) > 0.9 * np.linalg.norm(
            np.ptp(duet.positions[len(duet) // 2, :, 0, :2], axis=0)
        )


def test_the_two_dancers_differ_in_more_than_colour(duet, monkeypatch):
    """In one colour, the same pose as dancer a (solid) and as dancer b (hollow) still looks different."""
    monkeypatch.setattr(palette, "DANCERS", ("#000000", "#000000"))
    inked = []
    for pair in ((duet.a, duet.b), (duet.b, duet.a)):
        figure = plots.ghost(cl.Duet(*pair), duet, 5, view=(0, 0))
        inked.append((pixels(figure).sum(axis=-1) < 200).mean())
    alone = [plots.ghost(duet.a, duet.a, 5, view=(0, 0)), plots.ghost(cl.Duet(duet.b, duet.a), duet.b, 5, view=(0, 0))]
    assert len({pixels(f).tobytes() for f in alone}) == 2 and abs(inked[0] - inked[1]) > 1e-4
    assert palette.DASHES[0] != palette.DASHES[1]


def test_wrong_wishes_for_a_picture_are_refused(duet, tmp_path):
    with pytest.raises(ValueError, match="needs 5 frames"):
        plots.arrows(duet, 2, gap=5)
    with pytest.raises(ValueError, match="shape"):
        plots.couplings(duet, weights=np.ones((3, 3)))
    with pytest.raises(ValueError, match=r"\.gif or \.mp4"):
        cl.animate(duet, tmp_path / "x.avi")
    with pytest.raises(ValueError, match="do not fit"):
        cl.animate(duet, tmp_path / "x.gif", size=(160, 100), max_bytes=50, progress=False)
    with pytest.raises(cl.MotionFormatError, match="cannot write"):
        cl.animate(duet, tmp_path / "nowhere" / "x.gif", progress=False)
    assert not list(tmp_path.iterdir()), "a refused film left something behind"


def test_a_gif_has_every_frame_and_the_size_asked_for(duet, tmp_path):
    path = cl.animate(duet, tmp_path / "x.gif", size=(160, 100), ghost=duet.a, edges=[(25, 26)], progress=False)
    with Image.open(path) as film:
        assert film.size == (160, 100) and film.n_frames == len(duet)
        assert film.info["duration"] == pytest.approx(1000 / 30, abs=5)


def test_an_mp4_is_h264_and_moves(duet, tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = cl.animate(duet, tmp_path / "x.mp4", size=(160, 100), progress=False)
    said = subprocess.run([ffmpeg.get_ffmpeg_exe(), "-i", path], capture_output=True, text=True).stderr
    assert "h264" in said and "160x100" in said
    frames = list(ffmpeg.read_frames(str(path)))[1:]
    assert len(frames) == len(duet) and frames[0] != frames[-1]


def test_a_film_that_breaks_off_leaves_nothing(duet, tmp_path, monkeypatch):
    from choreo_lib.show import export

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "write_gif", full)
    with pytest.raises(cl.MotionFormatError, match="No space left"):
        cl.animate(duet, tmp_path / "x.gif", progress=False)
    assert not list(tmp_path.iterdir())


def test_leads_are_as_large_as_what_is_sent(duet):
    sends, receives = np.zeros((2, 29)), np.zeros((2, 29))
    sends[0, 4], sends[1, 7], receives[1, 20] = 2.0, 1.0, 2.0
    (ax,) = plots.leads(duet, sends, receives).axes
    discs = [each for each in ax.collections if hasattr(each, "get_sizes") and len(each.get_sizes()) == 29]
    assert len(discs) == 4  # discs and rings of a, discs and rings of b
    assert discs[0].get_sizes()[4] == 2 * discs[2].get_sizes()[7] == discs[3].get_sizes()[20] > 0
    assert discs[0].get_sizes().sum() == discs[0].get_sizes()[4]
    with pytest.raises(ValueError, match=r"shape \(2, 29\)"):
        plots.leads(duet, sends[:, :5], receives[:, :5])
