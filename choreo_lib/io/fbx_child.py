"""The half of the FBX reader that runs in a process of its own: `fbx_scene.Scene` starts it and asks.

ufbx's Python binding ends the interpreter, not the call, when a list is dropped before what came out of it; so all that
was touched is kept alive, and where that is not enough, it costs one file. Nothing of the library is imported, so that
it starts in milliseconds. Taught in chapter 1, "Seeing a duet".

In: a line of JSON [folder of ufbx, bytes], the file's bytes, then requests: a line of JSON [stack, nodes, count]
and that many times as doubles. Out: a line of JSON about the scene, then for each request a line and the nodes'
matrices as doubles, 12 a node and time. A line that holds a string is an error.
"""

import array
import json
import os
import sys

LIMIT = {"memory_limit": 300_000_000}


def describe(scene, keep) -> tuple[list, dict]:
    """The animations, and what there is to know about the scene; all that is touched goes through ``keep``."""
    anims, stacks, nodes = [], [], []
    for stack in keep(list(keep(scene.anim_stacks))) or [None]:
        anim = keep(scene.anim if stack is None else stack.anim)
        spans = [(curve.min_time, curve.max_time) for curve in _curves(scene, stack, keep)]
        first, last = min((span[0] for span in spans), default=0.0), max((span[1] for span in spans), default=0.0)
        anims.append(anim)
        stacks.append(["" if stack is None else stack.name, anim.time_begin, anim.time_end, first, last])
    for node in keep(list(keep(scene.nodes))):
        kind, parent = node.attrib_type.name, -1 if node.is_root else keep(node.parent).typed_id
        nodes.append([node.name, parent, kind.lower() if kind in ("BONE", "EMPTY") else ""])
    settings = keep(scene.settings)
    axes = keep(settings.axes)
    return anims, {"nodes": nodes, "stacks": stacks, "fps": settings.frames_per_second,
                   "unit": settings.unit_meters, "axes": [int(axes.right), int(axes.up), int(axes.front)]}


def _curves(scene, stack, keep) -> list:
    """The curves of a stack, or of the whole scene where there is none."""
    if stack is None:
        return list(keep(scene.anim_curves))
    found = []
    for layer in keep(list(keep(stack.layers))):
        for value in keep(list(keep(layer.anim_values))):
            found += [curve for curve in keep(value.curves) if curve is not None]
    return keep(found)


def sample(scene, anim, picked, times, sink) -> None:
    """Write the picked nodes' matrices to the world, frame by frame."""
    for time in times:
        numbers = array.array("d")
        with scene.evaluate(anim, time) as frame:
            listed = frame.nodes
            nodes = list(listed)
            for i in picked:
                for column in nodes[i].node_to_world:
                    numbers.extend(column)
            del nodes, listed  # in this order, and before the frame
        sink.write(numbers.tobytes())


def main(source, sink) -> None:
    """Load one file, describe it, and answer until nobody asks."""
    def reply(answer):
        sink.write(json.dumps(answer).encode() + b"\n")
        sink.flush()
    folder, size = json.loads(source.readline())
    sys.path.append(folder)
    import ufbx
    data, alive = source.read(size), []

    def keep(thing):
        alive.append(thing)
        return thing
    try:
        scene = ufbx.load_memory(data, ignore_geometry=True, ignore_embedded=True, temp_allocator=LIMIT,
                                 result_allocator=LIMIT)
        anims, about = describe(scene, keep)
    except Exception as error:  # whatever it is, the file is none that ufbx reads
        return reply(str(error)[:160] or type(error).__name__)
    reply(about)
    while line := source.readline():
        stack, picked, count = json.loads(line)
        times = array.array("d", source.read(8 * count))
        reply(None)
        sample(scene, anims[stack], picked, times, sink)
        sink.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
    sys.stdout.buffer.flush()
    os._exit(0)  # no last round of dropping objects
