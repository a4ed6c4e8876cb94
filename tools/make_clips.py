"""Write the clips that every chapter runs on: python tools/make_clips.py

Each is one call of `choreo_lib.sets.synthetic.duet`; a test makes them again and compares.
"""

from __future__ import annotations

from pathlib import Path

import choreo_lib as cl
from choreo_lib.sets import synthetic

CLIPS = {
    "canon": dict(kind="canon", seed=1),
    "mirror": dict(kind="mirror", seed=2),
    "counterbalance": dict(kind="counterbalance", seed=1),
    "contact": dict(kind="contact", seed=3),
    "independent": dict(kind="independent", seed=5),
    "drives": dict(kind="drives", seed=6),
}
FRAMES = 300
FOLDER = Path(__file__).parents[1] / "data" / "clips"

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, wish in CLIPS.items():
        cl.write_motion(synthetic.duet(frames=FRAMES, **wish), FOLDER / f"{name}.npz")
