"""Settings of `choreo_lib.extensions.DuetForecaster`, and what each is worth. Taught in chapter 5, "A partner"."""

from dataclasses import dataclass

from ..systems.losses import Schedule


@dataclass(frozen=True)
class Config:
    """Settings of `DuetForecaster`; sizes and weights of losses that the shelf has too are its own.

    What an option is worth: metrics of data/ablations/duet-salsa.json, 620 steps of the full recipe, with all options
    but turning and the distance matrix, and without that one; errors in mm (at 400 ms 44.6, at 1 s 69.1 with all; two
    runs differ by 0.7). Chapter: 5.
    """

    fps: float = 30.0  # frames a second
    past: int = 34  # frames that are known of both dancers
    ahead: int = 30  # frames predicted at once, of which only the partner is known: the horizon chunk
    features: int = 64  # width of attention and transformer
    heads: int = 8
    latent: int = 64  # numbers a frame
    hidden: int = 64  # of the LSTMs
    layers: int = 2  # of the transformer decoder
    dropout: float = 0.1  # of its layers
    no_input_prob: float = 0.1  # probability of a step that only reconstructs; without: 400 ms 43.1, 1 s 67.1
    mse: float = 0.5  # weight of squared errors, in units of `horizon_scale`
    distance: float = 0.0  # weight of distances, in the same units; squares in their place: 1 s 69.1 -> 73.5
    velocity: float = 0.05  # weight of errors of the change between frames, metres; 4 -> 0.05: 1 s 69.1 -> 72.3
    # weight of errors of the change of that change, metres; 0 -> 12, after 762 more steps on synthetic duets: jerk
    # within a window 1.6 times the danced -> 1.25, in a minute's rollout 2.1 -> 1.5, the errors the same
    acceleration: float = 0.0
    # weight of errors of how far each joint goes in ten frames, metres; 0 -> 4, after 1,016 steps on synthetic duets,
    # in a minute's rollout: 0.54 to 0.73 of the danced speed -> 0.77 to 1.19, the errors the same; salsa, 2 -> 0: 1 s
    # 69.1 -> 67.5, the speed the same
    speed: float = 0.0
    # weight of errors of the distances between a body's joints, its Euclidean distance matrix, metres; 0 -> 4: 400 ms
    # 44.6 -> 41.8, 1 s 69.1 -> 65.8
    distance_matrix: float = 0.0
    # weight of the KL; 0, with latents that are not sampled, after 620 steps: 1 s 69.1 -> 67.2. Worth nothing here, and
    # kept as what the published system is; so is the VAE of the difference, without which 1 s is at 69.6
    kl: Schedule = Schedule(5e-5)
    canonical_frame: bool = True  # root-centred, heading-aligned; off (world coordinates): 1 s 69.1 -> 73.8
    # residual to linear extrapolation; off (to the last pose): 1 s 69.1 -> 64.6, jerk in rollouts 0.97 -> 1.38
    extrapolation: bool = True
    # posture, path and facing, each extrapolated by itself (`TurningExtrapolation`); on: 400 ms 44.6 -> 41.6, 1 s 69.1
    # -> 68.2, and with the distance matrix 40.8 and 65.8
    turning: bool = False
    # going on as the partner did, where the own past resembles the partner's (`MotionAttention`); on, after 99 steps on
    # canons and mirrors: 1 s 265 -> 165 mm, 0.53 -> 0.87 of the danced speed; salsa, takes left out, 1 s 139 -> 141
    motion_attention: bool = False
    # linear maps of what the partner did a lag ago (`LagExperts`); 0: 1 s 69.1 -> 70.8, in range 98 -> 84 %; on mirrors
    # and canons, after 800 steps of each model, 1 s 73 -> 102 (`benchmarks/lag_experts.py`)
    lag_experts: int = 4
    scheduled_sampling: float = 0.0  # probability of a step whose past is a rollout; 0 in quick mode: not measured
    # probability of another step whose past is displaced (`inject_noise`); 0.5, trained as long as with scheduled
    # sampling of 0.3: in a minute's rollout the pelvis in the danced range in 37 to 69 % of the frames, with that 23-47
    # (salsa, off: 1 s 69.1 -> 65.1, 0.96 -> 0.86 of the danced speed)
    noise_injection: float = 0.0
    # share by which a stream's past is drawn towards training poses; off: the head, in minute 3, at 82 % of its height
    pose_prior: float = 0.3
    fix_foot_skate: bool = True  # in streams and rollouts; off: 1.1 -> 6.5 times the danced foot skating
    # of the floor, in streams and rollouts (`Feet`); 1 -> 0, synthetic: 0.7 -> 8 times the danced foot skating
    foot_friction: float = 0.0
    # nearest frames blended with ridge regression, where the past was danced; in full, salsa, validation, off: 33 ms
    # 0.5 -> 1.4, 100 ms 4.6 -> 7.9, 200 ms 15.5 -> 18.2, 400 ms 30.5 -> 30.9
    ridge_frames: int = 12
    kv_cache: bool = True  # incremental decoding in streams; off: the window is encoded again for each frame
    residual_components: int = 64  # principal components of the prediction's residuals, of which samples are made


ABLATIONS: dict[str, dict[str, object]] = {
    "canonical_frame": {"canonical_frame": False},
    "extrapolation": {"extrapolation": False, "motion_attention": False},  # which needs it
    "turning": {"turning": False, "motion_attention": False}, "motion_attention": {"motion_attention": False},
    "lag_experts": {"lag_experts": 0}, "scheduled_sampling": {"scheduled_sampling": 0.0},
    "noise_injection": {"noise_injection": 0.0}, "distance_loss": {"distance": 0.0, "mse": 0.5},
    "velocity_loss": {"velocity": 0.05}, "acceleration_loss": {"acceleration": 0.0}, "speed_loss": {"speed": 0.0},
    "distance_matrix_loss": {"distance_matrix": 0.0},
    "reconstruction_steps": {"no_input_prob": 0.0}, "pose_prior": {"pose_prior": 0.0}, "ridge": {"ridge_frames": 0},
    "fix_foot_skate": {"fix_foot_skate": False}}
"""Each addition, and the settings that switch it off; `Config` says what each is worth. The cache changes no number;
guidance (None) and sampled residuals (temperature 0) are off unless asked for."""
