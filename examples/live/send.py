"""Send a recording as OSC, as a capture system would.

Run: python examples/live/send.py my_dance.bvh --to 127.0.0.1:9000
Every frame is one message, /choreo/body/a, with its number, its time and x y z of each joint of the model, in metres.
A name such as "synthetic" sends a dance that comes with the library.
"""

import argparse
import socket
import time
from pathlib import Path

import choreo_lib as cl
from choreo_lib.studio.osc_messages import encode_body

parser = argparse.ArgumentParser()
parser.add_argument("take", help="a file that choreo_lib reads, or the name of a duet")
parser.add_argument("--to", default="127.0.0.1:9000", metavar="HOST:PORT")
parser.add_argument("--model", default="duet-synthetic", help="whose joints are sent")
asked = parser.parse_args()
host, port = asked.to.rsplit(":", 1)

take = cl.read_motion(asked.take) if Path(asked.take).exists() else cl.load_duet(asked.take).a
take, report = cl.conform(take, cl.load_model(asked.model))
print(report)

sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
began = time.monotonic()
for number, pose in enumerate(take.positions):
    time.sleep(max(0.0, began + number / take.fps - time.monotonic()))
    seconds = 1 + number / take.fps  # from 1, since a time of 0 says that there is no clock
    sender.sendto(encode_body("a", number, seconds, pose), (host, int(port)))
print(f"{len(take)} frames sent to {asked.to}")
