"""In JupyterLab: hints and solutions folded, whole, and opened by a click; the studio's panel from a file to files."""

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import pygltflib
import pytest
from browser import chromium, visit

import choreo_lib as cl

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.browser
# By the menu, JupyterLab asks for a kernel where its own has not answered yet, and then runs nothing.
RUN = """async () => {
  const panel = [...jupyterapp.shell.widgets('main')].find(each => each.context?.path === 'panel.ipynb');
  await panel.sessionContext.ready; await panel.sessionContext.session.kernel.info;
  jupyterapp.shell.activateById(panel.id);
  await jupyterapp.commands.execute('notebook:run-all-cells'); }"""


# Cells out of sight are not laid out, and those above may still grow: looked at in the moment in which it is in sight.
SEEN = """() => {
  const fold = document.querySelector('.jp-MarkdownOutput details'), [summary, body] = fold.children;
  fold.scrollIntoView();
  return summary.innerText && [summary.innerText, body.checkVisibility()]; }"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab of its own on this machine, with a copy of a chapter and a panel; its address and its folder."""
    pytest.importorskip("jupyterlab")
    home = tmp_path_factory.mktemp("lab")
    shutil.copy(ROOT / "notebooks" / "03_before_any_network.ipynb", home / "chapter.ipynb")
    panel = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(
        "from choreo_lib import studio\npanel = studio.panel()\npanel", id="panel")])
    panel.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(panel, home / "panel.ipynb")
    cl.write_motion(cl.synthetic.duet("canon", 90, seed=5).a, home / "mine.bvh")
    words = ["-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0", "--ServerApp.ip=127.0.0.1",
             f"--ServerApp.root_dir={home}", "--IdentityProvider.token=choreo", "--LabApp.news_url=",
             "--expose-app-in-browser", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    folders = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    folders["JUPYTERLAB_SETTINGS_DIR"] = folders["JUPYTERLAB_WORKSPACES_DIR"] = str(home / "settings")
    server = subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True, env=os.environ | folders)
    address = None
    for line in server.stderr:  # ends when the server does
        if found := re.search(r"http://127\.0\.0\.1:(\d+)/lab", line):
            address = f"http://127.0.0.1:{found[1]}"
            break
    assert address, "JupyterLab ended before it said where it is"
    threading.Thread(target=server.stderr.read, daemon=True).start()  # or a full pipe would hold it
    yield address, home
    server.kill()
    server.wait()


def test_hints_and_solutions_fold_in_jupyterlab(lab):
    with chromium() as browser, visit(browser, url=f"{lab[0]}/lab/tree/chapter.ipynb?token=choreo") as seen:
        found = seen.page.locator(".jp-MarkdownOutput details").first
        found.wait_for(state="attached")
        name, open_ = seen.page.wait_for_function(SEEN).json_value()
        assert name in ("Hint", "Solution") and not open_
        found.locator("summary").click()
        found.locator(":scope > :not(summary)").first.wait_for(state="visible")


def test_the_panel_in_jupyterlab_from_a_file_to_files(lab):
    address, home = lab
    (home / "notes.txt").write_text("no dance at all", encoding="utf-8")
    # a workspace of its own, or the other test's notebook is opened, too
    with chromium() as browser, visit(browser, url=f"{address}/lab/workspaces/panel/tree/panel.ipynb?token=choreo",
                                      viewport={"width": 1280, "height": 1600}) as seen:
        page = seen.page
        page.locator(".jp-CodeCell").first.wait_for()
        page.evaluate(RUN)

        def button(name):
            return page.locator(".jp-OutputArea button", has_text=re.compile(rf"^\s*{name}\b")).first

        def upload(name):
            with page.expect_file_chooser() as chosen:
                button("Upload").click()
            chosen.value.set_files(home / name)

        button("Upload").wait_for()
        upload("notes.txt")
        page.locator(".jp-OutputArea", has_text="Could not").first.wait_for()
        upload("mine.bvh")
        players = page.locator(".jp-OutputArea .choreo-player iframe")
        players.first.wait_for()
        button("Make").click()
        page.wait_for_function("document.querySelectorAll('.jp-OutputArea .choreo-player iframe').length === 2")
        made = players.nth(1).element_handle().content_frame()
        made.wait_for_selector("canvas[data-draws]")
        for kind in ("GLB: for Blender and viewers", "MP4"):
            page.locator(".jp-OutputArea label", has_text=re.compile(rf"^\s*{kind}\s*$")).first.click()
        button("Export").click()
        page.locator(".jp-OutputArea a[download]").first.wait_for()
    files = sorted(path.name for path in (home / "studio").iterdir())
    assert any(name.endswith(".bvh") for name in files) and any(name.endswith(".txt") for name in files)
    films, scenes = ([path for path in (home / "studio").iterdir() if path.suffix == kind] for kind in (".mp4", ".glb"))
    assert films and all(path.read_bytes()[4:8] == b"ftyp" for path in films)
    scene = pygltflib.GLTF2().load(scenes[0])
    turned = {channel.target.node for channel in scene.animations[0].channels if channel.target.path == "rotation"}
    assert len(turned) == 58 and len(scene.skins) == 2, "every joint of two bodies that can be moved"
    duets = [cl.read_duet(path) for path in (home / "studio").glob("*.npz")]
    assert duets and all(len(duet) == 90 for duet in duets)
