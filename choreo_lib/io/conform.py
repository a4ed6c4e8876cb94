"""A recording on another skeleton, and back: joints by what they are, bones at the other's lengths, feet on the floor.

Taught in chapter 5, "A partner". In animation this is retargeting.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ..body.compatibility import rest_mismatch, same_rate, skeleton_mismatch
from ..body.motion import Duet, Motion
from ..body.rotations import mean_rotation, rotation_between
from ..body.skeleton import Skeleton, forward_kinematics, local_rotations
from ..core.arguments import a, takes
from ..core.deferred import roma
from .joint_map import JointMap, lengths_of, rest_body
from .segments import Segments

FLOOR = 0.05  # of the frames: in so many a foot is at its lowest, which is where the floor is


@dataclass(frozen=True, eq=False)
class ConformReport:
    """What `conform` did: which joint was taken for which, and what was added, left out, stretched and resampled.

    ``mapped``: {joint of the model: joint of the recording}; ``inserted``: joints placed along a bone or a chain of
    bones; ``bridged``: the recording's joints that such chains pass over; ``attached``: tips that the recording lacks,
    which keep their rest; ``dropped``: the recording's joints that are not asked for (fingers, say). ``bones``: {joint:
    how many percent longer its bone became}; ``scale``: by how much the path was scaled, about the origin, as legs are
    longer; ``fps``: before and after; ``feet``: metres by which the body was lifted so that its feet stand where
    they stood. ``back`` brings what a model made onto the recording's own skeleton. Chapter: 5.
    """

    mapped: dict[str, str]
    inserted: tuple[str, ...] = ()
    bridged: tuple[str, ...] = ()
    attached: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    bones: dict[str, float] = field(default_factory=dict)
    scale: float = 1.0
    fps: tuple[float, float] = (0.0, 0.0)
    feet: float = 0.0
    original: Motion | None = field(default=None, repr=False)
    turned: dict[tuple[str, str], np.ndarray] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        lines = [f"{len(self.mapped)} joints mapped: "
                 + ", ".join(new if new == old else f"{old} -> {new}" for new, old in self.mapped.items())]
        for what in ("inserted", "bridged", "attached", "dropped"):
            if getattr(self, what):
                lines.append(f"{len(getattr(self, what))} {what}: {', '.join(getattr(self, what))}")
        if self.bones:
            most = max(self.bones, key=lambda name: abs(self.bones[name]))
            lines.append(f"bones {min(self.bones.values()):+.0f} to {max(self.bones.values()):+.0f} %, most to {most} "
                         f"({self.bones[most]:+.0f} %)")
        lines.append(f"path scaled by {self.scale:.3f}, feet moved by {100 * self.feet:+.1f} cm, "
                     + (f"{self.fps[0]:g} -> {self.fps[1]:g}" if self.fps[0] != self.fps[1] else f"{self.fps[0]:g}")
                     + " frames a second")
        return "\n".join(lines)

    @takes(made=a(Motion))
    def back(self, made: Motion) -> Motion:
        """What a model made, on the skeleton of the recording that was conformed, at its size and rate.

        Joints that the model lacks keep the rotation that they have in the recording on average. Errors: ValueError
        for a motion of other joints than this report's model. Chapter: 5.
        """
        if not set(self.mapped) <= set(made.skeleton.names):
            raise ValueError(f"this motion has the joints {', '.join(made.skeleton.names[:4])}, ...; the report is "
                             f"about {', '.join(list(self.mapped)[:4])}, ...")
        turned = {(old, new): matrix.T for (new, old), matrix in self.turned.items()}
        return _conformed(made, self.original.skeleton, self.original.fps, scale=1 / self.scale, turned=turned,
                          **_body_of(self.original))[0]


def conform(motion: Motion | Duet, model):
    """A recording as a model knows dancers: on its skeleton, at its rate, with bones of its length; and what was done.

    Joints are found by what they are, whatever Mixamo, CMU, Xsens, Rokoko, Unreal, Biped, VRM, SMPL or HybrIK call
    them; `choreo_lib.io.joint_roles` has the names. Limbs keep their directions, bones get the model's lengths
    (where it knows them), the path is scaled about the origin as the legs are longer, and feet stand as high as they
    stood. Where the skeleton has rest bones, rotations are told from these; how a limb is turned about itself comes
    from the recording's rotations, and where it has none, from the plane of its elbow or knee. A take that fits
    already comes back as it is. A `Duet` shares one scale, so that its dancers stay together as they were.
    ``model``: one of `choreo_lib.extensions`; or a `Skeleton`, or another dancer's `Motion`, and then the rate stays.
    Gives (motion, `ConformReport`), of a duet (duet, (report of a, report of b)). Back: ``report.back(made)``, or
    conform(made, motion).
    Shapes: [T, J, 3] of the model's J joints. Units: metres.
    Errors: ValueError naming the joints that a body needs and this one lacks, or for a skeleton whose rest pose is not
    one that a body can take (take the motion that it belongs to); TypeError for another ``model``.
    Chapter: 5. Gleicher, "Retargetting motion to new characters", SIGGRAPH 1998.
    """
    if not isinstance(motion, Motion | Duet):
        raise TypeError(f"motion must be a Motion or a Duet; got {type(motion).__name__}")
    wanted = model if isinstance(model, Skeleton) else getattr(model, "skeleton", None)
    if not isinstance(wanted, Skeleton):
        raise TypeError("model must be a model of choreo_lib with a skeleton, or a Skeleton; got "
                        f"{type(model).__name__}")
    fps, more = motion.fps, {"as_it_is": not isinstance(model, Skeleton | Motion)}
    if isinstance(model, Motion):
        more.update(_body_of(model))
    elif wanted is not model:
        several = max(round(motion.fps / model.fps), 1) if getattr(model, "takes_multiples", False) else 1
        fps = model.fps * several
        body = model.usual_body() if hasattr(model, "usual_body") else None
        if body is not None and getattr(model, "rotations_matter", False):
            wanted = body
        elif body is not None:
            more["lengths"] = np.linalg.norm(body.offsets, axis=-1)
        elif hasattr(model, "mean_pose"):
            more["shares"] = lengths_of(wanted, model.mean_pose()[None])
    if isinstance(motion, Motion):
        return _conformed(motion, wanted, fps, **more)
    scale = float(np.mean([_conformed(each, wanted, fps, **more)[1].scale for each in motion]))
    done = [_conformed(each, wanted, fps, scale=scale, **more) for each in motion]
    return Duet(*(each for each, _ in done)), tuple(report for _, report in done)


def _body_of(motion: Motion) -> dict:
    """What a motion says of its body besides the skeleton: its mean pose, since a rest pose may be none, or lengths."""
    if motion.rotations is None:
        lengths = lengths_of(motion.skeleton, motion.positions) if motion.skeleton.offsets is None else None
        return {"lengths": lengths, "rotations": False}
    local = roma.unitquat_to_rotmat(torch.from_numpy(motion.rotations).double())
    return {"pose": roma.rotmat_to_unitquat(mean_rotation(local)).numpy()}


def _conformed(motion: Motion, wanted: Skeleton, fps: float, lengths=None, turned=None, pose=None,
               scale: float | None = None, rotations: bool = True, as_it_is: bool = False, shares=None):
    original = motion
    if same_rate(motion.fps, fps):
        motion = replace(motion, fps=fps)
    else:
        motion = motion.resampled(fps)
    fits = not skeleton_mismatch(motion.skeleton, wanted) and not rest_mismatch(motion.skeleton, wanted)
    fits = fits and (wanted.offsets is None or motion.rotations is not None)
    if fits and (as_it_is or motion.skeleton.offsets is None and wanted.offsets is None):
        return motion, ConformReport(dict(zip(wanted.names, wanted.names)), fps=(original.fps, fps), original=original)
    new = lengths if wanted.offsets is None else np.linalg.norm(wanted.offsets, axis=-1)
    found = JointMap(motion, wanted, shares if new is None else new)
    own = lengths_of(motion.skeleton, motion.positions)
    if scale is None:
        scale = 1.0 if new is None else found.legs(new) / found.legs_before(own)
    if wanted.offsets is None:
        body = rest_body(wanted, found.roles)
        turns = _turns(motion, found, body)[0]
        places = found.completed(turns, body, own)
        if lengths is not None:
            places = _walked(wanted, places, lengths)
        made = places + (scale - 1) * places[:, [wanted.pelvis]]
        local = None
    else:
        if fits and motion.rotations is not None:  # the same rest frames: the same rotations
            local, matrices = motion.rotations, {}
        else:
            world, matrices = _turns(motion, found, wanted, turned, pose)
            local = local_rotations(wanted, world)
        root = np.zeros((len(motion), 3))
        made, _ = forward_kinematics(wanted, np.asarray(local, np.float64), root)
        made = made - made[:, [wanted.pelvis]] + scale * found.points[:, [wanted.pelvis]]
    low, high = found.feet(motion.positions, made)
    floor, now = np.quantile(low, FLOOR), np.quantile(high, FLOOR)
    # what is above the floor was scaled with the path; the floor itself stays where it was
    made[..., 2] += floor - now
    put = {"source": motion.source, "name": motion.name,
           "notes": (*motion.notes, f"conformed from {len(motion.skeleton)} joints to {len(wanted)}")}
    if local is None or not rotations:
        answer = Motion(made, fps, wanted, **put)
    else:
        answer = Motion.from_rotations(local, made[:, 0], fps, wanted, **put)
    bones = {wanted.names[j]: 100 * (new / old - 1) for j, old, new in found.stretched(own, answer.positions)}
    report = ConformReport(found.mapped(), found.inserted, found.bridged, found.attached, found.dropped, bones, scale,
                           (original.fps, fps), float(floor - now), original,
                           {} if local is None else matrices)
    return answer, report


def _turns(motion: Motion, found: JointMap, wanted: Skeleton, turned=None, pose=None):
    """World rotations [T, J, 3, 3] of a body's segments, and the constant rotations from rest frame to rest frame.

    ``pose``: local rotations [J, 4] of a pose in which the body is looked at in place of its rest pose.
    """
    points, known, frames = found.points, found.known, np.tile(np.eye(3), (len(wanted), 1, 1))
    if pose is not None:
        places, held = forward_kinematics(wanted, pose, np.zeros(3))
        frames = roma.unitquat_to_rotmat(torch.from_numpy(held)).numpy()
        wanted = Skeleton(wanted.names, wanted.parents,
                          np.array([place - places[max(p, 0)] for place, p in zip(places, wanted.parents)]))
    segments = Segments(wanted, found.roles)
    if pose is None and not segments.is_posed():
        raise ValueError("the rest pose of this skeleton is not one that a body can take, so nobody knows how its "
                         "parts are turned: conform to the Motion that it belongs to, or take report.back(made)")
    shown, sure = segments.turned_by(points, known)
    pairs = dict(found.direct)
    if segments.chest != segments.roles["pelvis"]:
        pairs[segments.chest] = found.chest  # chests turn alike, whichever joints of the spine they are
    theirs = None
    if motion.rotations is not None and motion.skeleton.offsets is not None:
        theirs = forward_kinematics(motion.skeleton, motion.rotations.astype(np.float64), np.zeros((len(motion), 3)))[1]
        theirs = roma.unitquat_to_rotmat(torch.from_numpy(theirs)).numpy()
    whole = {segments.roles["pelvis"], segments.chest}
    above = set(wanted.chain(segments.roles["pelvis"])[1:])
    world, matrices = shown.copy(), {}
    for j, parent in enumerate(wanted.parents):
        if j in above:
            continue
        if theirs is not None and j in pairs:
            names = wanted.names[j], motion.skeleton.names[pairs[j]]
            own = theirs[:, pairs[j]]
            matrix = (turned or {}).get(names)
            if matrix is None:  # told from the whole take: what differs between two rest frames does not change
                matrix = mean_rotation(own.swapaxes(-1, -2) @ shown[:, j], sure[:, j] + 1e-3) @ frames[j]
            matrices[names] = matrix
            world[:, j] = own @ matrix @ frames[j].T
        elif parent >= 0 and sure[:, j].max() < 0.1:
            world[:, j] = world[:, parent]
        child = segments.main.get(j)
        if j not in whole and child is not None and known[j] and known[child]:
            bone = wanted.offsets[child]
            if np.linalg.norm(bone) > 1e-6:
                now = np.einsum("tab,b->ta", world[:, j], bone)
                world[:, j] = rotation_between(now, points[:, child] - points[:, j]) @ world[:, j]
    if theirs is None:
        world[:, segments.trunk[1:-1]] = segments.leaned(world, points) @ world[:, segments.trunk[1:-1]]
    return world @ frames, matrices


def _walked(skeleton: Skeleton, places: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The same directions with bones of these lengths [J], walked from the pelvis; all points [T, J, 3]."""
    made = places.copy()
    for parent, j in skeleton.bones:
        bone = places[:, j] - places[:, parent]
        far = np.linalg.norm(bone, axis=-1, keepdims=True)
        made[:, j] = made[:, parent] + bone * (lengths[j] / np.maximum(far, 1e-6))
    return made - made[:, [skeleton.pelvis]] + places[:, [skeleton.pelvis]]
