"""Run every chapter in a clean kernel and store what it shows, the same bytes for the same results.

`make notebooks` sets CHOREO_PUBLISH=1, so that motion which may not be redistributed appears as film. A chapter that
fails keeps its old outputs, and the others still run. How long each took goes to data/timings.json.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import runpy
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
atomic_write = runpy.run_path(str(ROOT / "choreo_lib" / "core" / "files.py"))["atomic_write"]
TIMINGS = ROOT / "data" / "timings.json"
WIDGETS = "application/vnd.jupyter.widget-state+json"


def name_cells(notebook) -> None:
    """Give an id to each cell that has none or another's, made from its place and text."""
    seen = set()
    for number, cell in enumerate(notebook.cells):
        if not cell.get("id") or cell.id in seen:
            cell.id = hashlib.sha256(f"{number}\n{cell.source}".encode()).hexdigest()[:8]
        seen.add(cell.id)


def join_streams(outputs: list) -> list:
    """Text printed in one go may arrive in several pieces; put it together again."""
    joined = []
    for output in outputs:
        if joined and output.output_type == joined[-1].output_type == "stream" and output.name == joined[-1].name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def reproducible_text(notebook) -> str:
    """The notebook as text, without what differs from run to run."""
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3", "file_extension": ".py"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        cell.metadata.pop("ExecuteTime", None)
        if cell.cell_type == "code":
            cell.outputs = join_streams(cell.outputs)
    text = nbformat.writes(notebook)
    # Widgets get random ids; number them in the order in which the page meets them.
    state = notebook.metadata.get("widgets", {}).get(WIDGETS, {}).get("state", {})
    shown = [match for match in dict.fromkeys(re.findall(r"\b[0-9a-f]{32}\b", text)) if match in state]
    for number, model in enumerate(shown):
        text = text.replace(model, f"{number:032x}")
    return nbformat.writes(nbformat.reads(text, as_version=4)) + "\n"  # sorted again by the new names


def smaller(picture: str) -> str:
    """A PNG in base64 of the same pixels in fewer bytes: without an alpha channel that says nothing, packed well."""
    image, out = Image.open(io.BytesIO(base64.b64decode(picture))), io.BytesIO()
    if image.mode == "RGBA" and image.getextrema()[3] == (255, 255):
        image = image.convert("RGB")
    image.save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


def with_small_pictures(notebook):
    """The notebook, each of whose pictures is packed as `smaller` packs it, where that helps."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if png := output.get("data", {}).get("image/png"):
            output["data"]["image/png"] = min(png, smaller(png) + "\n", key=len)
    return notebook


def needs_real_data(notebook) -> bool:
    """Whether any cell is tagged real-data."""
    return any("real-data" in cell.metadata.get("tags", []) for cell in notebook.cells)


def execute(path: Path) -> float:
    """Run one chapter, write it back, and give the seconds it took."""
    notebook = nbformat.read(path, as_version=4)
    name_cells(notebook)
    notebook.metadata.pop("widgets", None)
    started = time.perf_counter()
    NotebookClient(notebook, timeout=1800, kernel_name="python3", record_timing=False,
                   resources={"metadata": {"path": str(path.parent)}}).execute()
    seconds = time.perf_counter() - started
    with atomic_write(path) as half:
        half.write_text(reproducible_text(with_small_pictures(notebook)), encoding="utf-8")
    return seconds


def main(names: list[str]) -> int:
    """Run the chapters named, or all."""
    sys.path.insert(0, str(ROOT))
    from conftest import absent, core_sets

    paths = [Path(name).resolve() for name in names] or sorted((ROOT / "notebooks").glob("*.ipynb"))
    reason = absent(*core_sets())
    timings = json.loads(TIMINGS.read_text(encoding="utf-8")) if TIMINGS.exists() else {}
    failed = 0
    for path in paths:
        if reason and needs_real_data(nbformat.read(path, as_version=4)):
            print(f"{path.name}: not run, since some of its cells need real sets: {reason}")
            failed += 1
            continue
        print(f"{path.name} ...", end=" ", flush=True)
        try:
            seconds = execute(path)
        except CellExecutionError as error:
            print(f"failed, and keeps its old outputs\n{error}")
            failed += 1
            continue
        print(f"{seconds:.0f} s, {path.stat().st_size / 1e6:.1f} MB")
        timings[path.stem] = {"seconds": round(seconds), "mode": os.environ.get("CHOREO_MODE", "quick"),
                              "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity")
                              else os.cpu_count()}
    with atomic_write(TIMINGS) as half:
        half.write_text(json.dumps(timings, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
