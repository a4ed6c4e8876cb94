"""Do the tests notice a fault in the code? python tools/mutate.py [--list] [--only NUMBER ...] [--timeout SECONDS]

tests/mutants.json is a list of {"file", "old", "new", "tests"}: a text that stands once in a file, the fault to put in
its place, and the tests that must fail then (paths, and options of pytest such as -k, in one string). Each is written
into a copy of the tree, never into the checkout, and its tests run there until the first one fails. Before that, the
same tests must pass without the fault. A mutant whose tests fail or do not end in time is killed; the exit status is 1
if one survives.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*build", "runs", "output", "node_modules", "*.egg-info")


def load(root: Path = ROOT) -> list[dict[str, str]]:
    """All mutants of a tree."""
    return json.loads((root / "tests" / "mutants.json").read_text(encoding="utf-8"))


def mutated(mutant: dict[str, str], root: Path = ROOT) -> str:
    """The text of the mutant's file with the fault in it. Errors: ValueError where ``old`` does not occur once."""
    text = (root / mutant["file"]).read_text(encoding="utf-8")
    if text.count(mutant["old"]) != 1:
        raise ValueError(f"{mutant['file']} has {text.count(mutant['old'])} times, not once: {mutant['old']!r}")
    return text.replace(mutant["old"], mutant["new"])


def passes(tests: str, folder: Path, timeout: float) -> bool:
    """Whether the tests pass in a folder, and in time."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *shlex.split(tests)]
    settings = {"PYTHONPATH": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # plugins take half of the time
                "PYTHONDONTWRITEBYTECODE": "1"}  # bytecode of the file before may look fresh
    try:
        return subprocess.run(command, cwd=folder, env=os.environ | settings, timeout=timeout,
                              capture_output=True).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def judge(mutants: Sequence[dict[str, str]], root: Path = ROOT, timeout: float = 600) -> Iterator[str]:
    """What becomes of each mutant in turn: "killed", "survived", or "tests fail without it"."""
    sound: dict[str, bool] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "tree")
        shutil.copytree(root, folder, ignore=LEFT_OUT, symlinks=True)
        for mutant in mutants:
            tests, path = mutant["tests"], folder / mutant["file"]
            if tests not in sound:
                sound[tests] = passes(tests, folder, timeout)
            text = path.read_text(encoding="utf-8")
            path.write_text(mutated(mutant, folder), encoding="utf-8")
            yield ("tests fail without it" if not sound[tests] else
                   "survived" if passes(tests, folder, timeout) else "killed")
            path.write_text(text, encoding="utf-8")


def main() -> int:
    """Judge the mutants that are asked for, and say how many survive."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="show the mutants and run nothing")
    parser.add_argument("--only", type=int, nargs="+", metavar="NUMBER", help="these, as --list numbers them")
    parser.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="for one mutant's tests (600)")
    asked = parser.parse_args()
    mutants = load()
    chosen = range(len(mutants)) if asked.only is None else asked.only
    verdicts = iter([""] * len(chosen)) if asked.list else judge([mutants[k] for k in chosen], timeout=asked.timeout)
    survivors = 0
    for done, k in enumerate(chosen, start=1):
        old, new = (" ".join(mutants[k][key].split()) for key in ("old", "new"))
        words = f"{k:3d} {mutants[k]['file']}: {old[:60]}  ->  {new[:60] or '(nothing)'}"
        verdict = next(verdicts)
        survivors += verdict not in ("", "killed")
        print(words if asked.list else f"[{done}/{len(chosen)}] {words}: {verdict}", flush=True)
    if not asked.list:
        print(f"{len(chosen)} mutants, {survivors} not killed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
