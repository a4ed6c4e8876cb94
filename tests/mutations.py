"""Injuries that know the grammar: a BVH that is nearly a tree, an NPY whose header nearly fits its numbers."""

import ast
import io
import struct

import numpy as np


def spoil_tree(data: bytes, rng) -> bytes:
    """A BVH with one to three injuries to its joints, channels, counts, comments or coding."""
    lines = data.decode("latin-1").replace("\r\n", "\n").split("\n")
    for _ in range(rng.choice([1, 1, 2, 3])):
        at = next((k for k, line in enumerate(lines) if line.strip() == "MOTION"), len(lines) - 1)
        pick = lambda word: [k for k, line in enumerate(lines) if word in line]  # noqa: E731, B023
        i, k = sorted(int(x) for x in rng.integers(0, max(at, 1), 2))
        match rng.integers(0, 20):
            case 0:  # a limb twice
                lines[k:k] = lines[i:k]
            case 1:
                del lines[i:k // 2]
            case 2:  # a second dancer, with her numbers or without them
                tree = lines[1:at]
                lines = lines[:at] + tree + lines[at:at + 3] + [
                    f"{row} {row}" if rng.random() < 0.7 else row for row in lines[at + 3:]]
            case 3:
                lines.insert(int(rng.integers(0, len(lines) + 1)), ["#", "// x", "#MOTION", "", "\t",
                                                                   "# a word"][rng.integers(0, 6)])
            case 4 if found := pick("CHANNELS"):
                line = lines[found[rng.integers(len(found))]].split()
                rng.shuffle(line)
                lines[found[rng.integers(len(found))]] = " ".join(line)
            case 5 if found := pick("CHANNELS"):
                place = found[rng.integers(len(found))]
                lines[place] = ["CHANNELS 0", "CHANNELS 6 " + " ".join(f"{a}{w}" for w in ("position", "rotation")
                                                                       for a in "XYZ"),
                                "CHANNELS 1 Zposition", "CHANNELS 3 Xrotation Xrotation Yrotation", "CHANNELS"][
                                    rng.integers(0, 5)]
            case 6 if found := pick("OFFSET"):
                lines[found[rng.integers(len(found))]] = ["OFFSET 0 0 0", "OFFSET 1e12 0 0", "OFFSET 0,5 0 0", "OFFSET",
                                                          "OFFSET 1 2", "OFFSET nan 0 0", "OFFSET 1e-300 0 0"][
                                                              rng.integers(0, 7)]
            case 7 if found := pick("Frames:"):
                lines[found[0]] = f"Frames: {rng.choice([0, 1, 2, 7, 9, 18, 19, 100, 10**7, 10**17])}"
            case 8 if found := pick("Frame Time"):
                lines[found[0]] = "Frame Time: " + ["0", "-0", "1e-9", "0.0166", "30", "0,033", "nan", "1e99", "0.",
                                                    "0.03" + "3" * 400, "1e-3000", "٠.٠٣"][rng.integers(0, 12)]
            case 9:
                lines = lines[:int(rng.integers(1, len(lines) + 1))]
                lines[-1] = lines[-1][:int(rng.integers(0, len(lines[-1]) + 1))]
            case 10:
                lines += lines[int(rng.integers(0, 2)) * at:]
            case 11:  # two rows in one, or one in two
                row = int(rng.integers(at, len(lines)))
                lines[row] = lines[row].replace(" ", "\n", int(rng.integers(1, 3)))
            case 12 if len(lines) > at + 4:
                row = int(rng.integers(at + 3, len(lines) - 1))
                lines[row:row + 2] = [lines[row] + " " + lines[row + 1]]
            case 13:
                return "\n".join(lines).encode(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"][
                    rng.integers(0, 5)])[int(rng.integers(0, 2)):]
            case 14 if found := [*pick("JOINT"), *pick("ROOT")]:
                word = lines[found[rng.integers(len(found))]]
                lines[found[rng.integers(len(found))]] = word if rng.random() < 0.5 else "JOINT " + [
                    "", "{", "a:", "L", "_", "Left", ":", "x" * 5000, "Hips", "# b", "a # b", "ns:ns:LeftFoot.001"][
                        rng.integers(0, 12)]
            case 15:
                lines[at:at] = [["HIERARCHY", "ROOT b", "End Site", "{", "}", "MOTION"][rng.integers(0, 6)]]
            case 16:
                lines.append(["HIERARCHY", "0,5 1 2", "# end", "// end", "}", "1 2 3", "MOTION"][rng.integers(0, 7)])
            case 17:  # everything lies, or has no size
                lines = [line if "OFFSET" not in line or rng.random() < 0.3 else "OFFSET 0 0 0" for line in lines]
            case 18 if len(lines) > at + 4:
                lines[at + 3:] = [" ".join(rng.choice(["0", "1e3", "-90", "180", "1e-7", "5"], len(row.split())))
                                  for row in lines[at + 3:]]
            case 19:
                depth = int(rng.integers(1, 600))
                limb = [f"JOINT d{n}\n{{\nOFFSET 0 0 1" for n in range(depth)]
                lines[i:i] = "\n".join(limb + ["}"] * (depth if rng.random() < 0.8 else 1)).split("\n")
    return "\n".join(lines).encode("latin-1", "replace")


