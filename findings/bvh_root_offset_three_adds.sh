#!/usr/bin/env bash
# One BVH, two places: a root with an OFFSET and position channels stands at OFFSET plus channels in three.js, and at the
# channels alone in assimp, bvhio and pymotion. Exporters that write the rest pose's height as the root's OFFSET (98 cm
# here, as Mixamo's bodies have it) therefore give dancers who float by it in a browser and stand everywhere else; the same
# holds for every joint with position channels. Write OFFSET 0 0 0 for such joints, and all readers agree.
# Exits 0 while that is so, 1 if a reader changes its mind. Needs python3, node, npm.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check bvhio==1.5.4 upc-pymotion==0.3.4
npm install --silent --no-fund --no-audit --ignore-scripts three@0.187.0 assimpjs@0.0.10
cat > dance.bvh <<'BVH'
HIERARCHY
ROOT Hips
{
	OFFSET 0 98 0
	CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
	JOINT Head
	{
		OFFSET 0 70 0
		CHANNELS 3 Zrotation Xrotation Yrotation
		End Site
		{
			OFFSET 0 18 0
		}
	}
}
MOTION
Frames: 2
Frame Time: 0.0333333
5 95 0 0 0 0 0 0 0
6 96 0 0 0 0 0 0 0
BVH
cat > three.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { AnimationMixer, Vector3 } from 'three';
import { BVHLoader } from 'three/addons/loaders/BVHLoader.js';
const { skeleton, clip } = new BVHLoader().parse(readFileSync('dance.bvh', 'utf8'));
const mixer = new AnimationMixer(skeleton.bones[0]);
mixer.clipAction(clip).play();
mixer.setTime(0);
console.log(skeleton.bones[0].getWorldPosition(new Vector3()).y);
JS
cat > assimp.cjs <<'JS'
require('assimpjs')().then((assimp) => {
  const files = new assimp.FileList();
  files.AddFile('dance.bvh', require('fs').readFileSync('dance.bvh'));
  const scene = JSON.parse(new TextDecoder().decode(assimp.ConvertFileList(files, 'assjson').GetFile(0).GetContent()));
  console.log(scene.animations[0].channels.find((each) => each.name === 'Hips').positionkeys[0][1][1]);
});
JS
three="$(node three.mjs)"
assimp="$(node assimp.cjs)"
bvhio="$(venv/bin/python -c 'import bvhio; root = bvhio.readAsHierarchy("dance.bvh"); root.loadPose(0); print(root.PositionWorld.y)')"
pymotion="$(venv/bin/python -c 'from pymotion.io.bvh import BVH; b = BVH(); b.load("dance.bvh"); print(b.get_data()[1][0, 0, 1])')"
echo "height of the hips in frame 0; the file's channel says 95, its OFFSET 98"
echo "three 0.187.0        $three"
echo "assimpjs 0.0.10      $assimp"
echo "bvhio 1.5.4          $bvhio"
echo "upc-pymotion 0.3.4   $pymotion"
python3 - "$three" "$assimp" "$bvhio" "$pymotion" <<'PY'
import sys
three, *others = map(float, sys.argv[1:])
sys.exit(0 if abs(three - 193) < 1e-3 and all(abs(x - 95) < 1e-3 for x in others) else 1)
PY
