"""Arrays that others save: joints are read; the parameters of a body model are named, with the lines that run it.

Taught in chapter 1, "Seeing a duet". AMASS (Mahmood et al., ICCV 2019), SMPL-X files, AIST++ (Li et al., ICCV 2021),
InterHuman (Liang et al., IJCV 2024). Nothing pickled is opened: it may run foreign code.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..body.motion import Duet, Motion
from .conventions import fail
from .points import finite, points_recording, stacked
from .record import Recording, build_motion, split_duet
from .refusals import pickle_advice
from .smpl import BODIES, LONGER

JOINTS = ("joints", "joints3d", "joints_3d", "jtr", "keypoints3d", "keypoints3d_optim", "keypoints_3d", "j3d",
          "joint_positions")
_RATES = ("mocap_framerate", "mocap_frame_rate", "fps", "framerate", "frame_rate")
_POSES = ("poses", "pose", "smpl_poses", "fullpose", "full_pose", "root_orient", "global_orient", "pose_body",
          "body_pose", "thetas")
_PERSON = ("person1", "person2")


def read_foreign_npz(path, arrays: dict, up=None, scale=None, fps=None) -> Motion | Duet:
    """The joints of an NPZ that we did not write, a Duet where it holds two people.

    Shapes: an array named as in `JOINTS`, [T, J, 3], or [T, 2, J, 3]; what is no array of numbers is None.
    Units: ``up``, ``scale`` and ``fps`` as for `read_motion`; a rate in the file is believed.
    Errors: MotionFormatError; for parameters of a body model it gives the lines that run the model.
    Chapter: 1.
    """
    plain = {key.lower().rpartition("/")[2]: value for key, value in arrays.items()}
    found = next((key for key in JOINTS if plain.get(key) is not None and plain[key].ndim in (3, 4)
                  and plain[key].shape[-1] == 3 and plain[key].dtype.kind in "fiu" and plain[key].size), None)
    if found is None:
        _advise(path, arrays, plain)
    points, where = plain[found], f"array {found!r}"
    if points.ndim == 3:
        return build_motion(_recording(path, finite(path, points, f"{where}, "), plain), up, scale, fps)
    if points.shape[1] != 2:
        fail(path, f"expected [frames, joints, 3] or two people as [frames, 2, joints, 3]; got {points.shape}", where)
    both = stacked(path, finite(path, points, f"{where}, "))
    return split_duet(build_motion(_recording(path, both, plain), up, scale, fps))


def _recording(path, points: np.ndarray, plain: dict) -> Recording:
    """The recording of joints [T, J, 3], at the rate that stands beside them."""
    stated = next((plain[key] for key in _RATES if plain.get(key) is not None), None)
    fps = stated.item() if stated is not None and stated.size == 1 and stated.dtype.kind in "fiu" else None
    notes = []
    if points.shape[1] in LONGER:
        own = LONGER[points.shape[1]]
        notes.append(f"{points.shape[1]} joints; the first {own} are the body model's, and the others, points on the "
                     "skin, were left out")
        points = points[:, :own]
    body = BODIES.get(points.shape[1])
    if body is None:
        return points_recording(path, points, notes, fps)
    return Recording(path, body.names, body.parents, points, fps, notes=notes)


def _advise(path, arrays: dict, plain: dict):
    """Refuse what holds no joints: say what it is, and the way on."""
    people = {key.lower().replace("/", "_").partition("_")[0] for key in arrays} & set(_PERSON)
    pickled = [key for key, value in arrays.items() if value is None]
    if people and all(arrays.get(person) is None for person in people & set(arrays)):
        if people & set(arrays):
            fail(path, "this is InterHuman's layout, a dictionary for each of two people, and NumPy keeps dictionaries "
                       "pickled, which may run foreign code and is never opened here. " + pickle_advice(path))
        key_of = {key.lower().replace("/", "_").removeprefix("person1_"): key for key in arrays}
        one = {short: arrays[key] for short, key in key_of.items()}
        poses = next((key for key in ("pose_body", "body_pose", "poses") if one.get(key) is not None), None)
        if poses is None:
            fail(path, f"two people, and neither joints nor poses of a body model; it holds {', '.join(arrays)[:300]}")
        fail(path, "InterHuman's layout: parameters of a body model for two people, and no joints. "
                   + _lines(path, "smplh", one, poses, key_of, "person1_joints.npz")
                   + "\nThe same for person2, and choreo_lib.read_duet reads the two files")
    holds = [key for key in _POSES if plain.get(key) is not None]
    if holds:
        kind, model = _kind(plain, holds)
        fail(path, f"{kind}: poses of a body model ({', '.join(holds)}), and no joints. "
                   + _lines(path, model, plain, holds[0]))
    about = ", ".join(f"{key[:40]!r} {value.shape if value is not None else 'pickled'}" for key, value in
                      list(arrays.items())[:12])
    fail(path, f"there is no array 'header', so this NPZ was not written by choreo_lib; it holds {about or 'nothing'}. "
               + ("Pickled objects may run foreign code and are never opened here. " if pickled else "")
               + "Joints are read from an array named 'joints', [frames, joints, 3]; or load it with numpy and build a "
               "choreo_lib.Motion from its arrays")


def _kind(plain: dict, holds: list) -> tuple[str, str]:
    """What a file of poses is called, and the `smplx` package's name of its model."""
    width = int(np.prod(plain[holds[0]].shape[1:]))
    said = str(plain["surface_model_type"])[:20] if plain.get("surface_model_type") is not None else ""
    if "smpl_poses" in holds:
        return "AIST++", "smpl"
    if said == "smplx" or {"pose_jaw", "jaw_pose", "pose_eye", "expression"} & set(plain) or width == 165:
        return "SMPL-X", "smplx"
    if "poses" in holds and {"mocap_framerate", "mocap_frame_rate"} & set(plain):
        return ("AMASS (SMPL-H)" if width == 156 else "AMASS"), "smplh" if width > 72 else "smpl"
    if "pose_body" in holds or "body_pose" in holds:
        return "SMPL-H or SMPL-X", "smplh"
    return "SMPL", "smplh" if width > 72 else "smpl"


