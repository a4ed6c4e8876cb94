"""What pose estimators write and cannot be read as a dance: the tool, what is missing, and the way on.

Taught in chapter 2, "From video to a duet".
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import NoReturn

from .conventions import fail, load_bytes

PICKLES = (".pkl", ".pk", ".pickle", ".pt", ".pth", ".joblib")
_BODY = {17: "COCO", 18: "COCO with a neck", 23: "COCO with feet", 25: "BODY_25", 26: "Halpe", 29: "HybrIK's 29",
         133: "COCO-WholeBody", 136: "Halpe full body"}  # fmt: skip


def refuse_flat(path, tool: str, frames) -> NoReturn:
    """Say that pixels are no dance yet, and how to get one. Errors: MotionFormatError, always. Chapter: 2."""
    joints = _joints(frames)
    count = f" ({joints} joints a person{', ' + _BODY[joints] if joints in _BODY else ''})" if joints else ""
    lost = " (where AlphaPose ran with HybrIK, run it without --format: that leaves pred_xyz_jts out)"
    fail(path, f"key points of {tool} in 2-D only{count}: where in the picture each joint was seen, not how far from "
               "the camera, and cleaning cannot add that. Run a 3-D estimator on the same video: AlphaPose with a "
               f"HybrIK model, whose records have pred_xyz_jts{lost if '--format' in tool else ''}, 4DHumans, or "
               "MediaPipe's PoseLandmarker, whose results choreo_lib.io.landmarks.records turns into records; "
               "then choreo_lib.clean(path, fps). 3-D joints of another tool, in metres: "
               "choreo_lib.clean([array [people, joints, 3] of each frame], fps)")


def refuse_pickle(path) -> NoReturn:
    """Say of a pickle, which runs code as it is opened and so is not, what turns it into a file that can be read.

    Errors: MotionFormatError, always. Chapter: 2.
    """
    data = load_bytes(path)
    try:  # joblib packs with zlib; names of keys stand in the first stretch, and nothing is run by looking
        data = zlib.decompressobj().decompress(data, 4_000_000)
    except zlib.error:
        pass
    tool = ("It holds tracks of 4DHumans/PHALP. " if b"3d_joints" in data else
            "It holds results of HybrIK's demo. " if b"pred_xyz" in data else None)
    no = "a Python pickle can run anything as it is opened, so it is not opened here"
    if tool is None:
        fail(path, f"{no} (AIST++, InterHuman and 4DHumans come so). {pickle_advice(path)}")
    fail(path, f"{no}. {tool}Where you trust "
               "it, run: import json, joblib, numpy; tracks = joblib.load('tracks.pkl'); keys = ('3d_joints', "
               "'2d_joints', 'size', 'bbox', 'conf', 'tid', 'tracked_time'); json.dump({name: {key: "
               "[numpy.asarray(x).tolist() for x in frame[key]] for key in keys if key in frame} for name, frame in "
               "tracks.items()}, open('tracks.json', 'w')); then choreo_lib.clean('tracks.json', fps)")


def _joints(frames) -> int | None:
    """How many joints the first person of a file in 2-D has."""
    while isinstance(frames, (list, tuple, dict)) and frames:
        if isinstance(frames, dict):
            found = next((frames[key] for key in ("keypoints", "pose_keypoints_2d", "joints") if frames.get(key)), None)
            if found is not None:
                if isinstance(found, dict):
                    return len(found.get("x", ()))
                return len(found) if isinstance(found[0], (list, dict)) else len(found) // 3
            frames = frames.get("people") or frames.get("bodies") or frames.get("instances")
        else:
            frames = next((part for part in reversed(frames) if isinstance(part, (list, tuple, dict)) and part), None)
    return None


def names_parameters(path) -> bool:
    """Whether a pickle's bytes name a body model's parameters; it is looked at, and not opened. Chapter: 1."""
    data = load_bytes(path)
    return any(key in data for key in (b"smpl_poses", b"person1", b"pose_body", b"root_orient"))


def pickle_advice(path) -> str:
    """What to do with a pickle whose maker you trust. Chapter: 1."""
    stem = Path(path).stem
    return ("If you trust who made it, save its numbers once, in a session of your own: "
            f'data = numpy.load("{Path(path).name}", allow_pickle=True) (a .pkl: pickle.load), then '
            f'numpy.savez("{stem}_numbers.npz", **dict(data)), a dictionary in it as keys of its own, such as '
            'person1_trans and person1_pose_body; then choreo_lib.read_motion says how to go on')


def flat_advice(shape) -> str:
    """What a table [frames, width] of a known data set is, and how to take its joints out; "" where it is unknown.

    Chapter: 1.
    """
    if len(shape) != 2:
        return ""
    if shape[1] in (262, 192, 312):
        return (f"; {shape[1]} numbers a frame are InterGen's and InterHuman's layout, of which the first 66 are 22 "
                "SMPL joints: numpy.save('joints.npy', array[:, :66].reshape(-1, 22, 3)), and read that")
    if shape[1] == 263:
        return ("; 263 numbers a frame are HumanML3D's features, relative from frame to frame: its recover_from_ric "
                "turns them into joints [frames, 22, 3]; save and read those")
    if shape[1] in (72, 156, 165):
        return (f"; {shape[1]} numbers a frame may be poses of a body model, or {shape[1] // 3} joints: these are "
                f"array.reshape(-1, {shape[1] // 3}, 3), and poses go through the smplx package first")
    return "" if shape[1] % 3 or not shape[1] else f"; if these are joints, save array.reshape(-1, {shape[1] // 3}, 3)"
