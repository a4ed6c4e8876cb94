"""NumPy's files (NPY, NPZ), read with their claims held against their size, and nothing pickled opened.

Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import io
import struct
import tokenize
import warnings
import zipfile
import zlib

import numpy as np

from .conventions import MAX_ARRAY_BYTES, MotionFormatError, fail, load_bytes

MAX_HEADER = 4_000_000
_MAX_MEMBERS = 64
# the header of an array is a Python literal, and a spoiled one fails in as many ways as Python text can
_SPOILED = (AttributeError, EOFError, IndexError, KeyError, MemoryError, NotImplementedError, OSError, OverflowError,
            RecursionError, RuntimeError, SyntaxError, TypeError, ValueError, struct.error, tokenize.TokenError,
            zipfile.BadZipFile, zlib.error)


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
    except _SPOILED as error:
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
    except _SPOILED as error:
        fail(path, f"expected a zip of arrays: {str(error)[:160]}; the file is cut short or no NPZ", where)
    return arrays
