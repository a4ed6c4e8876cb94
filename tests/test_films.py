"""Films: as long as the dance, at the rate that was asked for, of the size that was asked for, and flat in memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from PIL import Image

import choreo_lib as cl
from choreo_lib.show import export, films


@pytest.fixture(scope="module")
def duet():
    return cl.load_duet("synthetic/canon")[:91]


def small(motion, path, **how):
    return cl.animate(motion, path, **{"size": (64, 48), "progress": False, **how})


def gif_times(path) -> list[int]:
    """How long each frame is shown, hundredths of a second, from the file's own bytes: no library adds them up."""
    data = path.read_bytes()
    return [int.from_bytes(found[1], "little") for found in re.finditer(rb"\x21\xf9\x04.(..).\x00\x2c", data, re.S)]


@pytest.mark.parametrize("fps", [30, 24, 25, 29.97, 23.976, 40, 48, 50, 12.5, 7, 1, 0.5])
def test_a_gif_keeps_time(duet, tmp_path, fps):
    """After every frame within half a hundredth of a second, and no frame so short that viewers slow it down."""
    times = gif_times(small(duet, tmp_path / "x.gif", fps=fps))
    assert len(times) == round(91 / 30 * fps) and min(times) >= 2
    np.testing.assert_allclose(np.cumsum(times), 100 * np.arange(1, len(times) + 1) / fps, atol=0.5001)
    assert len(times) == 1 or abs(sum(times) - 100 * 91 / 30) <= max(100 / fps, 1)


def test_a_gif_of_thirty_a_second_lasts_as_long_as_the_dance(duet, tmp_path):
    """The fault was 30 ms for every frame: 11 % too fast."""
    times = gif_times(small(duet, tmp_path / "x.gif"))
    assert len(times) == 91 and sum(times) == 303 and set(times) == {3, 4}


def test_what_a_viewer_sees_is_what_was_drawn(duet, tmp_path, monkeypatch):
    """The parts that are kept of each frame make it whole again, to the nearest of its colours."""
    drawn = []
    real = export._pictures

    def watched(*given):
        for picture in real(*given):
            drawn.append(picture)
            yield picture

    monkeypatch.setattr(export, "_pictures", watched)
    path = small(duet, tmp_path / "x.gif", size=(120, 90), edges=[(20, 21)])
    with Image.open(path) as film:
        assert film.n_frames == len(drawn) == 91 and film.info["loop"] == 0
        for k in (0, 1, 45, 90):
            film.seek(k)
            off = np.abs(np.asarray(film.convert("RGB"), int) - drawn[k])
            assert off.mean() < 3 and (off.max(-1) > 60).mean() < 0.005


def test_a_still_motion_is_a_film_too(tmp_path):
    held = cl.load_duet("synthetic/canon").a[:1]
    still = cl.Motion(np.repeat(held.positions, 30, 0), 30, held.skeleton)
    path = small(still, tmp_path / "x.gif")
    assert sum(gif_times(path)) == 100
    with Image.open(path) as film:
        film.seek(film.n_frames - 1)
        last = np.asarray(film.convert("RGB"))
        film.seek(0)
        assert np.array_equal(last, np.asarray(film.convert("RGB")))


