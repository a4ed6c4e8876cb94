"""A recording on another skeleton, and back: joints by what they are, bones at the other's lengths, feet on the floor.

Taught in chapter 5, "A partner". In animation this is retargeting.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from ..body.compatibility import rest_mismatch, same_rate, skeleton_mismatch
from ..body.kinematics import forward_kinematics, local_rotations
from ..body.motion import Duet, Motion
from ..body.rotations import mean_rotation
from ..body.skeleton import Skeleton
from ..core.arguments import a, takes
from ..core.deferred import roma
from .joint_map import JointMap, leg, rest_body
from .local_rotations import world_rotations
from .up_axis import bone_lengths

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
    rest_rotations: dict[tuple[str, str], np.ndarray] = field(default_factory=dict, repr=False)

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
        feet = round(100 * self.feet, 1) + 0.0  # cm, and no minus before a zero
        lines.append(f"path scaled by {self.scale:.3f}, feet moved by {feet:+.1f} cm, "
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
        own = self.original
        assert own is not None
        rest_rotations = {(old, new): matrix.T for (new, old), matrix in self.rest_rotations.items()}
        return _conform(made, _Target(own.skeleton, own.fps, **_body_of(own)), 1 / self.scale, rest_rotations)[0]


@dataclass
class _Target:
    """What a recording is brought to: a skeleton and a rate, and what is known of the body besides.

    ``lengths`` [J] of its bones, or only their ``shares`` [J]; ``pose`` [J, 4] to look at in place of a rest pose;
    ``rotations``: are they asked for; ``keep_fitting``: a recording that fits already stays as it is.
    """

    skeleton: Skeleton
    fps: float
    lengths: np.ndarray | None = None
    shares: np.ndarray | None = None
    pose: np.ndarray | None = None
    rotations: bool = True
    keep_fitting: bool = False


def conform(motion: Motion | Duet, model) -> tuple[Any, Any]:
    """A recording as a model knows dancers: on its skeleton, at its rate, with bones of its length; and what was done.

    Joints are found by what they are, whatever Mixamo, CMU, Xsens, Rokoko, Unreal, Biped, VRM, SMPL or HybrIK call
    them; `choreo_lib.io.joint_roles` has the names. Limbs keep their directions, bones get the model's lengths
    (where it knows them), the path is scaled about the origin as the legs are longer, and feet stand as high as they
    stood. Where the skeleton has rest bones, rotations are measured from these; how a limb is turned about itself comes
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
    target = _target_of(model, motion.fps)
    if isinstance(motion, Motion):
        return _conform(motion, target)
    scale = float(np.mean([_conform(dancer, target)[1].scale for dancer in motion]))
    (a, report_a), (b, report_b) = (_conform(dancer, target, scale) for dancer in motion)
    return Duet(a, b), (report_a, report_b)


def _target_of(model, fps: float) -> _Target:
    skeleton = model if isinstance(model, Skeleton) else getattr(model, "skeleton", None)
    if not isinstance(skeleton, Skeleton):
        raise TypeError("model must be a model of choreo_lib with a skeleton, or a Skeleton; got "
                        f"{type(model).__name__}")
    if isinstance(model, Skeleton):
        return _Target(skeleton, fps)
    if isinstance(model, Motion):
        return _Target(skeleton, fps, **_body_of(model))
    multiple = max(round(fps / model.fps), 1) if getattr(model, "takes_multiples", False) else 1
    target = _Target(skeleton, model.fps * multiple, keep_fitting=True)
    body = model.usual_body() if hasattr(model, "usual_body") else None
    if body is not None and getattr(model, "rotations_matter", False):
        target.skeleton = body
    elif body is not None:
        target.lengths = np.linalg.norm(body.offsets, axis=-1)
    elif hasattr(model, "mean_pose"):
        target.shares = bone_lengths(skeleton, model.mean_pose()[None])
    return target


def _body_of(motion: Motion) -> dict[str, Any]:
    """What a motion says of its body besides the skeleton: its mean pose, since a rest pose may be none, or lengths."""
    if motion.rotations is None:
        lengths = bone_lengths(motion.skeleton, motion.positions) if motion.skeleton.offsets is None else None
        return {"lengths": lengths, "rotations": False}
    local = roma.unitquat_to_rotmat(torch.from_numpy(motion.rotations).double())
    return {"pose": roma.rotmat_to_unitquat(mean_rotation(local)).numpy()}


def _conform(motion: Motion, target: _Target, scale: float | None = None,
             rest_rotations: dict | None = None) -> tuple[Motion, ConformReport]:
    original, skeleton = motion, target.skeleton
    motion = replace(motion, fps=target.fps) if same_rate(motion.fps, target.fps) else motion.resampled(target.fps)
    fits = not skeleton_mismatch(motion.skeleton, skeleton) and not rest_mismatch(motion.skeleton, skeleton)
    fits = fits and (skeleton.offsets is None or motion.rotations is not None)
    rates = (original.fps, target.fps)
    if fits and (target.keep_fitting or motion.skeleton.offsets is None and skeleton.offsets is None):
        return motion, ConformReport(dict(zip(skeleton.names, skeleton.names)), fps=rates, original=original)
    lengths = target.lengths if skeleton.offsets is None else np.linalg.norm(skeleton.offsets, axis=-1)
    joint_map = JointMap(motion, skeleton, target.shares if lengths is None else lengths)
    if scale is None:
        scale = 1.0 if lengths is None else leg(skeleton, joint_map.roles, lengths) / joint_map.source_leg
    pelvis, local = [skeleton.pelvis], None
    matrices: dict[tuple[str, str], np.ndarray] = {}
    if skeleton.offsets is None:
        body = rest_body(skeleton, joint_map.roles)
        places = joint_map.completed(world_rotations(motion, joint_map, body)[0], body, lengths)
        made = places + (scale - 1) * places[:, pelvis]
    else:
        if fits and motion.rotations is not None:  # the same rest frames: the same rotations
            local = motion.rotations
        else:
            world, matrices = world_rotations(motion, joint_map, skeleton, rest_rotations, target.pose)
            local = local_rotations(skeleton, world)
        made, _ = forward_kinematics(skeleton, np.asarray(local, np.float64), np.zeros((len(motion), 3)))
        made = made - made[:, pelvis] + scale * joint_map.points[:, pelvis]
    # what is above the floor was scaled with the path; the floor itself stays where it was
    before, after = (np.quantile(foot, FLOOR) for foot in joint_map.lowest_foot(motion.positions, made))
    lift = float(before - after)
    made[..., 2] += lift
    notes = (*motion.notes, f"conformed from {len(motion.skeleton)} joints to {len(skeleton)}")
    about: dict[str, Any] = {"source": motion.source, "name": motion.name, "notes": notes}
    if local is None or not target.rotations:
        result = Motion(made, target.fps, skeleton, **about)
    else:
        result = Motion.from_rotations(local, made[:, 0], target.fps, skeleton, **about)
    return result, ConformReport(
        joint_map.mapped(), joint_map.inserted, joint_map.bridged, joint_map.attached, joint_map.dropped,
        dict(joint_map.changed_lengths(result.positions)), scale, rates, lift, original, matrices)
