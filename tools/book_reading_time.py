"""A Sphinx extension of this book: how long a chapter takes to read is counted from its words when the book is built.

A chapter whose table says "about 2,200 words: 10 minutes to read" has those numbers replaced; one that says nothing has
a line of its own under its title. Counted is what a reader reads from top to bottom: prose, tables and lists, without
code, outputs, and what is folded.
"""

import re

from docutils import nodes

PACE = 220
"""Words a minute."""
_TYPED = re.compile(r"\b[Aa]bout [\d,]+ words: \d+ minutes to read(?: without hurry)?")


def _prose(node, folded=None):
    """The texts of a node that are read, in order; ``folded`` remembers whether a <details> is open."""
    folded = [0] if folded is None else folded
    if isinstance(node, nodes.raw):
        text = node.astext()
        folded[0] += text.count("<details") - text.count("</details")
    elif isinstance(node, nodes.Text):
        if not folded[0]:
            yield node.astext()
    elif not isinstance(node, (nodes.literal_block, nodes.comment, nodes.math_block)) and not (
            {"cell_input", "cell_output"} & set(node.get("classes", ()))):
        for child in node.children:
            yield from _prose(child, folded)


def words(node) -> int:
    """How many words of a node are read."""
    return sum(len(re.findall(r"\w[\w'’.,-]*", text)) for text in _prose(node))


def sentence(document) -> str:
    """What a chapter's page says of its length."""
    count = words(document)
    return f"about {round(count, -2):,} words: {max(round(count / PACE), 1)} minutes to read"


def _tell(app, document):
    if not app.env.docname.startswith("notebooks/"):
        return
    said, typed = sentence(document), False
    for text in list(document.findall(nodes.Text)):
        if _TYPED.search(text):
            text.parent.replace(text, nodes.Text(_TYPED.sub(said, text, count=1)))
            typed = True
    title = document.next_node(nodes.title)
    if title is not None and not typed:
        line = nodes.paragraph("", said[0].upper() + said[1:] + ".", classes=["reading-time"])
        title.parent.insert(title.parent.index(title) + 1, line)


def setup(app):
    """Told to Sphinx by `local_extensions` in _config.yml."""
    app.connect("doctree-read", _tell)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
