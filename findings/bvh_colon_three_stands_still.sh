#!/usr/bin/env bash
# A BVH whose joints are called mixamorig:Hips and so on is read by three.js without an error, and the body never moves:
# tracks are bound by name, and a colon (like . / [ ]) parts a track's name, so no joint is found. The loaders of FBX and
# glTF clean names for this reason, that of BVH does not. The same file with underscores moves. Only a console warning a
# track ("No target node found") tells.
# Exits 0 while that is so, 1 if the behaviour changes. Needs node, npm.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit --ignore-scripts three@0.187.0
cat > colon.bvh <<'BVH'
HIERARCHY
ROOT mixamorig:Hips
{
	OFFSET 0 0 0
	CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
	JOINT mixamorig:Head
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
Frames: 3
Frame Time: 0.0333333
0 95 0 0 0 0 0 0 0
10 95 0 0 0 0 0 0 0
20 95 0 0 0 0 0 0 0
BVH
sed 's/mixamorig:/mixamorig_/' colon.bvh > underscore.bvh
cat > moved.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { AnimationMixer, LoopOnce, Vector3 } from 'three';
import { BVHLoader } from 'three/addons/loaders/BVHLoader.js';
const { skeleton, clip } = new BVHLoader().parse(readFileSync(process.argv[2], 'utf8'));
const mixer = new AnimationMixer(skeleton.bones[0]);
const action = mixer.clipAction(clip).setLoop(LoopOnce);
action.clampWhenFinished = true;
action.play();
const hips = [];
for (const time of clip.tracks[0].times) {
  mixer.setTime(time);
  hips.push(skeleton.bones[0].getWorldPosition(new Vector3()).x);
}
console.log((Math.max(...hips) - Math.min(...hips)).toFixed(3));
JS
colon="$(node moved.mjs colon.bvh 2>warnings)"
underscore="$(node moved.mjs underscore.bvh 2>/dev/null)"
echo "three 0.187.0, how far the hips travel in a file where they travel 20"
echo "mixamorig:Hips   $colon   ($(grep -c 'No target node found' warnings) warnings, first: $(head -1 warnings))"
echo "mixamorig_Hips   $underscore"
[ "$colon" = 0.000 ] && [ "$underscore" = 20.000 ]
