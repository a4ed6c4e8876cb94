"""Arrays that others save: joints are read; the parameters of a body model are named, with the lines that run it.

Taught in chapter 1, "Seeing a duet". AMASS (Mahmood et al., ICCV 2019), SMPL-X files, AIST++ (Li et al., ICCV 2021),
InterHuman (Liang et al., IJCV 2024). Nothing pickled is opened: it may run foreign code.
"""

import re
from pathlib import Path
from typing import NoReturn

import numpy as np

from ..body.motion import Duet, Motion
from .arrays import pickle_advice
from .conventions import fail
from .joint_sets import BODIES
from .points import finite, points_recording, split_duet, stacked
from .record import Recording, build_motion

LONGER = {45: 24, 73: 52, 127: 55, 144: 55}
"""How many of the joints that the `smplx` package gives are the model's own; the rest are points on the skin."""
JOINTS = ("joints", "joints3d", "joints_3d", "jtr", "keypoints3d", "keypoints3d_optim", "keypoints_3d", "j3d",
          "joint_positions")
_RATES = ("mocap_framerate", "mocap_frame_rate", "fps", "framerate", "frame_rate")
_POSES = ("poses", "pose", "smpl_poses", "fullpose", "full_pose", "root_orient", "global_orient", "pose_body",
          "body_pose", "thetas")
_PARTS = {  # where the parts of a pose lie in its row of numbers, by smplx's names
    "smpl": {"global_orient": (0, 3), "body_pose": (3, 72)},
    "smplh": {"global_orient": (0, 3), "body_pose": (3, 66), "left_hand_pose": (66, 111),
              "right_hand_pose": (111, 156)},
    "smplx": {"global_orient": (0, 3), "body_pose": (3, 66), "jaw_pose": (66, 69), "leye_pose": (69, 72),
              "reye_pose": (72, 75), "left_hand_pose": (75, 120), "right_hand_pose": (120, 165)},
}
_JOINTS_OF = {"smpl": 24, "smplh": 52, "smplx": 55}


def read_foreign_npz(path, arrays: dict, up=None, scale=None, fps=None) -> list[Motion] | Duet:
    """The joints of an NPZ that we did not write, a Duet where it holds two people.

    Shapes: an array named as in `JOINTS`, [T, J, 3], or [T, 2, J, 3]; what is no array of numbers is None.
    Units: ``up``, ``scale`` and ``fps`` as for `read_motion`; a rate in the file is believed.
    Errors: MotionFormatError; for parameters of a body model it gives the lines that run the model.
    Chapter: 1.
    """
    plain = {key.lower().rpartition("/")[2]: value for key, value in arrays.items() if value is not None}
    found = next((key for key in JOINTS if key in plain and plain[key].ndim in (3, 4) and plain[key].shape[-1] == 3
                  and plain[key].dtype.kind in "fiu" and plain[key].size), None)
    if found is None:
        _refuse(path, arrays, plain)
    points, where = plain[found], f"array {found!r}"
    if points.ndim == 3:
        return [build_motion(_recording(path, finite(path, points, f"{where}, "), plain), up, scale, fps)]
    if points.shape[1] != 2:
        fail(path, f"expected [frames, joints, 3] or two people as [frames, 2, joints, 3]; got {points.shape}", where)
    both = stacked(path, finite(path, points, f"{where}, "))
    return split_duet(build_motion(_recording(path, both, plain), up, scale, fps))


def _recording(path, points: np.ndarray, plain: dict[str, np.ndarray]) -> Recording:
    """The recording of joints [T, J, 3], at the rate that stands beside them."""
    notes = []
    if points.shape[1] in LONGER:
        own = LONGER[points.shape[1]]
        notes.append(f"{points.shape[1]} joints; the first {own} are the body model's, and the others, points on the "
                     "skin, were left out")
        points = points[:, :own]
    body = BODIES.get(points.shape[1])
    if body is None:
        return points_recording(path, points, notes, _rate(plain))
    return Recording(path, body.names, body.parents, points, _rate(plain), notes=notes)


def _rate(plain: dict[str, np.ndarray]) -> float | None:
    """The frames per second that stand beside an array, if they do."""
    stated = next((plain[key] for key in _RATES if key in plain), np.array("none"))
    return stated.item() if stated.size == 1 and stated.dtype.kind in "fiu" else None


