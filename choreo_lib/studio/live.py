"""A partner who dances along, live: frames of one dancer in, frames of the other out, over OSC and in a browser.

    python -m choreo_lib live --in osc:9000 --out osc:127.0.0.1:9001 --model duet-synthetic --page 8001

`choreo_lib.studio.osc_messages` has the addresses. Taught in chapter 10, "The studio".
"""

import argparse
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..body.skeleton import Skeleton
from ..core.arguments import a, takes
from ..extensions.duet_forecaster import DuetForecaster
from ..io import read_motion
from ..io.conform import conform
from ..sets.registry import load_motion
from ..show import palette
from .live_partner import Answer, LivePartner
from .local_server import RATE, LocalServer
from .osc_messages import decode, encode, encode_body
from .receive import Datagrams, Take
from .verbs import model_for

STATUS_SECONDS, LONGEST_WAIT = 1.0, 0.25


class Latencies:
    """Milliseconds of the last ``size`` frames, and the most there were; memory does not grow. Chapter: 10."""

    def __init__(self, size: int = 18_000):  # ten minutes at 30 frames a second
        self._kept, self.count, self.most = np.zeros(size, np.float32), 0, 0.0

    def add(self, milliseconds: float) -> None:
        """One frame's. Chapter: 10."""
        self._kept[self.count % len(self._kept)] = milliseconds
        self.count, self.most = self.count + 1, max(self.most, milliseconds)

    def percentiles(self) -> tuple[float, float]:
        """Within how many half of the frames were answered, and 99 of 100; 0 before the first. Chapter: 10."""
        p50, p99 = np.percentile(self._kept[: max(self.count, 1)], [50, 99])
        return float(p50), float(p99)


class LivePage(LocalServer):
    """A page that shows the latest of what `show` was given. Errors: as of `LocalServer`. Chapter: 10."""

    def __init__(self, skeleton: Skeleton, port: int = 8001, host: str = "127.0.0.1"):
        body = {"bones": skeleton.bones, "colours": {"light": palette.DANCERS, "dark": palette.DANCERS_DARK}}
        self._latest, self._next = "", 0.0
        text = Path(__file__).with_name("live_page.html").read_text(encoding="utf-8")
        super().__init__(text.replace("{{body}}", json.dumps(body)), lambda: self._latest, port, host)

    def due(self) -> bool:
        """Whether the next event may be made: `RATE` a second are enough. Chapter: 10."""
        return time.monotonic() >= self._next

    def show(self, **what: Any) -> None:
        """What to draw next, of plain JSON values. Chapter: 10."""
        self._next = time.monotonic() + 1 / RATE
        self._latest = json.dumps(what, separators=(",", ":"))


@takes(partner=a(LivePartner))
class Live:
    """A live set: what a source gives is answered by a partner, and sent to addresses and a page.

    ``source``: `Datagrams` or a `Take`; ``outputs``: (host, port) of each receiver; ``both``: the leader is sent, too.
    Latency is counted from a packet's arrival to when its answer was handed to the network. Whatever arrives, nothing
    is raised: what cannot be used is counted in ``partner.ignored``, what could not be sent in ``unsent``. Chapter: 10.
    """

    def __init__(self, partner: LivePartner, source: Any, outputs: Sequence[tuple[str, int]] = (),
                 page: LivePage | None = None, both: bool = False):
        self.partner, self.source, self.page, self.both = partner, source, page, both
        self.latencies, self.unsent, self.held_frames = Latencies(), 0, 0
        self._outputs = []
        for host, port in outputs:
            kind = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            self._outputs.append((socket.socket(kind[0], socket.SOCK_DGRAM), kind[4]))
        self._said, self._state = float("-inf"), ""

    def run(self, seconds: float = float("inf"), stop: threading.Event | None = None) -> None:
        """Answer until the source ends, so many seconds have passed, or ``stop`` is set. Chapter: 10."""
        ends = time.monotonic() + seconds
        while not self.source.ended and time.monotonic() < ends and not (stop and stop.is_set()):
            self.turn()

    def turn(self) -> None:
        """Hear what has come, answer the newest frame or miss it, and say how it goes. Chapter: 10."""
        partner, now = self.partner, time.monotonic()
        came, clock = self.source.wait(min(partner.next_hold() - now, LONGEST_WAIT)), time.time()
        for arrived, datagram in came:
            for said in decode(datagram, clock):
                partner.take(said, arrived)
        if self.source.lost:
            partner.ignored["queue full"] = self.source.lost
        if (answer := partner.answer()) is not None:
            self._send(answer)
            self.latencies.add(1000 * (time.monotonic() - partner.arrived))
        elif (answer := partner.hold(time.monotonic())) is not None:
            self._send(answer)
            self.held_frames += 1
        if answer is not None:
            self._show()
            partner.prepare()
        if partner.state != self._state or time.monotonic() > self._said + STATUS_SECONDS:
            self._say()

    def report(self) -> str:
        """How it went, in a few lines. Chapter: 10."""
        p50, p99 = self.latencies.percentiles()
        ignored = ", ".join(f"{count} {why}" for why, count in self.partner.ignored.most_common()) or "none"
        return "\n".join(filter(None, (
            f"{self.partner.answered} frames danced, {self.held_frames} of them in silence",
            f"packet in to packet out: p50 {p50:.1f} ms, p99 {p99:.1f} ms, at most {self.latencies.most:.1f} ms",
            f"packets ignored: {ignored}", f"{self.unsent} packets could not be sent" if self.unsent else "",
            self.partner.note)))

    def close(self) -> None:
        """Close the source, the outputs and the page. Chapter: 10."""
        self.source.close()
        for output, _ in self._outputs:
            output.close()
        if self.page is not None:
            self.page.close()

    def _send(self, answer: Answer) -> None:
        partner = self.partner
        self._emit(encode_body(partner.who, answer.frame, answer.time, answer.pose))
        if self.both:
            self._emit(encode_body(partner.leader, answer.frame, answer.time, partner.leader_pose))

    def _emit(self, datagram: bytes) -> None:
        for output, address in self._outputs:
            try:
                output.sendto(datagram, address)
            except OSError:  # nobody listens there now; perhaps somebody will
                self.unsent += 1

    def _say(self) -> None:
        """The state, to every receiver and the page: when it changes, and once a second."""
        partner = self.partner
        if partner.state != self._state:
            print(f"choreo_lib live: {partner.state}", file=sys.stderr)
        self._said, self._state = time.monotonic(), partner.state
        self._emit(encode("/choreo/status", partner.state, partner.held, partner.answered,
                          *self.latencies.percentiles(), partner.ignored.total()))
        self._show()

    def _show(self) -> None:
        if self.page is None or not self.page.due():
            return
        partner, (p50, p99) = self.partner, self.latencies.percentiles()
        poses = {partner.leader: partner.leader_pose, partner.who: partner.pose} if partner.answered else {}
        self.page.show(state=partner.state, held=partner.held, answered=partner.answered, p50_ms=p50, p99_ms=p99,
                       ignored=dict(partner.ignored), note=partner.note,
                       bodies={who: np.round(pose, 3).tolist() for who, pose in sorted(poses.items())})


