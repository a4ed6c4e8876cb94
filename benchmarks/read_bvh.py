"""How fast a BVH becomes joint positions: our reader against upc-pymotion, same files, same run.

Usage: CHOREO_DATA=../shared/data python benchmarks/read_bvh.py [FILE.bvh ...]
Without files it takes the salsa takes under CHOREO_DATA, or a synthetic dance where there are none.
Each file is read three times by each reader, in turn; the fastest of three counts.
"""

import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from pymotion.io.bvh import BVH
from pymotion.ops.skeleton import fk

from choreo_lib.io import MotionGuessWarning, read_motion, write_motion
from choreo_lib.sets import synthetic


def ours(path):
    """File to positions, by choreo_lib."""
    return read_motion(path).positions


def theirs(path):
    """File to positions, by upc-pymotion: load, to quaternions, forward kinematics."""
    bvh = BVH()
    bvh.load(str(path))
    rotations, places, parents, offsets, _, _ = bvh.get_data()
    return fk(rotations, places[:, 0], offsets, parents)[0]


def timed(read, path):
    """(seconds, positions)."""
    start = time.perf_counter()
    positions = read(path)
    return time.perf_counter() - start, positions


def main(paths):
    """Print one line a file and the ratio over all."""
    warnings.simplefilter("ignore", MotionGuessWarning)
    if not paths and "CHOREO_DATA" in os.environ:
        paths = sorted(Path(os.environ["CHOREO_DATA"]).glob("salsa/*.bvh"))
    with tempfile.TemporaryDirectory() as folder:
        if not paths:
            paths = [Path(folder) / "synthetic.bvh"]
            write_motion(synthetic.duet("canon", frames=1500).a, paths[0])
        ours(paths[0]), theirs(paths[0])  # the first call pays for imports
        total, worst = np.zeros(2), 0.0
        for path in paths:
            best = [np.inf, np.inf]
            for _ in range(3):
                for i, read in enumerate((ours, theirs)):
                    seconds, positions = timed(read, path)
                    best[i] = min(best[i], seconds)
                    kept = positions if i == 0 else kept - positions  # noqa: F821 (set just before)
            worst = max(worst, float(np.abs(kept).max()))
            total += best
            print(f"{Path(path).name:36s} choreo_lib {best[0] * 1e3:6.1f} ms   pymotion {best[1] * 1e3:6.1f} ms   "
                  f"ratio {best[1] / best[0]:.2f}")
    print(f"all {len(paths)} files: choreo_lib {total[0]:.3f} s, pymotion {total[1]:.3f} s, "
          f"ratio {total[1] / total[0]:.2f}, largest difference {worst:.2g} m")


if __name__ == "__main__":
    main(sys.argv[1:])
