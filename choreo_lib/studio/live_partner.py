"""The partner of a live set: what comes is put in order, brought to the model and answered. Taught in chapter 10."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch

from ..body.joint_names import sided_names
from ..body.kinematics import forward_kinematics
from ..body.motion import other_dancer
from ..body.skeleton import Skeleton
from ..core.arguments import a, choice, number, takes
from ..core.arguments import seed as any_seed
from ..extensions.duet_forecaster import DuetForecaster
from ..extensions.rollout import Stream
from .osc_messages import Body, Ignored, Joints

MISSED = 2.5  # frames of the model after which one that has not come is missed
FILL = 3  # frames that never came, for which the last pose is held at once when the next one comes
JUMP_SECONDS, JUMP_FRAMES = 10.0, 1000  # a frame farther ahead of the last one is of the future


@dataclass(frozen=True)
class Answer:
    """A partner's pose [J, 3], metres, for the leader's frame of that ``time``. Chapter: 10."""

    frame: int
    time: float
    pose: np.ndarray


@takes(model=a(DuetForecaster), who=choice("a", "b"), temperature=number(0, 100), seed=any_seed)
class LivePartner:
    """A partner for a dancer who comes frame by frame, from anywhere, not always in time.

    The source's ``time`` decides what the model gets: of a faster source the frames between are left out; for a frame
    that never came the last pose is held. Where nothing comes for 2.5 frames the partner dances on with a held pose,
    and after a second stands; after a second, too, frame numbers may begin anew.
    ``pair``: begin from ``model.past`` frames of both bodies, sent at the model's rate; else at the leader's first
    frame, in the usual place. ``ignored`` counts what was not used, by reason; ``note`` says what did not fit.
    Units: metres, seconds. Chapter: 10.
    """

    def __init__(self, model: DuetForecaster, who: str = "b", pair: bool = False, temperature: float = 0.0,
                 seed: int = 0):
        self.model, self.who, self.leader, self.pair = model, who, other_dancer(who), pair
        self.temperature, self.seed = temperature, seed
        self.ignored: Counter[str] = Counter()
        self.note = ""
        self.stream: Stream | None = None
        self.told: dict[str, tuple[Skeleton, list[int]]] = {}  # bodies' skeletons, and where the model's joints are
        self.before: dict[str, dict[int, np.ndarray]] = {"a": {}, "b": {}}  # a pair's frames until it begins
        self.newest: np.ndarray | None = None  # a pose still to be answered
        self.skipped = False  # whether one before it was left out, since this computer is behind
        self.frame, self.time, self.arrived = -1, 0.0, float("-inf")  # of the last frame: number, its and our seconds
        self.due = 0.0  # the source's seconds for which the next frame is
        self.held, self.answered = 0, 0  # frames in a row, in all
        self.pose = self.leader_pose = np.zeros((len(model.skeleton), 3), np.float32)

    @property
    def state(self) -> str:
        """"waiting" for a first frame, "dancing", or "holding" in silence. Chapter: 10."""
        return "waiting" if self.stream is None else "holding" if self.held else "dancing"

    def take(self, said: Body | Joints | Ignored, now: float) -> None:
        """Hear a message that came at our second ``now``. Errors: none; see ``ignored``. Chapter: 10."""
        try:
            if isinstance(said, Ignored):
                raise said
            if isinstance(said, Joints):
                self.told[said.who] = said.skeleton, self._places(said.skeleton)
                return
            if said.who == self.who and (self.stream is not None or not self.pair):
                raise Ignored("the partner's")
            pose = self._pose(said)
            time = said.time or now
            if said.who == self.leader:
                if now < self.arrived + 1:  # else who sends may have begun anew
                    self._require_order(said.frame, time)
                self.frame, self.time, self.arrived = said.frame, time, now
            if self.stream is None and self.pair:
                self._gather(said, pose)
                return
            if self.newest is not None:
                self.ignored["overtaken"] += 1
                self.skipped = True
            self.newest = pose
        except Ignored as ignored:
            self.ignored[str(ignored)] += 1

    def answer(self) -> Answer | None:
        """The partner's pose for the newest frame; None where none is to be answered. Chapter: 10."""
        if self.newest is None:
            return None
        pose, self.newest, skipped, self.skipped = self.newest, None, self.skipped, False
        time, step = self.time, 1 / self.model.fps
        if self.stream is None and not self._begin(np.repeat(pose[None], self.model.past, 0)):
            return None
        if self.answered and not skipped and not self.held:
            if time < self.due - step / 2:
                self.ignored["between frames"] += 1
                return None
            missing = min(int((time - self.due) / step + 0.5), FILL)
            for _ in range(missing):
                self._step(None)
            due = self.due + missing * step
            self.due = due + 0.1 * (time - due) + step  # led after a source whose rate is a little off
        else:  # the first one, or the first after others were lost: time begins with it
            self.due = time + step
        self.held, self.leader_pose = 0, pose
        return self._step(pose)

    def next_hold(self) -> float:
        """Our second at which a frame will be missed, and `hold` has something to do. Chapter: 10."""
        return self.arrived + (MISSED + self.held) / self.model.fps if self.answered else float("inf")

    def hold(self, now: float) -> Answer | None:
        """What the partner does in silence; None as long as nothing is missed. Chapter: 10."""
        if self.newest is not None or now < self.next_hold():
            return None
        self.held += 1
        return self._step(None)

    def prepare(self) -> None:
        """Do between two frames what the next one would have to wait for. Chapter: 10."""
        if self.stream is not None:
            self.stream.prepare()

    def _step(self, pose: np.ndarray | None) -> Answer:
        """One frame of the stream; for none, once there was none for a second, the same pose again."""
        assert self.stream is not None
        if pose is not None or self.stream.held_in_a_row < round(self.model.fps):
            self.pose = self.stream(pose).numpy()
        self.answered += 1
        return Answer(self.answered - 1, self.time + self.held / self.model.fps, self.pose)

    def _require_order(self, frame: int, time: float) -> None:
        if frame == self.frame:
            raise Ignored("doubled")
        if frame < self.frame or time <= self.time:
            raise Ignored("late")
        if frame > self.frame + JUMP_FRAMES or time > self.time + JUMP_SECONDS:
            raise Ignored("future")

    def _pose(self, body: Body) -> np.ndarray:
        """A body's joints as the model has them, float32 [J, 3]. Errors: Ignored."""
        skeleton, places = self.told.get(body.who, (self.model.skeleton, None))
        if len(body.numbers) != (3 + 4 * len(skeleton) if body.rotated else 3 * len(skeleton)):
            raise Ignored("other joints")
        points = body.numbers.reshape(-1, 3) if not body.rotated else _turned(skeleton, body.numbers)
        return (points if places is None else points[places]).astype(np.float32)

    def _places(self, skeleton: Skeleton) -> list[int]:
        """Where the model's joints stand in another skeleton, by their names, however these are spelt."""
        wanted = self.model.skeleton.names
        plain = sided_names(skeleton.names)
        places = [skeleton.names.index(name) if name in skeleton.names else
                  plain.index(each) if plain.count(each) == 1 else -1
                  for name, each in zip(wanted, sided_names(wanted))]
        if -1 in places:
            missing = [name for name, place in zip(wanted, places) if place < 0]
            self.note = (f"the skeleton that was sent lacks {', '.join(missing[:6])}"
                         + (f" and {len(missing) - 6} more" if len(missing) > 6 else "")
                         + " of the model's joints: choreo_lib.conform brings a recording onto them")
            raise Ignored("other joints")
        self.note = ""
        return places

    def _gather(self, body: Body, pose: np.ndarray) -> None:
        """Keep frames of both bodies until there are enough of one number to begin from."""
        kept, past = self.before[body.who], self.model.past
        kept[body.frame] = pose
        while len(kept) > 2 * past:
            del kept[min(kept)]
        common = sorted(set(self.before["a"]) & set(self.before["b"]))[-past:]
        if len(common) == past and common[-1] - common[0] == past - 1:
            self._begin(*(np.stack([self.before[who][k] for k in common]) for who in (self.leader, self.who)))
            self.before = {"a": {}, "b": {}}

    def _begin(self, leader: np.ndarray, partner: np.ndarray | None = None) -> bool:
        """Begin after past frames [P, J, 3] of the leader, and of the partner or in its usual place."""
        lead = torch.from_numpy(leader)
        if partner is None:
            past = self.model.starting_pose(lead[:1], self.who).expand(self.model.past, -1, -1, -1)  # [P, 2, J, 3]
        else:
            pair = lead, torch.from_numpy(partner)
            past = torch.stack(pair if self.who == "b" else pair[::-1], 1)
        try:
            self.stream = self.model.stream(past, self.who, temperature=self.temperature, seed=self.seed)
        except ValueError as error:  # who lies, or is of no dancer's size: another axis is up, or units are no metres
            self.note = str(error)
            self.ignored["no dancer"] += 1
        return self.stream is not None


def _turned(skeleton: Skeleton, numbers: np.ndarray) -> np.ndarray:
    """Joints [J, 3] of a root's place and local rotations, [3 + 4 * J]. Errors: Ignored."""
    rotations = numbers[3:].reshape(-1, 4)
    sizes = np.linalg.norm(rotations, axis=1, keepdims=True)
    if skeleton.offsets is None or not (abs(sizes - 1) < 0.1).all():
        raise Ignored("wrong arguments")
    return forward_kinematics(skeleton, rotations / sizes, numbers[:3])[0]
