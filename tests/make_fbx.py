"""FBX files from code: ASCII FBX 7.4, skeletons with animation stacks, so that tests need no binary beside them.

A second of FBX time is 46,186,158,000 ticks. Rotations are Euler angles in degrees, x first; places in file units.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

TICKS = 46_186_158_000
BODY = {  # name: parent, offset in centimetres; Y up, looking along z, feet on the floor when the hips are at 90
    "Hips": (None, (0, 90, 0)), "Spine": ("Hips", (0, 12, 0)), "Chest": ("Spine", (0, 18, 0)),
    "Neck": ("Chest", (0, 20, 0)), "Head": ("Neck", (0, 10, 2)), "LeftArm": ("Chest", (16, 15, 0)),
    "LeftForeArm": ("LeftArm", (28, 0, 0)), "LeftHand": ("LeftForeArm", (25, 0, 0)),
    "RightArm": ("Chest", (-16, 15, 0)), "RightForeArm": ("RightArm", (-28, 0, 0)),
    "RightHand": ("RightForeArm", (-25, 0, 0)), "LeftUpLeg": ("Hips", (9, -4, 0)),
    "LeftLeg": ("LeftUpLeg", (0, -42, 0)),
    "LeftFoot": ("LeftLeg", (0, -42, 0)), "LeftToeBase": ("LeftFoot", (0, -2, 14)),
    "RightUpLeg": ("Hips", (-9, -4, 0)), "RightLeg": ("RightUpLeg", (0, -42, 0)),
    "RightFoot": ("RightLeg", (0, -42, 0)),
    "RightToeBase": ("RightFoot", (0, -2, 14)),
}


@dataclass
class Stack:
    """An animation: curves {node: {"T" or "R": array [frames, 3]}} at ``fps``; ``stated`` is its range, or None."""

    name: str
    curves: dict
    fps: float = 30.0
    stated: tuple[float, float] | None = field(default=(0.0, -1.0))  # the end -1: that of the curves


def body(prefix="", shift=(0, 0, 0), parent=None, kind="LimbNode", bones=BODY) -> dict:
    """Nodes {name: (parent's name, offset, kind)} of a person."""
    return {prefix + name: (parent if above is None else prefix + above,
                            tuple(np.add(offset, shift)) if above is None else offset, kind)
            for name, (above, offset) in bones.items()}


def sway(prefix="", frames=30, start=(0, 90, 0), reach=40.0) -> dict:
    """Curves of a body that walks along x and lifts an arm."""
    time = np.arange(frames) / 30
    path = np.array(start) + np.stack([reach * time, 0 * time, 0 * time], axis=-1)
    arm = np.stack([0 * time, 0 * time, 60 * np.sin(2 * time)], axis=-1)
    return {prefix + "Hips": {"T": path}, prefix + "LeftArm": {"R": arm}}


def still(prefix="", frames=30, start=(0, 90, 0)) -> dict:
    """Curves of a body that stands."""
    return {prefix + "Hips": {"T": np.repeat(np.array([start], float), frames, axis=0)}}


def write(path, nodes: dict, stacks=(), unit=1.0, fps_mode=6, up=1):
    """Write a file: nodes as `body` gives them, ``unit`` in centimetres, ``up`` axis 1 (Y) or 2 (Z)."""
    front, number = {1: (2, 1), 2: (1, -1)}[up], {name: 1000 + i for i, name in enumerate(nodes)}
    out = ["; FBX 7.4.0 project file", "FBXHeaderExtension:  {", "\tFBXHeaderVersion: 1003", "\tFBXVersion: 7400", "}",
           "GlobalSettings:  {", "\tVersion: 1000", "\tProperties70:  {"]
    for key, value in (("UpAxis", up), ("UpAxisSign", 1), ("FrontAxis", front[0]), ("FrontAxisSign", front[1]),
                       ("CoordAxis", 0), ("CoordAxisSign", 1)):
        out.append(f'\t\tP: "{key}", "int", "Integer", "",{value}')
    out += [f'\t\tP: "UnitScaleFactor", "double", "Number", "",{unit}', f'\t\tP: "TimeMode", "enum", "", "",{fps_mode}',
            "\t}", "}", "Objects:  {"]
    links = []
    for name, (parent, offset, kind) in nodes.items():
        i = number[name]
        out += [f'\tModel: {i}, "Model::{name}", "{kind}" {{', "\t\tVersion: 232", "\t\tProperties70:  {",
                '\t\t\tP: "Lcl Translation", "Lcl Translation", "", "A",' + ",".join(f"{x:.9g}" for x in offset),
                "\t\t}", "\t}", f'\tNodeAttribute: {i + 4000}, "NodeAttribute::", "{kind}" {{',
                f'\t\tTypeFlags: "{"Skeleton" if kind == "LimbNode" else "Null"}"', "\t}"]
        links += [f'\tC: "OO",{i},{number.get(parent, 0)}', f'\tC: "OO",{i + 4000},{i}']
    fresh = 20_000
    for stack in stacks:
        top, layer, fresh = fresh, fresh + 1, fresh + 2
        frames = max((len(values) for each in stack.curves.values() for values in each.values()), default=1)
        out += [f'\tAnimationStack: {top}, "AnimStack::{stack.name}", "" {{', "\t\tProperties70:  {"]
        if stack.stated is not None:
            begin, end = stack.stated[0], (frames - 1) / stack.fps if stack.stated[1] < 0 else stack.stated[1]
            out += [f'\t\t\tP: "{key}", "KTime", "Time", "",{round(seconds * TICKS)}'
                    for key, seconds in (("LocalStart", begin), ("LocalStop", end))]
        out += ["\t\t}", "\t}", f'\tAnimationLayer: {layer}, "AnimLayer::Base", "" {{', "\t}"]
        links.append(f'\tC: "OO",{layer},{top}')
        for name, each in stack.curves.items():
            for kind, values in each.items():
                curved, fresh = fresh, fresh + 1
                out += [f'\tAnimationCurveNode: {curved}, "AnimCurveNode::{kind}", "" {{', "\t\tProperties70:  {"]
                out += [f'\t\t\tP: "d|{axis}", "Number", "", "A",{values[0][k]:.9g}' for k, axis in enumerate("XYZ")]
                out += ["\t\t}", "\t}"]
                links += [f'\tC: "OO",{curved},{layer}', f'\tC: "OP",{curved},{number[name]}, "Lcl '
                          + {"T": "Translation", "R": "Rotation"}[kind] + '"']
                times = ",".join(str(round(t / stack.fps * TICKS)) for t in range(len(values)))
                for k, axis in enumerate("XYZ"):
                    numbers = ",".join(f"{x:.9g}" for x in np.asarray(values)[:, k])
                    out += [f'\tAnimationCurve: {fresh}, "AnimCurve::", "" {{', "\t\tDefault: 0", "\t\tKeyVer: 4008",
                            f"\t\tKeyTime: *{len(values)} {{", f"\t\t\ta: {times}", "\t\t}",
                            f"\t\tKeyValueFloat: *{len(values)} {{", f"\t\t\ta: {numbers}", "\t\t}",
                            "\t\tKeyAttrFlags: *1 {", "\t\t\ta: 4", "\t\t}", "\t\tKeyAttrDataFloat: *4 {",
                            "\t\t\ta: 0,0,0,0", "\t\t}", "\t\tKeyAttrRefCount: *1 {", f"\t\t\ta: {len(values)}",
                            "\t\t}", "\t}"]
                    links.append(f'\tC: "OP",{fresh},{curved}, "d|{axis}"')
                    fresh += 1
    out += ["}", "Connections:  {", *links, "}", ""]
    path.write_text("\n".join(out), encoding="utf-8")
    return path
