"""One dancer's rotations become the other's: a recurrent variational autoencoder, and its deepfake form.

Taught in chapter 6, "Translating a dancer", and chapter 7, "A deepfake of dancers". After the VAE-RNN of the
prototypes; repaired and extended there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace

import numpy as np
import torch
from torch import nn
from torch.nn.functional import interpolate, normalize, pad

from ..body.compatibility import body_size, require_dancer, require_fit, rest_mismatch, skeleton_mismatch
from ..body.motion import Motion
from ..body.reference import ReferenceFrame, reference_frame
from ..body.rotations import quaternions_from_6d, quaternions_to_6d, rotate_z, slerp
from ..body.skeleton import Skeleton, forward_kinematics, positions_of
from ..body.source import OURS, Source
from ..core.arguments import a, flag, number, takes, text
from ..core.precision import LSTM, in_full_precision, product
from ..sets.windows import cut
from ..systems.losses import Schedule, kl_loss, kl_per_unit, rotation_difference
from .foot_skate import fix_foot_skate
from .latent_sequence import LatentSequence, blend
from .solo_vae import components

FORMS = {"quaternion": 4, "6d": 6}
PRICE = Schedule(0.003)
STILL = 0.5  # of a pose's variance, what is added in every direction before two manners are compared


class Reader(nn.Module):
    """A window of poses becomes ``codes`` clouds of ``latent`` numbers, one for each of as many parts of the window.

    Shapes: [B, T, width] to means and log-variances [B, codes, latent]. Chapter: 6.
    """

    def __init__(self, width: int, latent: int, codes: int, hidden: int, layers: int, dense: int, dropout: float):
        super().__init__()
        self.codes = codes
        self.listen = LSTM(width, hidden, layers, batch_first=True, dropout=dropout, bidirectional=True)
        self.gather = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * hidden, dense), nn.ReLU(), nn.Dropout(dropout))
        self.to_mean, self.to_log_variance = nn.Linear(dense, latent), nn.Linear(dense, latent)
        nn.init.constant_(self.to_log_variance.bias, -5.0)  # clouds begin small, or their noise is all one hears

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Means and log-variances."""
        h = self.listen(x)[0]  # [B, T, 2 * hidden]
        h = self.gather(h.unflatten(1, (self.codes, -1)).mean(2))  # [B, codes, dense]
        return self.to_mean(h).to(x), self.to_log_variance(h).to(x).clamp(-12, 4)


