"""Every page of the built book in Chromium with no network, over http and as a file: nothing missing, all moving."""

import functools
import gzip
import html
import http.server
import json
import os
import re
import threading
from pathlib import Path

import pytest
from browser import chromium, moves, player_frame, state, until, visit

BOOK = Path(os.environ.get("CHOREO_BOOK") or Path(__file__).parents[1] / "_build" / "html")
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
        named = [fold.locator("summary").inner_text() for fold in found.all()]  # others describe a picture
        assert sum(name in ("Hint", "Solution") for name in named) >= 6 and all(named)
        assert not seen.page.locator(f".bd-article {HINTS}[open]").count()
        for fold in found.all():
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
    """Half a megabyte that only a search needs: a page that loads it first lets its dancers wait."""
    with visit(browser, url=f"{address}/book/welcome.html") as seen:
        seen.page.wait_for_load_state("load")
        assert not [url for url in seen.requests if re.search("searchindex|search.js|mathjax|fontawesome.js", url)]


@pytest.mark.parametrize("asked, section, words", [
    ("quaternions", "notebooks/01_seeing_a_duet.html#quaternions-in-pictures", "quaternion"),
    ("posterior collapse", "book/glossary.html#term-posterior-collapse", "decoder ignores"),
    ("read_motion", "book/api_files.html#choreo_lib.read_motion", "motion file"),
])
def test_a_search_leads_to_a_section_and_shows_its_words(browser, address, asked, section, words):
    with visit(browser, url=f"{address}/search.html?q={asked}") as seen:
        found = seen.page.locator("#search-results li", has=seen.page.locator(f"a[href='{section}']"))
        found.wait_for()
        assert words in found.locator("p").inner_text().lower()
        found.locator("a").click()
        target = seen.page.locator(f"[id='{section.split('#')[1]}']")
        target.wait_for()
        seen.page.wait_for_function("e => Math.abs(e.getBoundingClientRect().top) < innerHeight",
                                    arg=target.element_handle())
        assert not seen.trouble


def test_what_is_asked_stays_text_and_what_is_nowhere_is_said(browser, address):
    with visit(browser, url=f"{address}/search.html?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%20zzyzx") as seen:
        said = seen.page.locator("#search-results [role=status]")
        said.wait_for()
        assert "Nothing in the book" in said.inner_text()
        assert not seen.page.locator("#search-results img").count() and not seen.trouble


def test_the_search_index_holds_words_and_no_outputs():
    text = (BOOK / "searchindex.js").read_text(encoding="utf-8")
    assert len(gzip.compress(text.encode())) < 250_000
    index = json.loads(text.removeprefix("const BOOK = ").removesuffix(";\n"))
    assert {page for page, _ in index["pages"]} <= set(PAGES)
    assert max(len(word) for *_, words in index["sections"] for word in words.split()) < 200
    assert "Watch the left hands" in text and "frames, dancers, joints" in text  # prose and code
    assert "(300, 2, 29, 3)" not in text  # what that code of chapter 1 puts out


CUT_OFF = """() => {
  const width = document.documentElement.clientWidth, wrong = [];
  const style = e => getComputedStyle(e);
  const name = e => e.tagName + '.' + e.className + ': ' + e.textContent.trim().slice(0, 40);
  if (document.documentElement.scrollWidth > width) wrong.push('the page is ' + document.documentElement.scrollWidth);
  scrollTo(100, 0);
  if (scrollX) wrong.push('the page moves sideways');
  for (const e of document.querySelectorAll('.bd-main pre'))
    if (e.scrollWidth > e.clientWidth + 1 && !/auto|scroll/.test(style(e).overflowX)) wrong.push('code: ' + name(e));
  for (const e of document.querySelectorAll('.bd-main *')) {
    if (e.closest('svg, .math, iframe, details:not([open]) > :not(summary)') || !e.clientWidth) continue;
    if (/hidden|clip/.test(style(e).overflowX) && e.scrollWidth > e.clientWidth + 1) wrong.push('cut off: ' + name(e));
  }
  return wrong;
}"""


IN_THE_DARK = """() => {
  const wrong = [], style = e => getComputedStyle(e);
  for (const img of document.querySelectorAll('.cell_output img')) {
    const dot = new OffscreenCanvas(1, 1).getContext('2d');  // a figure's corner is its paper
    dot.drawImage(img, 0, 0, 1, 1, 0, 0, 1, 1);
    const [r, g, b, alpha] = dot.getImageData(0, 0, 1, 1).data;
    if (alpha < 255 || r + g + b < 600) wrong.push('no paper: ' + img.alt.slice(0, 40));
    if (style(img).padding !== '0px') wrong.push('a rim: ' + img.alt.slice(0, 40));
    if (!style(img).filter.includes('invert')) wrong.push('white in the dark: ' + img.alt.slice(0, 40));
  }
  for (const table of document.querySelectorAll('.cell_output table'))
    if (style(table.closest('.output')).backgroundColor !== 'rgba(0, 0, 0, 0)') wrong.push('a table on white');
  return wrong;
}"""


def test_in_the_dark_figures_are_turned_round_and_tables_take_the_page_s(browser, address):
    if address.startswith("file"):
        pytest.skip("a file may not look into its pictures")
    for page in CHAPTERS:
        with visit(browser, url=f"{address}/{page}", color_scheme="dark") as seen:
            seen.page.evaluate("document.querySelectorAll('img[loading=lazy]').forEach(i => i.loading = 'eager')")
            seen.page.wait_for_function(SETTLED)
            assert seen.page.evaluate(IN_THE_DARK) == [], page


