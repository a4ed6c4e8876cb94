"""Pictures into a GIF or an MP4 as they come, each shown as long as it should be. Taught in chapter 1."""

import errno
import itertools
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..io.conventions import optional

GIF_FPS = 50.0  # viewers show a GIF's frames of less than two hundredths of a second for ten of them
_LOOKED_AT = 8  # pictures from which a GIF's colours are chosen: the first ones, so that the others need not wait


def write_gif(half: Path, pictures: Iterable[np.ndarray], count: int, fps: float, size, quality: int) -> None:
    """A GIF that keeps time: after every frame it is within half a hundredth of a second of where it should be.

    ``half``: the temporary file. ``pictures``: uint8 RGB [height, width, 3], ``count`` of them. ``quality`` below 36:
    63 colours, else 15. Errors: OSError; RuntimeError for another number of pictures. Chapter: 1.
    """
    from PIL import Image
    from PIL.GifImagePlugin import getdata

    colours = 63 if quality < 36 else 15  # and one that means "as before"
    pictures = iter(pictures)
    first = list(itertools.islice(pictures, _LOOKED_AT))
    thin = max(size[0] // 640, 1)
    looked = Image.fromarray(np.concatenate([each[::thin, ::thin] for each in first]))
    table = bytes((looked.quantize(colours, dither=Image.Dither.NONE).getpalette() or [])[: 3 * colours])
    chosen = Image.new("P", (1, 1))
    chosen.putpalette(table)
    table = table.ljust(3 * (colours + 1), b"\0")
    width, height = (side.to_bytes(2, "little") for side in size)
    before, frame = None, -1
    with half.open("wb") as file:
        flags = 0x80 | 0x70 | (colours.bit_length() - 1)  # one table of colours for all frames, eight bits each
        file.write(b"GIF89a" + width + height + bytes((flags, 0, 0)) + table)
        file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")  # again and again
        for frame, picture in enumerate(itertools.chain(first, pictures)):
            now = np.asarray(Image.fromarray(picture).quantize(palette=chosen, dither=Image.Dither.NONE))
            shown, box = now, (0, 0, *size)
            if before is not None:
                changed = now != before
                box = Image.fromarray(changed).getbbox() or (0, 0, 1, 1)
                shown = np.where(changed, now, np.uint8(colours))
            part = Image.fromarray(shown).crop(box)
            for block in getdata(part, box[:2], duration=10 * hundredths(frame, fps), disposal=1, transparency=colours):
                file.write(block)
            before = now
        file.write(b";")
    _all_there(frame + 1, count)


def hundredths(frame: int, fps: float) -> int:
    """How long a frame of a GIF is shown, in hundredths of a second, so that the next one begins when it should."""
    begins, ends = (int(np.floor(100 * each / fps + 0.5)) for each in (frame, frame + 1))
    return ends - begins


def write_mp4(half: Path, pictures: Iterable[np.ndarray], count: int, fps: float, size, quality: int) -> None:
    """An MP4 (H.264) at exactly the rate asked for, looked at before it counts as written.

    ``half``, ``pictures`` [height, width, 3], ``count``: as of `write_gif`, even; ``quality``: of x264. Errors:
    ImportError naming the extra; OSError where ffmpeg fails, or frames are missing from the file. Chapter: 1.
    """
    ffmpeg, sent = optional("imageio_ffmpeg", "MP4 is written", "video").get_ffmpeg_exe(), 0
    rate = Fraction(fps).limit_denominator(1001)
    with tempfile.TemporaryFile() as said:  # a pipe that nobody empties would hold ffmpeg up
        run = subprocess.Popen(
            [ffmpeg, "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(rate), "-i",
             "-", "-an", "-vcodec", "libx264", "-pix_fmt", "yuv420p", "-v", "warning", "-crf", str(quality), "-preset",
             "slow", "-movflags", "+faststart", str(half)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)  # fmt: skip
        assert run.stdin is not None  # a pipe was asked for
        try:
            for picture in pictures:
                run.stdin.write(np.ascontiguousarray(picture).data)
                sent += 1
            run.stdin.close()
            run.wait()
        except BrokenPipeError:
            run.wait()  # ffmpeg stopped, and has said why
        finally:
            if run.poll() is None:
                run.kill()
                run.wait()
        said.seek(0)
        words = said.read().decode(errors="replace")
    if run.returncode or sent < count:
        raise _failed(run.returncode, words,
                      f"ffmpeg stopped with status {run.returncode} after {sent} of {count} frames")
    _all_there(sent, count)
    looked = subprocess.run([ffmpeg, "-i", str(half), "-map", "0:v:0", "-c", "copy", "-f", "null", "-"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # fmt: skip
    found = re.findall(rb"frame=\s*(\d+)", looked.stderr)
    if looked.returncode or not found or int(found[-1]) != count:
        raise _failed(run.returncode, words,
                      f"{int(found[-1]) if found else 0} of {count} frames are in the file that ffmpeg wrote")


def _failed(status: int, words: str, what: str) -> OSError:
    """What ffmpeg's words mean; a full disk as the system itself would say it."""
    if status == -getattr(signal, "SIGXFSZ", 0):  # the system stops whoever writes more than a limit allows
        return OSError(errno.EFBIG, what)
    for number, told in ((errno.ENOSPC, "No space left"), (errno.EDQUOT, "quota exceeded"), (errno.EFBIG, "too large")):
        if told in words:
            return OSError(number, f"{told}; {what}")
    return OSError(errno.EIO, f"{what}: {words.strip()[-300:] or 'it said nothing'}")


def _all_there(given: int, count: int) -> None:
    if given != count:
        raise RuntimeError(f"{given} pictures were drawn for a film of {count} frames")
