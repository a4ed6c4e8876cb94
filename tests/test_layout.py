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
from choreo_lib.sets import synthetic

ROOT = Path(__file__).parents[1]
ROOMS = ("core", "body", "io", "sets", "show", "cleaning", "systems", "extensions", "evaluation", "training",
         "studio", "checks")
"""From the ground up: a module imports from its own room and from those below."""
MODULES = sorted((ROOT / "choreo_lib").rglob("*.py"))


def name_of(path: Path) -> str:
    """The module's name inside the library, such as "body.skeleton"; of a package, its own."""
    return ".".join(path.relative_to(ROOT / "choreo_lib").with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    """The library's own modules that a file imports, at its top or inside its functions."""
    package, known, found = path.relative_to(ROOT / "choreo_lib").parts[:-1], set(map(name_of, MODULES)), set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("choreo_lib")):
            base = package[: len(package) - node.level + 1] if node.level else ()
            tail = (node.module or "").removeprefix("choreo_lib").strip(".")
            whole = ".".join([*base, *filter(None, tail.split("."))])
            for alias in node.names:
                module = f"{whole}.{alias.name}".strip(".")
                found.add(module if module in known else whole)
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_from_its_room_and_below(path):
    room = name_of(path).partition(".")[0]
    if room in ("__init__", "__main__"):
        return
    assert room in ROOMS, f"{room} is no room yet: give it a place here and in book/library.md"
    above = {name for name in imports(path) if name.partition(".")[0] not in ROOMS[: ROOMS.index(room) + 1]}
    assert not above, f"{name_of(path)} imports from above: {above}"


SHELF = {"layers", "losses", "edges", "graph_convolution"}  # what the five systems share


@pytest.mark.parametrize("path", [path for path in MODULES if path.parent.name == "systems"], ids=name_of)
def test_the_shelf_stands_on_bodies_and_torch_alone(path):
    """A system imports bodies, what systems share, and torch; what they share may ask for float32 and for rules."""
    if path.stem == "__init__":
        return
    allowed = {"core.precision", "core.arguments", "core.shapes"} if path.stem in SHELF else set()
    ours = {name for name in imports(path) if not name.startswith("body.") and name not in allowed}
    assert {name for name in ours if name.removeprefix("systems.") not in SHELF} == set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    theirs = {alias.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import)
              for alias in node.names}
    theirs |= {node.module.partition(".")[0] for node in ast.walk(tree)
               if isinstance(node, ast.ImportFrom) and not node.level}
    assert theirs - set(sys.stdlib_module_names) <= {"torch", "torch_geometric"}
    if path.stem not in SHELF:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 240


def test_no_module_is_long():
    long = {name_of(path): lines for path in MODULES
            if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 250}
    assert not long


def test_no_circle_of_imports():
    graph = {name_of(path): imports(path) - {name_of(path)} for path in MODULES}
    done = set()

    def visit(name, trail):
        assert name not in trail, "a circle: " + " -> ".join([*trail[trail.index(name):], name])
        if name not in done:
            for each in sorted(graph.get(name, ())):
                if each and not name.startswith(f"{each}."):  # a package's own front page
                    visit(each, [*trail, name])
            done.add(name)

    for name in sorted(graph):
        visit(name, [])


def test_the_layout_page_and_its_picture_name_every_module():
    page = (ROOT / "book" / "library.md").read_text(encoding="utf-8")
    maker = runpy.run_path(str(ROOT / "tools" / "make_face.py"))
    drawn = maker["rooms"]()
    assert tuple(room for room, _ in drawn) == ROOMS
    for room, names in drawn:
        there = {path.stem if path.suffix else path.name for path in (ROOT / "choreo_lib" / room).iterdir()
                 if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem != "__init__"}
        assert set(names) == there, f"{room}: book/library.md, then python tools/make_face.py"
    picture = (ROOT / "book" / "_static" / "floors.svg").read_text(encoding="utf-8")
    words = re.search(r":alt: (.*)", page)[1]
    for each in (picture, words):
        assert {name for _, names in drawn for name in names if not re.search(rf"\b{name}\b", each)} == set()


def test_public_names_say_their_chapter():
    """Every public name has a docstring that says in which chapter it is met."""
    public = {name: getattr(cl, name) for name in dir(cl) if name[0] != "_" and callable(getattr(cl, name))}
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
