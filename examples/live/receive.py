"""Hear a live partner and say where its pelvis is.

Run: python examples/live/receive.py --port 9001
It needs python-osc and nothing of choreo_lib: what is done here, any program can do that understands OSC.
"""

import argparse

from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer


def body(address: str, frame: int, seconds: float, *numbers: float) -> None:
    """Numbers are x y z of one joint after another, in metres, Z up; the first joint is the pelvis."""
    if frame % 30 == 0:
        x, y, z = numbers[:3]
        print(f"{address} frame {frame} at {seconds:.2f} s: pelvis at {x:+.2f} {y:+.2f} {z:.2f} m, "
              f"{len(numbers) // 3} joints")


def status(address: str, state: str, held: int, frames: int, p50: float, p99: float, ignored: int) -> None:
    """Once a second, and when the state changes."""
    print(f"{state}: {frames} frames, {held} held in a row; 99 % within {p99:.1f} ms; {ignored} packets ignored")


parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=9001)
heard = Dispatcher()
heard.map("/choreo/body/*", body)
heard.map("/choreo/status", status)
BlockingOSCUDPServer(("127.0.0.1", parser.parse_args().port), heard).serve_forever()
