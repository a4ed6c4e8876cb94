"""Resolve the package against what Colab has installed: it may add, and must replace nothing.

python tools/resolve_colab.py colab-freeze.txt      (needs uv and a package index)
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;+]+)")


def plain(name: str) -> str:
    """A package's name as an index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> dict[str, str]:
    """The packages pinned in a freeze or a resolution, without local version labels."""
    return {plain(match[1]): match[2] for line in text.splitlines() if (match := PIN.match(line.strip()))}


def resolve(freeze: Path, extras: str = "", python: str = "3.13") -> tuple[dict[str, str], dict[str, str]]:
    """(added, replaced): packages Colab has not, and packages whose version would change.

    Errors: RuntimeError with the resolver's own words where there is no resolution.
    """
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    have = pins(freeze.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("".join(f"{name}=={version}\n" for name, version in have.items()), encoding="utf-8")
        wanted = Path(folder) / "wanted.in"
        wanted.write_text(f"choreo-lib{extras} @ {ROOT.as_uri()}\n", encoding="utf-8")
        # The torch of Colab's CPU image is built without CUDA and is there already, while the index's asks for CUDA's
        # packages at versions of its own; what it needs besides is checked like all the rest.
        config = Path(folder) / "uv.toml"
        config.write_text(f"""[[dependency-metadata]]
name = "torch"
version = "{have["torch"]}"
requires-dist = ["filelock", "typing-extensions", "sympy", "networkx", "jinja2", "fsspec", "setuptools"]
""", encoding="utf-8")
        done = subprocess.run(
            [uv, "pip", "compile", "--quiet", "--config-file", str(config), "--no-header", "--no-annotate",
             "--python-version", python, "--python-platform", "x86_64-manylinux_2_35",
             "--constraint", str(constraints), str(wanted)],
            capture_output=True, text=True, cwd=folder)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    got = pins(done.stdout)
    added = {name: version for name, version in got.items() if name not in have}
    return added, {name: version for name, version in got.items() if name in have and have[name] != version}


if __name__ == "__main__":
    try:
        new, changed = resolve(Path(sys.argv[1]))
    except RuntimeError as error:
        sys.exit(f"No resolution: an install on Colab would have to replace something.\n{error}")
    print("added:", ", ".join(f"{name} {version}" for name, version in sorted(new.items())) or "nothing")
    print("replaced:", ", ".join(f"{name} {version}" for name, version in sorted(changed.items())) or "nothing")
    sys.exit(bool(changed))
