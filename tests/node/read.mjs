// How others read a file that choreo_lib wrote: node read.mjs WHO FILE. WHO is bvh-three, bvh-assimp, glb-three or
// glb-validator. Prints JSON: the joints' names and their places in the world, frame by frame, or the validator's report.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [who, file] = process.argv.slice(2);
const readers = {
  'bvh-three': async () => {
    const { BVHLoader } = await import('three/addons/loaders/BVHLoader.js');
    const { skeleton, clip } = new BVHLoader().parse(readFileSync(file, 'utf8'));
    const bones = skeleton.bones.filter((bone) => bone.name !== 'ENDSITE');
    return played(skeleton.bones[0], clip, bones);
  },
  'bvh-assimp': async () => {
    const THREE = await import('three');
    const assimp = await createRequire(import.meta.url)('assimpjs')();
    const files = new assimp.FileList();
    files.AddFile('dance.bvh', readFileSync(file));
    const result = assimp.ConvertFileList(files, 'assjson');
    if (!result.IsSuccess()) throw new Error(`assimp: ${result.GetErrorCode()}`);
    const scene = JSON.parse(new TextDecoder().decode(result.GetFile(0).GetContent()));
    const channels = Object.fromEntries(scene.animations[0].channels.map((each) => [each.name, each]));
    const frames = scene.animations[0].duration + 1;
    const names = [], places = Array.from({ length: frames }, () => []);
    const key = (keys, frame) => keys[Math.min(frame, keys.length - 1)][1];
    (function walk(node, above) {
      const moves = channels[node.name];
      if (!moves) return;  // an end site
      names.push(node.name);
      const worlds = above.map((world, frame) => {
        const [w, x, y, z] = key(moves.rotationkeys, frame);
        const local = new THREE.Matrix4().compose(new THREE.Vector3(...key(moves.positionkeys, frame)),
          new THREE.Quaternion(x, y, z, w), new THREE.Vector3(1, 1, 1));
        return world.clone().multiply(local);
      });
      worlds.forEach((world, frame) => places[frame].push(new THREE.Vector3().setFromMatrixPosition(world).toArray()));
      for (const child of node.children ?? []) walk(child, worlds);
    })(scene.rootnode, places.map(() => new THREE.Matrix4()));
    return { names, places, fps: scene.animations[0].tickspersecond };
  },
  'glb-three': async () => {
    const { GLTFLoader } = await import('three/addons/loaders/GLTFLoader.js');
    const data = readFileSync(file);
    const bytes = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
    const { scene, animations } = await new GLTFLoader().parseAsync(bytes, '');
    const bones = [], bodies = [];
    scene.traverse((each) => {
      if (each.isBone) bones.push(each);
      if (each.isSkinnedMesh) bodies.push(each);
    });
    return played(scene, animations[0], bones, bodies);
  },
  'glb-validator': async () => createRequire(import.meta.url)('gltf-validator').validateBytes(
    new Uint8Array(readFileSync(file))),
};

// The clip as three.js's mixer plays it, at the times of its keys; of each skinned body the corners that its skin moves.
async function played(root, clip, bones, bodies = []) {
  const THREE = await import('three');
  const mixer = new THREE.AnimationMixer(root);
  const action = mixer.clipAction(clip).setLoop(THREE.LoopOnce);
  action.clampWhenFinished = true;
  action.play();
  const corner = new THREE.Vector3(), places = [], corners = [];
  const times = clip.tracks.reduce((longest, { times }) => times.length > longest.length ? times : longest, []);
  for (const time of times) {
    action.reset().play();
    mixer.setTime(time);
    root.updateMatrixWorld(true);
    bodies.forEach((body) => body.skeleton.update());
    places.push(bones.map((bone) => bone.getWorldPosition(new THREE.Vector3()).toArray()));
    corners.push(bodies.map((body) => Array.from({ length: body.geometry.attributes.position.count },
      (_, i) => body.getVertexPosition(i, corner).applyMatrix4(body.matrixWorld).toArray())));
  }
  return { names: bones.map((bone) => bone.name), places, corners, times: [...times],
    skins: bodies.map((body) => body.skeleton.bones.length) };
}

process.stdout.write(JSON.stringify(await readers[who]()));
