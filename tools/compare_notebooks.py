"""What two runs of a chapter say differently, by the tags that nbval knows; nbval itself is not needed.

`make test` compares with nbval, which is hardly maintained. This is the way out, kept in step by a test that gives both
the same faults, and used where nbval cannot be installed: `tools/try_colab.py`.
"""

from __future__ import annotations

import re

QUIET = {"nbval-ignore-output", "nbval-skip"}


def said(cell, warnings: bool = True) -> dict[str, str]:
    """The texts that a cell shows, by kind, with or without what goes to the error stream."""
    texts: dict[str, str] = {}
    for output in cell.get("outputs", []):
        if output["output_type"] == "stream":
            found = {output["name"]: output["text"]}
        else:
            found = {kind: text for kind, text in output.get("data", {}).items() if kind.startswith("text/")}
        for kind, text in found.items():
            texts[kind] = texts.get(kind, "") + "".join(text)
    # addresses differ from run to run, and pip's advice from place to place
    return {kind: re.sub(r"0x[0-9a-f]+|Note: you may need to restart the kernel[^\n]*\n?", "", text).strip()
            for kind, text in texts.items() if warnings or kind != "stderr"}


def faults(stored, fresh, warnings: bool = True) -> list[str]:
    """What is wrong with a fresh run, a line each: cells that fail, and texts that are not as stored."""
    found = []
    for number, (old, new) in enumerate(zip(stored["cells"], fresh["cells"], strict=True)):
        tags = set(new["metadata"].get("tags", []))
        if new["cell_type"] != "code" or not "".join(new["source"]) or "nbval-skip" in tags:
            continue
        where = f"cell {number} ({new.get('id')})"
        error = next((output for output in new["outputs"] if output["output_type"] == "error"), None)
        if error and "raises-exception" not in tags:
            found.append(f"{where} fails: {error['ename']}: {error['evalue'][:200]}")
        elif not QUIET & tags and (then := said(old, warnings)) != (now := said(new, warnings)):
            pairs = [(a, b) for kind in then for a, b in zip(then[kind].splitlines(), now.get(kind, "").splitlines())
                     if a != b]
            found.append(f"{where} says another thing: {pairs[0] if pairs else 'more or less than is stored'}")
    return found
