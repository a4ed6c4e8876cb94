"""Every page of the built book in Chromium with no network, over http and as a file: nothing missing, all moving."""

import functools
import http.server
import os
import threading
from pathlib import Path

import pytest
from browser import chromium, moves, player_frame, state, until, visit

BOOK = Path(__file__).parents[1] / "_build" / "html"
PAGES = sorted(
    str(p.relative_to(BOOK))
    for p in BOOK.rglob("*.html")
    if not {"_static", "_sources"} & set(p.parts) and p != BOOK / "index.html"  # which leads to the welcome page
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not PAGES, reason="the book is not built: make book, then make test"),
]
BROKEN = "[...document.images].filter(i => !(i.complete && i.naturalWidth)).map(i => i.src)"
SETTLED = "[...document.images].every(i => i.complete)"
MATH = "[...document.querySelectorAll('.math')].filter(m => !m.querySelector('mjx-container')).length"


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Say nothing: a test's output is its own."""


@pytest.fixture(scope="module", params=["http", "file"])
def address(request):
    """Where the book lies: a server on this machine, or the folder itself."""
    if request.param == "file":
        yield BOOK.as_uri()
        return
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=os.fspath(BOOK)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_whole_without_a_network(browser, address, page):
    with visit(browser, url=f"{address}/{page}") as seen:
        seen.page.wait_for_load_state("load")
        seen.page.evaluate("document.querySelectorAll('img[loading=lazy]').forEach(i => i.loading = 'eager')")
        seen.page.wait_for_function(SETTLED)
        if seen.page.query_selector(".math"):
            seen.page.wait_for_function(f"{MATH} === 0")
        assert not seen.page.evaluate(BROKEN), "a picture is broken"
        for number, element in enumerate(seen.page.query_selector_all(".choreo-player")):
            frame = player_frame(seen.page, number)
            # it rests out of sight, and what is above may still grow: so it is held in sight until it dances
            seen.page.wait_for_function(
                """([e, before]) => { e.scrollIntoView({block: 'center', behavior: 'instant'});
                const s = e.querySelector('iframe').contentDocument.querySelector('canvas').dataset;
                return s.playing === 'true' && s.frame !== before; }""",
                arg=[element, state(frame)["frame"]],
            )
        for film in seen.page.query_selector_all("video"):
            film.scroll_into_view_if_needed()
            film.evaluate("v => { v.muted = true; return v.play(); }")
            seen.page.wait_for_function("v => v.currentTime > 0.2", arg=film)
        assert not seen.trouble


CHAPTERS = [page for page in PAGES if page.startswith("notebooks/")]
HINTS = "details:not([class])"


@pytest.mark.parametrize("page", CHAPTERS)
def test_hints_and_solutions_are_folded_and_open(browser, address, page):
    with visit(browser, url=f"{address}/{page}") as seen:
        found = seen.page.locator(f".bd-article {HINTS}")
        assert found.count() >= 6 and not seen.page.locator(f".bd-article {HINTS}[open]").count()
        for fold in found.all():
            assert fold.locator("summary").inner_text() in ("Hint", "Solution")
            assert fold.locator(":scope > :not(summary)").count()  # what it hides is inside, and not beside
        found.last.locator("summary").click()
        assert found.last.locator(":scope > :not(summary)").first.is_visible()


def test_the_front_door_opens_on_a_duet_that_plays(browser, address):
    with visit(browser, url=f"{address}/index.html") as seen:
        seen.page.wait_for_url("**/book/welcome.html")
        assert moves(player_frame(seen.page)), "the welcome duet stands still"
        assert not seen.trouble


def test_chapter_one_shows_salsa_in_motion(browser, address):
    with visit(browser, url=f"{address}/notebooks/01_seeing_a_duet.html") as seen:
        assert seen.page.locator("figure.choreo-film video").count() == 2
        assert "salsa" in seen.page.locator("figure.choreo-film").first.inner_text().lower()


def test_reduced_motion_is_respected_on_the_page(browser, address):
    with visit(browser, url=f"{address}/book/welcome.html", reduced_motion="reduce") as seen:
        frame = player_frame(seen.page)
        until(frame, "s.playing === 'false'")
        assert not moves(frame)


def test_dark_and_light_reach_the_player(browser, address):
    pixel = "document.querySelector('canvas').getContext('2d').getImageData(3, 3, 1, 1).data"
    with visit(browser, url=f"{address}/book/welcome.html") as seen:
        frame = player_frame(seen.page)
        for theme, paper in (("light", "> 600"), ("dark", "< 200")):
            seen.page.evaluate(
                f"document.documentElement.dataset.mode = document.documentElement.dataset.theme = '{theme}'"
            )
            until(frame, f"s.theme === '{theme}'")
            frame.wait_for_function(f"() => {{ const d = {pixel}; return d[0] + d[1] + d[2] {paper}; }}")


def test_no_page_waits_for_the_search_index(browser, address):
    """Two megabytes that only a search needs: a page that loads them first lets its dancers wait."""
    with visit(browser, url=f"{address}/book/welcome.html") as seen:
        seen.page.wait_for_load_state("load")
        assert not [url for url in seen.requests if "searchindex" in url or "searchtools" in url]
    with visit(browser, url=f"{address}/search.html?q=quaternion") as seen:
        seen.page.wait_for_selector("#search-results li a")
        assert not seen.trouble
