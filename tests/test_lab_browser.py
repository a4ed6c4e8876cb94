"""Hints and solutions in JupyterLab: folded, whole, and opened by a click."""

import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from browser import chromium, visit

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A JupyterLab of its own on this machine, with a copy of a chapter; its address."""
    pytest.importorskip("jupyterlab")
    home = tmp_path_factory.mktemp("lab")
    shutil.copy(ROOT / "notebooks" / "03_before_any_network.ipynb", home / "chapter.ipynb")
    words = ["-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0", "--ServerApp.ip=127.0.0.1",
             f"--ServerApp.root_dir={home}", "--IdentityProvider.token=choreo", "--LabApp.news_url=",
             "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
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
    yield address
    server.kill()
    server.wait()


def test_hints_and_solutions_fold_in_jupyterlab(lab):
    with chromium() as browser, visit(browser, url=f"{lab}/lab/tree/chapter.ipynb?token=choreo") as seen:
        found = seen.page.locator(".jp-MarkdownOutput details").first
        found.wait_for(state="attached")
        found.evaluate("fold => fold.scrollIntoView()")  # cells out of sight are not laid out
        summary, body = found.locator("summary"), found.locator(":scope > :not(summary)").first
        summary.wait_for(state="visible")
        assert summary.inner_text() in ("Hint", "Solution") and not body.is_visible()
        summary.click()
        body.wait_for(state="visible")
