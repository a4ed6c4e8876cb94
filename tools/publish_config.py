"""Write the repository's address, stated in pyproject.toml, wherever a reader meets it.

`make publish-config REPOSITORY=owner/name`; the publishing workflow does the same for any fork.
"""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# the module by itself: the publishing workflow has no torch yet when it writes the address
atomic_write = runpy.run_path(str(ROOT / "choreo_lib" / "core" / "files.py"))["atomic_write"]
NAME = r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9_.-]*[A-Za-z0-9_-]"
STATED = rf'(Repository = "https://github\.com/)({NAME})'
PLACES = {  # which file, and what stands before the address there
    "pyproject.toml": [STATED],
    "_config.yml": [rf"(^\s+url: https://github\.com/)({NAME})"],
    "CITATION.cff": [rf'(repository-code: "?https://github\.com/)({NAME})'],
    "README.md": [
        rf"(colab\.research\.google\.com/github/)({NAME})(?=/blob/)",
        rf"(git\+https://github\.com/)({NAME})",
        rf"(git clone https://github\.com/)({NAME})",
        rf"(https://github\.com/)({NAME})(?=/actions/)",
    ],
    "book/*.md": [
        rf"(colab\.research\.google\.com/github/)({NAME})(?=/blob/)",
        rf"(git\+https://github\.com/)({NAME})",
        rf"(git clone https://github\.com/)({NAME})",
    ],
    "notebooks/*.ipynb": [
        rf"(colab\.research\.google\.com/github/)({NAME})(?=/blob/)",
        rf'(REPOSITORY = \\?"https://github\.com/)({NAME})',
        rf"(git\+https://github\.com/)({NAME})",
    ],
}


def stated(root: Path = ROOT) -> str:
    """owner/name as pyproject.toml states it."""
    return re.search(STATED, (root / "pyproject.toml").read_text(encoding="utf-8"))[2]


def places(root: Path = ROOT):
    """Every address a reader meets: triples (file, line number, owner/name)."""
    for pattern, expressions in PLACES.items():
        for path in sorted(root.glob(pattern)):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                for expression in expressions:
                    for match in re.finditer(expression, line):
                        yield path.relative_to(root), number, match[2]


def write(repository: str, root: Path = ROOT) -> list[Path]:
    """Put owner/name in every place; gives the files that changed."""
    changed = []
    for pattern, expressions in PLACES.items():
        for path in sorted(root.glob(pattern)):
            old = new = path.read_text(encoding="utf-8")
            for expression in expressions:
                new = re.sub(expression, lambda match: match[1] + repository, new, flags=re.MULTILINE)
            if new != old:
                with atomic_write(path) as half:
                    half.write_text(new, encoding="utf-8")
                changed.append(path.relative_to(root))
    return changed


if __name__ == "__main__":
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    if not re.fullmatch(NAME, wanted):
        sys.exit(f"Expected owner/name, got {wanted!r}: make publish-config REPOSITORY=owner/name")
    for path in write(wanted):
        print(f"{path}: now https://github.com/{wanted}")
