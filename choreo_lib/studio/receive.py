"""Where a live set's frames come from: a network, or a file at its own rate. Taught in chapter 10."""

import socket
import threading
import time
from collections import deque

from ..body.motion import Motion
from ..core.arguments import a, choice, takes
from .osc_messages import MAX_BYTES, encode_body

WAITING = 1024  # datagrams that are kept until they are looked at; at 30 frames a second, half a minute of two bodies
Arrived = list[tuple[float, bytes]]  # our second of arrival, and a datagram


class Datagrams:
    """A UDP port, heard by a thread that notes arrivals. Errors: OSError where it is taken. Chapter: 10."""

    ended = False

    def __init__(self, host: str, port: int):
        kind = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self.socket = socket.socket(kind[0], socket.SOCK_DGRAM)
        self.socket.bind(kind[4])
        self.host, self.port = self.socket.getsockname()[:2]
        self.lost = 0  # datagrams for which there was no room
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._came, self._closed = threading.Event(), False
        self._thread = threading.Thread(target=self._listen, name="OSC in", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._closed:
            try:
                datagram = self.socket.recv(MAX_BYTES + 1)  # a byte more: what is longer is known as too long
            except OSError:  # closed; or on Windows, what was sent before had no receiver, or one is too long
                continue
            if len(self._waiting) < WAITING:
                self._waiting.append((time.monotonic(), datagram))
            else:
                self.lost += 1
            self._came.set()

    def wait(self, seconds: float) -> Arrived:
        """What has come, waiting for the first one as long as this. Chapter: 10."""
        self._came.wait(max(seconds, 0))
        self._came.clear()
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def close(self) -> None:
        """Listen no longer. Chapter: 10."""
        self._closed = True
        try:  # wakes the thread: closing alone does not, on Linux
            with socket.socket(self.socket.family, socket.SOCK_DGRAM) as bell:
                bell.sendto(b"", self.socket.getsockname())
        except OSError:
            pass
        self._thread.join(1)
        self.socket.close()


@takes(motion=a(Motion), who=choice("a", "b"))
class Take:
    """A motion, as datagrams of one body, each when it is due. Chapter: 10."""

    def __init__(self, motion: Motion, who: str = "a"):
        self.motion, self.who, self.lost = motion, who, 0
        self.frame, self.began = 0, time.monotonic()

    @property
    def ended(self) -> bool:
        """Whether the last frame was given."""
        return self.frame == len(self.motion)

    def wait(self, seconds: float) -> Arrived:
        """The frames that are due by then, waiting for the first one as long as this. Chapter: 10."""
        due = self.began + self.frame / self.motion.fps
        time.sleep(max(min(due - time.monotonic(), seconds), 0))
        found: Arrived = []
        now = time.monotonic()
        while not self.ended and (due := self.began + self.frame / self.motion.fps) <= now:
            seconds_in = 1 + self.frame / self.motion.fps  # a time of 0 would mean that there is no clock
            found.append((due, encode_body(self.who, self.frame, seconds_in, self.motion.positions[self.frame])))
            self.frame += 1
        return found

    def close(self) -> None:
        """Nothing is open. Chapter: 10."""
