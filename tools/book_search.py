"""A Sphinx extension of this book: an index of sections, so that a search leads to one and shows its words.

Sphinx's own index knows pages, holds every word of every stored output (most of it the data of players), and its
excerpts are fetched page by page, which a book opened as a folder may not do. This one holds the prose and the code of
each section, term and name once; `book/_static/search.js` looks through it when somebody searches.
"""

import json
import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

from choreo_lib.core.files import atomic_write

WHOLE = 1500  # characters of a section that are kept as they are

_UNSEEN = (nodes.raw, nodes.image, nodes.comment, nodes.system_message, nodes.target, addnodes.index, addnodes.toctree)


def _own(node) -> bool:
    """Whether a node has an entry of its own, so that its words are not those of what is around it."""
    return isinstance(node, (nodes.section, addnodes.desc, addnodes.glossary))


def _words(node) -> str:
    """What a node says, without outputs and without what has an entry of its own."""
    if isinstance(node, _UNSEEN) or isinstance(node, nodes.Element) and "cell_output" in node.get("classes", ()):
        return ""
    if not node.children or isinstance(node, nodes.TextElement):
        return node.astext()
    return " ".join(_words(child) for child in node.children if not _own(child))


def _entry(anchor: str, title: str, words: str) -> list[str]:
    return [anchor, title, _short(re.sub(r"\s+", " ", words).strip())]


def _short(words: str) -> str:
    """A long section's beginning, for excerpts; of the rest each word that is new, once, so that all can be found."""
    if len(words) <= WHOLE:
        return words
    begin = words[:WHOLE].rpartition(" ")[0]
    known = set(re.findall(r"\w+", begin.lower()))
    return " ".join([begin, *dict.fromkeys(word for word in re.findall(r"\w+", words[len(begin):])
                                           if word.lower() not in known)])


def entries(document) -> list[list[str]]:
    """[anchor, title, words] of every section of a page, of every term of a glossary, of every name of the library."""
    found = []
    for section in document.findall(nodes.section):
        title = section.next_node(nodes.title)
        words = " ".join(_words(child) for child in section.children if child is not title and not _own(child))
        top = section.parent is document
        found.append(_entry("" if top else section["ids"][0], title.astext(), words))
    for glossary in document.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            for term in item.findall(nodes.term):
                found.append(_entry(term["ids"][0], term.astext(), item[-1].astext()))
    for desc in document.findall(addnodes.desc):
        for signature in desc.findall(addnodes.desc_signature):
            if signature.parent is desc and signature["ids"]:
                found.append(_entry(signature["ids"][0], signature["ids"][0], _words(desc[-1])))
    return found


def _write(app) -> None:
    pages, sections = [], []
    for name in sorted(app.env.found_docs):
        number = app.env.toc_secnumbers.get(name, {}).get("", ())
        title = app.env.titles[name].astext()
        pages.append([app.builder.get_target_uri(name), f"{number[0]}. {title}" if number else title])
        sections += [[len(pages) - 1, *entry] for entry in entries(app.env.get_doctree(name))]
    text = json.dumps({"pages": pages, "sections": sections}, ensure_ascii=False, separators=(",", ":"))
    with atomic_write(Path(app.outdir, "searchindex.js")) as half:
        half.write_text(f"const BOOK = {text};\n", encoding="utf-8")


def _replace(app) -> None:
    if app.builder.format == "html":
        app.builder.index_page = app.builder.load_indexer = lambda *args: None
        app.builder.dump_search_index = lambda: _write(app)


def setup(app):
    """Told to Sphinx by `local_extensions` in _config.yml."""
    app.connect("builder-inited", _replace)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
