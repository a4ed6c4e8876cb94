"""GLB, for Blender and every viewer: the dancers as moving trees of bones, with their source inside.

Taught in chapter 1, "Seeing a duet". Y up and metres, as glTF wants it. Through pygltflib.
"""

from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any

import numpy as np

from ..body.compatibility import same_rate
from ..body.motion import Duet, Motion
from ..body.rotations import continuous
from ..body.source import Source
from .conventions import atomic_write, fail, optional, source_to_dict
from .local_rotations import turnable
from .record import Recording, check_writable, recording_of, steady_bones

# dancer a warm, dancer b cool, others grey; they differ in lightness
_COLOURS = ((0.85, 0.37, 0.17, 1.0), (0.13, 0.36, 0.55, 1.0), (0.78, 0.78, 0.76, 1.0), (0.35, 0.35, 0.36, 1.0))
_COMPONENT, _ARRAY_BUFFER = {"<f4": 5126, "<u2": 5123}, 34962
MAX_BYTES = 1_000_000_000


def write_glb(motion: Motion | Duet | Sequence[Motion], path) -> None:
    """Write one dancer, two, or any number as GLB: a node a joint, moved by samplers, and a skinned body to see.

    Several share a clock and stand where they danced: a dance beside what was made of it, say. Positions keep to a
    micrometre. Each dancer is a skin, so that Blender builds an armature with an action; its rest pose is the
    skeleton's. For a body known only as points rotations are found, as in BVH; points that are no body's move by
    translations alone, bound as they stand in the first frame.
    ``extras`` of the asset and of each dancer's node carry source, credit, terms and redistribute, the node's its notes
    too.
    Errors: ImportError where pygltflib is not installed; MotionFormatError where the file cannot be written, or dancers
    differ in frames or in frames a second. Chapter: 1; several: 6.
    """
    gl: Any = optional("pygltflib", "GLB files are written", "gltf")
    dancers = [motion] if isinstance(motion, Motion) else list(motion)
    for i, dancer in enumerate(dancers):
        check_writable(path, dancer, _label(i) if len(dancers) > 1 else "")
    dancers = list(map(turnable, dancers))
    records = [recording_of(path, dancer, "y") for dancer in dancers]
    frames, fps = len(dancers[0]), dancers[0].fps
    if any(len(dancer) != frames or not same_rate(dancer.fps, fps) for dancer in dancers):
        fail(path, "one scene has one clock, and these dancers have "
                   + ", ".join(f"{len(dancer)} frames at {dancer.fps:g} a second" for dancer in dancers))
    source = source_to_dict(Source.join(*(dancer.source for dancer in dancers)))
    doc = gl.GLTF2(asset=gl.Asset(version="2.0", generator="choreo_lib", extras={"source": source},
                                  copyright=source["credit"] if source and source["credit"] else None))
    scene = _Scene(gl, doc, path)
    scene.times = scene.pack(np.arange(frames, dtype=np.float32) / np.float32(fps), "SCALAR", bounds=True)
    tops = [scene.add_dancer(record, dancer.rotations is not None, i, dancer.notes)
            for i, (record, dancer) in enumerate(zip(records, dancers))]
    doc.animations.append(scene.animation)
    doc.scenes.append(gl.Scene(name={1: "solo", 2: "duet"}.get(len(dancers), "dancers"), nodes=tops))
    doc.scene = 0
    doc.buffers.append(gl.Buffer(byteLength=len(scene.data)))
    doc.set_binary_blob(bytes(scene.data))
    with atomic_write(path) as temporary:
        doc.save_binary(str(temporary))


def _label(i: int) -> str:
    return f"dancer {ascii_lowercase[i] if i < 26 else i + 1}"