def _refuse(path, arrays: dict, plain: dict[str, np.ndarray]) -> NoReturn:
    """Refuse what holds no joints: say what it is, and the way on."""
    layout = "InterHuman's layout"
    if any(arrays.get(person, 0) is None for person in ("person1", "person2")):
        fail(path, f"this is {layout}, a dictionary for each of two people, and NumPy keeps dictionaries pickled, "
                   "which may run foreign code and is never opened here. " + pickle_advice(path))
    if any(re.match("person[12][_/]", key.lower()) for key in arrays):
        key_of = {key.lower().replace("/", "_").removeprefix("person1_"): key for key in arrays}
        first = {short: arrays[key] for short, key in key_of.items() if arrays[key] is not None}
        poses = next((key for key in ("pose_body", "body_pose", "poses") if key in first), None)
        if poses is None:
            fail(path, f"two people, and neither joints nor poses of a body model; it holds {', '.join(arrays)[:300]}")
        fail(path, f"{layout}: parameters of a body model for two people, and no joints. "
                   + _lines(path, "smplh", first, poses, key_of, "person1_joints.npz")
                   + "\nThe same for person2, and choreo_lib.read_duet reads the two files")
    if found := [key for key in _POSES if key in plain]:
        kind, model = _kind(plain, found)
        fail(path, f"{kind}: poses of a body model ({', '.join(found)}), and no joints. "
                   + _lines(path, model, plain, found[0], {key: key for key in plain}))
    about = ", ".join(f"{key[:40]!r} {'pickled' if value is None else value.shape}"
                      for key, value in list(arrays.items())[:12])
    pickled = ("Pickled objects may run foreign code and are never opened here. "
               if any(value is None for value in arrays.values()) else "")
    fail(path, "there is no array 'header', so this NPZ was not written by choreo_lib; it holds "
               f"{about or 'nothing'}. {pickled}Joints are read from an array named 'joints', [frames, joints, 3]; or "
               "load it with numpy and build a choreo_lib.Motion from its arrays")


def _kind(plain: dict[str, np.ndarray], poses: list[str]) -> tuple[str, str]:
    """What a file of poses is called, and the `smplx` package's name of its model."""
    width = int(np.prod(plain[poses[0]].shape[1:]))
    if "smpl_poses" in poses:
        return "AIST++", "smpl"
    if (str(plain.get("surface_model_type", "")) == "smplx" or width == 165
            or {"pose_jaw", "jaw_pose", "pose_eye", "expression"} & set(plain)):
        return "SMPL-X", "smplx"
    model = "smplh" if width > 72 else "smpl"
    if "poses" in poses and {"mocap_framerate", "mocap_frame_rate"} & set(plain):
        return ("AMASS (SMPL-H)" if width == 156 else "AMASS"), model
    return ("SMPL-H or SMPL-X", "smplh") if {"pose_body", "body_pose"} & set(poses) else ("SMPL", model)


def _lines(path, model: str, plain: dict[str, np.ndarray], poses: str, key_of: dict[str, str],
           out: str = "joints.npz") -> str:
    """The lines that turn poses into joints that `read_motion` reads; true to smplx 0.1.28.

    ``plain``: the arrays by their plain names; ``key_of``: their names in the file.
    """
    def tensor(key: str) -> str:
        return f'tensor("{key_of[key]}")'

    gender = next((word for word in ("female", "male", "neutral") if word in str(plain.get("gender", "")).lower()),
                  "neutral")
    given = []
    if poses in ("global_orient", "body_pose", "root_orient", "pose_body"):  # an array a part
        names = {"root_orient": "global_orient", "pose_body": "body_pose"}
        parts = ("global_orient", "root_orient", "body_pose", "pose_body", "left_hand_pose", "right_hand_pose")
        given += [f"{names.get(key, key)}={tensor(key)}" for key in parts if key in plain]
    else:
        width = int(np.prod(plain[poses].shape[1:]))
        given += [f"{part}={tensor(poses)}[:, {first}:{last}]" for part, (first, last) in _PARTS[model].items()
                  if last <= width or part == "body_pose"]
    if translation := next((key for key in ("trans", "transl", "smpl_trans", "translation") if key in plain), None):
        size = f" / {tensor('smpl_scaling')}" if "smpl_scaling" in plain else ""
        given.append(f"transl={tensor(translation)}{size}")
    betas = 10  # as many as the file has: SMPL-X takes neither fewer nor more than its model was made with
    if "betas" in plain and plain["betas"].ndim:
        betas = plain["betas"].shape[-1]
        given.append(f"betas={tensor('betas')}[:, :model.num_betas].expand(T, -1)")
    rate = 60 if "smpl_poses" in plain else _rate(plain) or 30  # AIST++ says it on its page, not in its files
    hands = "" if model == "smpl" else ', use_pca=False, flat_hand_mean=True, ext="npz"'
    suffix, up = "pkl" if model == "smpl" else "npz", ', up="z"' if "mocap_framerate" in plain else ""
    return (
        f"Its joints come from the model: pip install smplx, and models/{model}/{model.upper()}_{gender.upper()}."
        f"{suffix} from its authors. Then:\n"
        "    import choreo_lib, numpy, smplx, torch\n"
        f'    data = numpy.load("{Path(path).name}")\n'
        f'    T = len(data["{key_of[poses]}"])\n'
        "    def tensor(key):\n"
        "        array = torch.tensor(data[key], dtype=torch.float32)\n"
        "        return array.reshape(T, -1) if array.ndim and len(array) == T else array.reshape(1, -1)\n"
        f'    model = smplx.create("models", "{model}", gender="{gender}", num_betas={betas}, batch_size=T{hands})\n'
        "    out = model(" + ",\n                ".join(given) + ")\n"
        f'    numpy.savez("{out}", joints=out.joints[:, :{_JOINTS_OF[model]}].detach().numpy(), fps={rate:g})\n'
        f'    motion = choreo_lib.read_motion("{out}"{up})')
