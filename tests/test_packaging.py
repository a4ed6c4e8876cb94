"""The package as it is handed over: what an import costs, what a wheel holds, what Colab keeps, whose address it is."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from packaging.requirements import Requirement
from packaging.version import Version
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import check_notebooks  # noqa: E402
import compare_notebooks  # noqa: E402
import execute_notebooks  # noqa: E402
import publish_config  # noqa: E402
import resolve_colab  # noqa: E402

import choreo_lib as cl  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FREEZE = ROOT / "tests" / "colab-freeze.txt"
BOOK_ONLY = {"jupyter-book", "nbval"}  # these ask for another Sphinx than Colab's, so they are not installed there


def python(code, cwd, **more):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd,
                          env={**os.environ, **more})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_import_brings_in_nothing_heavy():
    heavy = ["torch_geometric", "matplotlib.pyplot", "pooch", "ufbx", "ezc3d", "pygltflib", "imageio_ffmpeg", "IPython",
             "scipy", "sklearn", "ipywidgets", "torch._dynamo"]
    code = f"import sys, choreo_lib; print([name for name in {heavy} if name in sys.modules])"
    assert python(code, ROOT) == "[]"


def test_what_is_loaded_late_is_whole_for_every_thread_and_for_who_looks_through_all_modules():
    """The standard library's LazyLoader failed at both: a notebook's kernel looks, and loads."""
    code = """
import inspect, sys, threading, choreo_lib as cl
inspect.getmodule(sys._getframe())
assert "roma" not in sys.modules
trouble = []
def dance():
    try:
        cl.synthetic.duet("canon", 30)
    except Exception as error:
        trouble.append(repr(error))
