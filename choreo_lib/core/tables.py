"""Tables as text: columns as wide as their widest cell. Taught in chapter 1, "Seeing a duet"."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

WIDEST = 48
"""Characters of a cell; a longer one ends in an ellipsis."""


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]], widest: int = WIDEST) -> str:
    """Rows of text under a head, one line each, columns two spaces apart. Chapter: 1."""
    lines = [[cell if len(cell) <= widest else cell[: widest - 1].rstrip() + "…" for cell in row]
             for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)