def spoil_header(data: bytes, rng) -> bytes:
    """An NPY whose header says another thing than its numbers hold; or odd numbers under a true header."""
    array = np.load(io.BytesIO(data))
    if rng.random() < 0.5:  # a true file of odd content
        frames, joints = int(rng.integers(1, 60)), int(rng.choice([1, 2, 3, 4, 22, 24, 29, 40]))
        shape = [(frames, joints, 3), (2 * frames, joints, 3), (frames, 2, joints, 3), (2, frames, joints, 3),
                 (joints, frames, 3), (frames, joints), (frames, 0, 3)][rng.integers(0, 7)]
        kind = rng.choice(["f2", "f4", "f8", ">f8", "i1", "i8", "u8", "c8", "?", "m8[s]", "U3", "V8"])
        with np.errstate(all="ignore"):
            numbers = rng.normal(size=shape) * 10.0 ** rng.integers(-12, 12) + rng.choice([0, 0, 1e9, np.nan, np.inf])
            if rng.random() < 0.3 and numbers.size:
                numbers[rng.integers(len(numbers))] = rng.choice([0, 1e300, np.nan, 5])
            numbers = np.zeros(shape, kind) if kind[0] in "mUV" else np.nan_to_num(numbers).astype(kind) \
                if np.dtype(kind).kind in "iu" else numbers.astype(kind)
        out = io.BytesIO()
        np.save(out, np.asfortranarray(numbers) if rng.random() < 0.2 else numbers)
        return out.getvalue()
    size, = struct.unpack("<H", data[8:10])
    head, body = ast.literal_eval(data[10:10 + size].decode()), data[10 + size:]
    match rng.integers(0, 7):
        case 0:
            shape = [*array.shape]
            shape[rng.integers(len(shape))] = int(rng.choice([0, -1, 1, 3, 7, 2**31, 2**62, 10**18]))
            head["shape"] = tuple(shape)
        case 1:
            head["shape"] = [(), (3,), (1,) * 40, "x", None, (True, 2, 3), (2.0, 3, 3), array.shape[::-1]][
                rng.integers(0, 8)]
        case 2:
            head["descr"] = ["<f4", ">f8", "|O", "<U9", "|V0", "<f9", "f8,f8", [("x", "<f8")], 5, "<c16", "|b1"][
                rng.integers(0, 11)]
        case 3:
            head["fortran_order"] = [True, 1, None, "x"][rng.integers(0, 4)]
        case 4:
            head.pop(list(head)[rng.integers(len(head))])
        case 5:
            head["more"] = [[[[]]]] * int(rng.integers(1, 50))
        case 6:
            body = body[:int(rng.integers(0, len(body) + 1))] + rng.bytes(int(rng.integers(0, 9)))
    text = (repr(head) + "\n").encode()
    return data[:6] + bytes([[1, 1, 1, 2, 3, 9][rng.integers(0, 6)], 0]) + struct.pack(
        "<H", max(0, len(text) + int(rng.choice([0, 0, 0, 0, -3, 5])))) + text + body