threads = [threading.Thread(target=dance) for _ in range(4)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
print(trouble)
"""
    assert python(code, ROOT) == "[]"


def test_what_comes_later_comes_by_its_name():
    code = """
import choreo_lib as cl
shown, there = dir(cl), set(vars(cl))
for name in ("checks", "cleaning", "evaluation", "extensions", "systems", "training", "clean", "RepairReport",
             "metrics", "baselines", "evaluate", "list_models", "load_model", "TrainingError"):
    assert name in shown and name not in there, name
    assert getattr(cl, name) is vars(cl)[name], name
from choreo_lib.training.artifacts import load_model
assert cl.load_model is load_model and cl.metrics is cl.evaluation.metrics
try:
    cl.nothing_of_this_name
except AttributeError as error:
    print(error)
"""
    assert python(code, ROOT) == "module 'choreo_lib' has no attribute 'nothing_of_this_name'"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a fresh interpreter for each name, by fork")
def test_a_name_that_a_chapter_uses_is_there_whatever_ran_before_it():
    """A chapter without its real sets, in which nothing had loaded a model yet, knew no `cl.training.artifacts`."""
    cells = [line for path in sorted(ROOT.glob("notebooks/*.ipynb")) for cell in json.loads(path.read_text())["cells"]
             if cell["cell_type"] == "code" for line in cell["source"]]
    names = {name for line in cells for name in re.findall(r"\bcl\.[a-z_]+\.[A-Za-z]\w*", line)}
    late = {*cl._LATER} - {"checks"}  # whose names other tests ask for; and rooms that came with the import are there
    names = sorted(name for name in names if name.split(".")[1] in late)
    assert "cl.training.artifacts" in names and "cl.training.recipes" in names
    code = f"""
import os, choreo_lib as cl
for name in {names}:
    if not (child := os.fork()):
        try:
            eval(name)
        except AttributeError as error:
            print(name, error, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""
    assert python(code, ROOT) == ""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of what git would hand over, without a network."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("choreo_lib", "data"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "LICENSE-text"):
        shutil.copy(ROOT / name, source)
    command = "-m pip wheel -q --no-deps --no-build-isolation --no-index -w".split()
    done = subprocess.run([sys.executable, *command, str(out), str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "BuildBackendWarning" not in done.stderr and "Deprecat" not in done.stderr, done.stderr
    (path,) = out.glob("*.whl")
    return path


def test_the_wheel_holds_the_data(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    for path in [*(ROOT / "choreo_lib").rglob("*.py"), *(ROOT / "choreo_lib").rglob("*.js")]:
        assert path.relative_to(ROOT).as_posix() in inside
    for path in (ROOT / "data").rglob("*"):
        if path.is_file() and path.suffix in (".json", ".npz", ".safetensors"):
            assert f"choreo_lib/{path.relative_to(ROOT).as_posix()}" in inside
    assert "choreo_lib/data/registry.json" in inside and "choreo_lib/show/player.js" in inside
    assert any(name.startswith("choreo_lib/data/clips/") for name in inside)
    assert {name.split("/")[0] for name in inside} == {"choreo_lib", wheel.name.split("-py3")[0] + ".dist-info"}


def test_the_wheel_works_away_from_the_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = ("import choreo_lib as cl; from importlib.resources import files; "
            "assert (files('choreo_lib') / 'data' / 'registry.json').is_file(); "
            "duet = cl.load_duet('synthetic'); "
            "print(cl.__file__, len(duet), len(cl.play(duet)._repr_html_()) > 0)")
    place, frames, plays = python(code, tmp_path, PYTHONPATH=str(tmp_path / "site")).split()
    assert place.startswith(str(tmp_path)) and int(frames) > 0 and plays == "True"


def test_the_address_is_stated_once_and_kept_in_step():
    found = list(publish_config.places())
    stated = publish_config.stated()
    assert {str(path) for path, *_ in found} >= {"pyproject.toml", "_config.yml", "CITATION.cff"}
    assert [place for place in found if place[2] != stated] == []
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert any(place[0].name == path.name for place in found), f"{path.name} has no setup cell with the address"


def test_a_forks_address_reaches_every_place(tmp_path):
    for pattern in publish_config.PLACES:
        for path in ROOT.glob(pattern):
            (tmp_path / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / path.relative_to(ROOT))
    before = len(list(publish_config.places(tmp_path)))
    publish_config.write("some-one/their.book", tmp_path)
    found = list(publish_config.places(tmp_path))
    assert len(found) == before and {address for *_, address in found} == {"some-one/their.book"}
    for path in tmp_path.rglob("*.ipynb"):
        json.loads(path.read_text(encoding="utf-8"))
    assert publish_config.write("some-one/their.book", tmp_path) == []


@pytest.mark.parametrize("wrong", ["", "owner", "owner/name/more", "https://github.com/a/b", "a b/c"])
def test_what_is_no_address_is_refused(wrong):
    done = subprocess.run([sys.executable, "tools/publish_config.py", wrong], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and "Expected owner/name" in done.stderr


def ranges(*extras):
    project = PROJECT["project"]
    texts = project["dependencies"] + [text for extra in extras for text in project["optional-dependencies"][extra]]
    return [Requirement(text) for text in texts]


def test_colab_keeps_what_it_has():
    have = resolve_colab.pins(FREEZE.read_text(encoding="utf-8"))
    missing = []
    for wanted in ranges("fbx", "c3d", "gltf", "video"):
        version = have.get(resolve_colab.plain(wanted.name))
        if version is None:
            missing.append(wanted.name)
        else:
            assert wanted.specifier.contains(version), f"{wanted} would replace Colab's {version}"
    assert sorted(missing) == ["ezc3d", "pygltflib", "roma", "torch-geometric", "ufbx"]


def test_the_tested_set_is_pinned_and_inside_the_ranges():
    lines = [line for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
             if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    pinned = resolve_colab.pins("\n".join(lines))
    for wanted in ranges("book", "test", "fbx", "c3d", "gltf", "video"):
        name = resolve_colab.plain(wanted.name)
        assert name in pinned, f"{name} has a range in pyproject.toml and no pin in requirements.txt"
        assert wanted.specifier.contains(pinned[name])
    assert Version(pinned["torch"]) >= Version("2.6")


def test_what_conflicts_with_colab_stays_out_of_the_install():
    assert not BOOK_ONLY & {wanted.name for wanted in ranges("fbx", "c3d", "gltf", "video")}


@pytest.mark.network
def test_an_install_on_colab_adds_and_replaces_nothing():
    whole = ROOT.parent / "shared" / "colab-freeze.txt"
    if not whole.exists():
        pytest.skip("the whole freeze is not here")
    if not shutil.which("uv"):
        pytest.skip("uv is not installed")
    added, replaced = resolve_colab.resolve(whole)
    assert replaced == {} and {"roma", "torch-geometric"} <= set(added)


def test_every_chapter_is_fit_to_be_committed():
    assert [line for path in (ROOT / "notebooks").glob("*.ipynb") for line in check_notebooks.faults(path)] == []


def test_a_careless_chapter_is_noticed(tmp_path):
    path = tmp_path / "x.ipynb"
    cell = {"cell_type": "code", "id": "a", "metadata": {"execution": {}}, "source": "",
            "outputs": [{"output_type": "error"}]}
    seen = {**cell, "id": "b", "metadata": {}, "outputs": [{"output_type": "display_data", "data": {"image/png": ""}}]}
    told = {**seen, "id": "c", "metadata": {"mystnb": {"image": {"alt": "A circle."}}}}
    hint = {"cell_type": "markdown", "id": "d", "source": [":::{admonition} Hint\n", ":class: dropdown\n", ":::"]}
    bold = {"cell_type": "markdown", "id": "e", "source": [r"$\boldsymbol\mu$"]}
    shown = {**cell, "id": "f", "metadata": {}, "source": ["clear_output(wait=True)"], "outputs": []}
    long = {**shown, "id": "g", "source": ["x = 1\n"] * 16}
    wide = {**shown, "id": "h", "source": ["x" * 85]}
    folded = {**long, "id": "i", "metadata": {"tags": ["hide-input"]}}
    path.write_text(json.dumps({"cells": [cell, dict(cell), {**cell, "id": "", "source": ["x = 1\n", "x;\n"]}, seen,
                                           told, hint, bold, shown, long, wide, folded]}), encoding="utf-8")
    found = " ".join(check_notebooks.faults(path))
    assert "id 'a' of an earlier one" in found and "has no id" in found and "time stamps" in found
    assert "stores an error" in found and found.count("semicolon") == 1
    assert "picture of cell 3 (b) has no words" in found and found.count("has no words") == 1
    assert "cell 5 (d) folds in the book only" in found and "cell 6 (e) has \\boldsymbol" in found
    assert "cell 7 (f) changes what it has shown" in found
    assert "cell 8 (g) is 16 lines" in found and "cell 9 (h) is 1 lines of 85 columns" in found
    assert found.count("cut it in two") == 2  # what is folded may be longer


def test_the_comparer_of_our_own_finds_what_nbval_finds(tmp_path):
    """Should nbval break one day, `tools/compare_notebooks.py` takes its place: on the same faults they agree."""
    pytest.importorskip("nbval")
    cells = [  # source, what is stored, tags, and whether that is a fault
        ("print(1 + 1)", "2", [], False), ("print(1 + 1)", "3", [], True), ("print(1 + 1)", None, [], True),
        ("1 / 0", None, [], True), ("1 / 0", None, ["raises-exception", "nbval-ignore-output"], False),
        ("print(1 + 1)", "3", ["nbval-ignore-output"], False), ("1 / 0", None, ["nbval-skip"], False),
        ("import sys; print('a', file=sys.stderr)", None, [], True), ("x = 1", "1", [], True)]
    shown = [[] if stored is None else [nbformat.v4.new_output("stream", name="stdout", text=f"{stored}\n")]
             for _, stored, *_ in cells]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(
        source, id=f"c{k}", metadata={"tags": tags}, execution_count=k + 1, outputs=shown[k])
        for k, (source, _, tags, _) in enumerate(cells)])
    path = tmp_path / "x.ipynb"
    nbformat.write(book, path)
    done = subprocess.run([sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "-rf", "-p",
                           "no:cacheprovider", "--rootdir", str(tmp_path), str(path)], capture_output=True, text=True,
                          cwd=tmp_path)
    theirs = {int(number) for number in re.findall(r"^FAILED .*::Cell (\d+)", done.stdout, re.MULTILINE)}
    fresh = nbformat.read(path, as_version=4)
    NotebookClient(fresh, timeout=60, kernel_name="python3", allow_errors=True).execute()
    ours = {int(re.match(r"cell (\d+)", line)[1]) for line in compare_notebooks.faults(book, fresh)}
    assert ours == theirs == {k for k, (*_, wrong) in enumerate(cells) if wrong}, done.stdout


def test_make_tells_what_it_can_do():
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    shown = subprocess.run(["make"], capture_output=True, text=True, cwd=ROOT).stdout
    for target in ("setup", "book", "serve", "lab", "test", "notebooks", "clean", "publish-config"):
        assert f"make {target}" in shown
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert not re.search(r"^\.ONESHELL|::=|\$\(file|--info=", makefile, re.MULTILINE)  # newer than make 3.81


def test_a_missing_python_is_named_in_one_line(tmp_path):
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    for name in ("Makefile", "requirements.txt", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "bin").mkdir()
    for name in ("sh", "bash", "cat", "grep"):
        if real := shutil.which(name):
            (tmp_path / "bin" / name).symlink_to(real)
    done = subprocess.run([shutil.which("make"), "setup"], capture_output=True, text=True, cwd=tmp_path,
                          env={"PATH": str(tmp_path / "bin")})
    said = [line for line in done.stdout.splitlines() if line.startswith("Missing")]
    assert done.returncode != 0 and len(said) == 1 and "Python 3.11, 3.12 or 3.13" in said[0]


def test_a_stored_picture_keeps_its_pixels():
    """What a chapter stores is packed anew: alpha that says nothing goes, alpha that is seen through stays."""
    solid = np.random.default_rng(0).integers(0, 255, (20, 30, 4), np.uint8)
    solid[..., 3] = 255
    clear = solid.copy()
    clear[:5, :, 3] = 40
    for pixels, mode in ((solid, "RGB"), (clear, "RGBA")):
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG", compress_level=0)
        packed = execute_notebooks.smaller(base64.b64encode(out.getvalue()).decode())
        again = Image.open(io.BytesIO(base64.b64decode(packed)))
        assert again.mode == mode and len(base64.b64decode(packed)) < len(out.getvalue())
        np.testing.assert_array_equal(np.asarray(again.convert("RGBA")), pixels)
