"""NPZ, our own format: nothing lost, nothing rounded, and no pickle anywhere.

Taught in chapter 1, "Seeing a duet". A zip of arrays: ``header`` (JSON in UTF-8: format, version,
kind, and per dancer fps, name, notes, source, names, parents, ends), then ``a_positions``,
``a_rotations``, ``a_offsets`` and, in a duet, the same for ``b``, and ``coupling_...`` for the
planted truth of a synthetic duet.
"""

from __future__ import annotations

import io
import json
import math
import struct
import tokenize
import warnings
import zipfile
import zlib

import numpy as np

from ..body.coupling import Coupling
from ..body.motion import Duet, Motion
from . import conventions
from .conventions import MAX_ARRAY_BYTES, MAX_BYTES, check_counts, check_fps, fail
from .limits import check_writable

FORMAT, VERSION = "choreo_lib", 1
_MEMBERS, _HEADER = 64, 4_000_000


class _NoNumbers(conventions.MotionFormatError):
    """An array that is none of numbers: in our file a fault, in another's set aside."""


def read_npz(path, up=None, scale=None, fps=None) -> Motion | Duet:
    """Read what `write_npz` wrote: a Motion or a Duet, bit for bit; or the joints in another's NPZ.

    Units: metres, Z up; ``up``, ``scale`` and ``fps`` are for files of others.
    Errors: MotionFormatError, naming the array or the header's field.
    Chapter: 1.
    """
    arrays = _read_arrays(path, conventions.load_bytes(path))
    if "header" not in arrays:
        from .body_models import read_foreign_npz
        return read_foreign_npz(path, arrays, up, scale, fps)
    if (up, scale, fps) != (None, None, None):
        fail(path, "our NPZ states its up axis, unit and frames per second; leave up=, scale= and fps= away")
    header = _header(path, arrays)
    dancers = header["dancers"]
    motions = [_unpack(path, words, prefix, arrays) for words, prefix in zip(dancers, "ab")]
    if len(motions) == 1:
        return motions[0]
    coupling = None
    planted = {key.removeprefix("coupling_"): arrays[key] for key in arrays if key.startswith("coupling_")}
    if planted:
        try:
            coupling = Coupling.from_arrays(planted)
        except (KeyError, ValueError, TypeError, IndexError, OverflowError) as error:
            raise _error(path, f"the planted coupling does not hold together: {error}") from error
    try:
        return Duet(*motions, coupling)
    except ValueError as error:
        raise _error(path, str(error)) from error


def _error(path, message: str) -> conventions.MotionFormatError:
    return conventions.MotionFormatError(f"{conventions.Path(path).name}: {message}")


def write_npz(motion: Motion | Duet, path) -> None:
    """Write a Motion or a Duet without loss.

    Errors: MotionFormatError where it cannot be written, or would not be read back.
    """
    duet = isinstance(motion, Duet)
    dancers, arrays = [], {}
    for one, prefix in zip(motion if duet else (motion,), "ab"):
        body = one.skeleton
        check_writable(path, one, f"dancer {prefix}" if duet else "")
        dancers.append({"fps": one.fps, "name": str(one.name), "notes": list(map(str, one.notes)),
                        "source": conventions.source_to_dict(one.source), "names": list(body.names),
                        "parents": list(body.parents), "ends": [[j, list(tip)] for j, tip in body.end_sites]})
        arrays[f"{prefix}_positions"] = one.positions
        if one.rotations is not None:
            arrays[f"{prefix}_rotations"] = one.rotations
        if body.offsets is not None:
            arrays[f"{prefix}_offsets"] = body.offsets
    if duet and hasattr(motion.coupling, "to_arrays"):
        arrays |= {f"coupling_{key}": value for key, value in motion.coupling.to_arrays().items()}
    words = {"format": FORMAT, "version": VERSION, "kind": "duet" if duet else "motion", "dancers": dancers}
    arrays["header"] = np.frombuffer(json.dumps(words).encode(), np.uint8)
    if len(arrays["header"]) > _HEADER - 256:
        fail(path, f"its names, notes, end sites and source fill {len(arrays['header']):,} bytes, more than the "
                   f"{_HEADER:,} that are read back; shorten them")
    shorter = "write it in parts, as in motion[:10000], or a file a dancer"
    if (total := sum(value.nbytes + 256 for value in arrays.values())) > MAX_ARRAY_BYTES:
        fail(path, f"{total:,} bytes of numbers are more than the {MAX_ARRAY_BYTES:,} that are read back; {shorter}")
    with conventions.atomic_write(path) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for key, value in arrays.items():
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, np.ascontiguousarray(value) if value.ndim else value,
                                          allow_pickle=False)
                # a fixed date, so that the same motion gives the same bytes
                info = zipfile.ZipInfo(f"{key}.npy", (1980, 1, 1, 0, 0, 0))
                info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(info, buffer.getvalue())
        if (size := temporary.stat().st_size) > MAX_BYTES:
            fail(path, f"its {size:,} bytes are more than the {MAX_BYTES:,} that are read back; {shorter}")


