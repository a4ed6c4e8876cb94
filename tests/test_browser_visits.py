"""The tests' own eye on pages, `visit`: what a page that was left still waited for is no trouble, all else is."""

import http.server
import threading

import pytest
from browser import chromium, visit

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address():
    """/slow answers only after /next was asked for; /broken hangs up; what has another name is not there."""
    left = threading.Event()

    class Answers(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args):
            """Say nothing: a test's output is its own."""

        def do_GET(self):
            if self.path == "/broken":
                return
            if self.path == "/slow":
                left.wait(60)
            if self.path == "/next":
                left.set()
            missing = self.path not in ("/first", "/next", "/slow", "/spoilt")
            text = {"/first": "<img src=/slow><a href=/next>on</a>", "/spoilt": "<img src=/gone><img src=/broken>"}
            self.send_response(404 if missing else 200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            if not missing:
                self.wfile.write(f"<!doctype html><link rel=icon href=data:,>{text.get(self.path, '')}".encode())

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    left.set()
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


def test_leaving_a_page_that_still_loads_is_no_trouble(browser, address):
    with visit(browser, url="about:blank") as seen:
        seen.page.goto(f"{address}/first", wait_until="commit")
        seen.page.locator("a").click(no_wait_after=True)
        seen.page.wait_for_url("**/next")
        seen.page.wait_for_load_state("load")
    assert f"{address}/slow" in seen.requests and not seen.trouble


def test_what_is_missing_and_what_hangs_up_is_trouble(browser, address):
    with visit(browser, url=f"{address}/spoilt") as seen:
        seen.page.wait_for_load_state("load")
    assert any("/gone (status 404)" in what for what in seen.trouble)
    assert any("/broken (net::ERR_EMPTY_RESPONSE)" in what for what in seen.trouble)
