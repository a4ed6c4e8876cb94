"""Chromium for the tests that look at pages: found on the machine, cut off from the network, its requests kept.

    with chromium() as browser, visit(browser, html=player.html) as seen:
        seen.page.keyboard.press("Space")
    assert not seen.trouble
"""

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 180_000  # milliseconds: a bound on a page that hangs, never a measure of how fast it is
TEN_FRAMES = "new Promise(done => { let n = 10; const on = () => n-- ? requestAnimationFrame(on) : done(); on(); })"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # What slips past the route below finds no address.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


@dataclass
class Visit:
    """One page, and what happened on it: requests made, those that failed or wanted out, errors in the console."""

    page: object
    requests: list[str] = field(default_factory=list)
    outgoing: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def trouble(self) -> list[str]:
        return (
            [f"outgoing request: {url}" for url in self.outgoing]
            + [f"failed request: {what}" for what in self.failures]
            + [f"console: {what}" for what in self.errors]
        )


def chromium_path() -> str | None:
    """The browser to use: CHOREO_CHROMIUM if set, else the first on the PATH."""
    told = os.environ.get("CHOREO_CHROMIUM")
    return told or next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def chromium():
    """A headless Chromium; the test is skipped, with the reason, where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
    path = chromium_path()
    if path is None or not os.path.exists(path):
        pytest.skip(f"no Chromium found (looked for {', '.join(NAMES)}; set CHOREO_CHROMIUM to its path)")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visit(browser, html: str | None = None, url: str | None = None, **context):
    """Open a page from its text or its address (file:// or this machine's http://); ``context`` goes to playwright."""
    context = browser.new_context(**({"viewport": {"width": 900, "height": 700}} | context))
    context.set_default_timeout(PATIENCE)
    seen = Visit(context.new_page())
    pending, left = set(), set()  # requests under way; those of a page that was left before they were answered

    def guard(route):
        place = urlsplit(route.request.url)
        if place.scheme in ("http", "https", "ws", "wss") and place.hostname not in ("localhost", "127.0.0.1"):
            seen.outgoing.append(route.request.url)
            return route.abort()
        return route.continue_()

    def asked(request):
        seen.requests.append(request.url)
        if request.is_navigation_request() and request.frame == seen.page.main_frame:
            left.update(pending)  # what the page still waits for is broken off when the next one comes
        pending.add(request)

    def failed(request):
        pending.discard(request)
        broken_off = request in left and request.failure == "net::ERR_ABORTED"
        if request.url not in seen.outgoing and not broken_off:
            seen.failures.append(f"{request.url} ({request.failure})")

    def answered(response):
        if response.status >= 400:
            seen.failures.append(f"{response.url} (status {response.status})")

    context.route("**/*", guard)
    context.on("request", asked)
    context.on("requestfinished", lambda request: pending.discard(request))
    context.on("requestfailed", failed)
    context.on("response", answered)
    seen.page.on("console", lambda m: seen.errors.append(m.text) if m.type == "error" else None)
    seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
    try:
        if html is not None:
            seen.page.set_content(html)
        else:
            seen.page.goto(url)
        yield seen
    finally:
        context.close()


def player_frame(page, index: int = 0):
    """The frame of the page's player number ``index``, once it has drawn."""
    element = page.wait_for_selector(f".choreo-player >> nth={index} >> iframe")
    frame = element.content_frame()
    frame.wait_for_selector("canvas[data-draws]")
    return frame


def state(frame) -> dict:
    """What the player says of itself: frame, playing, turn, tilt, away, edges, theme, all as text."""
    return frame.evaluate("({ ...document.querySelector('canvas').dataset })")


def moves(frame) -> bool:
    """Whether the player goes on by itself, as its own word and its picture have it: no clock is asked.

    A player that says it plays is waited for until another frame is drawn; one that says it does not has to keep its
    frame and its picture over ten of the browser's own frames.
    """
    picture = "document.querySelector('canvas').toDataURL()"
    before, old = state(frame)["frame"], frame.evaluate(picture)
    if state(frame)["playing"] == "true":
        frame.wait_for_function("before => document.querySelector('canvas').dataset.frame !== before", arg=before)
        return frame.evaluate(picture) != old
    frame.evaluate(TEN_FRAMES)
    return state(frame)["frame"] != before or frame.evaluate(picture) != old


def until(frame, test: str):
    """Wait for what the player says of itself: ``test`` is JavaScript about ``s``, the canvas's data attributes."""
    frame.wait_for_function(f"() => {{ const s = document.querySelector('canvas').dataset; return {test}; }}")
