"""A partner for a dancer: the duet VAE with what this book adds, to dance on for whole takes.

After arXiv:2503.03954 as it stands in `choreo_lib.systems.duet_vae`. Taught in chapter 5, "A partner".
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch.nn.functional import l1_loss

from ..body.compatibility import body_size, require_dancer, require_fit
from ..body.motion import Motion, dancer_index, other_dancer
from ..body.reference import ReferenceFrame, reference_frame
from ..body.source import OURS, Source
from ..core.arguments import a, choice, count, each, number, seed, shown, takes
from ..core.precision import in_full_precision, product
from ..core.shapes import tensor
from ..systems.layers import eval_mode, reparameterise
from ..systems.losses import kl_per_unit
from .duet_config import ABLATIONS, Config
from .duet_network import CHUNK, DuetNetwork, own_frame
from .exposure import inject_noise, scheduled_sample
from .guidance import Guidance
from .latents import components
from .rollout import Stream

__all__ = ["ABLATIONS", "Config", "DuetForecaster"]


class DuetForecaster(DuetNetwork):
    """Where one dancer will be, given both dancers' past and the partner up to each frame.

    What this book adds to the shelf's `DuetVAE`: the canonical frame; displacements as a residual to linear
    extrapolation; all ``ahead`` frames predicted at once, the horizon chunk; experts of what the partner did a lag ago;
    motion attention to whom the own past resembles; distances in units of each horizon's usual error as the loss;
    training on pasts as rollouts have them; the nearest frames blended with ridge regression; a prior of poses for
    rollouts; incremental decoding with a cache; feet that do not skate; guidance; sampled residuals. See `Config` and
    `ABLATIONS`.
    Shapes: windows [B, past + ahead, 2, J, 3]. Units: metres, world coordinates. Chapter: 5.
    """

    def loss(self, batch: torch.Tensor, step: int | None) -> dict[str, torch.Tensor]:
        """The training loss. Even steps predict b, odd ones a; some only reconstruct, some begin after a rollout.

        ``step`` None, or under ``model.eval()``: both dancers are predicted, from the posteriors' means.
        Shapes: ``batch`` [B, T, 2, J, 3], T past + ahead, or longer for scheduled sampling. Chapter: 5.
        """
        c: Config = self.config
        training = self.training and step is not None
        who = "ba"[(step or 0) % 2]
        window = batch[:, : self.past + self.ahead]
        if training and float(torch.rand(())) < c.no_input_prob:
            return self._reconstruction_loss(window, who, c.kl.at(step))
        if training and float(torch.rand(())) < c.scheduled_sampling and batch.shape[1] >= window.shape[1] + CHUNK:
            window = scheduled_sample(self, batch, who)
        elif training and float(torch.rand(())) < c.noise_injection:
            window = inject_noise(self, window, who)
        if training:
            losses = self._prediction_losses(window, who, noise=True)
        else:
            a, b = (self._prediction_losses(window, each, noise=False) for each in "ab")
            losses = {name: (a[name] + b[name]) / 2 for name in a}
        weights = {name: getattr(c, name) for name in ("mse", "distance", "velocity", "acceleration", "speed",
                                                       "distance_matrix")}
        weights["kl_nats"] = c.kl.at(step)
        counted = [name for name, weight in weights.items() if weight]
        parts = torch.stack([losses[name] for name in counted])
        total = (parts * parts.new_tensor([weights[name] for name in counted])).sum()
        return {"loss": total, **losses}

    def _prediction_losses(self, window: torch.Tensor, who: str, noise: bool) -> dict[str, torch.Tensor]:
        made, kl, true, own = self.displacement(window, who, noise)
        error = made - true  # [B, F, W]
        off = error.unflatten(2, (-1, 3)).norm(dim=-1)  # [B, F, J], metres
        scaled = off / self.horizon_scale[:, None]
        changes = product(self.steps, error)  # [B, F, W]
        bends = product(self.steps, changes)
        both = torch.stack([made, true])  # [2, B, F, W]
        far = product(self.chunks, both).unflatten(3, (-1, 3)).norm(dim=-1)  # [2, B, F + 1 - chunk, J], metres
        losses = {"mse": scaled.square().mean() / 3,  # a coordinate
                  "distance": scaled.mean(), "velocity": changes.norm(dim=2).mean(),
                  "acceleration": bends.norm(dim=2).mean(), "speed": l1_loss(*far),
                  "kl_nats": kl.sum(), "error_m": off.detach().mean()}
        if self.config.distance_matrix:
            one, other = torch.triu_indices(len(self.skeleton), len(self.skeleton), 1, device=made.device)
            bodies = (own[:, -1:] + both).unflatten(3, (-1, 3))  # [2, B, F, J, 3]
            apart = (bodies[..., one, :] - bodies[..., other, :]).norm(dim=-1)  # [2, B, F, J (J - 1) / 2]
            losses["distance_matrix"] = l1_loss(*apart)
        return losses

    def _reconstruction_loss(self, window: torch.Tensor, who: str, kl_weight: float) -> dict[str, torch.Tensor]:
        """One dancer, and how far apart the two are, through their own VAEs and back."""
        own, seen, _ = self.local_view(window[:, : self.past], window[:, self.past :, dancer_index(who)],
                                       other_dancer(who))
        held = torch.cat([own, own[:, -1:].expand(-1, self.ahead, -1)], 1)  # [B, P + F, W]
        errors, kls = [], []
        for name, x in ((who, self._with_velocity(seen, seen[:, :1], "partner")),
                        ("difference", self.standardise["difference"](self._difference(held, seen)))):
            mean, log_variance = self.vaes[name].encode(x, self.positions, self.causal_mask)
            output = self.vaes[name].decode(reparameterise(mean, log_variance))
            errors.append((output - x).square().mean())
            kls.append(kl_per_unit(mean.flatten(0, 1), log_variance.flatten(0, 1)).sum())
        error, kl = torch.stack(errors).mean(), torch.stack(kls).sum()
        return {"loss": (self.config.mse + self.config.distance) * error + kl_weight * kl, "reconstruction": error}

    @torch.no_grad()
    @in_full_precision
    def fit_residuals(self, batches: Iterable[torch.Tensor]) -> None:
        """After training, principal components of residuals for `sample` and streams, [B, T, 2, J, 3]. Chapter: 5."""
        with eval_mode(self):
            answers = (self.displacement(batch[:, : self.past + self.ahead], who) for batch in batches for who in "ab")
            residuals = torch.cat([(true - made).flatten(1) for made, _, true, _ in answers])  # [N, F * W]
        std, axes = components(residuals, len(self.residual_components))
        self.residual_components.copy_(std[:, None] * axes)

    @torch.no_grad()
    def fit_ridge(self, weights: Mapping[int, torch.Tensor], batches: Iterable[torch.Tensor]) -> None:
        """After training, blend the nearest frames with ridge regression: see `RidgeBlend`.

        ``weights`` of a regression from the own past by horizon; ``batches`` of validation windows, by which the shares
        are chosen, [B, T, 2, J, 3], T at least past + ahead. Chapter: 5.
        """
        if self.ridge is None:
            return
        self.ridge.fit(weights)
        with eval_mode(self):
            answers = [self.displacement(batch[:, : self.past + self.ahead], who) for batch in batches for who in "ab"]
        self.ridge.fit_shares((own, made, true) for made, _, true, own in answers)

    @takes(past=tensor("windows", "frames", 2, "joints", 3), partner=tensor("windows", "frames ahead", "joints", 3),
           horizons=each(count(), least=1), who=choice("a", "b"))
    def predict(self, past, partner, horizons: Sequence[int], who: str = "b") -> torch.Tensor:
        """Dancer ``who`` at each horizon, as every `choreo_lib.evaluation.baselines.Forecaster`.

        Shapes: [B, P, 2, J, 3] and [B, F, J, 3] -> [B, H, J, 3]. Units: metres, world; ``horizons`` frames.
        Errors: ValueError for a horizon beyond ``ahead``. Chapter: 5.
        """
        made, frame = self._predicted(past, partner, horizons, who)
        return frame.to_world(made[:, [h - 1 for h in horizons]].unflatten(2, (-1, 3))).to(past.device)

    @takes(past=tensor("windows", "frames", 2, "joints", 3), partner=tensor("windows", "frames ahead", "joints", 3),
           horizons=each(count(), least=1), who=choice("a", "b"), temperature=number(0, 100), count=count(1, 10_000),
           seed=seed)
    def sample(self, past, partner, horizons: Sequence[int], who: str = "b", temperature: float = 1.0, count: int = 10,
               seed: int = 0) -> torch.Tensor:
        """``count`` predictions with sampled residuals, whose standard deviation is ``temperature`` times the measured.

        Shapes: as `predict` -> [count, B, H, J, 3]. Errors: as `predict`. Chapter: 5.
        """
        made, frame = self._predicted(past, partner, horizons, who)
        generator = torch.Generator().manual_seed(seed)
        drawn = torch.randn(count, len(made), len(self.residual_components), generator=generator)
        noise = temperature * product(drawn.to(made), self.residual_components)  # [count, B, F * W]
        samples = made + noise.unflatten(2, (self.ahead, -1))[:, :, : made.shape[1]]
        samples = samples[:, :, [h - 1 for h in horizons]].unflatten(3, (-1, 3))  # [count, B, H, J, 3]
        return torch.stack([frame.to_world(each) for each in samples]).to(past.device)

    @torch.no_grad()
    def _predicted(self, past, partner, horizons: Sequence[int], who: str) -> tuple[torch.Tensor, ReferenceFrame]:
        """Poses [B, f, W] up to the largest horizon in the own dancer's frame, and that frame."""
        if max(horizons) > self.ahead:
            raise ValueError(f"horizons must be at most {self.ahead}, the frames this model looks ahead; got "
                             f"{shown(horizons)}")
        own, partner, frames = self.local_view(past[:, -self.past :], partner[:, : max(horizons)], who)
        with eval_mode(self):
            made = self(own, partner, who)[0]
        return own[:, -1:] + (made if self.ridge is None else self.ridge(own, made)), own_frame(frames)

    def stream(self, past, who: str = "b", every: int = CHUNK, temperature: float = 0.0, seed: int = 0,
               guidance: Guidance | None = None) -> Stream:
        """A partner who dances along: give it the other dancer's frames one at a time. See `Stream`.

        Errors: as `Stream`; ValueError for dancers who lie or are of no dancer's size. Chapter: 5.
        """
        stream = Stream(self, past, who, every, temperature, seed, guidance)
        for name, dancer in zip("ab", stream.past[0].unbind(1)):
            self._require_dancer(f"dancer {name} of the past", dancer)
        return stream

    def _require_dancer(self, name: str, positions: np.ndarray | torch.Tensor) -> None:
        """Refuse who lies, or is of another size than the training set's dancers."""
        body = self.usual_body()
        require_dancer(name, self.skeleton, positions, None if body is None else body_size(body))

    @torch.no_grad()
    @takes(leader=a(Motion), seed=a(Motion), steps=count(), temperature=number(0, 100), who=choice("a", "b"),
           every=count(), random_seed=seed, count=count(1, 10_000), guidance=a(Guidance))
    def rollout(self, leader: Motion, seed: Motion | None = None, steps: int | None = None,
                temperature: float = 0.0, who: str = "b", every: int = CHUNK, random_seed: int = 0, count: int = 1,
                guidance: Guidance | None = None) -> Motion | list[Motion]:
        """Autoregressive rollout: a partner for a whole take of the other dancer, the leader.

        ``seed``: the own dancer's first frames, of which the model looks at the last ``past``; None: begin from
        `starting_pose`. ``steps`` frames are predicted (None: to the leader's end). Every ``every`` frames the window
        moves on. ``temperature``: of sampled residuals, drawn from ``random_seed``. ``count`` above 1: a list of takes.
        Gives frames 0 to (seed's length +) steps. Errors: ValueError for other joints or frames a second, a seed
        shorter than ``past``, or a take that ends before it. Chapter: 5.
        """
        given = 0 if seed is None else len(seed)
        for name, motion in (("leader", leader), ("seed", seed)):
            if motion is not None:
                require_fit(name, motion, self.skeleton, self.fps)
                self._require_dancer(name, motion.positions)
        if 0 < given < self.past or given >= len(leader):
            raise ValueError(f"the seed has {given} frames and the leader {len(leader)}; a seed needs {self.past} or "
                             "more, and the leader has to go on after it")
        steps = min(len(leader) if steps is None else steps, len(leader) - given)
        lead = torch.from_numpy(leader.positions)
        if seed is None:
            past = self.starting_pose(lead[:1], who).expand(self.past, -1, -1, -1)  # [P, 2, J, 3]
        else:
            pair = (lead[given - self.past : given], torch.from_numpy(seed.positions[-self.past :]))
            past = torch.stack(pair if who == "b" else pair[::-1], 1)  # [P, 2, J, 3]
        stream = Stream(self, past.expand(count, -1, -1, -1, -1), who, every, temperature, random_seed, guidance)
        made = torch.cat([stream.rollout(lead[k : min(k + every, given + steps)].expand(count, -1, -1, -1))
                          for k in range(given, given + steps, every)], 1).cpu().numpy()  # [count, steps, J, 3]
        before = [] if seed is None else [seed.positions]
        source = Source.join(OURS if seed is None else seed.source, leader.source)
        found = [Motion(np.concatenate([*before, one]), self.fps, self.skeleton, source=source, name=f"made, {who}")
                 for one in made]
        return found if count > 1 else found[0]

    def starting_pose(self, leader: torch.Tensor, who: str) -> torch.Tensor:
        """A leader's pose [1, J, 3] with a partner in the mean pose at the usual place, [1, 2, J, 3]. Chapter: 5."""
        pair = leader[:, None, None].expand(-1, -1, 2, -1, -1)  # [1, 1, 2, J, 3]
        frame = reference_frame(pair.to(self.positions.device), 0, self.skeleton, of="a")
        own = frame.to_world(self.mean_poses[dancer_index(who)][None])  # [1, J, 3]
        both = (leader.to(own), own)
        return torch.stack(both if who == "b" else both[::-1], 1)  # [1, 2, J, 3]
