"""A live partner in Blender: one empty a joint, moved by OSC. Blender's own Python suffices; nothing is installed.

Open this file in Blender's Text Editor and run it. Then, in a shell:
python -m choreo_lib live --in synthetic --out osc:127.0.0.1:9001 --both
To stop, run it again with PORT = 0. Both Blender and choreo_lib use metres and Z up, so nothing is turned.
"""

import socket
import struct

PORT = 9001


def read(message: bytes) -> tuple[str, list[float]]:
    """The address and the numbers of an OSC message of int32 and float32; other messages: no numbers."""

    def text(at: int) -> tuple[str, int]:
        end = message.index(b"\0", at)
        return message[at:end].decode("ascii"), end + 4 - end % 4  # filled with zeros to a multiple of four bytes

    try:
        address, at = text(0)
        kinds, at = text(at)
        if not kinds.startswith(",") or kinds.strip(",if"):
            return address, []
        return address, list(struct.unpack_from(">" + kinds[1:], message, at))
    except (ValueError, struct.error):
        return "", []


def begin() -> None:
    """Listen from now on, in Blender's main thread, between its redraws."""
    import bpy

    kept = bpy.app.driver_namespace  # outlives this text, so that running it again finds what the last run opened
    if "choreo_socket" in kept:
        kept.pop("choreo_socket").close()
    if not PORT:
        return
    kept["choreo_socket"] = heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    heard.bind(("127.0.0.1", PORT))
    heard.setblocking(False)

    def move() -> float | None:
        newest = {}
        try:
            while True:
                address, numbers = read(heard.recv(9000))
                if address.startswith("/choreo/body/") and len(numbers) > 4:
                    newest[address[-1]] = numbers[2:]  # after the frame's number and time
        except BlockingIOError:
            pass  # nothing more has come
        except OSError:
            return None  # closed: Blender calls no more
        for who, numbers in newest.items():
            for joint in range(len(numbers) // 3):
                name = f"{who} {joint:02d}"
                empty = bpy.data.objects.get(name)
                if empty is None:
                    empty = bpy.data.objects.new(name, None)
                    empty.empty_display_size = 0.05
                    bpy.context.scene.collection.objects.link(empty)
                empty.location = numbers[3 * joint : 3 * joint + 3]
        return 1 / 60

    bpy.app.timers.register(move)


if __name__ == "__main__":
    begin()
