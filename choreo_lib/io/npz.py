"""NPZ, our own format: nothing lost, nothing rounded, and no pickle anywhere.

Taught in chapter 1, "Seeing a duet". A zip of arrays: ``header`` (JSON in UTF-8: format, version,
kind, and per dancer fps, name, notes, source, names, parents, ends), then ``a_positions``,
``a_rotations``, ``a_offsets`` and, in a duet, the same for ``b``, and ``coupling_...`` for the
planted truth of a synthetic duet.
"""

import json
import zipfile
from typing import Any

import numpy as np

from ..body.coupling import Coupling
from ..body.motion import Duet, Motion
from .arrays import MAX_HEADER, load_arrays
from .conventions import MAX_ARRAY_BYTES, MAX_BYTES, atomic_write, check_fps, fail, source_from_dict, source_to_dict
from .record import Recording, build_motion, check_writable

FORMAT, VERSION = "choreo_lib", 1


def read_npz(path, up=None, scale=None, fps=None) -> list[Motion] | Duet:
    """Read what `write_npz` wrote: a Motion or a Duet, bit for bit; or the joints in another's NPZ.

    Units: metres, Z up; ``up``, ``scale`` and ``fps`` are for files of others.
    Errors: MotionFormatError, naming the array or the header's field.
    Chapter: 1.
    """
    arrays = load_arrays(path)
    if "header" not in arrays:
        from .body_models import read_foreign_npz
        return read_foreign_npz(path, arrays, up, scale, fps)
    if (up, scale, fps) != (None, None, None):
        fail(path, "our NPZ states its up axis, unit and frames per second; leave up=, scale= and fps= away")
    a, *others = [build_motion(_recording(path, fields, who, arrays))
                  for fields, who in zip(_header(path, arrays)["dancers"], "ab")]
    if not others:
        return [a]
    known: dict[str, Any] = {key.removeprefix("coupling_"): arrays[key] for key in arrays
                             if key.startswith("coupling_")}
    try:
        coupling = Coupling.from_arrays(known) if known else None
    except (KeyError, ValueError, TypeError, IndexError, OverflowError) as error:
        fail(path, f"the coupling does not hold together: {error}")
    try:
        return Duet(a, others[0], coupling)
    except ValueError as error:
        fail(path, str(error))


def write_npz(motion: Motion | Duet, path) -> None:
    """Write a Motion or a Duet without loss. Errors: MotionFormatError where it could not be read back. Chapter: 1."""
    dancers: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    ones = (motion,) if isinstance(motion, Motion) else tuple(motion)
    for one, who in zip(ones, "ab"):
        body = one.skeleton
        check_writable(path, one, f"dancer {who}" if len(ones) > 1 else "")
        dancers.append({"fps": one.fps, "name": str(one.name), "notes": list(map(str, one.notes)),
                        "source": source_to_dict(one.source), "names": list(body.names),
                        "parents": list(body.parents), "ends": [[j, list(tip)] for j, tip in body.end_sites]})
        arrays[f"{who}_positions"] = one.positions
        if one.rotations is not None:
            arrays[f"{who}_rotations"] = one.rotations
        if body.offsets is not None:
            arrays[f"{who}_offsets"] = body.offsets
    if isinstance(coupling := getattr(motion, "coupling", None), Coupling):
        arrays |= {f"coupling_{key}": value for key, value in coupling.to_arrays().items()}
    header = {"format": FORMAT, "version": VERSION, "kind": ("motion", "duet")[len(ones) - 1], "dancers": dancers}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    if len(arrays["header"]) > MAX_HEADER - 256:
        fail(path, f"its names, notes, end sites and source fill {len(arrays['header']):,} bytes, more than the "
                   f"{MAX_HEADER:,} that are read back; shorten them")
    shorter = "write it in parts, as in motion[:10000], or a file a dancer"
    if (total := sum(value.nbytes + 256 for value in arrays.values())) > MAX_ARRAY_BYTES:
        fail(path, f"{total:,} bytes of numbers are more than the {MAX_ARRAY_BYTES:,} that are read back; {shorter}")
    with atomic_write(path) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for key, value in arrays.items():
                # a fixed date, so that the same motion gives the same bytes, which np.savez does not promise
                info = zipfile.ZipInfo(f"{key}.npy", (1980, 1, 1, 0, 0, 0))
                info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                with archive.open(info, "w") as half:
                    np.lib.format.write_array(half, value, allow_pickle=False)
        if (size := temporary.stat().st_size) > MAX_BYTES:
            fail(path, f"its {size:,} bytes are more than the {MAX_BYTES:,} that are read back; {shorter}")


def _header(path, arrays) -> dict:
    raw = arrays["header"]
    if raw.dtype != np.uint8 or raw.ndim != 1:
        fail(path, "expected JSON as bytes", "array 'header'")
    try:
        header = json.loads(raw.tobytes())
    except (ValueError, RecursionError) as error:
        fail(path, f"it is no JSON: {str(error)[:160]}", "array 'header'")
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        fail(path, f"expected \"format\": \"{FORMAT}\"", "array 'header'")
    if header.get("version") != VERSION:
        fail(path, f"expected version {VERSION}; got {str(header.get('version'))[:40]}. A newer choreo_lib wrote it: "
                   "pip install --upgrade choreo-lib", "array 'header'")
    dancers, kind = header.get("dancers"), header.get("kind")
    if not isinstance(dancers, list) or (kind, len(dancers)) not in (("motion", 1), ("duet", 2)):
        fail(path, "expected kind 'motion' with one dancer or 'duet' with two", "array 'header'")
    return header


_FIELDS = {"name": str, "fps": int | float, "notes": list, "names": list, "parents": list, "ends": list}
"""What the header says of a dancer."""
_ARRAYS = {"positions": (np.float32, 3, 3), "rotations": (np.float32, 3, 4), "offsets": (np.float64, 2, 3)}
"""A dancer's arrays: their dtype, their number of axes, and the length of the last."""


def _recording(path, fields, who: str, arrays: dict) -> Recording:
    """What the file holds of dancer ``who``: nothing is left to resolve."""
    where = f"dancer {who}"
    if not isinstance(fields, dict):
        fail(path, "expected a JSON object", where)
    # what is in the lists is checked by `Skeleton` and `Motion`
    for key, kind in _FIELDS.items():
        if not isinstance(fields.get(key), kind):
            fail(path, f"header field {key!r} is missing or malformed; got {str(fields.get(key))[:60]!r}", where)
    own = {key: arrays.get(f"{who}_{key}") for key in _ARRAYS}
    for key, (dtype, axes, width) in _ARRAYS.items():
        if (array := own[key]) is not None and (array.dtype, array.ndim, array.shape[-1:]) != (dtype, axes, (width,)):
            fail(path, f"expected {np.dtype(dtype)} [..., {width}]; got {array.dtype} {array.shape}",
                 f"array '{who}_{key}'")
    if own["positions"] is None:
        fail(path, f"there is no array '{who}_positions'", where)
    fps = check_fps(path, fields["fps"], f"{where}, header field 'fps'")
    return Recording(path, fields["names"], fields["parents"], own["positions"], fps, own["rotations"],
                     offsets=own["offsets"], end_sites=fields["ends"], notes=fields["notes"],
                     source=source_from_dict(fields.get("source")), name=fields["name"], ours=True)