AXE = Path(__file__).parent / "node" / "node_modules" / "axe-core" / "axe.min.js"
# A chapter has thousands of coloured words of code, and axe takes ten seconds for them. One of each kind stays.
ONE_OF_A_KIND = """() => {
  const kinds = new Set();
  for (const e of document.querySelectorAll('body *')) {
    const shown = e.checkVisibility({opacityProperty: true, visibilityProperty: true});
    if (!shown || ![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const { color, fontSize, fontWeight } = getComputedStyle(e);
    const kind = [e.tagName, e.className, e.parentElement.className, color, fontSize, fontWeight].join();
    if (!kinds.has(kind)) e.dataset.kind = kinds.add(kind).size;
  }
  for (const code of document.querySelectorAll('pre:not(:has([data-kind]))')) code.textContent = code.textContent; }"""
CONTRAST = """async () => !document.querySelector('[data-kind]') ? [] :
  (await axe.run({include: [['[data-kind]']]},
                 {resultTypes: ['violations'], runOnly: ['color-contrast']})).violations"""
FAULTS = """async () =>
  (await axe.run({resultTypes: ['violations'], rules: {'color-contrast': {enabled: false}}})).violations"""
DARK = "document.documentElement.dataset.mode = document.documentElement.dataset.theme = 'dark'"


@pytest.fixture(scope="module")
def looked(browser):
    """What is wrong on every page, by page and by what was asked; each is opened once, wide and then narrow."""
    found = {}
    for page in PAGES:
        wide, narrow = ({"width": width, "height": 800} for width in (1280, 390))
        with visit(browser, url=f"{BOOK.as_uri()}/{page}", color_scheme="light", viewport=wide) as seen:
            seen.page.wait_for_load_state("load")
            seen.page.add_style_tag(content="* { transition: none !important }")  # a colour on its way to another
            if seen.page.query_selector(".choreo-player"):
                player_frame(seen.page)
            wrong = found[page] = {"cut off 1280": seen.page.evaluate(CUT_OFF)}
            if AXE.exists():
                for frame in seen.page.frames:
                    frame.evaluate(AXE.read_text(encoding="utf-8"))
                own = seen.page.frames[:2]  # the players of a page are one script
                for frame in own:
                    frame.evaluate(ONE_OF_A_KIND)
                wrong["axe, light"] = seen.page.evaluate(FAULTS) + [x for f in own for x in f.evaluate(CONTRAST)]
                seen.page.evaluate(DARK)
                if len(own) > 1 and seen.page.query_selector(".choreo-player"):
                    until(own[1], "s.theme === 'dark'")
                wrong["axe, dark"] = [x for f in own for x in f.evaluate(CONTRAST)]
            seen.page.set_viewport_size(narrow)
            seen.page.evaluate("scrollTo(0, 0)")
            seen.page.wait_for_timeout(400)  # the theme looks again 0.3 s after a change of size
            wrong["cut off 390"] = seen.page.evaluate(CUT_OFF)
            if AXE.exists():
                wrong["axe, 390"] = seen.page.evaluate(FAULTS)
    return found


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_cut_off(looked, width):
    """What is wider than the page scrolls in a box of its own."""
    assert not {page: wrong[f"cut off {width}"] for page, wrong in looked.items() if wrong[f"cut off {width}"]}


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not here: make node")
@pytest.mark.parametrize("how", ["light", "dark", "390"])
def test_axe_finds_nothing_serious_and_nothing_moderate(looked, how):
    assert [f"{page}: {fault['id']}: {fault['nodes'][0]['html'][:120]}" for page, wrong in looked.items()
            for fault in wrong[f"axe, {how}"] if fault["impact"] in ("moderate", "serious", "critical")] == []


def test_one_search_box_is_in_sight_and_no_empty_bar(browser, address):
    for page in ("book/welcome.html", "notebooks/04_solo_vae.html", "search.html"):
        for width in (1280, 390):
            with visit(browser, url=f"{address}/{page}", viewport={"width": width, "height": 800}) as seen:
                boxes = seen.page.locator(".search-button__button, .bd-search-container input").all()
                places = [box.bounding_box() for box in boxes if box.is_visible()]
                in_sight = [box for box in places if 0 <= box["x"] < width and 0 <= box["y"] < 800]
                assert len(in_sight) == 1, (page, width)
                assert not seen.page.locator("#pst-header").is_visible()


def test_what_a_finger_presses_is_large_enough(browser, address):
    phone = {"viewport": {"width": 390, "height": 800}, "has_touch": True, "is_mobile": True}
    with visit(browser, url=f"{address}/notebooks/04_solo_vae.html", **phone) as seen:
        frame = player_frame(seen.page)
        for place, what in ((seen.page, ".bd-header-article button, .bd-article summary"),
                            (frame, ".bar button, .bar select")):
            sizes = [each.bounding_box() for each in place.locator(what).all() if each.is_visible()]
            assert len(sizes) > 5 and all(box["height"] >= 44 and box["width"] >= 44 for box in sizes)


def test_every_player_of_the_book_runs_the_script_of_the_library(browser):
    from choreo_lib.show import player
    script = html.escape(player.script("player.js"), quote=True).replace("&gt;", ">").replace("&#x27;", "'")
    for page in ("book/welcome.html", *CHAPTERS):
        text = (BOOK / page).read_text(encoding="utf-8")
        with_map = text.count("&quot;map&quot;:")
        assert text.count('class="choreo-player"') == text.count(script) + with_map, page
