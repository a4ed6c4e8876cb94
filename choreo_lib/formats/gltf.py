"""GLB, for Blender and every viewer: the dancers as moving trees of bones, with their source inside.

Taught in chapter 1, "Seeing a duet". Y up and metres, as glTF wants it. Through pygltflib.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase

import numpy as np

from ..compatibility import same_rate
from ..motion import Duet, Motion, Source
from . import border
from .border import TURNS
from .kinematics import local_motion

# dancer a warm, dancer b cool, others grey; they differ in lightness
_COLOURS = ((0.85, 0.37, 0.17, 1.0), (0.13, 0.36, 0.55, 1.0), (0.78, 0.78, 0.76, 1.0), (0.35, 0.35, 0.36, 1.0))
_FLOAT, _ARRAY_BUFFER = 5126, 34962


def write_glb(motion: Motion | Duet | Sequence[Motion], path) -> None:
    """Write one dancer, two, or any number as GLB: a node a joint, moved by samplers, and a small body to see.

    Several share a clock and stand where they danced: a dance beside what was made of it, say. Positions keep to a
    micrometre. Points without rotations move by translations alone.
    ``extras`` of the asset and of each dancer's node carry source, credit, terms and redistribute.
    Errors: ImportError where pygltflib is not installed; MotionFormatError where the file cannot be written, or dancers
    differ in frames or in frames a second. Chapter: 1; several: 6.
    """
    try:
        import pygltflib as gl
    except ImportError as error:
        raise ImportError("GLB files are written through pygltflib, which is not installed; "
                          "run: pip install 'choreo-lib[gltf]'") from error
    dancers = [motion] if isinstance(motion, Motion) else list(motion)
    if not dancers:
        border.fail(path, "a scene needs a dancer at least")
    frames, fps = len(dancers[0]), dancers[0].fps
    if any(len(dancer) != frames or not same_rate(dancer.fps, fps) for dancer in dancers):
        border.fail(path, "one scene has one clock, and these dancers have "
                          + ", ".join(f"{len(dancer)} frames at {dancer.fps:g} a second" for dancer in dancers))
    said = border.source_to_dict(Source.join(*(dancer.source for dancer in dancers)))
    doc = gl.GLTF2(asset=gl.Asset(version="2.0", generator="choreo_lib", extras={"source": said},
                                  copyright=said["credit"] if said and said["credit"] else None))
    pack = _Pack(gl, doc)
    times = pack.add(np.arange(frames, dtype=np.float32) / np.float32(fps), "SCALAR", bounds=True)
    moves = gl.Animation(name="dance", samplers=[], channels=[])
    tops = []
    for i, dancer in enumerate(dancers):
        surface = gl.PbrMetallicRoughness(baseColorFactor=list(_COLOURS[min(i, 3)]), metallicFactor=0.0,
                                          roughnessFactor=0.7)
        doc.materials.append(gl.Material(name=_called(i), doubleSided=True,
                                         pbrMetallicRoughness=surface))
        tops.append(_add_dancer(gl, doc, pack, moves, times, dancer, i))
    doc.animations.append(moves)
    doc.scenes.append(gl.Scene(name={1: "solo", 2: "duet"}.get(len(dancers), "dancers"), nodes=tops))
    doc.scene = 0
    doc.buffers.append(gl.Buffer(byteLength=len(pack.data)))
    doc.set_binary_blob(bytes(pack.data))
    with border.writing(path) as temporary:
        doc.save_binary(str(temporary))


def _called(i: int) -> str:
    return f"dancer {ascii_lowercase[i] if i < 26 else i + 1}"


def _add_dancer(gl, doc, pack, moves, times, dancer: Motion, i: int) -> int:
    """Append one dancer's nodes, mesh and channels; gives the number of the node that holds them."""
    out = np.array(TURNS["y"], np.float64).T  # from our Z up to glTF's Y up
    rotations, local, steady = local_motion(dancer)
    rotations, local = border.turn(out, rotations), local @ out.T
    flips = np.where((rotations[1:] * rotations[:-1]).sum(axis=-1) < 0, -1.0, 1.0)
    rotations[1:] *= np.cumprod(flips, axis=0)[..., None]  # viewers blend numbers, so neighbours must be alike
    skeleton, turns = dancer.skeleton, dancer.rotations is not None
    base = len(doc.nodes) + 1
    label = dancer.name or _called(i)
    doc.nodes.append(gl.Node(name=label, children=[base], extras={"source": border.source_to_dict(dancer.source)}))
    rest = local.mean(axis=0)
    for j, name in enumerate(skeleton.names):
        children = [base + child for parent, child in skeleton.bones if parent == j]
        tips = [rest[child - base] for child in children if steady[child - base]] if turns else []
        tips += [out @ np.array(tip) for k, tip in skeleton.ends if k == j] if turns else []
        mesh = _mesh(gl, doc, pack, tips, i, name)
        place = rest[j] if steady[j] else local[0, j]
        doc.nodes.append(gl.Node(name=name, children=children, mesh=mesh, translation=place.tolist(),
                                 rotation=rotations[0, j].tolist() if turns else None))
        wanted = [("rotation", rotations[:, j], "VEC4")] if turns else []
        wanted += [] if steady[j] else [("translation", local[:, j], "VEC3")]
        for what, values, kind in wanted:
            moves.samplers.append(gl.AnimationSampler(input=times, output=pack.add(values, kind),
                                                      interpolation="LINEAR"))
            moves.channels.append(gl.AnimationChannel(sampler=len(moves.samplers) - 1, target=gl.
                                                      AnimationChannelTarget(node=base + j, path=what)))
    return base - 1