class _Scene:
    """The document as it grows, and the binary chunk that its accessors point into."""

    times: int

    def __init__(self, gl: Any, doc: Any, path):
        self.gl, self.doc, self.path, self.data = gl, doc, path, bytearray()
        self.animation = gl.Animation(name="dance", samplers=[], channels=[])

    def add_dancer(self, record: Recording, turning: bool, i: int, notes: Sequence[str] = ()) -> int:
        """Append a dancer's nodes, skin, channels; gives the number of the top node. ``turning``: by rotations too."""
        gl, doc, base, bones = self.gl, self.doc, len(self.doc.nodes) + 1, record.skeleton.bones
        rotations, local, steady = record.rotations, record.translations, steady_bones(record)
        rotations = continuous(rotations)  # viewers blend numbers, so neighbours must be alike
        rest = record.offsets if turning else local[0]
        bind = _bind_pose(bones, rest, turning)
        mesh = self._mesh(bones, bind, record.end_sites if turning else [], turning, i)
        inverse = np.tile(np.eye(4), (len(bind), 1, 1))
        inverse[:, 3, :3] = -bind  # column by column, as glTF has it
        doc.skins.append(gl.Skin(name=_label(i), joints=list(range(base, base + len(bind))), skeleton=base,
                                 inverseBindMatrices=self.pack(inverse, "MAT4")))
        # mesh and skin stand at the top, where no transform is: what lies above a skinned mesh does not move it
        doc.nodes.append(gl.Node(name=record.name or _label(i), children=[base], mesh=mesh, skin=len(doc.skins) - 1,
                                 extras={"source": source_to_dict(record.source), "notes": list(notes)}))
        for j, name in enumerate(record.names):
            doc.nodes.append(gl.Node(name=name, children=[base + child for parent, child in bones if parent == j],
                                     translation=(rest[j] if steady[j] else local[0, j]).tolist(),
                                     rotation=rotations[0, j].tolist() if turning else None))
            if turning:
                self._animate(base + j, "rotation", rotations[:, j], "VEC4")
            if not steady[j]:
                self._animate(base + j, "translation", local[:, j], "VEC3")
        return base - 1

    def _animate(self, node: int, path: str, values: np.ndarray, kind: str) -> None:
        gl, samplers = self.gl, self.animation.samplers
        samplers.append(gl.AnimationSampler(input=self.times, output=self.pack(values, kind), interpolation="LINEAR"))
        target = gl.AnimationChannelTarget(node=node, path=path)
        self.animation.channels.append(gl.AnimationChannel(sampler=len(samplers) - 1, target=target))

    def _mesh(self, bones, bind: np.ndarray, tips, turning: bool, i: int) -> int:
        """The body to see, in the bind pose: a long octahedron a bone, a bead a joint, each corner with its joints.

        A bone goes with the joint it begins at, and its tip with the joint it ends at. Where no joint turns (points),
        its waist keeps its share between the two.
        """
        gl = self.gl
        solids = [(j, None, bind[j], np.array([0.0, 0.03, 0.0]), -0.5) for j in range(len(bind))]
        solids += [(j, k, bind[j], bind[k] - bind[j], 0.0) for j, k in bones]
        solids += [(j, None, bind[j], tip, 0.0) for j, tip in tips]
        all_corners, all_joints, all_weights = [], [], []
        for j, child, place, tip, shift in solids:
            if np.linalg.norm(tip) <= 0.02:
                continue
            triangles, share = _octahedron(tip)  # [8, 3, xyz], [8, 3]: how far towards the tip each corner is
            far = np.zeros_like(share) if child is None else share if not turning else (share == 1.0).astype(float)
            weights = np.stack([1 - far, far, 0 * far, 0 * far], axis=-1)
            all_corners.append(place + shift * tip + triangles)
            all_joints.append(np.where(weights > 0, [j, child or 0, 0, 0], 0))
            all_weights.append(weights)
        corners, joints, weights = map(np.concatenate, (all_corners, all_joints, all_weights))  # [triangles, 3, ...]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        attributes = gl.Attributes(
            POSITION=self.pack(corners.reshape(-1, 3), "VEC3", bounds=True, target=_ARRAY_BUFFER),
            NORMAL=self.pack(np.repeat(normals, 3, axis=0), "VEC3", target=_ARRAY_BUFFER),
            JOINTS_0=self.pack(joints.reshape(-1, 4), "VEC4", target=_ARRAY_BUFFER, dtype="<u2"),
            WEIGHTS_0=self.pack(weights.reshape(-1, 4), "VEC4", target=_ARRAY_BUFFER))
        surface = gl.PbrMetallicRoughness(baseColorFactor=list(_COLOURS[min(i, 3)]), metallicFactor=0.0,
                                          roughnessFactor=0.7)
        self.doc.materials.append(gl.Material(name=_label(i), doubleSided=True, pbrMetallicRoughness=surface))
        self.doc.meshes.append(gl.Mesh(name=_label(i), primitives=[gl.Primitive(attributes=attributes, material=i)]))
        return len(self.doc.meshes) - 1

    def pack(self, values, kind: str, bounds: bool = False, target: int | None = None, dtype: str = "<f4") -> int:
        """Append numbers to the binary chunk; gives the number of their accessor."""
        values = np.ascontiguousarray(values, dtype)
        flat, start = values.reshape(len(values), -1), len(self.data)
        self.data += values.tobytes()
        if len(self.data) > MAX_BYTES:
            fail(self.path, f"the scene fills more than the {MAX_BYTES:,} bytes that viewers bear; write fewer "
                            "dancers, or the take in parts, as in motion[:10000]")
        self.doc.bufferViews.append(self.gl.BufferView(buffer=0, byteOffset=start, byteLength=values.nbytes,
                                                       target=target))
        self.doc.accessors.append(self.gl.Accessor(
            bufferView=len(self.doc.bufferViews) - 1, byteOffset=0, componentType=_COMPONENT[dtype], count=len(values),
            type=kind, min=flat.min(axis=0).tolist() if bounds else None,
            max=flat.max(axis=0).tolist() if bounds else None))
        return len(self.doc.accessors) - 1


def _bind_pose(bones, rest: np.ndarray, turning: bool) -> np.ndarray:
    """Where each joint is in the pose that the skin is bound in [J, 3].

    It is the rest pose, its lowest point on the floor of the origin; of a body known only as points, its first frame.
    """
    bind = rest.copy()
    bind[0] *= not turning
    for parent, child in bones:
        bind[child] += bind[parent]
    return bind - (0.0, bind[:, 1].min(), 0.0) if turning else bind


def _octahedron(tip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eight triangles [8, 3, 3] from joint to tip, widest near the joint; how far along each corner is [8, 3]."""
    length = np.linalg.norm(tip)
    along = tip / length
    aside = np.cross(along, np.eye(3)[np.abs(along).argmin()])
    aside /= np.linalg.norm(aside)
    across = np.cross(along, aside)
    width, waist = np.clip(0.12 * length, 0.008, 0.035), 0.5 if length < 0.05 else 0.2
    ring = [waist * tip + width * v for v in (aside, across, -aside, -across)]
    triangles = [(end, *pair) for k in range(4) for end, pair in (
        (tip, (ring[k], ring[(k + 1) % 4])), (np.zeros(3), (ring[(k + 1) % 4], ring[k])))]
    return np.array(triangles), np.array([(1.0, waist, waist), (0.0, waist, waist)] * 4)
