#!/usr/bin/env bash
# MMPose's 3-D inferencer turns a lifter's joints (camera frame: x right, y down, z away) to Z up by exchanging two axes
# and negating two: (x, y, z) -> (-x, z, -y). That matrix has determinant -1: the result is a mirror image, in which a
# left hip, still called so, lies on the body's right. Its drawings do not show it; feet, facing and spin of a dance do.
# The lines are taken out of the installed package and run on a body that is known, since the inferencer itself wants
# mmcv, mmdet and weights. Exits 0 while that is so, 1 if the behaviour changes. Needs python3 and pip.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.1.3
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps mmpose==1.3.2
"$folder/venv/bin/python" - <<'PY'
import ast
import importlib.metadata
import sys

import numpy as np

package = importlib.metadata.distribution("mmpose")
path = package.locate_file("mmpose/apis/inferencers/pose3d_inferencer.py")
tree = ast.parse(open(path, encoding="utf-8").read())
forward = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "forward")
lines = [node for node in ast.walk(forward) if isinstance(node, ast.Assign)
         and ast.unparse(node.targets[0]).startswith("keypoints") and "squeeze" not in ast.unparse(node.value)
         and "pose_lift_res" not in ast.unparse(node.value)]
lines.sort(key=lambda node: node.lineno)
print("mmpose", package.version)
for node in lines:
    print("   ", ast.unparse(node))


def inferencer(points):
    names = {"keypoints": np.array(points, float)}
    exec(compile(ast.Module(lines, []), str(path), "exec"), names)
    return names["keypoints"]


matrix = inferencer(np.eye(3)).T
print("determinant of the change of axes:", round(np.linalg.det(matrix)))
# somebody who faces the camera: head up, toes towards the camera, and so the left hip to the right of the picture
head, toes, left, right = inferencer([[0, -1.6, 4], [0, 0, 3.8], [0.1, -0.9, 4], [-0.1, -0.9, 4]])
feet = inferencer([[0, 0, 4]])[0]
up, ahead = head - feet, toes - feet
side = float(np.cross(up, ahead) @ (left - right))  # positive where the left hip is on the left
print("up", up.round(2).tolist(), "ahead", ahead.round(2).tolist(), "left - right", (left - right).round(2).tolist())
print("the left hip lies on the body's", "left" if side > 0 else "right")
sys.exit(not (round(np.linalg.det(matrix)) == -1 and side < 0))
PY