def add_live_parser(subparsers: Any) -> None:
    """The verb ``live`` and its options; `run_live` does what they say. Chapter: 10."""
    verb = subparsers.add_parser("live", help="a partner who dances along: frames in, frames out, over OSC",
                                 description="Everything stays on this computer unless --host or --out says otherwise.")
    verb.add_argument("--in", dest="source", default="osc:9000", metavar="SOURCE",
                      help="osc:PORT (default osc:9000), or a take's file or name, played at its own rate")
    verb.add_argument("--out", action="append", default=[], metavar="osc:HOST:PORT", help="a receiver; more than once")
    verb.add_argument("--model", default="duet-synthetic", help="a duet model (default: duet-synthetic)")
    verb.add_argument("--who", choices=("a", "b"), default="b", help="whom the model dances (default: b)")
    verb.add_argument("--pair", action="store_true", help="begin from frames of both bodies, where they really stand")
    verb.add_argument("--both", action="store_true", help="send the leader's body, too")
    verb.add_argument("--page", type=int, metavar="PORT", help="show it in a browser at http://127.0.0.1:PORT/")
    verb.add_argument("--host", default="127.0.0.1", help="listen, and serve the page, at this address (this computer)")
    verb.add_argument("--temperature", type=float, default=0.0, help="of what the partner does of its own")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--seconds", type=float, default=float("inf"), help="end after so many")


def run_live(asked: argparse.Namespace) -> int:
    """Dance until the source ends or Ctrl-C. Errors: TrainingError, OSError, those of `read`. Chapter: 10."""
    torch.set_num_threads(1)  # steps of one frame are small: a second thread would wait longer than it works
    model = model_for("partner", asked.model)
    outputs = [_address("--out", text) for text in asked.out]
    partner = LivePartner(model, asked.who, asked.pair, asked.temperature, asked.seed)
    source = _source(asked.source, asked.host, model, partner.leader)
    page = LivePage(model.skeleton, asked.page, asked.host) if asked.page is not None else None
    with closing(Live(partner, source, outputs, page, asked.both)) as live, suppress(KeyboardInterrupt):
        if isinstance(source, Datagrams):
            print(f"choreo_lib live: listening at {source.host}:{source.port}", file=sys.stderr)
        if page is not None:
            print(f"choreo_lib live: http://{asked.host}:{page.port}/", file=sys.stderr)
        live.run(asked.seconds)
    print(live.report())
    return 0


def _source(text: str, host: str, model: DuetForecaster, leader: str) -> Datagrams | Take:
    """What ``--in`` says: a port, or a take, which is brought to the model's body."""
    if text.startswith("osc:"):
        return Datagrams(*_address("--in", text, host))
    motion = read_motion(text) if Path(text).exists() else load_motion(text)
    return Take(conform(motion, model)[0], leader)


def _address(option: str, text: str, host: str = "127.0.0.1") -> tuple[str, int]:
    """The host and port of "osc:PORT" or "osc:HOST:PORT". Errors: ValueError."""
    found = re.fullmatch(r"osc:(?:(.+):)?(\d{1,5})", text)
    if not found or int(found[2]) > 65535:
        raise ValueError(f"{option} must be osc:PORT or osc:HOST:PORT, such as osc:127.0.0.1:9001; got {text}")
    return found[1] or host, int(found[2])