class Writer(nn.Module):
    """Codes become a window of poses: [B, codes, latent] to [B, T, width]. Chapter: 6."""

    def __init__(self, width: int, latent: int, frames: int, hidden: int, layers: int, dense: int, dropout: float):
        super().__init__()
        self.frames = frames
        self.spread = nn.Sequential(nn.Linear(latent, dense), nn.ReLU(), nn.Dropout(dropout))
        self.speak = LSTM(dense, hidden, layers, batch_first=True, dropout=dropout, bidirectional=True)
        self.to_pose = nn.Linear(2 * hidden, width)
        self.beside = nn.Linear(latent, width)  # a way past the LSTM, so that learning need not wait for it

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Poses, in units of how much each number varies."""
        z = interpolate(codes.transpose(1, 2), self.frames, mode="linear").transpose(1, 2)  # [B, T, latent]
        return (self.to_pose(self.speak(self.spread(z))[0]) + self.beside(z)).to(codes)


class VAERNN(nn.Module):
    """A window of one dancer's joint rotations, read into codes and written as a window of the same or another dancer.

    ``routes``: who is read and who is written. ("ab",) translates dancer a into dancer b; ("ab", "ba") both ways, by
    two readers and two writers. ("aa", "bb") is the deepfake: one reader for both, each writer learns its own dancer
    only, and what is read of one may then be written by the other.
    Windows are of transforms (`choreo_lib.sets.windows.cut` with rotations), seen from where the dancer who is read
    stands and faces in their middle. Each number is told as a distance from that dancer's usual pose, in units of how
    much it varies. Of a deepfake the usual pose is not all of a manner: before they share a reader, the two dancers'
    clouds of poses are carried onto each other (`carried`), and what is written is carried back. Where one dancer is
    read and another written, the root is written relative to the root that was read, frame by frame, so a partner
    stands and travels beside the dancer. ``form``: how a rotation is said, "quaternion" (four numbers, brought to
    length 1) or "6d" (two axes, made perpendicular: Zhou et al., CVPR 2019). ``shortcut``: codes also hold the
    principal components of each part of the window, and the networks only what those miss (chapter 4).
    ``unit``, ``position``, ``rotation``, ``velocity``, ``kl`` weigh what training makes small: how far what is said is
    from a unit; metres by forward kinematics with each dancer's own bones; squared radians; the change of the error in
    metres from frame to frame; nats.
    ``joints``: a weight each, so that many small ones do not drown the rest.
    Shapes: windows [B, T, 2, J, 7]. Units: metres, world coordinates. Chapter: 6; 7 (deepfake).
    """

    rotations_matter = True  # what is asked of a recording is rotations, told from this model's rest bones

    def __init__(self, skeleton: Skeleton, routes: Sequence[str] = ("ab",), frames=64, fps=30.0, latent=32, codes=1,
                 hidden=256, layers=2, dense=512, dropout=0.0, form="quaternion", shortcut=False, unit=0.1,
                 position=0.1, rotation=1.0, velocity=0.0, kl=PRICE, joints: Sequence[float] | None = None):
        super().__init__()
        fakes = set(routes) == {"aa", "bb"}
        if form not in FORMS or not (fakes or (routes and set(routes) <= {"ab", "ba"})):
            raise ValueError(f'routes {tuple(routes)}, form {form!r}: routes are ("ab",), ("ba",), both of these, or '
                             f'("aa", "bb"); the form is {" or ".join(FORMS)}')
        if frames % (2 * codes) or codes % 2 and codes > 1 or (joints is not None and len(joints) != len(skeleton)):
            raise ValueError(f"{frames} frames, {codes} codes, {len(joints or skeleton)} weights of {len(skeleton)} "
                             "joints: windows overlap by half, which must be whole codes, and codes an even number of "
                             "frames; a weight each for the joints")
        self._config = {"names": skeleton.names, "parents": skeleton.parents, "routes": tuple(routes),
                        "frames": frames, "fps": fps, "latent": latent, "codes": codes, "hidden": hidden,
                        "layers": layers, "dense": dense, "dropout": dropout, "form": form, "shortcut": shortcut,
                        "unit": unit, "position": position, "rotation": rotation, "velocity": velocity,
                        "kl": asdict(kl),
                        "joints": None if joints is None else [float(weight) for weight in joints]}
        self.skeleton, self.routes, self.frames, self.fps, self.form = skeleton, tuple(routes), frames, fps, form
        self.fakes, self.shortcut, self.codes = fakes, shortcut, codes
        self.unit, self.position, self.rotation, self.velocity, self.kl = unit, position, rotation, velocity, kl
        width = len(skeleton) * FORMS[form] + 3
        heard = width + 3 * len(skeleton)  # who is read shows where the joints are, too
        reads, writes = (sorted({route[k] for route in routes}) for k in (0, 1))
        self.readers = nn.ModuleDict({who: Reader(heard, latent, codes, hidden, layers, dense, dropout)
                                      for who in (["both"] if fakes else reads)})
        self.writers = nn.ModuleDict({who: Writer(width, latent, frames, hidden, layers, dense, dropout)
                                      for who in writes})
        weights = torch.ones(len(skeleton)) if joints is None else torch.tensor([float(weight) for weight in joints])
        self.register_buffer("joints", weights / weights.mean(), persistent=False)
        for verb, names, wide in (("read", reads, heard), ("write", writes, width)):  # usual poses, and how they vary
            for who in names:
                self.register_buffer(f"{verb}_middle_{who}", torch.zeros(wide))
                self.register_buffer(f"{verb}_scale_{who}", torch.ones(wide))
        for who in "ab" if fakes else "":  # carries a dancer's cloud of poses onto the one that both share
            self.register_buffer(f"match_{who}", torch.eye(width))
        self.register_buffer("bones", torch.zeros(2, len(skeleton), 3))  # bodies, where no other is asked for
        hanging = [1] * len(skeleton)  # how many joints each one moves
        for parent, child in reversed(skeleton.bones):
            hanging[parent] += hanging[child]
        leverage = [each for each in hanging for _ in range(FORMS[form])] + 3 * [10.0]
        self.register_buffer("leverage", torch.tensor(leverage).sqrt(), persistent=False)  # [W]
        part = frames // codes
        self.register_buffer("axes", torch.zeros(latent if shortcut else 0, 2 * part * width))
        self.register_buffer("fade", torch.sin(torch.pi * (torch.arange(2 * part) + 0.5) / (2 * part))[:, None],
                             persistent=False)  # [2 * part, 1]: squared, it and the next one's add up to one
        self.register_buffer("spread", torch.ones(latent if shortcut else 0))
        if shortcut:  # what the components miss is nothing to begin with
            for each in (*(reader.to_mean for reader in self.readers.values()),
                         *(part for writer in self.writers.values() for part in (writer.to_pose, writer.beside))):
                nn.init.zeros_(each.weight)
                nn.init.zeros_(each.bias)

    def config(self) -> dict:
        """What `from_config` needs to build the same model, without its weights; JSON takes it."""
        return self._config

    @classmethod
    def from_config(cls, config: dict) -> VAERNN:
        """The inverse of `config`."""
        config = dict(config)
        kl = Schedule(**config.pop("kl"))
        return cls(Skeleton(tuple(config.pop("names")), tuple(config.pop("parents"))), kl=kl, **config)

    def usual_body(self, who: str | None = None) -> Skeleton | None:
        """The skeleton with the bones of a dancer of the training set (None: of who is read); None before `prepare`."""
        bones = self.bones["ab".index(who or self.routes[0][0])].cpu().double().numpy().copy()
        bones[0] = 0.0  # where the root was is no bone
        return Skeleton(self.skeleton.names, self.skeleton.parents, bones) if bones.any() else None

    @torch.no_grad()
    @in_full_precision
    def fit_statistics(self, batches: Iterable[torch.Tensor]) -> None:
        """Before training, measure the training windows: usual poses, how much they vary, bodies, components."""
        batches = [batch[:, : self.frames] for batch in batches]
        self.bones.copy_(torch.cat([batch[:, 0, :, :, :3] for batch in batches]).mean(0))
        told = {}
        for route in self.routes:
            parts = [self.told(batch, route)[:2] for batch in batches]
            for verb, who, x in zip(("read", "write"), route, map(torch.cat, zip(*parts))):
                told[verb, who] = x
                getattr(self, f"{verb}_middle_{who}").copy_(x.mean((0, 1)))
                getattr(self, f"{verb}_scale_{who}").copy_(x.std((0, 1)).clamp_min(0.05))
        if self.fakes:  # the same step means the same for both, and what differs is where they step from
            for verb in ("read", "write"):
                shared = (getattr(self, f"{verb}_scale_a") + getattr(self, f"{verb}_scale_b")) / 2
                facing = [*range(-len(self.leverage), FORMS[self.form] - len(self.leverage)), -3, -2]
                middle = (getattr(self, f"{verb}_middle_a") + getattr(self, f"{verb}_middle_b")) / 2
                for who in "ab":
                    getattr(self, f"{verb}_scale_{who}").copy_(shared)
                    # where one turns to and goes is no manner (and half-way between two facings lies none); how high is
                    getattr(self, f"{verb}_middle_{who}")[facing] = middle[facing]
            for who in "ab":
                getattr(self, f"match_{who}").copy_(torch.eye(len(shared)))
            posture = slice(FORMS[self.form], -3)  # without the root's turn and its path
            spreads = [_spread(self._level(told["write", who], "write", who)[..., posture]) for who in "ab"]
            for who, spread in zip("ab", spreads):
                match = getattr(self, f"match_{who}")
                match[posture, posture] = gaussian_ot_map(spread, (spreads[0] + spreads[1]) / 2)
        if self.shortcut:
            parts = torch.cat([self._parts(self._level(x, verb, who)).flatten(0, 1) for (verb, who), x in told.items()
                               if verb == "write"])
            some = torch.randperm(len(parts), generator=torch.Generator().manual_seed(0))[:20_000]
            size, axes = components(parts[some.to(parts.device)], len(self.axes))
            self.axes.copy_(axes)
            self.spread.copy_(size)

    def loss(self, batch: torch.Tensor, step: int | None) -> dict[str, torch.Tensor]:
        """What training makes small, and its parts. ``step`` None: the KL at its highest price.

        At rest (``model.eval()``) the code is the posterior's mean.
        """
        told = []
        for route in self.routes:
            heard, said, frame, body = self.told(batch, route)
            mean, log_variance = self.encode(heard, route[0])
            noise = torch.randn_like(mean) * (0.5 * log_variance).exp() if self.training else 0.0
            raw, turns, root = self.decode(mean + noise, route[1], heard[..., -3:])
            true, path = self.rotations(said), said[..., -3:] + (0 if self.fakes else heard[..., -3:])
            made = forward_kinematics(self.skeleton, turns, root, body)[0]
            off = made - forward_kinematics(self.skeleton, true, path, body)[0]  # [B, T, J, 3]
            units = kl_per_unit(mean.flatten(1), log_variance.flatten(1))
            weigh = lambda x: (x * self.joints).mean()  # noqa: E731 (one thing, three times)
            told.append({"unit": self._unlike_units(raw), "position": weigh(off.norm(dim=-1)),
                         "rotation": weigh(rotation_difference(turns, true)),
                         "velocity": weigh(off.diff(dim=1).norm(dim=-1)), "kl_nats": kl_loss(units),
                         "error_m": off.detach().norm(dim=-1).mean()})
        told = {name: torch.stack([each[name] for each in told]).mean() for name in told[0]}
        price = self.kl.high if step is None else self.kl.at(step)
        weighed = {"unit": self.unit, "position": self.position, "rotation": self.rotation, "velocity": self.velocity,
                   "kl_nats": price}
        return {"loss": sum(weight * told[name] for name, weight in weighed.items()), **told}

    def encode(self, x: torch.Tensor, who: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Windows as they are read, [B, T, 3 * J + W], to means and log-variances [B, C, Z]."""
        x = self._level(x, "read", who)
        mean, log_variance = self.readers["both" if self.fakes else who](x)
        if self.shortcut:
            mean = mean + product(self._parts(x[..., -len(self.leverage):]), self.axes.T) / self.spread
        return mean, log_variance

    def decode(self, codes: torch.Tensor, who: str, beside: torch.Tensor | None = None):
        """Codes [B, C, Z] to what is said [B, T, W], rotations [B, T, J, 4] and the root's path [B, T, 3], as seen.

        ``beside``: the path of who was read, which a translated partner's is relative to.
        """
        x = self.writers[who](codes)
        if self.shortcut:
            x = x + self._whole(product(codes * self.spread, self.axes)) / self.leverage
        if self.fakes:
            x = product(x, torch.linalg.inv(getattr(self, f"match_{who}")).T)
        x = x * getattr(self, f"write_scale_{who}") + getattr(self, f"write_middle_{who}")
        root = x[..., -3:] if self.fakes else x[..., -3:] + beside
        return x, self.rotations(x), root

    @torch.no_grad()
    @takes(motion=a(Motion), route=text)
    def read(self, motion: Motion, route: str | None = None) -> LatentSequence:
        """A whole take, in windows that overlap by half. ``route`` None: the first that there is.

        Errors: ValueError for joints or frames a second that are not the model's, a motion without rotations or
        shorter than a window, or a route that this model cannot go.
        """
        route = self.routes[0] if route is None else route
        able = ("aa", "ab", "ba", "bb") if self.fakes else self.routes
        if route not in able:
            raise ValueError(f"route {route!r}: this model goes {', '.join(able)}")
        body = self.usual_body(route[0])
        require_fit("this motion", motion, body or self.skeleton, self.fps, rotations=True)
        if motion.rotations is None:
            raise ValueError("this motion has no joint rotations, only points; choreo_lib.conform(motion, model) tells "
                             "rotations from them")
        require_dancer("this motion", self.skeleton, motion.positions, body and body_size(body))
        if len(motion) < self.frames:
            raise ValueError(f"this motion has {len(motion)} frames, and a window {self.frames}")
        self.eval()
        hop = self.frames // 2
        windows = max(-(-(len(motion) - self.frames) // hop), 0) + 1
        there = np.arange((windows - 1) * hop + self.frames)
        back = 2 * (len(motion) - 1) - there  # at the end a take goes back the way it came, until the window is full
        there = np.where(there < len(motion), there, back)
        whole = replace(motion, positions=motion.positions[there],
                        rotations=None if motion.rotations is None else motion.rotations[there])
        batch = cut(whole, self.frames, hop, rotations=True)[:].to(self.bones.device)  # [N, T, 1, J, 7]
        frame = reference_frame(positions_of(self.skeleton, batch), self.frames // 2, self.skeleton, of="a")
        x = self._heard(batch[:, :, 0], frame)
        return LatentSequence(self.encode(x, route[0])[0], frame, x[..., -3:], motion, route)

    @torch.no_grad()
    @takes(phrases=a(LatentSequence), body=a(Skeleton), mix=number(-10, 10), feet=flag)
    def write(
        self, phrases: LatentSequence, body: Skeleton | None = None, mix: float = 1.0, feet: bool = True
    ) -> Motion:
        """The take that was read, as dancer ``phrases.route[1]`` would dance it, windows blended into each other.

        ``body``: with whose bones (None: the usual one's of who is written); the root is then as much higher as the
        legs are longer. ``mix``, of a deepfake: 1 is the manner of who is written, 0 that of who was read, and between
        them each joint is turned a part of the way. ``feet``: they stand (`foot_skate.fix_foot_skate`).
        """
        who = phrases.route[1]
        bones = self.bones["ab".index(who)].cpu().numpy() if body is None else body.offsets
        if body is not None:
            usual = self.usual_body(who) or self.skeleton
            differs = skeleton_mismatch(body, usual) or rest_mismatch(body, usual)
            if differs or bones is None:
                raise ValueError(f"these joints do not fit the model: {differs or 'they have no bones'}. Leave body= "
                                 "away, and bring what was made onto it with choreo_lib.conform(made, body)")
        turns, root = blend(*self.windows_of(phrases, mix))
        read, own = (_legs(self.skeleton, self.bones["ab".index(each)].cpu().numpy()) for each in phrases.route)
        if self.fakes:
            own = read + mix * (own - read)
        else:  # told beside the root that was read, which is as high as that body's legs are long
            own += _legs(self.skeleton, phrases.motion.skeleton.offsets) - read
        high = _legs(self.skeleton, bones) / own if own > 0 else 1.0
        root = root * root.new_tensor([1.0, 1.0, high])
        skeleton = Skeleton(self.skeleton.names, self.skeleton.parents, bones, () if body is None else body.end_sites)
        last = len(phrases.motion)
        made = Motion.from_rotations(turns[:last].cpu(), root[:last].cpu(), self.fps, skeleton,
                                     source=Source.join(OURS, phrases.motion.source), name=f"made, {who}")
        return fix_foot_skate(made) if feet else made

    @torch.no_grad()
    def windows_of(self, phrases: LatentSequence, mix: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
        """The windows that `write` blends, in the world: rotations [N, T, J, 4] and the root's path [N, T, 3]."""
        self.eval()
        if mix != 1.0 and not self.fakes:
            raise ValueError(f"mix is {mix}: between manners goes only a deepfake, routes aa and bb")
        codes = phrases.codes.to(self.bones)
        _, turns, root = self.decode(codes, phrases.route[1], phrases.roots)
        if mix != 1.0:
            _, own_turns, own_root = self.decode(codes, phrases.route[0])
            turns = slerp(own_turns, turns, torch.full_like(turns[..., 0], mix))
            root = torch.lerp(own_root, root, mix)
        return self.in_world(turns, phrases.places), phrases.places.to_world(root)

    def in_world(self, turns: torch.Tensor, frame: ReferenceFrame) -> torch.Tensor:
        """Rotations [B, T, J, 4] as seen from a place, as they are in the world: the root's turns, the others stay."""
        root = rotate_z(frame.heading[:, None], turns[:, :, 0])
        return torch.cat([root[:, :, None], turns[:, :, 1:]], 2)

    @takes(motion=a(Motion), route=text, body=a(Skeleton), mix=number(-10, 10), feet=flag)
    def translate(self, motion: Motion, route: str | None = None, body: Skeleton | None = None,
                  mix: float = 1.0, feet: bool = True) -> Motion:
        """`read` and `write` in one: a take of one dancer as a take of the other."""
        return self.write(self.read(motion, route), body, mix, feet)

    def told(self, batch: torch.Tensor, route: str) -> tuple[torch.Tensor, torch.Tensor, ReferenceFrame, torch.Tensor]:
        """Of windows [B, T, 2, J, 7] who is read [B, T, 3 * J + W], who is written [B, T, W], from where, the bones."""
        batch = batch.to(self.bones.device)
        own, other = (batch[:, :, "ab".index(who)] for who in route)
        middle = positions_of(self.skeleton, own[:, self.frames // 2, None])[:, :, None]  # [B, 1, 1, J, 3]
        frame = reference_frame(middle, 0, self.skeleton, of="a")
        heard, said = self._heard(own, frame), self._seen(other, frame)
        if not self.fakes:
            said = torch.cat([said[..., :-3], said[..., -3:] - heard[..., -3:]], -1)
        return heard, said, frame, other[..., :3]

    def _heard(self, dancer: torch.Tensor, frame: ReferenceFrame) -> torch.Tensor:
        """As `_seen`, and before it where the joints are, [B, T, 3 * J + W]."""
        positions = frame.to_local(positions_of(self.skeleton, dancer)).flatten(2)
        return torch.cat([positions, self._seen(dancer, frame)], 2)

    def _seen(self, dancer: torch.Tensor, frame: ReferenceFrame) -> torch.Tensor:
        """Transforms [B, T, J, 7] from a place: rotations in the model's form and the root's path, [B, T, W]."""
        root = rotate_z(-frame.heading[:, None], dancer[:, :, 0, 3:])
        turns = torch.cat([root[:, :, None], dancer[:, :, 1:, 3:]], 2)
        if self.form == "quaternion":  # of q and -q the one that turns by less, in the middle of the window
            turns = turns * torch.where(turns[:, self.frames // 2, None, :, 3:] < 0, -1.0, 1.0)
        else:
            turns = quaternions_to_6d(turns)
        return torch.cat([turns.flatten(2), frame.to_local(dancer[:, :, 0, :3])], 2)

    def rotations(self, x: torch.Tensor) -> torch.Tensor:
        """What is said, [B, T, W], as unit quaternions [B, T, J, 4]."""
        x = x[..., :-3].unflatten(-1, (len(self.skeleton), -1))
        if self.form == "quaternion":
            return normalize(x, dim=-1)
        return quaternions_from_6d(x)

    def _unlike_units(self, x: torch.Tensor) -> torch.Tensor:
        """How far what is said is from what a rotation is: of length 1, and, of two axes, perpendicular."""
        x = x[..., :-3].unflatten(-1, (len(self.skeleton), -1))
        if self.form == "quaternion":
            return ((x.norm(dim=-1) - 1) ** 2).mean()
        axes = x.unflatten(-1, (3, 2))
        return ((axes.norm(dim=-2) - 1) ** 2).mean() + (axes.prod(-1).sum(-1) ** 2).mean()

    def _level(self, x: torch.Tensor, verb: str, who: str) -> torch.Tensor:
        x = (x - getattr(self, f"{verb}_middle_{who}")) / getattr(self, f"{verb}_scale_{who}")
        if not self.fakes:
            return x
        match = getattr(self, f"match_{who}")
        return torch.cat([x[..., : -len(match)], product(x[..., -len(match) :], match.T)], -1)

    def _parts(self, x: torch.Tensor) -> torch.Tensor:
        """Levelled windows [B, T, W] in parts, [B, C, 2 * T / C * W], where each number counts as it moves joints.

        Parts overlap by half and fade into each other, since side by side they would not fit at their ends.
        """
        half = len(self.fade) // 4
        x = torch.cat([x[:, :1].expand(-1, half, -1), x, x[:, -1:].expand(-1, half, -1)], 1) * self.leverage
        return (x.unfold(1, 4 * half, 2 * half).transpose(2, 3) * self.fade).flatten(2)

    def _whole(self, parts: torch.Tensor) -> torch.Tensor:
        """The inverse of `_parts`, but for the leverage, [B, T, W]. A lapped transform: Malvar, IEEE TASSP 1990."""
        half, fade = len(self.fade) // 4, self.fade
        each = parts.unflatten(2, (4 * half, -1)) * fade  # [B, C, 2 * part, W]
        x = pad(each[:, :, : 2 * half], (0, 0, 0, 0, 0, 1)) + pad(each[:, :, 2 * half :], (0, 0, 0, 0, 1, 0))
        ends = torch.ones(x.shape[1], 2 * half, 1, device=x.device)  # half a part stands alone at either end
        ends[0], ends[-1] = fade[: 2 * half] ** 2, fade[2 * half :] ** 2
        return (x / ends).flatten(1, 2)[:, half:-half]


def gaussian_ot_map(spread: torch.Tensor, onto: torch.Tensor) -> torch.Tensor:
    """The straight map that carries one cloud about zero onto another, on the whole by the shortest way.

    Shapes: covariances [W, W] of each, positive -> [W, W]. Chapter: 7. Optimal transport between Gaussians: Dowson and
    Landau, Journal of Multivariate Analysis 1982.
    """
    def power(x, p):
        size, axes = torch.linalg.eigh(x)
        return (axes * size.clamp_min(1e-12) ** p) @ axes.T

    spread, onto = spread.double(), onto.double()
    root, back = power(spread, 0.5), power(spread, -0.5)
    return (back @ power(root @ onto @ root, 0.5) @ back).float()


def _legs(skeleton: Skeleton, bones: np.ndarray) -> float:
    """How long the bones [J, 3] from the root to an ankle are; 1 for a body without one by name."""
    at = skeleton.find("left_ankle")
    if at is None:
        return 1.0
    long = 0.0
    while at > 0:
        long, at = long + float(np.linalg.norm(bones[at])), skeleton.parents[at]
    return long


def _spread(x: torch.Tensor) -> torch.Tensor:
    """Covariance [W, W] of levelled poses [N, T, W] about their middle, and `STILL` in every direction."""
    x = x.flatten(0, 1).double()
    return x.T @ x / len(x) + STILL * torch.eye(x.shape[1], device=x.device, dtype=x.dtype)
