#!/usr/bin/env bash
# A network built on PyTorch's device "meta", to learn its weights' shapes without their memory. Layers alone cost nothing;
# a range for a positional encoding imports SymPy, and a triangle for a causal mask, an identity or a normal start PyTorch's
# compiler too, some hundreds of modules: up to a second, where the network takes milliseconds. On the CPU none does.
# Seen with torch 2.13.0. Exits 1 when this changes.
set -euo pipefail
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install -q --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cat > "$place/build.py" <<'PY'
import sys
import time

import torch
from torch import nn

parts = {
    "layers": lambda: nn.Sequential(nn.Linear(87, 64), nn.LSTM(64, 64), nn.TransformerDecoderLayer(64, 8)),
    "range": lambda: torch.arange(54),
    "triangle": lambda: torch.ones(54, 54).triu(1),
    "identity": lambda: torch.eye(29),
    "normal start": lambda: nn.init.normal_(torch.empty(64)),
}
device, part = sys.argv[1:]
before, begun = len(sys.modules), time.process_time()
with torch.device(device):
    parts[part]()
brought = sorted({"torch._dynamo", "sympy"} & sys.modules.keys())
print(f"torch {torch.__version__}, {device}, {part}: {len(sys.modules) - before} modules more, "
      f"{1000 * (time.process_time() - begun):.0f} ms; among them {brought or 'neither'}")
if device == "cpu" or part == "layers":
    expected = []
else:
    expected = ["sympy"] if part == "range" else ["sympy", "torch._dynamo"]
sys.exit(0 if brought == expected else 1)
PY
for device in cpu meta; do
  for part in layers range triangle identity "normal start"; do
    "$place/venv/bin/python" "$place/build.py" "$device" "$part"
  done
done
