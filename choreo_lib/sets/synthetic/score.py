"""A score: what a dancer means to do, beat by beat, before any body does it. Taught in chapter 1, "Seeing a duet".

Read later it makes a canon, with left and right exchanged a mirror, mixed with another a partner who follows partly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...body.blending import minimum_jerk

# Arm poses as (elevation, azimuth, swivel, flexion) in degrees: low, front, side, round, overhead, bent, crossed, half.
_POSES = np.deg2rad([(15, 55, 45, 25), (75, 20, 55, 35), (85, 80, 60, 15), (60, 35, 80, 70),
                     (150, 60, 40, 35), (40, 70, 70, 100), (55, 5, 85, 85), (110, 50, 45, 60)])
_POSE_LOW = np.deg2rad((5, -5, 5, 8))
_POSE_HIGH = np.deg2rad((160, 100, 95, 125))
_PATTERN = np.array([0, 1, 0, -1, 1, 0, 1, -1])  # which foot steps on each of eight counts; -1 holds (as in salsa)
_SPINE_LIMIT = np.deg2rad((20, 14, 28))


@dataclass(frozen=True)
class Score:
    """Keys on a grid of beats. K beats, the first ones before time zero so that a canon has a past to read.

    Shapes: ``beats`` [K] seconds; ``foot`` [K] 0 left, 1 right, -1 hold; ``steps`` [K, 2] metres aside (to the left)
    and forward of the standing place; ``turn`` [K] radians added to the facing; ``arms`` [K, 2, 4] radians (elevation,
    azimuth, swivel, flexion; left arm first); ``wrists`` [K, 2]; ``spine`` [K, 3] bend forward, tilt to the right,
    twist to the left; ``lean`` [K] metres the pelvis hangs back; ``nod`` [K]. Chapter: 1.
    """

    beats: np.ndarray
    foot: np.ndarray
    steps: np.ndarray
    turn: np.ndarray
    arms: np.ndarray
    wrists: np.ndarray
    spine: np.ndarray
    lean: np.ndarray
    nod: np.ndarray

    @staticmethod
    def compose(rng: np.random.Generator, seconds: float, tempo: float, phase: float = 0.0) -> Score:
        """Write a score: phrases of eight counts, each a motif that comes back varied.

        Units: ``seconds``; ``tempo`` beats per minute; ``phase`` beats. Chapter: 1.
        """
        lead_in = 16
        count = lead_in + int(np.ceil(seconds * tempo / 60)) + 3
        beats = (np.arange(count) - lead_in + phase) * 60 / tempo
        phrases = -(-count // 8)

        def keys(shape, draw, returns=0.45):
            """Eight counts at a time: a new motif, or an earlier one with a little change."""
            motifs, written = [], []
            for _ in range(phrases):
                if motifs and rng.random() < returns:
                    fresh, old = draw((8, *shape)), motifs[rng.integers(len(motifs))]
                    keep = rng.random((8,) + (1,) * len(shape)) < 0.6
                    written.append(np.where(keep, old, fresh))
                else:
                    motifs.append(draw((8, *shape)))
                    written.append(motifs[-1])
            return np.concatenate(written)[:count]

        def poses(shape):
            picked = _POSES[rng.integers(len(_POSES), size=shape[:-1])]
            both = rng.random(shape[0]) < 0.3
            picked[both, 1] = picked[both, 0]
            return np.clip(picked + rng.normal(0, 0.16, shape), _POSE_LOW, _POSE_HIGH)

        steps = keys((2,), lambda s: np.clip(rng.normal(0, (0.07, 0.11), s), -0.2, 0.2))
        rest = poses((1, 2, 4))[0]
        arms = rest + (keys((2, 4), poses) - rest)
        stays = rng.random(count) < 0.25  # an arm that rests on a count makes the next one readable
        for k in range(1, count):
            if stays[k]:
                arms[k] = 0.7 * arms[k - 1] + 0.3 * arms[k]
        turn, foot = np.zeros(count), np.resize(_PATTERN, count)
        for start in range(0, count, 8):
            if rng.random() < 0.3:  # a full turn over the eight counts, an eighth a count, a step on every one
                eighths = np.arange(1, 9)[: count - start] * rng.choice((-1, 1))
                turn[start : start + 8] += eighths * np.pi / 4
                turn[start + 8 :] = turn[min(start + 7, count - 1)]
                foot[start : start + 8] = np.resize((0, 1), len(eighths))
        spine = np.clip(keys((3,), lambda s: rng.normal(0, (0.10, 0.09, 0.22), s)), -_SPINE_LIMIT, _SPINE_LIMIT)
        wrists = keys((2,), lambda s: np.clip(rng.normal(0, 0.3, s), -0.7, 0.7))
        nod = keys((), lambda s: rng.normal(0, 0.12, s))
        return Score(beats, foot, steps, turn, arms, wrists, spine, np.zeros(count), nod)

    def mirrored(self) -> Score:
        """The score seen in a mirror: left and right exchanged. Chapter: 1."""
        return replace(self, foot=np.where(self.foot < 0, -1, 1 - self.foot), steps=self.steps * (-1, 1),
                       turn=-self.turn, arms=self.arms[:, ::-1], wrists=self.wrists[:, ::-1],
                       spine=self.spine * (1, -1, -1))

    def mixed(self, own: Score, strength: float) -> Score:
        """This score followed with a strength of 0 to 1, the rest danced from another on the same beats. Chapter: 1."""
        if strength == 1:
            return self
        rest = np.sqrt(1 - strength**2)
        blend = {name: strength * getattr(self, name) + rest * getattr(own, name)
                 for name in ("steps", "wrists", "spine", "nod")}
        blend["spine"] = np.clip(blend["spine"], -_SPINE_LIMIT, _SPINE_LIMIT)
        middle = _POSES.mean(0)
        arms = middle + strength * (self.arms - middle) + rest * (own.arms - middle)
        led = self if strength > 0.5 else own  # steps and turns cannot be half taken
        return replace(self, arms=np.clip(arms, _POSE_LOW, _POSE_HIGH), turn=led.turn, foot=led.foot, **blend)

    def at(self, times: np.ndarray, standing, look: np.ndarray, hips: float) -> dict[str, np.ndarray]:
        """Read the score at ``times`` [T] seconds, as the arrays that `choreo_lib.sets.synthetic.body.perform` takes.

        ``standing`` is a function from times [K] to the dancer's place [K, 2] and facing [K]; ``look`` [T] is where the
        partner is, radians; ``hips`` half the width of the stance, metres. Chapter: 1.
        """
        period = self.beats[1] - self.beats[0]
        at_times = lambda keys: interpolate_keys(keys, self.beats, times)  # noqa: E731
        places, facing = standing(self.beats)
        feet, yaw, pitch, weight = self._feet(times, *self._footprints(places, facing, hips), period)
        pelvis = (feet[..., :2] * weight[..., None]).sum(1)
        heading = _ease(yaw.mean(-1), radius=7)
        back = np.stack([-np.sin(heading), np.cos(heading)], -1)
        pelvis = _ease(pelvis) + back * at_times(self.lean)[:, None]
        sway = _ease(weight[:, 1] - weight[:, 0])
        pulse = (times - self.beats[0]) / period
        read = {name: at_times(getattr(self, name)) for name in ("spine", "arms", "wrists", "nod")}
        return read | {"feet": feet, "foot_yaw": yaw, "foot_pitch": pitch, "pelvis": pelvis, "heading": heading,
                       "bounce": 0.012 + 0.012 * np.cos(2 * np.pi * pulse), "look": look,
                       "hip_roll": 0.09 * sway, "hip_twist": 0.12 * sway}

    def _footprints(self, places: np.ndarray, facing: np.ndarray, hips: float) -> tuple[np.ndarray, np.ndarray]:
        """Where each foot stands after each beat: [K, 2, 2] metres, and its yaw [K, 2]."""
        yaw, beat = facing + self.turn, np.arange(len(self.beats))[:, None]
        left = np.stack([np.cos(yaw), np.sin(yaw)], -1)
        forward = np.stack([np.sin(yaw), -np.cos(yaw)], -1)
        steps = self.steps * (beat > 0)
        uncrossed = np.clip(steps[:, :1], (-0.5 * hips, -np.inf), (np.inf, 0.5 * hips))  # [K, 2]
        sideways = (np.array([hips, -hips]) + uncrossed)[..., None]  # [K, 2, 1]
        prints = places[:, None] + left[:, None] * sideways + (forward * steps[:, 1:])[:, None]
        last = np.maximum.accumulate(np.where(self.foot[:, None] == (0, 1), beat, 0))  # [K, 2], when each foot stepped
        return prints[last, (0, 1)], (yaw[:, None] + (0.15, -0.15))[last, (0, 1)]

    def _feet(self, times, prints, yaws, period):
        """Feet in the air and on the floor: places [T, 2, 3], yaw and pitch [T, 2], share of weight [T, 2]."""
        k = np.clip(np.searchsorted(self.beats, times, side="left"), 1, len(self.beats) - 1)
        through = (times - self.beats[k - 1]) / period  # 0 on the last beat, 1 on the next
        air = np.clip((through - 0.2) / 0.8, 0, 1)
        share = minimum_jerk(air)[:, None]
        xy = prints[k - 1] * (1 - share[..., None]) + prints[k] * share[..., None]
        far = np.linalg.norm(prints[k] - prints[k - 1], axis=-1)
        bump = np.where(self.foot[k, None] == (0, 1), (64 * (air * (1 - air)) ** 3)[:, None], 0.0)
        pitch = 0.25 * bump
        feet = np.concatenate([xy, (bump * (0.03 + 0.10 * far) + 0.21 * np.sin(pitch))[..., None]], axis=-1)
        yaw = yaws[k - 1] * (1 - share) + yaws[k] * share
        stepped = np.maximum.accumulate(np.where(self.foot < 0, 0, np.arange(len(self.foot))))  # the last beat with one
        on = np.where(self.foot[stepped, None] == (0, 1), 0.72, 0.28)
        shift = minimum_jerk(through / 0.9)[:, None]
        return feet, yaw, pitch, on[k - 1] * (1 - shift) + on[k] * shift


def interpolate_keys(keys: np.ndarray, beats: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Keys [K, ...] at times [T] seconds, [T, ...]: minimum jerk from each key to the next, on the beat. Chapter: 1."""
    k = np.clip(np.searchsorted(beats, times, side="left"), 1, len(beats) - 1)
    through = np.clip((times - beats[k - 1]) / (beats[1] - beats[0]), 0, 1)
    share = minimum_jerk(through).reshape((-1,) + (1,) * (keys.ndim - 1))
    return _ease(keys[k - 1] * (1 - share) + keys[k] * share)


def _ease(signal: np.ndarray, radius: int = 5) -> np.ndarray:
    """A running mean [T, ...] that takes the corner off a change of direction, without delay."""
    kernel = np.hanning(2 * radius + 3)[1:-1]
    kernel /= kernel.sum()
    padded = np.pad(signal, [(radius, radius)] + [(0, 0)] * (signal.ndim - 1), mode="edge")
    return sum(w * padded[i : i + len(signal)] for i, w in enumerate(kernel))