def read_array(path, stream, size: int, where: str) -> np.ndarray:
    """One npy array of ``size`` bytes, its claims checked against that size before memory is asked for."""
    try:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            fail(path, f"npy version {version} is not known", where)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "written by Python 2", and names of kinds that NumPy calls old
            shape, fortran, dtype = read(stream)
    except conventions.MotionFormatError:
        raise
    # the header is a Python literal, and a spoiled one fails in as many ways as Python text can
    except (ValueError, TypeError, KeyError, IndexError, SyntaxError, AttributeError, OverflowError, EOFError,
            OSError, RecursionError, MemoryError, tokenize.TokenError, struct.error, zlib.error,
            zipfile.BadZipFile) as error:
        raise _error(path, f"{where + ': ' if where else ''}expected a NumPy array: "
                                         f"{str(error)[:160]}") from error
    if dtype.hasobject:
        raise _NoNumbers(
            f"{conventions.Path(path).name}: {where + ': ' if where else ''}the array holds pickled objects, "
            "which may run foreign code and are never opened; save it as numbers with dtype=float"
        )
    if dtype.kind not in "fiubUS" or dtype.itemsize == 0 or dtype.itemsize > 4096:
        raise _NoNumbers(f"{conventions.Path(path).name}: {where + ': ' if where else ''}expected an array of numbers; "
                         f"got dtype {dtype}")
    claimed = math.prod(shape) * dtype.itemsize
    if any(n < 0 for n in shape) or len(shape) > 8 or claimed != size - stream.tell():
        fail(path, f"shape {shape} of {dtype} takes {claimed:,} bytes, and the file has "
                   f"{size - stream.tell():,}; it is cut short or was edited", where)
    if claimed > MAX_ARRAY_BYTES:
        fail(path, f"{claimed:,} bytes of numbers are more than the {MAX_ARRAY_BYTES:,} this reader takes", where)
    try:
        data = stream.read(claimed)
    except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile) as error:
        raise _error(path, f"{where}: the array cannot be unpacked: {error}") from error
    if len(data) != claimed:
        fail(path, f"expected {claimed:,} bytes of numbers; {len(data):,} were there", where)
    array = np.frombuffer(data, dtype)
    if dtype.kind == "U":
        points = array.view(np.uint32 if dtype.isnative else np.dtype(np.uint32).newbyteorder())
        if len(points) and (points.max() > 0x10FFFF or ((points >= 0xD800) & (points < 0xE000)).any()):
            fail(path, "the array's text holds characters that do not exist", where)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def _read_arrays(path, data: bytes) -> dict[str, np.ndarray]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError, OSError, struct.error, OverflowError,
            IndexError, EOFError) as error:
        raise _error(path, f"expected a zip of arrays: {error}; the file is cut short or no NPZ") from error
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    if len(members) > _MEMBERS or total > MAX_ARRAY_BYTES:
        fail(path, f"{len(members)} arrays of {total:,} bytes unpacked are more than the {_MEMBERS} arrays and "
                   f"{MAX_ARRAY_BYTES:,} bytes this reader takes")
    arrays, ours = {}, "header.npy" in archive.namelist()
    for member in members:
        where = f"array {member.filename[:60]!r}"
        if not member.filename.endswith(".npy") or member.filename[:-4] in arrays:
            fail(path, "expected arrays (.npy), each once", where)
        if member.filename == "header.npy" and member.file_size > _HEADER:
            fail(path, f"{member.file_size:,} bytes are no header; expected some kilobytes of JSON", where)
        if member.flag_bits & 0x1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            fail(path, "encrypted or packed in a way NPZ is not", where)
        try:
            with archive.open(member) as stream:
                arrays[member.filename[:-4]] = read_array(path, stream, member.file_size, where)
                stream.read(1)  # past the end, where the checksum is compared
        except _NoNumbers:
            if ours:
                raise
            arrays[member.filename[:-4]] = None
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError,
                struct.error, ValueError) as error:
            if isinstance(error, conventions.MotionFormatError):
                raise
            raise _error(path, f"{where}: it cannot be unpacked: {error}") from error
    return arrays


