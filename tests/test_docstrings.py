"""What a public docstring has to say: its errors where it raises, its shapes where it takes arrays, its chapter."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "choreo_lib"
BORROWED = re.compile(r"\b[Aa]s (of |every |in )?`|inverse of `|^As of")  # another docstring that is named says it


def public(path: Path):
    """Functions and methods without an underscore: their nodes, docstrings, and those of class and module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))

    def walk(node, above):
        for each in node.body:
            if isinstance(each, ast.ClassDef) and each.name[0] != "_":
                yield from walk(each, [*above, ast.get_docstring(each) or ""])
            elif isinstance(each, ast.FunctionDef) and each.name[0] != "_":
                yield each, ast.get_docstring(each) or "", above

    yield from walk(tree, [ast.get_docstring(tree) or ""])


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_public_docstrings_say_what_a_caller_needs(path):
    trouble = []
    for node, said, above in public(path):
        everything = "\n".join([said, *above])
        raises = any(isinstance(each, ast.Raise) and each.exc is not None for each in ast.walk(node))
        if raises and not re.search(r"Errors?:|raises|Error\b", everything):
            trouble.append(f"{node.name} raises and does not say when (Errors: ...)")
        hints = [ast.unparse(a.annotation) for a in node.args.args if a.annotation]
        hints += [ast.unparse(node.returns)] if node.returns else []
        if re.search(r"\bTensor\b|\bndarray\b", " ".join(hints)) and "[" not in everything:
            trouble.append(f"{node.name} takes or gives arrays and does not say of which shape")
        if not re.search(r"[Cc]hapters? ", everything) and not re.search(r"Chapters?: ", everything):
            if not BORROWED.search(said):
                trouble.append(f"{node.name}: neither it, nor its class, nor its module says which chapter teaches it")
    assert not trouble, "\n".join(trouble)