def _gender(plain: dict) -> str:
    said = str(plain["gender"]) if plain.get("gender") is not None else ""
    return next((gender for gender in ("female", "male", "neutral") if gender in said.lower()), "neutral")


def _rate(plain: dict) -> str:
    """The file's frames per second, or what to fill in."""
    key = next((key for key in _RATES if plain.get(key) is not None and plain[key].size == 1), None)
    if "smpl_poses" in plain:
        return "60"  # AIST++ says it on its page, not in its files
    return "30" if key is None or plain[key].dtype.kind not in "fiu" else f"{plain[key].item():g}"


def _lines(path, model: str, plain: dict, poses: str, key_of=None, out="joints.npz") -> str:
    """The lines that turn poses into joints that `read_motion` reads; true to smplx 0.1.28.

    ``plain``: the arrays by their plain names; ``key_of``: the names in the file, where they are other ones.
    """
    tensor = lambda key: f'tensor("{(key_of or {}).get(key, key)}")'  # noqa: E731
    own, gender = {"smpl": 24, "smplh": 52, "smplx": 55}[model], _gender(plain)
    hands = ', use_pca=False, flat_hand_mean=True, ext="npz"' if model != "smpl" else ""
    name = f"{model.upper()}_{gender.upper()}.{'pkl' if model == 'smpl' else 'npz'}"
    parts = {"global_orient": (0, 3), "body_pose": (3, 72 if model == "smpl" else 66)}
    if poses not in ("global_orient", "body_pose", "root_orient", "pose_body"):
        width = int(np.prod(plain[poses].shape[1:]))
        more = {"smpl": {}, "smplh": {"left_hand_pose": (66, 111), "right_hand_pose": (111, 156)},
                "smplx": {"jaw_pose": (66, 69), "leye_pose": (69, 72), "reye_pose": (72, 75),
                          "left_hand_pose": (75, 120), "right_hand_pose": (120, 165)}}[model]
        parts |= {part: end_sites for part, end_sites in more.items() if end_sites[1] <= width}
        given = [f"{part}={tensor(poses)}[:, {first}:{last}]" for part, (first, last) in parts.items()]
    else:
        named = {"global_orient": ("global_orient", "root_orient"), "body_pose": ("body_pose", "pose_body"),
                 "left_hand_pose": ("left_hand_pose",), "right_hand_pose": ("right_hand_pose",)}
        given = [f"{part}={tensor(key)}" for part, keys in named.items() for key in keys if plain.get(key) is not None]
    where = next((key for key in ("trans", "transl", "smpl_trans", "translation") if plain.get(key) is not None), None)
    if where:
        size = f" / {tensor('smpl_scaling')}" if plain.get("smpl_scaling") is not None else ""
        given.append(f"transl={tensor(where)}{size}")
    shape = 10  # as many as the file has: SMPL-X takes neither fewer nor more than its model was made with
    if plain.get("betas") is not None and plain["betas"].ndim:
        shape = plain["betas"].shape[-1]
        given.append(f"betas={tensor('betas')}[:, :model.num_betas].expand(T, -1)")
    up = ', up="z"' if "mocap_framerate" in plain else ""
    return (
        f"Its joints come from the model: pip install smplx, and models/{model}/{name} from its authors. Then:\n"
        "    import choreo_lib, numpy, smplx, torch\n"
        f'    data = numpy.load("{Path(path).name}")\n'
        f'    T = len(data["{(key_of or {}).get(poses, poses)}"])\n'
        "    def tensor(key):\n"
        "        array = torch.tensor(data[key], dtype=torch.float32)\n"
        "        return array.reshape(T, -1) if array.ndim and len(array) == T else array.reshape(1, -1)\n"
        f'    model = smplx.create("models", "{model}", gender="{gender}", num_betas={shape}, batch_size=T{hands})\n'
        "    out = model(" + ",\n                ".join(given) + ")\n"
        f'    numpy.savez("{out}", joints=out.joints[:, :{own}].detach().numpy(), fps={_rate(plain)})\n'
        f'    motion = choreo_lib.read_motion("{out}"{up})')
