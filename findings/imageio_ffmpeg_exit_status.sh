#!/usr/bin/env bash
# imageio-ffmpeg's writer never looks at ffmpeg's exit status: where the file may not grow, a film is lost without a word.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --disable-pip-version-check -q imageio-ffmpeg==0.8.1 numpy==2.4.6
cat > "$work/film.py" <<'PY'
import resource, sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np

film = Path(sys.argv[1]) / "film.mp4"
ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))  # as a quota or a full disk would
writer = imageio_ffmpeg.write_frames(str(film), (320, 240), fps=30, macro_block_size=2)
writer.send(None)
chance = np.random.default_rng(0)
for _ in range(30):
    writer.send(chance.integers(0, 255, (240, 320, 3), dtype=np.uint8).tobytes())
writer.close()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(f"imageio-ffmpeg {imageio_ffmpeg.__version__}: 30 frames sent, close() raised nothing")
print(f"the file has {film.stat().st_size:,} bytes")
try:
    frames = imageio_ffmpeg.count_frames_and_secs(str(film))[0]
except RuntimeError:
    frames = 0
print(f"frames that can be read from it: {frames}")
sys.exit(0 if frames < 30 else "the behaviour has changed: the film is whole")
PY
"$work/venv/bin/python" "$work/film.py" "$work" 2>/dev/null