def shown(motion, seconds=None, fps=None, most=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return export._frames(motion, seconds, fps, most)


@pytest.mark.parametrize("fps, length", [(30, 91), (24, 73), (15, 46), (60, 182), (29.97, 91), (10, 30)])
def test_each_moment_shows_the_nearest_frame(duet, fps, length):
    frames, rate = shown(duet, fps=fps)
    assert rate == fps and len(frames) == length
    np.testing.assert_allclose(frames / 30, np.arange(length) / fps, atol=0.5 / 30 + 1e-9)


def test_without_a_wish_no_frame_is_shown_at_another_time_than_it_was_danced(duet):
    for rate, step in ((30, 1), (29.97, 1), (30.0000001, 1), (50, 2), (60, 2), (120, 4), (119.88, 4), (12, 1)):
        motion = cl.Motion(duet.a.positions, rate, duet.a.skeleton)
        frames, fps = shown(motion)
        assert np.array_equal(frames, np.arange(0, 91, step)) and fps == pytest.approx(rate / step)


def test_a_gif_leaves_out_what_is_too_quick_for_it_and_says_so(duet, tmp_path):
    with pytest.warns(UserWarning, match="fps=100: a GIF shows at most 50"):
        path = small(duet, tmp_path / "x.gif", fps=100)
    times = gif_times(path)
    assert set(times) == {2} and sum(times) == 304
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(duet, tmp_path / "y.gif", fps=50)


@pytest.mark.parametrize("fps, said", [(24, "24"), (29.97, "29.97"), (30000 / 1001, "29.97"), (12.5, "12.50"),
                                       (48, "48"), (None, "30")])
def test_an_mp4_has_the_rate_that_was_asked_for(duet, tmp_path, fps, said):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = small(duet, tmp_path / "x.mp4", fps=fps)
    frames, seconds = ffmpeg.count_frames_and_secs(str(path))
    assert frames == round(91 / 30 * (fps or 30)) and seconds == pytest.approx(frames / (fps or 30), abs=0.02)
    words = subprocess.run([ffmpeg.get_ffmpeg_exe(), "-i", path], capture_output=True, text=True).stderr
    assert f" {said} fps" in words


@pytest.mark.parametrize("size", [(65, 49), (64, 49), (65, 48), (17, 333)])
def test_odd_sizes(duet, tmp_path, size):
    """A GIF has them; the colours of an MP4 come in pairs, so it is rounded up, and nothing is stretched."""
    with Image.open(small(duet[:3], tmp_path / "x.gif", size=size)) as film:
        assert film.size == size
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    words = next(ffmpeg.read_frames(str(small(duet[:3], tmp_path / "x.mp4", size=size))))
    assert words["source_size"] == tuple(side + side % 2 for side in size)
    assert ffmpeg.count_frames_and_secs(str(tmp_path / "x.mp4"))[0] == 3


@pytest.mark.parametrize("how", [
    *({"size": size} for size in ((0, 100), (1e9, 3), 5, "ab", (5000, 5000), (100, 100, 3), None, (100.5, 100),
                                  (-64, 48))),
    *({"fps": fps} for fps in (0, -3, float("nan"), 1e9, "30", [30])),
    *({"seconds": seconds} for seconds in (-1, 0, float("inf"), "all"))], ids=str)  # fmt: skip
@pytest.mark.parametrize("kind", ["gif", "mp4"])
def test_wishes_that_cannot_be_met_name_the_argument(duet, tmp_path, how, kind):
    with pytest.raises((ValueError, TypeError), match=rf"^{next(iter(how))}\b"):
        small(duet, tmp_path / f"x.{kind}", **how)
    assert not list(tmp_path.iterdir())


def test_a_film_without_end_names_seconds(duet, tmp_path):
    long = cl.Motion(np.repeat(duet.a.positions[:1], 40_001, 0), 30, duet.a.skeleton)
    with pytest.raises(ValueError, match="40,001 frames are more than the 40,000 of a film.*seconds="):
        small(long, tmp_path / "x.gif")
    with pytest.raises(ValueError, match="seconds="):
        small(long, tmp_path / "x.mp4", fps=60)
    assert len(shown(long, seconds=1200)[0]) == 36_000  # twenty minutes are a film


def test_a_ghost_at_another_rate_keeps_its_own_time(duet):
    slow = cl.Motion(duet.b.positions[::2], 15, duet.b.skeleton)
    held = cl.Motion(np.repeat(slow.positions, 2, 0), 30, duet.b.skeleton)
    view, frames = (30.0, 14.0), np.arange(0, 90, 10)
    one, other = (list(export._pictures(duet.a, ghost, None, frames, (64, 48), view, False)) for ghost in (slow, held))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_floor_under_what_goes_very_far_has_not_a_million_lines():
    assert len(export._floor([np.array([[[0.0, 0, 0]], [[1e5, 1e5, 0]]])])) < 300
    assert len(export._floor([np.zeros((2, 3, 3))])) == 6


LONG = textwrap.dedent("""
    import resource, sys
    import numpy as np
    from pathlib import Path
    from choreo_lib.show import films

    def pictures(count):
        for k in range(count):
            picture = np.full((100, 160, 3), 250, np.uint8)
            picture[20:80, k % 120 : k % 120 + 20] = 60
            yield picture

    for count in (50, int(sys.argv[2])):
        films.write_gif(Path(sys.argv[1]), pictures(count), count, 30.0, (160, 100), 24)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
""")


def test_a_long_gif_takes_no_more_memory_than_a_short_one(tmp_path):
    """3,000 frames held would be 48 MB as they are kept, 144 MB as they are drawn."""
    pytest.importorskip("resource")
    (tmp_path / "run.py").write_text(LONG)
    root = str(export.Path(export.__file__).parents[1])
    done = subprocess.run([sys.executable, tmp_path / "run.py", tmp_path / "x.gif", "3000"], capture_output=True,
                          text=True, env={**os.environ, "PYTHONPATH": root})
    assert done.returncode == 0, done.stderr[-2000:]
    unit = 1 if sys.platform == "darwin" else 1024  # what the system counts in
    short, long = (int(line) * unit for line in done.stdout.split())
    assert long - short < 20e6
    with Image.open(tmp_path / "x.gif") as film:
        assert film.n_frames == 3000
    assert sum(gif_times(tmp_path / "x.gif")) == 10_000 and films.GIF_FPS == 50
