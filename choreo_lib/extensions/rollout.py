"""Dancing on with a duet model, frame by frame: a cache, bones of constant length, feet that do not skate, guidance.

Taught in chapter 5, "A partner".
"""

from contextlib import nullcontext
from typing import Any

import numpy as np
import torch

from ..body.blending import inertialise
from ..body.bones import project_bone_lengths
from ..body.motion import dancer_index, other_dancer
from ..core.arguments import Wrong, a, choice, count, number, takes
from ..core.arguments import seed as any_seed
from ..core.precision import product
from ..core.shapes import array
from ..systems.layers import eval_mode
from .duet_network import CHUNK, DuetNetwork, own_frame
from .foot_contact import Feet
from .guidance import Guidance

HOLD = 0.97  # share of what guidance did to a posture that is left a frame later; at 1 a body folds up in a minute
MAX_STEP = 100.0  # metres: nobody is that far from where they were one frame before
_ANY = array(finite=False, empty=True)


@takes(who=choice("a", "b"), every=count(), temperature=number(0, 100), seed=any_seed, guidance=a(Guidance))
class Stream:
    """A partner who dances along with somebody: give it a frame of the other dancer, and it gives one of its own.

    ``past`` [P, 2, J, 3] or, for several at once, [B, P, 2, J, 3] is what both danced before. What was encoded stays in
    a cache, so a frame costs one step of each layer; every ``every`` frames the window moves on, and its past is
    encoded once, drawn towards how dancers stand (`PosePrior`). Bones keep their length. `Feet` correct what is shown,
    not what the model goes on from, which has to be as it was in training. Units: metres, world coordinates.
    A frame that holds NaN, or a joint 100 m from where it was, or None, is no pose: the last good one is held in its
    place. ``held_frames`` counts such frames, ``held_in_a_row`` those since the last good one; ``frame_number`` is that
    of the next frame, from 0.
    A stream has no clock; one call is one frame of ``model.fps``. For a frame that never came, call with None; one
    that comes late is left out, since its time has passed already. A source that is faster gives every second one.
    Errors: ValueError, naming the argument, for a past or a frame of other joints; naming the frame, once more than a
    second's frames in a row were none (after the next good one it goes on). Chapter: 5.
    """

    own: torch.Tensor  # [B, P, W], in its canonical frame
    partner: torch.Tensor  # [B, .., J, 3], the frames of the window that the network has still to look at
    kv_cache: dict[str, Any]

    def __init__(self, model: DuetNetwork, past: Any, who: str = "b", every: int = CHUNK, temperature: float = 0.0,
                 seed: int = 0, guidance: Guidance | None = None):
        past = _numbers("past", past).to(model.positions)
        given = list(past.shape)
        self.alone = past.ndim == 4  # one dancer, whose frames have no axis of dances
        past = past[None] if self.alone else past
        joints = len(model.skeleton)
        if past.ndim != 5 or past.shape[2:] != (2, joints, 3) or not len(past):
            raise ValueError(f"past must be both dancers' frames, [frames, 2, {joints}, 3] or [several, frames, 2, "
                             f"{joints}, 3], of the joints {', '.join(model.skeleton.names)}; got {given}. "
                             "choreo_lib.conform(duet, model) brings a recording onto them")
        if past.shape[1] < model.past:
            raise ValueError(f"a past of {past.shape[1]} frames is too short: this model looks at {model.past}")
        if not bool((past.abs() <= 1e5).all()):
            raise ValueError("past must be finite, in metres: it holds NaN or a place beyond 100 km")
        if every > model.ahead:
            raise ValueError(f"every must be at most {model.ahead}, the frames this model looks ahead; got {every}")
        for pair in guidance.contact if guidance else ():
            for name in pair:
                if name not in model.skeleton.names:
                    raise ValueError(f"guidance asks for a contact of {name!r}; this model's joints are "
                                     f"{', '.join(model.skeleton.names)}")
        past = past[:, -model.past :].clone()  # whose it is may write into it
        self.model, self.past, self.who, self.every, self.guidance = model, past, who, every, guidance
        self.temperature, self.generator = temperature, torch.Generator().manual_seed(seed)
        self.modules = tuple(model.modules())  # to look for one that trains: asked for anew, 1 ms a frame
        parents, children = map(list, zip(*model.skeleton.links))
        own = self.past[:, :, dancer_index(who)]  # [B, P, J, 3]
        self.lengths = (own[:, :, children] - own[:, :, parents]).norm(dim=-1).mean(1, keepdim=True)  # [B, 1, L]
        self.feet = Feet(model.skeleton, own, model.fps, model.config.foot_friction)
        self.last_pose = self.past[:, -1, dancer_index(other_dancer(who))]  # [B, J, 3], the last good one
        self.frame_number = self.held_frames = self.held_in_a_row = 0
        self.offset = torch.zeros_like(own[:, -1])  # [B, J, 3]: by guidance so far
        self.fading = own.new_zeros(len(own), every, joints, 3)  # of what is shown, what the pose prior took away
        self._begin()

    def __call__(self, frame: Any) -> torch.Tensor:
        """The partner's joints where the other dancer's are ``frame``; None: it was lost.

        Shapes: [J, 3] -> [J, 3]; for several at once [B, J, 3] -> [B, J, 3]. Chapter: 5.
        """
        lost = self.last_pose[0] if self.alone else self.last_pose
        frame = torch.full_like(lost, torch.nan) if frame is None else _numbers("frame", frame)
        alone = frame.ndim == 2
        made = self.rollout(frame[None, None] if alone else frame[:, None] if frame.ndim else frame)
        return made[0, 0] if alone else made[:, 0]

    @torch.no_grad()
    def rollout(self, frames: Any) -> torch.Tensor:
        """The same for several frames at once, as many as are left until the window moves on.

        Shapes: [B, f, J, 3] -> [B, f, J, 3]. Chapter: 5.
        """
        model, pose = self.model, self.advance(frames)
        new = slice(self.made - pose.shape[1], self.made)
        if self.guidance is not None:
            leader = self.past[:, -pose.shape[1] :, dancer_index(other_dancer(self.who))]
            pose = self._guided(pose, leader, self.guidance)
        if model.pose_prior is not None:
            pose = project_bone_lengths(model.skeleton, pose + self.fading[:, new], self.lengths, iterations=1)
        return self.feet(pose, self.lengths) if model.config.fix_foot_skate else pose

    @torch.no_grad()
    def advance(self, frames: Any) -> torch.Tensor:
        """What the model goes on from: `rollout` before what is shown is mended. Shapes: the same. Chapter: 5."""
        model, frames = self.model, _numbers("frames", frames).to(self.past)
        if frames.ndim != 4 or (len(frames), *frames.shape[2:]) != self.last_pose.shape:
            wanted = list(self.last_pose.shape[len(self.last_pose) == 1 :])
            got = [n for n in frames.shape if n != 1]
            raise ValueError(f"frame must be the other dancer's joints {wanted}; got {got}")
        if self.made == self.every:
            self._move_on()
        if not 1 <= frames.shape[1] <= self.every - self.made:
            raise ValueError(f"{frames.shape[1]} frames, and the window moves on after {self.every - self.made}")
        frames = self._hold_lost(frames)
        step = self._step(frames)[:, -frames.shape[1] :]  # [B, f, W]
        if self.temperature:
            step = step + self.noise[:, self.made : self.made + frames.shape[1]]
        pose = own_frame(self.frames).to_world((self.own[:, -1:] + step).unflatten(2, (-1, 3)))  # [B, f, J, 3]
        pose = project_bone_lengths(model.skeleton, pose, self.lengths, iterations=3) if model.pose_prior is None \
            else model.pose_prior.limit(pose, self.lengths)
        both = (frames, pose) if self.who == "b" else (pose, frames)
        self.past = torch.cat([self.past, torch.stack(both, 2)], 1)
        self.made += frames.shape[1]
        return pose

    def _step(self, frames: torch.Tensor) -> torch.Tensor:
        """The network's displacements for new frames [B, f, J, 3], at least for those, [B, .., W].

        The past is encoded together with the first of them: a rollout of ``every`` frames is one pass of the network.
        """
        self.partner, kept = torch.cat([self.partner, frames], 1), self.model.config.kv_cache
        seen = self.model.partner_view(self.partner, self.frames)  # [B, .., 2 * W]
        trains = any(module.training for module in self.modules)
        with eval_mode(self.model) if trains else nullcontext():
            step = self.model(self.own, seen, self.who, kv_cache=self.kv_cache if kept else None)[0]
        if kept:  # or the whole window is encoded again with the next frame
            self.partner = self.partner[:, :0]
        return step

    def _hold_lost(self, frames: torch.Tensor) -> torch.Tensor:
        """The other dancer's frames [B, f, J, 3]; those that are no pose give way to the last one that was."""
        good = (frames - self.last_pose[:, None]).abs().amax((2, 3)) <= MAX_STEP  # [B, f]; NaN is not
        if bool(good.all()):
            self.last_pose, self.held_in_a_row = frames[:, -1].clone(), 0  # the next may come in the same memory
            self.frame_number += frames.shape[1]
            return frames
        held = []
        for k in range(frames.shape[1]):
            lost = not bool(good[:, k].all())
            if lost and self.held_in_a_row >= round(self.model.fps):
                raise ValueError(f"frame {self.frame_number}: no pose of the other dancer, nor in the "
                                 f"{self.held_in_a_row} before it, more than a second; what comes is NaN, missing, "
                                 "or far from anybody")
            self.frame_number += 1
            self.held_frames += lost
            self.held_in_a_row = self.held_in_a_row + 1 if lost else 0
            self.last_pose = torch.where(good[:, k, None, None], frames[:, k], self.last_pose)
            held.append(self.last_pose)
        return torch.stack(held, 1)

    def _guided(self, poses: torch.Tensor, frames: torch.Tensor, guidance: Guidance) -> torch.Tensor:
        """Poses [B, f, J, 3] after guidance, which is laid over them: `offset` is all that it has moved so far."""
        done = []
        for k in range(poses.shape[1]):
            place = self.offset.mean(1, keepdim=True) * self.offset.new_tensor([1.0, 1.0, 0.0])  # [B, 1, 3]
            pose = poses[:, k] + place + HOLD * (self.offset - place)
            pulled = guidance(pose, frames[:, k], self.model.skeleton)
            done.append(project_bone_lengths(self.model.skeleton, pulled[:, None], self.lengths, iterations=3))
            self.offset = done[-1][:, 0] - poses[:, k]
        return torch.cat(done, 1)

    def next_past(self) -> torch.Tensor:
        """What the window's past would be if it moved on now: the latest frames, drawn towards the pose prior.

        Shapes: [B, P, 2, J, 3]. Chapter: 5.
        """
        past, who = self.past[:, -self.model.past :].clone(), dancer_index(self.who)
        if self.model.pose_prior is not None:
            past[:, :, who] = self.model.pose_prior(past[:, :, who], self.lengths, past[:, :, 1 - who])
        return past

    @torch.no_grad()
    def _move_on(self) -> None:
        """The window's past becomes the latest frames; what is shown follows without a jump (inertialisation)."""
        who = dancer_index(self.who)
        danced = self.past[:, -2:, who]
        self.past = self.next_past()
        if self.model.pose_prior is not None:
            self.fading = self._faded(danced - self.past[:, -2:, who])
        self._begin()

    def _faded(self, gap: torch.Tensor) -> torch.Tensor:
        """A gap in the last two frames [B, 2, J, 3] led to nothing within a window's frames, [B, every, J, 3]."""
        return inertialise(gap[:, 1], gap[:, 1] - gap[:, 0], self.every)

    @torch.no_grad()
    def prepare(self) -> None:
        """Do now what the next frame would have to wait for: move the window on where it is due, and encode its past.

        For between two frames, when there is time; what the stream gives is the same. Chapter: 10.
        """
        if self.made == self.every:
            self._move_on()
        if self.model.config.kv_cache and self.partner.shape[1]:
            self._step(self.partner[:, :0])

    @torch.no_grad()
    def _begin(self) -> None:
        """A window begins: nothing is encoded yet, and noise is drawn for it."""
        model, self.made, self.kv_cache = self.model, 0, {}
        self.own, self.frames = model.own_view(self.past, self.who)
        self.partner = self.past[:, :, dancer_index(other_dancer(self.who))]
        if self.temperature:
            drawn = torch.randn(len(self.own), len(model.residual_components), generator=self.generator).to(self.past)
            noise = product(drawn, model.residual_components)  # [B, F * W]
            self.noise = self.temperature * noise.unflatten(1, (model.ahead, -1))  # [B, F, W]


def _numbers(name: str, value: Any) -> torch.Tensor:
    """A tensor of floats, of whatever holds numbers."""
    try:
        if not torch.is_tensor(value):
            value = np.array(value)
            value = value.astype(np.float32) if value.dtype == object else value  # None among numbers is a gap
        value = _ANY.test(value, {})
        return value.float() if torch.is_tensor(value) else torch.from_numpy(value.astype(np.float32))
    except (Wrong, TypeError, ValueError, OverflowError, RuntimeError):
        raise TypeError(f"{name} must be an array of numbers; got {type(value).__name__}") from None
