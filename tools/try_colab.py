"""Run chapters as Colab would: its Python and packages, a checkout that pip installs, a stand-in for `google.colab`.

In an environment made for it, never in the book's own, since the set-up cell installs into it:

    python3.13 -m venv colab && colab/bin/pip install -r tests/colab-freeze.txt
    colab/bin/python tools/try_colab.py notebooks/01_seeing_a_duet.ipynb

Each chapter is copied to an empty folder; its set-up cell finds this repository where the published address will be.
Said is, for each: the seconds, what the install added and replaced (Colab may lose nothing), which cells fail, and
which texts differ from those that are stored (not warnings, which are the versions'). Cells that need a real set are
left out. The stand-in exists for these kernels only, and mounts no Drive.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from importlib.metadata import distributions, version
from pathlib import Path

import compare_notebooks
import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
STAND_IN = '"""Stands in for Colab\'s own module while a chapter is tried elsewhere."""\n'


def installed() -> dict[str, str]:
    """Name and version of all that is installed here."""
    done = subprocess.run([sys.executable, "-m", "pip", "list", "--format=json"], capture_output=True, text=True,
                          check=True)
    return {each["name"].lower(): each["version"] for each in json.loads(done.stdout)}


def attempt(path: Path) -> list[str]:
    """Run one chapter; what went wrong, a line each."""
    subprocess.run([sys.executable, "-m", "pip", "uninstall", "-qy", "choreo-lib"], check=True)  # a runtime of its own
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, "stand-in", "google", "colab")
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(STAND_IN, encoding="utf-8")
        text = path.read_text(encoding="utf-8")
        text = re.sub(r'(REPOSITORY = \\?")https://github\.com/[\w./-]+', rf"\1{ROOT.as_uri()}", text)
        stored, tried = (nbformat.reads(text, as_version=4) for _ in range(2))
        for cell in tried.cells:
            if "real-data" in cell.metadata.get("tags", []):
                cell.source = ""
        place = Path(folder, "content")
        place.mkdir()
        os.environ["PYTHONPATH"] = str(package.parents[1])
        client = NotebookClient(tried, timeout=1800, kernel_name="python3", allow_errors=True,
                                resources={"metadata": {"path": str(place)}})
        client.execute()
    return compare_notebooks.faults(stored, tried, warnings=False)


def main(paths: list[Path]) -> int:
    """Try chapters one after another; the exit code."""
    print(f"Python {sys.version.split()[0]}", *(f"{name} {version(name)}" for name in (
        "numpy", "torch", "ipywidgets", "ipython", "ipykernel", "matplotlib")), sep=", ")
    wrong = 0
    for path in paths:
        before, start = installed(), time.perf_counter()
        faults = attempt(path)
        after = installed()
        print(f"{path.name}: {time.perf_counter() - start:.0f} s;",
              f"added: {', '.join(sorted(set(after) - set(before))) or 'nothing'};",
              f"replaced: {', '.join(n for n in before if after.get(n) != before[n]) or 'nothing'};",
              "no cell fails, every text as stored" if not faults else f"{len(faults)} cells to look at")
        print("".join(f"  {fault}\n" for fault in faults), end="")
        wrong += len(faults)
    return int(bool(wrong))


if __name__ == "__main__":
    if any(each.metadata["Name"] == "jupyter-book" for each in distributions()):
        sys.exit("This is the book's own environment; make one as Colab's is (see the top of this file)")
    sys.exit(main([Path(name) for name in sys.argv[1:]]))
