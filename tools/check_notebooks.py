"""Look at chapters before they are committed: every cell has an id of its own, every picture has words for those who do
not see it, none holds an error or a time stamp."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

LINES, COLUMNS = 15, 84  # of code that is shown: what a reader takes in at once, and what a page is wide


def faults(path: Path) -> list[str]:
    """What is wrong with one notebook, a line each."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (json.JSONDecodeError, KeyError, UnicodeDecodeError) as error:
        return [f"{path}: not a notebook ({error})"]
    found, seen = [], set()
    for number, cell in enumerate(cells):
        identity = cell.get("id")
        if not identity:
            found.append(f"{path}: cell {number} has no id; run make notebooks")
        elif identity in seen:
            found.append(f"{path}: cell {number} has the id {identity!r} of an earlier one; run make notebooks")
        seen.add(identity)
        if ":class: dropdown" in "".join(cell.get("source", "")):
            found.append(f"{path}: cell {number} ({identity}) folds in the book only; use <details> and <summary>")
        if cell.get("cell_type") == "markdown" and "\\boldsymbol" in "".join(cell.get("source", "")):
            found.append(f"{path}: cell {number} ({identity}) has \\boldsymbol: MathJax fetches a file for it which "
                         "the book does not carry, and no formula of the page shows; use \\mathbf, or no bold")
        if "execution" in cell.get("metadata", {}):
            found.append(f"{path}: cell {number} ({identity}) carries time stamps; run make notebooks")
        tags = cell.get("metadata", {}).get("tags", [])
        pictures = any(kind.startswith("image/") for out in cell.get("outputs", []) for kind in out.get("data", {}))
        if pictures and not cell.get("metadata", {}).get("mystnb", {}).get("image", {}).get("alt"):
            found.append(f'{path}: the picture of cell {number} ({identity}) has no words for those who do not see it; '
                         'put {"mystnb": {"image": {"alt": "..."}}} into the metadata of the cell')
        lines = "".join(cell.get("source", "")).splitlines()
        if cell.get("cell_type") == "code" and not {"hide-input", "remove-cell"} & set(tags):
            wide = max(map(len, lines), default=0)
            if len(lines) > LINES or wide > COLUMNS:
                found.append(f"{path}: cell {number} ({identity}) is {len(lines)} lines of {wide} columns; "
                             f"what is shown has at most {LINES} of {COLUMNS}: cut it in two, or fold it (hide-input)")
        if re.search(r"\b(clear_output|update_display)\(|\bdisplay_id=", "".join(cell.get("source", ""))):
            found.append(f"{path}: cell {number} ({identity}) changes what it has shown, which nbval cannot compare: "
                         "show it once")
        compared = not {"nbval-ignore-output", "nbval-skip"} & set(tags)
        if compared and "".join(cell.get("source", "")).rstrip().endswith(";") and cell.get("cell_type") == "code":
            found.append(f"{path}: cell {number} ({identity}) ends in a semicolon, which nbval does not know: its "
                         "value is compared all the same")
        if any(out.get("output_type") == "error" for out in cell.get("outputs", [])) and "raises-exception" not in tags:
            found.append(f"{path}: cell {number} ({identity}) stores an error")
    return found


if __name__ == "__main__":
    lines = [line for name in sys.argv[1:] for line in faults(Path(name))]
    print("\n".join(lines), end="\n" if lines else "")
    sys.exit(bool(lines))