def _mesh(gl, doc, pack, tips, material: int, name: str) -> int:
    """The body's part that moves with one joint: a long octahedron a bone, and a bead at the joint."""
    solids = [_octahedron(tip) for tip in tips if np.linalg.norm(tip) > 0.02]
    solids.append(_octahedron(np.array([0.0, 0.03, 0.0]), np.array([0.0, -0.015, 0.0])))
    corners = np.concatenate(solids)  # [triangles, 3, xyz]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    faces /= np.linalg.norm(faces, axis=-1, keepdims=True)
    attributes = gl.Attributes(
        POSITION=pack.add(corners.reshape(-1, 3), "VEC3", bounds=True, target=_ARRAY_BUFFER),
        NORMAL=pack.add(np.repeat(faces, 3, axis=0), "VEC3", target=_ARRAY_BUFFER))
    doc.meshes.append(gl.Mesh(name=name, primitives=[gl.Primitive(attributes=attributes, material=material)]))
    return len(doc.meshes) - 1


def _octahedron(tip: np.ndarray, start=0.0) -> np.ndarray:
    """Eight triangles [8, 3, 3] from a joint to the tip of its bone, widest near the joint."""
    length = np.linalg.norm(tip)
    along = tip / length
    aside = np.cross(along, np.eye(3)[np.abs(along).argmin()])
    aside /= np.linalg.norm(aside)
    across = np.cross(along, aside)
    width, waist = np.clip(0.12 * length, 0.008, 0.035), tip * (0.5 if length < 0.05 else 0.2)
    ring = [waist + width * v for v in (aside, across, -aside, -across)]
    triangles = [(end, *pair) for k in range(4) for end, pair in (
        (tip, (ring[k], ring[(k + 1) % 4])), (np.zeros(3), (ring[(k + 1) % 4], ring[k])))]
    return np.array(triangles) + start


class _Pack:
    """The binary chunk as it grows, and the accessors that point into it."""

    def __init__(self, gl, doc):
        self.gl, self.doc, self.data = gl, doc, bytearray()

    def add(self, values, kind: str, bounds: bool = False, target=None) -> int:
        values = np.ascontiguousarray(values, "<f4")
        flat = values.reshape(len(values), -1)
        raw = values.tobytes()
        self.doc.bufferViews.append(self.gl.BufferView(buffer=0, byteOffset=len(self.data), byteLength=len(raw),
                                                       target=target))
        self.data += raw
        self.doc.accessors.append(self.gl.Accessor(
            bufferView=len(self.doc.bufferViews) - 1, byteOffset=0, componentType=_FLOAT, count=len(values), type=kind,
            min=flat.min(axis=0).tolist() if bounds else None, max=flat.max(axis=0).tolist() if bounds else None))
        return len(self.doc.accessors) - 1
