"""Tables as text, columns as wide as their widest cell; listings of source. Taught in chapter 1, "Seeing a duet"."""

import ast
import html
import inspect
import io
import textwrap
import tokenize
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


@dataclass(frozen=True, repr=False)
class Listing:
    """Code to be read: prints as it is, and is coloured in a notebook. Chapter: 8."""

    code: str

    def __repr__(self) -> str:
        return self.code

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.code}\n```"


def source_of(*things, width: int = 84) -> Listing:
    """The source of functions, methods or classes, for a page ``width`` columns wide. Chapter: 8.

    Where a line is longer, the comment at its end stands above it, comments of a line and docstrings are wrapped, and
    the head of a function goes without its type hints; other code stays as it is.
    """
    return Listing("\n\n".join(_narrow(textwrap.dedent(inspect.getsource(thing)).rstrip(), width) for thing in things))


def _narrow(code: str, width: int) -> str:
    """Code whose comments and docstrings keep to a width."""
    lines = code.splitlines()
    comments = {token.start[0]: token.start[1] for token in tokenize.generate_tokens(io.StringIO(code).readline)
                if token.type == tokenize.COMMENT}

    def shorten(first: int, last: int, shorter: str) -> None:
        """Where one of these lines is too long, ``shorter`` stands in place of all of them."""
        if max(map(len, lines[first:last])) > width:
            lines[first:last] = [shorter, *[""] * (last - first - 1)]
            comments.update(dict.fromkeys(range(first + 2, last + 1), -1))

    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            first = node.body[0].lineno - 1
            last = node.body[0].end_lineno or first + 1
            shorten(first, last, _wrapped(lines[first:last], width))
        if isinstance(node, ast.FunctionDef):
            head = (*ast.walk(node.args), *filter(None, [node.returns]))
            end = max(getattr(part, "end_lineno", None) or 0 for part in head)
            for part in head:
                if isinstance(part, ast.arg):
                    part.annotation = None
            plain = f"{' ' * node.col_offset}def {node.name}({ast.unparse(node.args)}):"
            shorten(node.lineno - 1, max(end, node.lineno), plain)
    narrow = []
    for number, line in enumerate(lines, 1):
        start, indent = comments.get(number, 0), line[: len(line) - len(line.lstrip())]
        line = line.replace("  # fmt: skip", "")
        if start == -1:
            continue
        if "\n" not in line and len(line) > width and start:
            note = indent + "# "
            narrow += textwrap.wrap(line[start:].lstrip("# "), width, initial_indent=note, subsequent_indent=note)
            narrow += [line[:start].rstrip()] if line[:start].strip() else []
        else:
            narrow.append(line)
    return "\n".join(narrow)


def _wrapped(lines: Sequence[str], width: int) -> str:
    """Paragraphs of lines, wrapped anew under the indent of the first."""
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    paragraphs = textwrap.dedent("\n".join([indent + lines[0].lstrip(), *lines[1:]])).split("\n\n")
    return "\n\n".join(textwrap.fill(" ".join(each.split()), width, initial_indent=indent, subsequent_indent=indent,
                                     break_on_hyphens=False) for each in paragraphs)
