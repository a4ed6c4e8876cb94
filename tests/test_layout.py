"""The house as the book draws it: floors import downwards, and stored things are what their makers give."""

import ast
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import choreo_lib as cl
from choreo_lib import synthetic

ROOT = Path(__file__).parents[1]
FLOORS = {
    "joint_names": 0, "arguments": 0, "shapes": 0, "skeleton": 0, "compatibility": 0, "precision": 0,
    "motion": 0, "palette": 0, "chance": 0, "signals": 0, "formats": 1, "synthetic": 1, "cleaning": 1,
    "particles": 1, "drawable": 1, "files": 0, "download": 1, "fingerprints": 3, "cards": 4,
    "datasets": 2, "windows": 2, "augmentation": 2, "metrics": 2, "baselines": 2,
    "losses": 3, "models": 3, "checkpoints": 3, "training": 4, "judges": 4, "recipes": 4, "artifacts": 4, "checks": 5,
    "__main__": 5,
    "plots": 3, "films": 3, "export": 3, "payload": 3, "player": 3,
}  # fmt: skip


def imports(path):
    """Names of the library's own modules that a file imports, at its top or inside its functions."""
    package = path.relative_to(ROOT / "choreo_lib").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            whole = (*base, *(node.module or "").split("."))
            names = [whole[0]] if whole[0] else [alias.name for alias in node.names]
            yield from (name for name in names if name)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("choreo_lib"):
            yield node.module.partition(".")[2].split(".")[0]


@pytest.mark.parametrize("path", sorted((ROOT / "choreo_lib").rglob("*.py")), ids=lambda p: p.stem)
def test_a_module_imports_only_from_its_floor_and_below(path):
    module = path.relative_to(ROOT / "choreo_lib").parts[0].removesuffix(".py")
    if module == "__init__":
        return
    assert module in FLOORS, f"{module} has no floor yet: give it one here and in book/library.md"
    above = {name for name in imports(path) if FLOORS.get(name, -1) > FLOORS[module]}
    assert not above, f"{path.name} imports from above: {above}"


def test_the_layout_page_names_every_module():
    page = (ROOT / "book" / "library.md").read_text(encoding="utf-8")
    assert {name for name in FLOORS if f"`{name}`" not in page} == set()
    maker = runpy.run_path(str(ROOT / "tools" / "make_face.py"))
    level = {"ground": 0} | {str(k): k for k in range(1, 6)}
    drawn = {name: level[floor] for floor, names in maker["storeys"]() for name in names}
    assert drawn == {name: floor for name, floor in FLOORS.items() if name != "__main__"}
    picture = (ROOT / "book" / "_static" / "floors.svg").read_text(encoding="utf-8")
    words = re.search(r":alt: (.*)", page)[1]
    assert {name for name in drawn if not re.search(rf"\b{name}\b", picture)} == set(), "python tools/make_face.py"
    assert {name for name in drawn if not re.search(rf"\b{name}\b", words)} == set()


def test_public_names_say_their_chapter():
    """Every public name has a docstring that says in which chapter it is met."""
    public = {name: value for name, value in vars(cl).items() if name[0] != "_" and callable(value)}
    assert not [name for name, value in public.items() if "hapter" not in (value.__doc__ or "")]


def test_the_clips_are_what_their_maker_gives():
    wishes = {}
    exec((ROOT / "tools" / "make_clips.py").read_text(encoding="utf-8").split("if __name__")[0],
         {"__file__": str(ROOT / "tools" / "make_clips.py")}, wishes)  # fmt: skip
    for name, wish in wishes["CLIPS"].items():
        stored, made = cl.load_duet(f"synthetic/{name}"), synthetic.duet(frames=wishes["FRAMES"], **wish)
        np.testing.assert_allclose(stored.positions, made.positions, atol=1e-4)
        assert stored.coupling == made.coupling and stored.source == cl.OURS


def test_the_welcome_duet_is_what_the_player_gives():
    maker = subprocess.run(
        [sys.executable, "-c", "import runpy; f = runpy.run_path('tools/make_face.py'); print(f['welcome_html']())"],
        cwd=ROOT, capture_output=True, text=True, check=True)  # fmt: skip
    stored = (ROOT / "book" / "_static" / "welcome_player.html").read_text(encoding="utf-8")
    assert maker.stdout.strip() == stored.strip(), "run: python tools/make_face.py"


def test_nothing_names_the_machine_it_was_made_on():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.suffix in {".py", ".md", ".ipynb", ".json", ".yml", ".toml", ".html", ".txt", ".cff"} and path.exists():
            found = re.search(r"/(home|Users|root)/[a-z]", path.read_text(encoding="utf-8"))
            assert not found, f"{name} holds {found.group()}"
