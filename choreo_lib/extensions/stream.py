"""Dancing on with a duet model, frame by frame: what was read is kept, bones keep their length, feet stand.

Taught in chapter 5, "A partner".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..body.bones import project_bone_lengths
from ..body.skeleton import Skeleton
from ..core.arguments import Wrong, a, choice, count, each, number, share, takes, text
from ..core.arguments import seed as any_seed
from ..core.precision import product
from ..core.shapes import array
from .foot_skate import Feet

if TYPE_CHECKING:
    from .duet_vae import DuetVAE


_ANY = array(finite=False, empty=True)
REACH = 100.0  # metres: nobody is that far from where they were one frame before


@takes(distance=number(0, 1000), contact=each(each(text, size=2)), pull=share, reach=number(0))
@dataclass(frozen=True)
class Guidance:
    """What a choreographer asks of a partner while it dances; the model goes on from what became of it.

    ``distance`` between the pelvises along the floor, metres; None: as it comes. ``contact``: pairs (own joint, other
    dancer's joint) that want to touch, by name. ``pull``: the share of what is missing that is made good each frame;
    in 10 frames 0.05 makes good two fifths. Joints that touch may tear at the body, so they are asked for within
    ``reach`` metres only. Chapter: 5.
    """

    distance: float | None = None
    contact: Sequence[tuple[str, str]] = ()
    pull: float = 0.05
    reach: float = 0.5

    def __call__(self, pose, other, skeleton: Skeleton) -> torch.Tensor:
        """A pose [..., J, 3] nearer to the wish, given the other dancer's [..., J, 3]."""
        if self.distance is not None:
            pelvis = [skeleton.pelvis]
            away = (pose[..., pelvis, :] - other[..., pelvis, :]) * pose.new_tensor([1.0, 1.0, 0.0])
            far = away.norm(dim=-1, keepdim=True).clamp_min(1e-3)
            pose = pose + self.pull * (self.distance - far) * away / far
        for own, theirs in self.contact:
            missing = other[..., skeleton.index(theirs), :] - pose[..., skeleton.index(own), :]  # [..., 3]
            near = missing.norm(dim=-1, keepdim=True) < self.reach
            pose = pose.clone()
            pose[..., skeleton.index(own), :] += torch.where(near, self.pull * missing, 0.0)
        return pose


@takes(who=choice("a", "b"), every=count(), temperature=number(0, 100), seed=any_seed, wish=a(Guidance))
class Stream:
    """A partner who dances along with somebody: give it a frame of the other dancer, and it gives one of its own.

    ``past`` [P, 2, J, 3] or, for several at once, [B, P, 2, J, 3] is what both danced before. What was read stays in
    memory, so a frame costs one step of each layer; every ``every`` frames the window moves on, and its past is read
    once. Bones keep the length they had in the past. `Feet` hold what is shown, not what the model goes on from: it
    knows its own feet, and feet that were held are new to it. Units: metres, world coordinates.
    A frame that holds NaN, or a joint 100 m from where it was, or None, is no pose: the last good one is held in its
    place. ``held_frames`` counts such frames, ``held_in_a_row`` those since the last good one; ``frame_number`` is that
    of the next frame, from 0.
    A stream has no clock; one call is one frame of ``model.fps``. For a frame that never came, call with None; one
    that comes late is left out, since its time has passed already. A source that is faster gives every second one.
    Errors: ValueError, naming the argument, for a past or a frame of other joints; naming the frame, once more than a
    second's frames in a row were none (the next good one is danced to again). Chapter: 5.
    """

    def __init__(self, model: DuetVAE, past, who="b", every=10, temperature=0.0, seed=0, wish: Guidance | None = None):
        past = _numbers("past", past).to(model.clock)
        past = past[None] if past.ndim == 4 else past
        joints = len(model.skeleton)
        if past.ndim != 5 or past.shape[2:] != (2, joints, 3) or not len(past):
            raise ValueError(f"past must be both dancers, [frames, 2, {joints}, 3] or [several, frames, 2, {joints}, "
                             f"3]; got {list(past.shape)}")
        if past.shape[1] < model.past:
            raise ValueError(f"a past of {past.shape[1]} frames is too short: this model looks at {model.past}")
        if not bool((past.abs() <= 1e5).all()):
            raise ValueError("past must be finite, in metres: it holds NaN or a place beyond 100 km")
        if every > model.ahead:
            raise ValueError(f"every must be at most {model.ahead}, the frames this model looks ahead; got {every}")
        for pair in wish.contact if wish else ():
            for name in pair:
                if name not in model.skeleton.names:
                    raise ValueError(f"wish asks for a contact of {name!r}; this model's joints are "
                                     f"{', '.join(model.skeleton.names)}")
        self.model, self.past, self.who, self.every, self.wish = model.eval(), past[:, -model.past :], who, every, wish
        self.temperature, self.chance = temperature, torch.Generator().manual_seed(seed)
        parents, children = zip(*model.skeleton.bones)
        own = self.past[:, :, "ab".index(who)]
        self.lengths = (own[:, :, children] - own[:, :, parents]).norm(dim=-1).mean(1, keepdim=True)  # [B, 1, J - 1]
        self.feet = Feet(model.skeleton, own, model.fps)
        self.heard = self.past[:, -1, "ba".index(who)]  # [B, J, 3]: the other dancer's last good pose
        self.frame_number = self.held_frames = self.held_in_a_row = 0
        self.moved = torch.zeros_like(own[:, -1])  # [B, J, 3]: how far a wish has pulled since the window moved on
        self._move_on()

    def __call__(self, frame) -> torch.Tensor:
        """The partner's joints [J, 3] ([B, J, 3]) where the other dancer's are ``frame``; None: it was lost."""
        lost = self.heard[0] if len(self.heard) == 1 else self.heard
        frame = torch.full_like(lost, torch.nan) if frame is None else _numbers("frame", frame)
        alone = frame.ndim == 2
        made = self.ahead(frame[None, None] if alone else frame[:, None] if frame.ndim else frame)
        return made[0, 0] if alone else made[:, 0]

    def ahead(self, frames) -> torch.Tensor:
        """The same for several frames [B, f, J, 3] at once, as many as are left until the window moves on."""
        return self.feet(self.dance(frames), self.lengths)

    @torch.no_grad()
    def dance(self, frames) -> torch.Tensor:
        """As `ahead`, and the feet as the model means them."""
        model, frames = self.model, _numbers("frames", frames).to(self.past)
        if frames.ndim != 4 or (len(frames), *frames.shape[2:]) != self.heard.shape:
            wanted = list(self.heard.shape[len(self.heard) == 1 :])
            got = [n for n in frames.shape if n != 1]
            raise ValueError(f"frame must be the other dancer's joints {wanted}; got {got}")
        if self.made == self.every:
            self._move_on()
        if not 1 <= frames.shape[1] <= self.every - self.made:
            raise ValueError(f"{frames.shape[1]} frames, and the window moves on after {self.every - self.made}")
        frames = self._held(frames)
        step = model.answer(self.own, model.watched(frames, self.frames), self.who, kept=self.kept)[0]  # [B, f, J * 3]
        step = step + self.noise[:, self.made : self.made + frames.shape[1]]
        pose = self.frames[0].to_world((self.own[:, -1:] + step).unflatten(2, (-1, 3)))
        pose = project_bone_lengths(model.skeleton, pose, self.lengths, iterations=3)
        both = (frames, pose) if self.who == "b" else (pose, frames)
        self.past = torch.cat([self.past, torch.stack(both, 2)], 1)
        self.made += frames.shape[1]
        return pose if self.wish is None else self._wished(pose, frames)

    def _held(self, frames) -> torch.Tensor:
        """The other dancer's frames [B, f, J, 3]; those that are no pose give way to the last one that was."""
        good = (frames - self.heard[:, None]).abs().amax((2, 3)) <= REACH  # [B, f]; NaN is not
        if bool(good.all()):
            self.heard, self.held_in_a_row = frames[:, -1], 0
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
            self.heard = torch.where(good[:, k, None, None], frames[:, k], self.heard)
            held.append(self.heard)
        return torch.stack(held, 1)

    def _wished(self, poses, frames):
        """Poses [B, f, J, 3] that a wish has pulled at; what it has moved so far stays moved."""
        done = []
        for k in range(poses.shape[1]):
            pulled = self.wish(poses[:, k] + self.moved, frames[:, k], self.model.skeleton)
            done.append(project_bone_lengths(self.model.skeleton, pulled[:, None], self.lengths, iterations=3))
            self.moved = done[-1][:, 0] - poses[:, k]
        return torch.cat(done, 1)

    @torch.no_grad()
    def _move_on(self) -> None:
        """The window's past is what was danced last; it is read once."""
        model = self.model
        self.past, self.made, self.kept = self.past[:, -model.past :].clone(), 0, {}
        # as if it had always been there: a past that was pulled at would look like steps of its own
        self.past[:, :, "ab".index(self.who)] += self.moved[:, None]
        self.moved = torch.zeros_like(self.moved)
        self.own, partner, self.frames = model.seen(self.past, self.past[:, :0, 0], self.who)
        model.answer(self.own, partner, self.who, kept=self.kept)
        chance = torch.randn(len(self.own), len(model.detail), generator=self.chance).to(self.past)
        self.noise = self.temperature * product(chance, model.detail).unflatten(1, (model.ahead, -1))  # [B, F, J * 3]


def _numbers(name: str, value) -> torch.Tensor:
    """A tensor of floats, of whatever holds numbers."""
    try:
        if not torch.is_tensor(value):
            value = np.array(value)
            value = value.astype(np.float32) if value.dtype == object else value  # None among numbers is a gap
        value = _ANY.test(value, {})
        return value.float() if torch.is_tensor(value) else torch.from_numpy(value.astype(np.float32))
    except (Wrong, TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} must be an array of numbers; got {type(value).__name__}") from None
