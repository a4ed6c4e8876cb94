"""Moving pictures as files: GIF and MP4, for slides, messages and pages that may not carry the data itself.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from . import palette
from .arguments import count, each, flag, number, path, seconds, takes
from .drawable import EDGES, SEEN, VIEW
from .formats.border import atomic_write
from .motion import Duet, Motion

SUFFIXES = (".gif", ".mp4")


@takes(motion=SEEN, path=path, ghost=SEEN, edges=EDGES, seconds=seconds, size=each(count(16, 8192), size=2),
       fps=number(0.01, 240), view=VIEW, max_bytes=count(1, 10**12), progress=flag)
def animate(
    motion: Motion | Duet,
    path: str | Path,
    *,
    ghost: Motion | Duet | None = None,
    edges=None,
    seconds: float | None = None,
    size: tuple[int, int] = (640, 400),
    fps: float | None = None,
    view: tuple[float, float] | None = None,
    max_bytes: int | None = None,
    progress: bool = True,
) -> Path:
    """Draw a motion or a duet as a film; gives the path.

    ``path`` ends in .gif or .mp4 (MP4 needs the extra ``video``: pip install 'choreo-lib[video]'). ``ghost`` is drawn
    in grey behind; ``edges`` are index pairs (joint of a, joint of b). ``view`` is (azimuth,
    elevation) in degrees (default: from the best side). Units: ``size`` pixels, even numbers;
    ``seconds`` cuts the film; ``fps`` of the film (default: the motion's, at most 30); ``max_bytes`` makes it
    coarser until it fits.
    The file is written under a temporary name and renamed when complete, so a stop leaves no half film.
    Errors: ValueError for another suffix, or where ``max_bytes`` cannot be met; ImportError naming the
    extra; MotionFormatError where the folder cannot be written.
    Chapter: 1.
    """
    from .plots import best_side

    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"path {path.name}: a film ends in {' or '.join(SUFFIXES)}")
    motion = motion if seconds is None else motion[: max(int(round(seconds * motion.fps)), 1)]
    if view is None:
        view = (best_side(tuple(motion) if isinstance(motion, Duet) else (motion,)), 14.0)
    step = max(int(np.ceil(motion.fps / (fps or 30))), 1)
    frames = range(0, len(motion), step)
    write = _write_gif if path.suffix.lower() == ".gif" else _write_mp4
    with atomic_write(path) as half:
        for quality in (24, 30, 36, 42):
            pictures = _pictures(motion, ghost, edges, frames, size, view, progress)
            write(os.fspath(half), pictures, motion.fps / step, size, quality)
            if max_bytes is None or half.stat().st_size <= max_bytes:
                break
            size = tuple(int(s * 0.8) // 2 * 2 for s in size)
        else:
            raise ValueError(
                f"{path.name}: {len(frames)} frames do not fit into {max_bytes} bytes; ask for fewer seconds"
            )
    return path


def _pictures(motion, ghost, edges, frames, size, view, progress):
    """Yield one RGB picture uint8 [height, width, 3] per frame, by Pillow: far quicker than matplotlib."""
    from PIL import Image, ImageDraw

    dancers = tuple(motion) if isinstance(motion, Duet) else (motion,)
    ghosts = () if ghost is None else tuple(ghost) if isinstance(ghost, Duet) else (ghost,)
    from .plots import _project

    drawn = [(m, _project(m.positions, view), who) for who, m in [(None, g) for g in ghosts] + list(enumerate(dancers))]
    everything = np.concatenate([p[list(frames)[0] : len(motion)].reshape(-1, 2) for _, p, _ in drawn])
    low, high = everything.min(0), everything.max(0)
    big = 2  # drawn at twice the size and scaled down, for smooth edges
    width, height = size[0] * big, size[1] * big
    scale = 0.88 * min(width / max(high[0] - low[0], 0.5), height / max(high[1] - low[1], 0.5))
    place = lambda p: (p - (low + high) / 2) * (scale, -scale) + (width / 2, height / 2)  # noqa: E731
    floor = [
        place(_project(np.array(line, float), view))
        for line in _floor(np.concatenate([m.positions for m, _, _ in drawn]))
    ]
    stroke = max(int(0.016 * scale), 2)
    for frame in tqdm(frames, desc="drawing", unit="frame", disable=not progress, leave=False):
        picture = Image.new("RGB", (width, height), palette.PAPER)
        draw = ImageDraw.Draw(picture)
        for line in floor:
            draw.line([tuple(p) for p in line], fill=palette.GRID, width=2)
        at = [place(p[min(frame, len(p) - 1)]) for _, p, _ in drawn]
        for i, j in edges if edges is not None else ():
            draw.line([tuple(at[-2][i]), tuple(at[-1][j])], fill=palette.STRING, width=max(stroke // 2, 1))
        for (m, _, who), points in zip(drawn, at, strict=True):
            colour = palette.GHOST if who is None else palette.DANCERS[who]
            for p, c in m.skeleton.bones:
                draw.line(
                    [tuple(points[p]), tuple(points[c])],
                    fill=colour,
                    width=stroke + (who == 1) * stroke // 3,
                    joint="curve",
                )
            if who == 1:
                for p, c in m.skeleton.bones:
                    draw.line([tuple(points[p]), tuple(points[c])], fill=palette.PAPER, width=max(stroke // 3, 1))
            head = m.skeleton.find("head", "jaw", "neck")
            if head is not None:
                x, y, r = *points[head], 3 * stroke
                draw.ellipse(
                    [x - r, y - r, x + r, y + r],
                    fill=colour if who != 1 else palette.PAPER,
                    outline=colour,
                    width=stroke,
                )
        yield np.asarray(picture.resize(size, Image.Resampling.LANCZOS))


def _floor(positions: np.ndarray) -> list:
    """Lines of a one-metre floor grid under everything that moves."""
    low, high = np.floor(positions[..., :2].min((0, 1)) - 0.3), np.ceil(positions[..., :2].max((0, 1)) + 0.3)
    lines = [[(x, low[1], 0), (x, high[1], 0)] for x in np.arange(low[0], high[0] + 1)]
    return lines + [[(low[0], y, 0), (high[0], y, 0)] for y in np.arange(low[1], high[1] + 1)]


def _write_gif(name: str, pictures, fps: float, size, quality: int) -> None:
    from PIL import Image

    colours = 64 if quality < 36 else 16
    first, *rest = [Image.fromarray(p).quantize(colours, dither=Image.Dither.NONE) for p in pictures]
    first.save(
        name, save_all=True, append_images=rest, duration=max(round(1000 / fps / 10), 2) * 10, loop=0, optimize=True
    )


def _write_mp4(name: str, pictures, fps: float, size, quality: int) -> None:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise ImportError(
            "MP4 needs the extra 'video': pip install 'choreo-lib[video]' (a .gif needs nothing)"
        ) from error
    writer = imageio_ffmpeg.write_frames(
        name,
        size,
        fps=fps,
        codec="libx264",
        macro_block_size=2,
        quality=None,
        output_params=["-crf", str(quality), "-preset", "slow", "-movflags", "+faststart"],
    )
    writer.send(None)
    for picture in pictures:
        writer.send(np.ascontiguousarray(picture))
    writer.close()
