#!/usr/bin/env bash
# The kinetic features by which dance generation is scored (FID_k) take a joint's "energy expenditure" from
# calc_average_acceleration of fairmotion. Of the two velocities whose difference it takes, the earlier one divides only
# the earlier position by the frame time. So a joint that never moves, one metre from the origin, accelerates: by
# 60 * 59 = 3540 m/s^2 at 60 frames a second, in proportion to its distance; where its neighbour, the velocity, is 0.
# Copies of the file stand in repositories of generated dance. Beside it: a joint at an even pace of 1 m/s from the
# origin, whose velocity is right and whose acceleration grows with the way that it has gone.
# Seen with fairmotion 0.0.4, numpy 2.4.6. Exits 1 when this changes.
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
# without its dependencies: a viewer and a physics engine, which these functions do not use
"$place/venv/bin/pip" install -q --disable-pip-version-check --no-deps fairmotion==0.0.4
"$place/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6
"$place/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import distribution, version
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np

file = distribution("fairmotion").locate_file("fairmotion/tasks/clustering/features/utils.py")
spec = spec_from_file_location("features_utils", file)
utils = module_from_spec(spec)
spec.loader.exec_module(utils)
print("fairmotion", version("fairmotion"), "numpy", np.__version__)
still, even = np.zeros((60, 1, 3)), np.zeros((60, 1, 3))
still[:, 0, 0] = 1.0
even[:, 0, 0] = np.arange(60) / 60
seen = []
for name, positions in (("still, 1 m from the origin", still), ("1 m/s, after half a second", even)):
    pace = utils.calc_average_velocity(positions, 30, 0, 2, 1 / 60)
    bend = utils.calc_average_acceleration(positions, 30, 0, 2, 1 / 60)
    print(f"{name}: velocity {pace:.3f} m/s, acceleration {bend:.1f} m/s^2 (it is 0)")
    seen.append((round(pace, 6), round(bend)))
sys.exit(0 if seen[0] == (0.0, 3540) and seen[1][0] == 1.0 and seen[1][1] > 1000 else 1)
PY
