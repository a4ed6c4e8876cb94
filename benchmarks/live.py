"""A partner live, both ends on this computer: file to OSC to partner to a receiver, and hostile packets between.

The live set runs in a process of its own, as it would on stage; this one sends a take at its rate and hears the
answers. Round trip is from before a packet is sent to after its answer is heard, by one clock, so it holds the
network, both queues and what the machine does besides. Then the same with so many harmless malformed packets spread
evenly between the frames. On a busy computer the clock measures the others: --processor gives, in one process without
a network, the processor's time from packet to packet instead.
Run: python benchmarks/live.py --minutes 10 --hostile 100000
"""

from __future__ import annotations

import argparse
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time

import numpy as np
import torch

import choreo_lib as cl
from choreo_lib.sets import synthetic
from choreo_lib.studio.live import Live
from choreo_lib.studio.live_partner import LivePartner
from choreo_lib.studio.osc_messages import Body, decode, encode, encode_body


def hostile(pose: np.ndarray, count: int = 512) -> list[bytes]:
    """Packets that are wrong, each in its own way: chance, cut short, other types, NaN, far places, far time tags."""
    random, found = np.random.default_rng(0), []
    good, numbers = encode_body("a", 1, 1.0, pose), pose.ravel().tolist()
    for k in range(count):
        kind, at = k % 8, int(random.integers(1, len(good)))
        found.append((
            random.bytes(int(random.integers(1, 1400))), good[:at], good[:at] + b"\xff" + good[at + 1 :],
            encode("/choreo/body/a", "frame", 1.0, *numbers),
            encode("/choreo/body/a", 1, 1.0, float("nan"), *numbers[1:]), encode_body("c", 1, 1.0, pose),
            encode_body("a", 10**9, 1.0, pose + 1000),
            b"#bundle\0" + struct.pack(">III", 2**32 - 1, 0, len(good)) + good)[kind])
    return found


def set_going(model: str) -> tuple[subprocess.Popen, int, socket.socket]:
    """A live set in a process of its own, its port, and a socket that hears it."""
    ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    ear.bind(("127.0.0.1", 0))
    command = [sys.executable, "-m", "choreo_lib", "live", "--in", "osc:0", "--out",
               f"osc:{ear.getsockname()[1]}", "--model", model]
    this = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    port = None
    while port is None:
        line = this.stderr.readline()
        if not line:
            raise SystemExit("the live set did not begin")
        found = re.search(r"listening at .*:(\d+)$", line.strip())
        port = int(found[1]) if found else None
    return this, port, ear


def dance(model: str, fps: float, poses: np.ndarray, seconds: float, packets: list[bytes], between: int) -> str:
    """Send for so long, ``between`` hostile packets a frame, and hear; what was measured, in words."""
    frames = int(seconds * fps)
    this, port, ear = set_going(model)
    mouth, trips, sent_at, wrong = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), {}, {}, 0
    began, step = time.perf_counter() + 1, 1 / fps
    try:
        for k in range(frames + int(fps)):  # a second more, to hear what is late
            slots = between if k < frames else 0
            for slot in range(slots + 1):
                due = began + (k + slot / (slots + 1)) * step
                while (left := due - time.perf_counter()) > 0:
                    if select.select([ear], [], [], left)[0]:
                        heard = ear.recv(9000)
                        now = time.perf_counter()
                        for said in decode(heard, 0):
                            if isinstance(said, Body):
                                number = round((said.time - 1) * fps)
                                if number in sent_at and number not in trips:
                                    trips[number] = 1000 * (now - sent_at[number])
                if slot == 0 and k < frames:
                    sent_at[k] = time.perf_counter()
                    mouth.sendto(encode_body("a", k, 1 + k * step, poses[k % len(poses)]), ("127.0.0.1", port))
                elif slot:
                    mouth.sendto(packets[wrong % len(packets)], ("127.0.0.1", port))
                    wrong += 1
        alive = this.poll() is None
        this.send_signal(signal.SIGINT)
        told, _ = this.communicate(timeout=60)
    finally:
        this.kill()
        mouth.close()
        ear.close()
    ms = np.array([trips[k] for k in sorted(trips)])
    p50, p99 = np.percentile(ms, [50, 99])
    return (f"{frames} frames at {fps:g} a second, {wrong} hostile packets; alive at the end: {alive}\n"
            f"round trip: p50 {p50:.1f} ms, p99 {p99:.1f} ms, at most {ms.max():.1f} ms; "
            f"{frames - len(ms)} frames without an answer of their own\n" + told.strip())


class Fed:
    """A source that has the next frame whenever it is asked, after some hostile packets."""

    lost, ended, turns = 0, False, 0

    def __init__(self, fps: float, poses: np.ndarray, packets: list[bytes], between: int):
        self.fps, self.poses, self.packets, self.between = fps, poses, packets, between

    def wait(self, seconds: float) -> list[tuple[float, bytes]]:
        k, self.turns = self.turns, self.turns + 1
        found = [self.packets[(k * self.between + j) % len(self.packets)] for j in range(self.between)]
        found.append(encode_body("a", k, 1 + k / self.fps, self.poses[k % len(self.poses)]))
        self.began = time.thread_time()
        return [(time.monotonic(), packet) for packet in found]

    def close(self) -> None:
        pass


def by_processor(model, poses: np.ndarray, packets: list[bytes], between: int, frames: int) -> str:
    """Milliseconds of the processor from packet to packet, and what is done after it, for the next frame."""
    torch.set_num_threads(1)
    source, spent = Fed(model.fps, poses, packets, between), []

    class Timed(Live):
        def _send(self, answer):
            super()._send(answer)
            spent.append(1000 * (time.thread_time() - source.began))

    this = Timed(LivePartner(model), source, [("127.0.0.1", 9)])
    for _ in range(frames):
        this.turn()
    this.close()
    p50, p99 = np.percentile(spent[30:], [50, 99])
    return (f"{frames} frames, {frames * between} hostile packets; processor time from packet to packet: "
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms\n" + this.report().splitlines()[2])


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would hand on its deaf ear
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="duet-synthetic")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--hostile", type=int, default=100_000, help="packets, spread over as long again; 0: none")
    parser.add_argument("--processor", type=int, metavar="FRAMES", help="the processor's time for so many frames")
    asked = parser.parse_args()
    model = cl.load_model(asked.model)
    poses = cl.conform(synthetic.duet("canon", 1800, seed=3).a, model)[0].positions
    poses = np.concatenate([poses, poses[::-1]])  # there and back, so that it goes on without a jump
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    if asked.processor:
        print(by_processor(model, poses, [], 0, asked.processor))
        print(by_processor(model, poses, hostile(poses[0]), max(asked.hostile // asked.processor, 1), asked.processor))
        return
    seconds = 60 * asked.minutes
    print(dance(asked.model, model.fps, poses, seconds, [], 0))
    if asked.hostile:
        between = max(round(asked.hostile / (seconds * model.fps)), 1)
        print(dance(asked.model, model.fps, poses, seconds, hostile(poses[0]), between))
    print(f"load {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
