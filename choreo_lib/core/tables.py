"""Tables as text: columns as wide as their widest cell. Taught in chapter 1, "Seeing a duet"."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]], widest: int = 48) -> str:
    """Rows of text under a head, one line each, columns two spaces apart.

    A cell of more than ``widest`` characters ends in an ellipsis. Chapter: 1.
    """
    lines = [[cell if len(cell) <= widest else cell[: widest - 1].rstrip() + "…" for cell in row]
             for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


@dataclass(frozen=True, repr=False)
class Table:
    """Rows of text under a head: prints as a table, and shows as one in a notebook. Chapter: 1."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return format_table(self.head, self.rows)

    def _repr_html_(self) -> str:
        row = lambda cells, tag: "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"  # noqa: E731
        return (f"<table><thead>{row(self.head, 'th')}</thead>"
                f"<tbody>{''.join(row(cells, 'td') for cells in self.rows)}</tbody></table>")
