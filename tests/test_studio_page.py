"""The studio as a local web page: for this computer only, and from a file to files in a real browser."""

import http.client
import io
import json
import urllib.error
import urllib.request
import zipfile

import numpy as np
import pytest
from browser import chromium, moves, visit
from test_studio_panel import PATIENCE, bvh, held  # noqa: F401 (a fixture)

import choreo_lib as cl

pytest.importorskip("tornado", reason="needs the extra [live]")

from choreo_lib.__main__ import main  # noqa: E402
from choreo_lib.studio.page import StudioPage  # noqa: E402


@pytest.fixture
def page():
    made = StudioPage(0)
    yield made
    made.close()


def status(page, path, body=None, **headers):
    """The status of an answer, and its text."""
    asked = urllib.request.Request(page.url + path, body, {"Content-Type": "text/plain"} | headers)
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_only_this_computer_and_only_its_own_page_are_answered(page):
    told = status(page, "")[1]
    assert "{{" not in told and page._token in told
    assert status(page, "", Host="elsewhere.example")[0] == 403
    load = json.dumps({"name": "synthetic/canon/a"}).encode()
    assert status(page, "do/load", load)[0] == 403, "another page of the browser has no token"
    assert status(page, "do/load", load, **{"X-Studio-Token": "guessed"})[0] == 403
    assert page.session.at == -1 and status(page, "player/0/")[0] == status(page, "download")[0] == 404
    token = {"X-Studio-Token": page._token}
    assert status(page, "do/load", load, **token)[0] == 200
    page.session.wait(PATIENCE)
    assert page.session.at == 0 and status(page, "player/0/")[0] == 200 and status(page, "player/0/7")[0] == 404
    for what, body, words in (("dance", b"{}", "cannot dance"), ("load", b"{}", "name is missing"), ("ask", b"[]", ""),
                              ("load", b"{", ""), ("trim", b'{"start": "x", "stop": 1}', "not a number"),
                              ("back", b'{"number": 9}', "no entry 9")):
        code, said = status(page, f"do/{what}", body, **token)
        assert code == 400 and words in json.loads(said)["trouble"]
    status(page, "do/load", json.dumps({"name": "/etc/passwd"}).encode(), **token)
    page.session.wait(PATIENCE)
    assert "there is no data set '/etc/passwd'" in page.session.trouble, "the page reads no files by their path"


def test_more_than_the_limit_is_not_even_received(page):
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=PATIENCE)
    connection.putrequest("POST", "/do/upload")
    connection.putheader("X-Studio-Token", page._token)
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Content-Length", str(65 * 2**20))
    connection.endheaders()
    try:
        assert connection.getresponse().status == 400
    except (http.client.RemoteDisconnected, ConnectionResetError):
        pass  # closed without a word
    assert not page.session.doing and status(page, "")[0] == 200


def test_a_port_that_is_taken_is_said_in_a_line(page, capsys):
    assert main(["studio", "--port", str(page.port), "--no-open"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said and "in use" in said


@pytest.mark.browser
def test_from_a_file_to_files_in_a_browser(page, bvh, tmp_path):  # noqa: F811
    with chromium() as browser, visit(browser, url=page.url, reduced_motion="reduce") as seen:
        on, said = seen.page, seen.page.locator("#said")

        def told(words):
            on.wait_for_function("words => document.getElementById('said').textContent.includes(words)", arg=words)

        def upload(name, data):
            on.locator("#file").set_input_files({"name": name, "mimeType": "text/plain", "buffer": data})

        told("load a recording")
        upload("wrong.bvh", b"hello")
        told("wrong.bvh: expected a line MOTION")
        assert "trouble" in said.get_attribute("class")
        on.fill("#name", "nobody/x")
        on.get_by_role("button", name="Load").press("Enter")
        told("did you mean")
        upload("mine.bvh", bvh)
        told("done: mine.bvh")
        on.get_by_label("model", exact=True).select_option("duet-synthetic")
        on.get_by_label("seed of chance").fill("5")
        with held(page.session) as reached:
            on.get_by_role("button", name="Make").click()
            assert reached.wait(PATIENCE)
            on.get_by_role("button", name="Make").click()
            told("still a partner; wait until it is done")
        frame = on.wait_for_selector("#players figure:nth-child(2) iframe").content_frame()
        frame.wait_for_selector("canvas[data-draws]")
        assert not moves(frame), "whoever asked for less motion starts it"
        frame.get_by_role("button", name="Play").click()
        assert moves(frame)
        on.locator("#what").select_option("Tempo")
        on.get_by_label("times as fast").fill("0.5")
        on.get_by_role("button", name="Make").click()
        told("done: partner, seed 5 + Tempo")
        on.get_by_role("button", name="partner, seed 5", exact=True).click()
        told("back at partner, seed 5")
        on.get_by_role("button", name="Export").click()
        told("exported partner-seed-5.zip")
        with on.expect_download() as coming:
            on.get_by_role("link", name="Download").click()
        coming.value.save_as(tmp_path / "made.zip")
        small = on.evaluate("[...document.querySelectorAll('button, a.button, select, input:not([type=checkbox])')]"
                            ".filter(e => e.offsetParent && e.getBoundingClientRect().height < 44).map(e => e.id)")
        unnamed = on.evaluate("[...document.querySelectorAll('input, select')].filter(e => !e.labels.length).length")
        assert not small and not unnamed
        on.set_viewport_size({"width": 390, "height": 800})
        assert on.evaluate("document.documentElement.scrollWidth") <= 390
        refused = [what for what in seen.failures if "(status" in what]  # an aborted one is a stream or a download
        assert len(refused) == 1 and "do/ask (status 409)" in refused[0] and not seen.outgoing
        assert all("409" in what for what in seen.errors), seen.errors
    packed = zipfile.ZipFile(io.BytesIO((tmp_path / "made.zip").read_bytes()))
    packed.extractall(tmp_path)
    back = cl.read_duet(tmp_path / "partner-seed-5_a.bvh", tmp_path / "partner-seed-5_b.bvh")
    made = page.session.entries[1].takes[0]
    np.testing.assert_allclose(back.b.positions, made.b.positions, atol=0.005)
    assert "seed: 5" in (tmp_path / "partner-seed-5.txt").read_text(encoding="utf-8")
    assert any("seed 5" in note for note in cl.read_duet(tmp_path / "partner-seed-5.npz").b.notes)
