"""Moving pictures as files, GIF and MP4: for slides, messages, pages without the data. Taught in chapter 1."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from ..body.motion import Duet, Motion
from ..core.arguments import count, each, flag, function, number, path, seconds, takes
from ..io.conventions import atomic_write
from . import palette
from .camera import best_side, dancers_of, project
from .drawable import SEEN, VIEW
from .films import GIF_FPS, write_gif, write_mp4
from .payload import edge_pairs

SUFFIXES = (".gif", ".mp4")
MAX_FRAMES = 40_000  # of a film: 22 minutes at 30 a second


@takes(motion=SEEN, path=path, ghost=SEEN, seconds=seconds, size=each(count(16, 4096), size=2),
       fps=number(0.01, 1000), view=VIEW, max_bytes=count(1, 10**12), progress=flag | function)
def animate(motion: Motion | Duet, path: str | Path, *, ghost: Motion | Duet | None = None, edges=None,
            seconds: float | None = None, size: tuple[int, int] = (640, 400), fps: float | None = None,
            view: tuple[float, float] | None = None, max_bytes: int | None = None,
            progress: bool | Callable[[int, int], object] = True) -> Path:
    """Draw a motion or a duet as a film; gives the path.

    ``path`` ends in .gif or .mp4 (MP4 needs the extra ``video``: pip install 'choreo-lib[video]'). ``ghost`` is drawn
    in grey behind; ``edges`` are pairs (joint of a, joint of b) of indices or names; ``seconds`` cuts the film;
    ``max_bytes`` makes it coarser until it fits. Units: ``view`` (azimuth, elevation) in degrees (default: from the
    best side); ``size`` pixels, 16 to 4,096 a side (of an MP4 an odd one is rounded up); ``fps`` of the film, 0.01 to
    1,000: of each moment the nearest frame is drawn (default: every frame, or every second, third, ... so that there
    are at most 30 a second). A GIF shows at most 50 a second; of more some are left out, with a warning.
    ``progress``: a bar, or a function called with (done, of), in frames; what it raises ends the work. A stop or a full
    disk leaves what was there before. Errors: ValueError for another suffix, size, seconds or fps, for more than 40,000
    frames, or where ``max_bytes`` cannot be met; ImportError naming the extra; MotionFormatError where the file cannot
    be written; as `choreo_lib.play` for edges. Chapter: 1.
    """
    pairs = [] if edges is None else edge_pairs(motion, edges)
    return draw_film(motion, path, ghost, lambda frame: pairs, seconds, size, fps, view, max_bytes, progress)


def draw_film(motion, path, ghost, edges_at, seconds=None, size=(640, 400), fps=None, view=None, max_bytes=None,
              progress=True) -> Path:
    """As `animate`; ``edges_at`` gives the index pairs of a frame of the motion. Errors: as `animate`. Chapter: 9."""
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise ValueError(f"path {path.name}: a film ends in {' or '.join(SUFFIXES)}")
    if kind == ".mp4":
        size = size[0] + size[0] % 2, size[1] + size[1] % 2
    frames, fps = _frames(motion, seconds, fps, GIF_FPS if kind == ".gif" else None)
    if view is None:
        view = (best_side(dancers_of(motion)), 14.0)
    write = write_gif if kind == ".gif" else write_mp4
    with atomic_write(path) as half:
        for quality in (24, 30, 36, 42):
            pictures = _pictures(motion, ghost, edges_at, frames, size, view, progress)
            write(half, pictures, len(frames), fps, size, quality)
            if max_bytes is None or half.stat().st_size <= max_bytes:
                break
            size = tuple(max(int(side * 0.8) // 2 * 2, 2) for side in size)
        else:
            raise ValueError(f"{path.name}: {len(frames)} frames do not fit into {max_bytes} bytes; ask for fewer "
                             "seconds")
    return path


def _frames(motion, seconds, fps, most: float | None) -> tuple[np.ndarray, float]:
    """Which frame of the motion each frame of the film shows, int64 [N], and how many it shows a second."""
    length = len(motion) if seconds is None else min(max(round(seconds * motion.fps), 1), len(motion))
    step = max(int(np.ceil(motion.fps / 30 - 1e-6)), 1)
    asked, fps = fps, motion.fps / step if fps is None else float(fps)
    if most is not None and fps > most:
        warnings.warn(f"fps={asked:g}: a GIF shows at most {most:g} frames a second, so some are left out; it lasts as "
                      "long. An .mp4 shows them all", UserWarning, stacklevel=4)
        fps = most
    count = max(round(length * fps / motion.fps), 1)
    if count > MAX_FRAMES:
        raise ValueError(f"{count:,} frames are more than the {MAX_FRAMES:,} of a film; ask for fewer with seconds= or "
                         "fps=")
    if asked is None:
        return np.arange(0, length, step), fps
    return np.minimum(np.floor(np.arange(count) * motion.fps / fps + 0.5).astype(np.int64), length - 1), fps


def _pictures(motion, ghost, edges_at, frames, size, view, progress):
    """Yield one RGB picture uint8 [height, width, 3] per frame, by Pillow: far quicker than matplotlib."""
    from PIL import Image, ImageDraw

    ghosts = () if ghost is None else dancers_of(ghost)
    everyone = [*((None, m) for m in ghosts), *enumerate(dancers_of(motion))]
    drawn = [(m, project(m.positions, view), who) for who, m in everyone]
    now = lambda m, frame: min(round(frame * m.fps / motion.fps), len(m) - 1)  # noqa: E731 (a ghost has its own clock)
    seen = [slice(now(m, int(frames[-1])) + 1) for m, _, _ in drawn]
    everything = np.concatenate([p[part].reshape(-1, 2) for (_, p, _), part in zip(drawn, seen)])
    low, high = everything.min(0), everything.max(0)
    big = 2  # drawn at twice the size and scaled down, for smooth edges
    width, height = size[0] * big, size[1] * big
    scale = 0.88 * min(width / max(high[0] - low[0], 0.5), height / max(high[1] - low[1], 0.5))
    place = lambda p: (p - (low + high) / 2) * (scale, -scale) + (width / 2, height / 2)  # noqa: E731
    lines = _floor([m.positions[part] for (m, _, _), part in zip(drawn, seen)])
    floor = [place(project(np.array(line, float), view)) for line in lines]
    stroke = max(int(0.016 * scale), 2)
    for done, frame in enumerate(tqdm(frames, desc="drawing", unit="frame", leave=False,
                                      disable=callable(progress) or not progress)):
        if callable(progress):
            progress(done, len(frames))
        picture = Image.new("RGB", (width, height), palette.PAPER)
        draw = ImageDraw.Draw(picture)
        for line in floor:
            draw.line([tuple(p) for p in line], fill=palette.GRID, width=2)
        at = [place(p[now(m, int(frame))]) for m, p, _ in drawn]
        for i, j in edges_at(int(frame)) if edges_at else ():
            draw.line([tuple(at[-2][i]), tuple(at[-1][j])], fill=palette.STRING, width=max(stroke // 2, 1))
        for (m, _, who), points in zip(drawn, at, strict=True):
            colour = palette.GHOST if who is None else palette.DANCERS[who]
            for p, c in m.skeleton.bones:
                draw.line([tuple(points[p]), tuple(points[c])], fill=colour, width=stroke + (who == 1) * stroke // 3,
                          joint="curve")
            if who == 1:
                for p, c in m.skeleton.bones:
                    draw.line([tuple(points[p]), tuple(points[c])], fill=palette.PAPER, width=max(stroke // 3, 1))
            head = m.skeleton.find("head", "jaw", "neck")
            if head is not None:
                (x, y), r = points[head], 3 * stroke
                draw.ellipse([x - r, y - r, x + r, y + r], fill=colour if who != 1 else palette.PAPER, outline=colour,
                             width=stroke)
        yield np.asarray(picture.resize(size, Image.Resampling.LANCZOS))


def _floor(moves: list[np.ndarray]) -> list:
    """Lines of a one-metre floor grid under everything that moves; of a coarser one under what goes very far."""
    low = np.floor(np.min([p[..., :2].min((0, 1)) for p in moves], 0) - 0.3)
    high = np.ceil(np.max([p[..., :2].max((0, 1)) for p in moves], 0) + 0.3)
    step = max(1.0, np.ceil((high - low).max() / 100))
    lines = [[(x, low[1], 0), (x, high[1], 0)] for x in np.arange(low[0], high[0] + step, step)]
    return lines + [[(low[0], y, 0), (high[0], y, 0)] for y in np.arange(low[1], high[1] + step, step)]