def _header(path, arrays) -> dict:
    raw = arrays["header"]
    if raw.dtype != np.uint8 or raw.ndim != 1:
        fail(path, "expected JSON as bytes", "array 'header'")
    try:
        header = json.loads(raw.tobytes())
    except (ValueError, RecursionError) as error:
        raise _error(path, f"array 'header': it is no JSON: {str(error)[:160]}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        fail(path, f"expected \"format\": \"{FORMAT}\"", "array 'header'")
    if header.get("version") != VERSION:
        fail(path, f"expected version {VERSION}; got {str(header.get('version'))[:40]}. A newer choreo_lib wrote it: "
                   "pip install --upgrade choreo-lib", "array 'header'")
    dancers = header.get("dancers")
    wanted = {"motion": 1, "duet": 2}.get(header["kind"] if isinstance(header.get("kind"), str) else None)
    if wanted is None or not isinstance(dancers, list) or len(dancers) != wanted:
        fail(path, "expected kind 'motion' with one dancer or 'duet' with two", "array 'header'")
    return header


def _unpack(path, words, prefix: str, arrays) -> Motion:
    where = f"dancer {prefix}"
    whole = lambda x: type(x) is int  # noqa: E731 (a bool is no index)
    number = lambda x: type(x) in (int, float) and abs(x) <= 1e12  # noqa: E731
    shapes = {"name": lambda x: isinstance(x, str), "fps": number,
              "notes": lambda x: isinstance(x, list) and all(isinstance(n, str) for n in x),
              "names": lambda x: isinstance(x, list) and all(isinstance(n, str) for n in x),
              "parents": lambda x: isinstance(x, list) and all(map(whole, x)),
              "ends": lambda x: isinstance(x, list) and all(
                  isinstance(e, list) and len(e) == 2 and whole(e[0]) and isinstance(e[1], list)
                  and len(e[1]) == 3 and all(map(number, e[1])) for e in x)}
    if not isinstance(words, dict):
        fail(path, "expected a JSON object", where)
    for key, fits in shapes.items():
        if key not in words or not fits(words[key]):
            fail(path, f"header field {key!r} is missing or malformed; got {str(words.get(key))[:60]!r}", where)
    numbers = {}
    for key, dtype, width in (("positions", np.float32, 3), ("rotations", np.float32, 4), ("offsets", np.float64, 3)):
        array = arrays.get(f"{prefix}_{key}")
        if array is None and key == "positions":
            fail(path, f"there is no array '{prefix}_positions'", where)
        if array is not None and (array.dtype != dtype or array.shape[-1:] != (width,)
                                  or array.ndim != (2 if key == "offsets" else 3)):
            fail(path, f"expected {np.dtype(dtype)} [..., {width}]; got {array.dtype} {array.shape}",
                 f"array '{prefix}_{key}'")
        numbers[key] = array
    check_counts(path, len(numbers["positions"]), len(words["names"]), where)
    skeleton = conventions.make_skeleton(path, words["names"], words["parents"], numbers["offsets"], words["ends"])
    motion = conventions.build_motion(path, numbers["positions"], check_fps(path, words["fps"], where), skeleton,
                           numbers["rotations"], words["notes"], conventions.source_from_dict(words.get("source")),
                           words["name"])
    object.__setattr__(motion, "positions", np.array(motion.positions))  # writable, as in any other Motion
    return motion
