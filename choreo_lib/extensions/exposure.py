"""Training on pasts as a rollout has them: scheduled sampling and injected noise. Taught in chapter 5."""

import torch

from ..body.bones import project_bone_lengths
from ..body.motion import dancer_index, other_dancer
from ..body.reference import reference_frame
from .duet_network import CHUNK, DuetNetwork
from .rollout import Stream


@torch.no_grad()
def scheduled_sample(model: DuetNetwork, batch: torch.Tensor, who: str) -> torch.Tensor:
    """A later window of longer ones, in whose past ``who`` is the model's own rollout: scheduled sampling.

    The target leads from there back to the true motion within the frames ahead, so the model learns to go on from its
    own past. The rollout takes 1 to all of the spare chunks.
    Shapes: [B, T, 2, J, 3] -> [B, past + ahead, 2, J, 3]. Chapter: 5. Bengio et al., NeurIPS 2015.
    """
    chunks = (batch.shape[1] - model.past - model.ahead) // CHUNK
    rolled = CHUNK * (1 + int(torch.randint(chunks, ())))
    stream = Stream(model, batch[:, : model.past], who, CHUNK)
    for k in range(model.past, model.past + rolled, CHUNK):
        stream.advance(batch[:, k : k + CHUNK, dancer_index(other_dancer(who))])
    return _led_back(model, stream.next_past(), batch[:, rolled : rolled + model.past + model.ahead], who)


@torch.no_grad()
def inject_noise(model: DuetNetwork, window: torch.Tensor, who: str, most: float = 0.4) -> torch.Tensor:
    """Windows in whose past ``who`` is displaced towards another window's dancer, as seen from the partner.

    So place, heading, posture and movement are all off at once, by 0 to ``most`` of the way, and the target leads back:
    what scheduled sampling teaches for the errors of a second, this does for those of minutes, without a rollout.
    Shapes: [B, past + ahead, 2, J, 3], in and out. Chapter: 5. After the noise of Sanchez-Gonzalez et al., "Learning
    to simulate complex physics", ICML 2020.
    """
    own, partner = (window[:, : model.past, dancer_index(each)]
                    for each in (who, other_dancer(who)))  # [B, P, J, 3]
    frame = reference_frame(partner[:, -1:, None], 0, model.skeleton, of="a")
    seen = frame.to_local(own)
    share = most * torch.rand(len(own), 1, 1, 1).to(own)
    mixed = frame.to_world(torch.lerp(seen, seen[torch.randperm(len(seen))], share))
    parents, children = map(list, zip(*model.skeleton.bones))
    bones = own[:, :, children] - own[:, :, parents]  # [B, P, J - 1, 3]
    lengths = bones.norm(dim=-1).mean(1, keepdim=True)  # [B, 1, J - 1]
    if model.pose_prior is None:
        mixed = project_bone_lengths(model.skeleton, mixed, lengths, iterations=3)
    else:  # as a rollout's past has it
        mixed = model.pose_prior(mixed, lengths)
    past = (mixed, partner) if who == "a" else (partner, mixed)
    return _led_back(model, torch.stack(past, 2), window, who)


def _led_back(model: DuetNetwork, made: torch.Tensor, true: torch.Tensor, who: str) -> torch.Tensor:
    """A made past [B, P, 2, J, 3], and frames ahead that lead without a jump from it to the true motion."""
    true = true.to(made)
    last = slice(model.past - 2, model.past)
    gap = made[:, -2:] - true[:, last]  # [B, 2, 2, J, 3]
    offset = gap[:, 1:].expand(-1, model.ahead, -1, -1, -1)  # [B, F, 2, J, 3]
    if model.extrapolation is not None:  # of the offset too, from its one step
        offset = offset + model.extrapolation.from_one_step[..., None, None] * gap.diff(dim=1)
    fade = (1 - model.horizon_scale / model.horizon_scale[-1])[:, None, None, None]  # as predictions become uncertain
    return torch.cat([made, true[:, model.past :] + fade * offset], 1)
