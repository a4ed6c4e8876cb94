"""Plain numbers from files: NPY, NPZ and JSON, their claims held against their size; and nothing pickled opened.

Taught in chapter 1, "Seeing a duet".
"""

import io
import json
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from .conventions import MAX_ARRAY_BYTES, MAX_JSON_BYTES, MotionFormatError, fail, load_bytes

PICKLES = (".pkl", ".pk", ".pickle", ".pt", ".pth", ".joblib")
MAX_HEADER = 4_000_000
_MAX_MEMBERS = 64


class NoNumbers(MotionFormatError):
    """An array that is none of numbers: in our file a fault, in another's set aside. Chapter: 1."""


def load_array(path, data: bytes, where: str = "") -> np.ndarray:
    """Read one array of numbers or text from the bytes of an NPY file, all of them.

    Shapes: any, [...], as the header states it.
    Errors: MotionFormatError where header and bytes do not fit; `NoNumbers` for pickled objects, records and times.
    Chapter: 1.
    """
    stream = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "written by Python 2", and names of kinds that NumPy calls old
            array = np.load(stream, allow_pickle=False)
        if array.dtype.kind == "U":
            array.tolist()  # a ValueError where there are characters that do not exist
    except Exception as error:  # the header is a Python literal, and a spoiled one fails in as many ways as Python can
        if "Object arrays" in str(error):
            fail(path, "the array holds pickled objects, which may run foreign code and are never opened; save it as "
                       "numbers with dtype=float", where, NoNumbers)
        fail(path, f"expected a NumPy array: {str(error)[:160]}; it is none, is cut short or was edited", where)
    if array.dtype.kind not in "fiubUS" or not 0 < array.dtype.itemsize <= 4096:
        fail(path, f"expected an array of numbers; got dtype {array.dtype}", where, NoNumbers)
    if stream.tell() != len(data):
        fail(path, f"shape {array.shape} of {array.dtype} leaves {len(data) - stream.tell():,} bytes over; "
                   "the file was edited", where)
    return array


def load_arrays(path) -> dict[str, np.ndarray | None]:
    """Read the arrays of an NPZ by name; None for what is pickled or no numbers, in files that we did not write.

    Its sizes as the zip states them are added up before anything is unpacked; no member unpacks to more than it states.
    Shapes: of each array any, [...], as its header states it.
    Errors: MotionFormatError, naming the array. Chapter: 1.
    """
    arrays: dict[str, np.ndarray | None] = {}
    where = ""
    try:
        with zipfile.ZipFile(io.BytesIO(load_bytes(path))) as archive:
            members = archive.infolist()
            ours = any(member.filename == "header.npy" for member in members)
            if len(members) > _MAX_MEMBERS or (total := sum(member.file_size for member in members)) > MAX_ARRAY_BYTES:
                fail(path, f"{len(members)} arrays of {total:,} bytes unpacked are more than the {_MAX_MEMBERS} arrays "
                           f"and {MAX_ARRAY_BYTES:,} bytes this reader takes")
            for member in members:
                name, where = member.filename.removesuffix(".npy"), f"array {member.filename[:60]!r}"
                if name == member.filename or name in arrays:
                    fail(path, "expected arrays (.npy), each once", where)
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    fail(path, "packed in a way NPZ is not", where)
                if name == "header" and member.file_size > MAX_HEADER:
                    fail(path, f"{member.file_size:,} bytes are no header; expected some kilobytes of JSON", where)
                try:
                    arrays[name] = load_array(path, archive.read(member), where)
                except NoNumbers:
                    if ours:
                        raise
                    arrays[name] = None
    except MotionFormatError:
        raise
    except Exception as error:  # whatever it is, the zip is spoiled
        fail(path, f"expected a zip of arrays: {str(error)[:160]}; the file is cut short or no NPZ", where)
    return arrays


def read_json(path) -> Any:
    """Parse JSON whose size in memory can be foreseen. Errors: MotionFormatError with line and column. Chapter: 2."""
    data = load_bytes(path, MAX_JSON_BYTES)
    if data.count(b"[") + data.count(b"{") > 1_000_000 or data.count(b",") > 4_000_000:
        fail(path, "more lists and numbers than any dance has; cut the take shorter")

    def refuse(word):
        raise ValueError(f"{word} is not a finite number")
    try:
        return json.loads(data, parse_constant=refuse)
    except json.JSONDecodeError as error:
        fail(path, f"expected JSON: {error.msg}", f"line {error.lineno}, column {error.colno}")
    except RecursionError:
        fail(path, "lists inside lists, deeper than any motion file goes")
    except (ValueError, MemoryError) as error:
        fail(path, f"expected JSON with finite numbers: {str(error)[:120]}")


def refuse_pickle(path) -> NoReturn:
    """Refuse a pickle, which runs code as it is opened, with the way to numbers (a MotionFormatError). Chapter: 2."""
    data = load_bytes(path)
    try:  # joblib packs with zlib; names of keys stand in the first stretch, and nothing is run by looking
        data = zlib.decompressobj().decompress(data, 4_000_000)
    except zlib.error:
        pass
    tool = ("It holds tracks of 4DHumans/PHALP. " if b"3d_joints" in data else
            "It holds results of HybrIK's demo. " if b"pred_xyz" in data else None)
    no = "a Python pickle can run anything as it is opened, so it is never opened here"
    if tool is None:
        fail(path, f"{no} (AIST++, InterHuman and 4DHumans come so). {pickle_advice(path)}")
    fail(path, f"{no}. {tool}Where you trust "
               "it, run: import json, joblib, numpy; tracks = joblib.load('tracks.pkl'); keys = ('3d_joints', "
               "'2d_joints', 'size', 'bbox', 'conf', 'tid', 'tracked_time'); json.dump({name: {key: "
               "[numpy.asarray(x).tolist() for x in frame[key]] for key in keys if key in frame} for name, frame in "
               "tracks.items()}, open('tracks.json', 'w')); then choreo_lib.clean('tracks.json', fps)")


def pickle_advice(path) -> str:
    """What to do with a pickle whose maker you trust. Chapter: 1."""
    stem = Path(path).stem
    return ("If you trust who made it, save its numbers once, in a session of your own: "
            f'data = numpy.load("{Path(path).name}", allow_pickle=True) (a .pkl: pickle.load), then '
            f'numpy.savez("{stem}_numbers.npz", **dict(data)), a dictionary in it as keys of its own, such as '
            'person1_trans and person1_pose_body; then choreo_lib.read_motion says how to go on')


def flat_advice(shape) -> str:
    """What a table [frames, width] of a known data set is, and how to take its joints out, or "". Chapter: 1."""
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
