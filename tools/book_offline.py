"""A Sphinx extension of this book: what its pages need to be whole without a network and without errors.

Jupyter Book adds sphinx-thebe to every page, switched on or not. Its script names a host outside, and stands there
twice, which browsers report as an error. And ipywidgets ask MathJax 2 to typeset their labels, where the page has
MathJax 3, which knows no `Hub`.
"""

_HUB = ("addEventListener('DOMContentLoaded',()=>{if(window.MathJax)MathJax.Hub={Queue:([,,label])=>"
        "MathJax.startup.promise.then(()=>MathJax.typesetPromise([label]))}})")


def _drop_thebe(app, page, template, context, doctree):
    foreign = lambda file: "thebe" in f"{file} {getattr(file, 'attributes', {}).get('body') or ''}".lower()  # noqa: E731
    for key in ("script_files", "css_files"):
        context[key] = [file for file in context.get(key, []) if not foreign(file)]


def setup(app):
    """Told to Sphinx by `local_extensions` in _config.yml."""
    app.connect("html-page-context", _drop_thebe, priority=900)
    app.add_js_file(None, body=_HUB)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
