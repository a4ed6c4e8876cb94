#!/usr/bin/env bash
# Pillow takes a generator of frames for a GIF, and holds every one of them in memory until the last has come.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --disable-pip-version-check -q pillow==13.0.0
cat > "$work/film.py" <<'PY'
import resource, sys

import PIL
from PIL import Image, ImageDraw


def frames(count):
    for k in range(count):
        picture = Image.new("P", (640, 400))
        ImageDraw.Draw(picture).rectangle([7 * k % 600, 100, 7 * k % 600 + 30, 300], fill=1 + k % 3)
        yield picture


held = {}
for count in (10, 1000):
    rest = frames(count)
    next(rest).save(sys.argv[1] + "/x.gif", save_all=True, append_images=rest, duration=40)
    held[count] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    held[count] /= 1024 ** 2 if sys.platform == "darwin" else 1
    print(f"Pillow {PIL.__version__}: {count} frames of 640 x 400 from a generator, {held[count]:.0f} MB at most")
a_frame = (held[1000] - held[10]) / 990
print(f"{a_frame * 1000:.0f} kB a frame; the picture itself has 256 kB")
sys.exit(0 if a_frame > 0.2 else "the behaviour has changed: frames are written as they come")
PY
"$work/venv/bin/python" "$work/film.py" "$work"
