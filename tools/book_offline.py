"""A Sphinx extension of this book: what its pages need to be whole without a network, light, and open to everybody.

Jupyter Book adds sphinx-thebe to every page, switched on or not. Its script names a host outside, and stands there
twice, which browsers report as an error. And ipywidgets ask MathJax 2 to typeset their labels, where the page has
MathJax 3, which knows no `Hub`. Every page would load MathJax, with or without mathematics, and the icons of the theme
twice, as a script of half a megabyte and as a font; here each comes once and where it is used.

What the theme writes is put right for those who hear a page or use it by keys (`_repaired`), and the players that
notebooks store run the script that is in the library now, so that all players of the book are the same one.
"""

import re
from functools import lru_cache
from pathlib import Path

_HUB = ("addEventListener('DOMContentLoaded',()=>{if(window.MathJax)MathJax.Hub={Queue:([,,label])=>"
        "MathJax.startup.promise.then(()=>MathJax.typesetPromise([label]))};"
        "window.MathJax?.startup?.promise?.then(()=>dispatchEvent(new Event('resize')))})")  # `_SCROLLING` looks again
_SLIDERS = """addEventListener('DOMContentLoaded',()=>new MutationObserver(()=>document.querySelectorAll(
'.noUi-handle:not([aria-label])').forEach(h=>h.setAttribute('aria-label',h.closest('.widget-slider')?.querySelector(
'.widget-label')?.textContent||'Value'))).observe(document.body,{childList:true,subtree:true}))"""
# The theme lets keys reach what scrolls in code and outputs; on a phone tables, figures and formulae scroll as well,
# and a figure is as wide as it is only when it has come.
_SCROLLING = """addEventListener('DOMContentLoaded',()=>{const reach=()=>document.querySelectorAll(
'.bd-article :is(table,div.math,mjx-container,.cell_output)').forEach(e=>{if(e.scrollWidth>e.clientWidth
&&getComputedStyle(e).overflowX==='auto')e.tabIndex=0;else e.removeAttribute('tabindex')})
document.addEventListener('load',reach,true);addEventListener('load',reach);addEventListener('resize',reach)})"""
_REPAIRS = {  # what the theme writes, and what it should be
    # the icons are a font already
    r'<script defer src="[^"]*scripts/fontawesome\.js[^"]*"></script>': "",
    # names for what opens and closes
    r"<summary>(?=<span class=\"toctree-toggle\")": '<summary aria-label="Pages below">',
    r' aria-label="Toggle hidden content"': "",  # the words "Show code cell source" beside it are better
    r'(<button class="btn search-button[^>]*?) title="Search" aria-label="Search"': r'\1',
    r'<span class="search-button__kbd-shortcut">': '<span class="search-button__kbd-shortcut" aria-hidden="true">',
    r'<th class="head"><p></p></th>': "<td></td>",  # the corner of a table heads nothing
    # the logo stands in no landmark
    r'<div role="list" class="citation-list"': '<div class="citation-list"',  # whose items are no list items
    r'<div id="pst-primary-sidebar"': '<div id="pst-primary-sidebar" role="region" aria-label="Book"',
}


def _lighter(app, page, template, context, doctree):
    unwanted = ["thebe"]
    if not re.search(r'class="[^"]*\bmath\b|application/vnd\.jupyter\.widget', context.get("body", "")):
        unwanted.append("mathjax")
    if "application/vnd.jupyter.widget" in context.get("body", ""):
        app.add_js_file(None, body=_SLIDERS)  # for this page only, since the page is being written
    told = lambda file: f"{file} {getattr(file, 'attributes', {}).get('body') or ''}".lower()  # noqa: E731
    for key in ("script_files", "css_files"):
        context[key] = [file for file in context.get(key, []) if not any(word in told(file) for word in unwanted)]


@lru_cache
def player_script(with_map):
    """player.js as `choreo_lib.show.player` puts it into a page; the library itself is not imported for a build."""
    text = (Path(__file__).parents[1] / "choreo_lib" / "show" / "player.js").read_text(encoding="utf-8")
    if not with_map:
        text = re.sub(r"// ---- the map of phrases.*?// ---- end of the map[^\n]*", "", text, flags=re.DOTALL)
    return "\n".join(line for line in map(str.strip, text.splitlines()) if line and not line.startswith("//"))


def _players(page):
    """Every stored player with the script of today; its data stay as they are."""
    def today(found):
        script = player_script(with_map="&quot;map&quot;:" in found[1])
        return found[1] + script.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;") + found[2]
    # the player's, and not that of a blind test, in whose frame players lie as data
    return re.sub(r"""(srcdoc="[^"]*?id=&quot;choreo&quot;[^"]*?&lt;script>)'use strict';"""
                  r"""(?=\s*\(\(\) => \{\s*const data\b)[^"]*?(&lt;/script>)""", today, page)


def _repaired(page):
    for wrong, right in _REPAIRS.items():
        page = re.sub(wrong, right, page)
    return _players(page)


def _render_repaired(app):
    if templates := getattr(app.builder, "templates", None):
        render = templates.render
        templates.render = lambda *args: _repaired(render(*args))


def setup(app):
    """Told to Sphinx by `local_extensions` in _config.yml."""
    app.connect("html-page-context", _lighter, priority=900)
    app.connect("builder-inited", _render_repaired)
    app.add_js_file(None, body=_HUB)
    app.add_js_file(None, body=_SCROLLING)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
