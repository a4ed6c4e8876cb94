#!/usr/bin/env bash
# A rotation of exactly half a turn (a quaternion with w = 0: a hip that starts to face the other way, a left-handed
# file turned round) as a rotation vector. roma's default turns the axis that the quaternion states round, for either
# sign; with shortest_arc=False it keeps it; SciPy gives one and the same axis for both signs. All are the same rotation,
# and a slerp or a blend built upon the vector passes another side of the body.
# Seen with roma 1.8.0, scipy 1.17.1, torch 2.13.0. Exits 1 when this changes.
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0
"$place/venv/bin/pip" install -q --disable-pip-version-check roma==1.8.0 scipy==1.17.1 numpy==2.4.6
"$place/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import roma
import torch
from scipy.spatial.transform import Rotation

print("roma", version("roma"), "scipy", version("scipy"), "torch", torch.__version__)
seen = []
for z in (1.0, -1.0):
    quaternion = [0.0, 0.0, z, 0.0]  # x y z w
    vectors = (
        roma.unitquat_to_rotvec(torch.tensor(quaternion, dtype=torch.float64)).tolist(),
        roma.unitquat_to_rotvec(torch.tensor(quaternion, dtype=torch.float64), shortest_arc=False).tolist(),
        Rotation.from_quat(quaternion).as_rotvec().tolist(),
    )
    print(f"half a turn about z, as {quaternion}: roma {vectors[0][2]:+.4f}, roma without shortest_arc "
          f"{vectors[1][2]:+.4f}, SciPy {vectors[2][2]:+.4f}")
    seen.append(tuple(round(v[2] / 3.141592653589793 * z) for v in vectors))
sys.exit(0 if seen == [(-1, 1, 1), (-1, 1, -1)] else 1)
PY
