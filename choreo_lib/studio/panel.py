"""The studio in a notebook, of core ipywidgets: those of Colab (7.7) and those of 8. Taught in chapter 10."""

import base64
import html
import time
from collections.abc import Callable, Mapping
from typing import Any

from .forms import Ask, Field, asks
from .history import KINDS
from .session import Busy, Session

SEEN = 8  # takes that are shown side by side, at most
LINK_BYTES = 16 * 2**20  # the largest ZIP that is put into the notebook as a link; files lie in a folder as well
OFTEN = 0.1  # seconds between two steps of the progress bar
TALL = {"height": "44px", "width": "auto"}  # as a finger needs it


def uploaded(value: Any) -> list[tuple[str, bytes]]:
    """(name, bytes) of each file in a FileUpload's value: ipywidgets 7 has a dict by name, 8 a tuple. Chapter: 10."""
    files = [{"name": name} | dict(each) for name, each in value.items()] if isinstance(value, Mapping) else value
    return [(str(each.get("name") or each["metadata"]["name"]), bytes(each["content"])) for each in files]


class Panel:
    """The widgets of a `Session`: a notebook shows them as they are. ``session`` has what was made. Chapter: 10."""

    def __init__(self) -> None:
        import ipywidgets

        self._w, self.session = ipywidgets, Session(self._changed)
        self._seen, self._told = -1, 0.0
        w, button = self._w, self._button
        self.upload = w.FileUpload(accept=".bvh,.fbx,.npz,.npy,.c3d,.trc,.json", multiple=True, description="Upload",
                                   layout=w.Layout(**TALL))
        self.upload.observe(self._uploaded, "value")
        takes = [f"{name}{who}" for name in self.session.examples() for who in ("", "/a", "/b")]
        self.name = w.Combobox(value="synthetic/canon/a", options=takes, description="path or name",
                               ensure_option=False, **self._wide())
        self.load = button("Load", lambda: self.session.load(self.name.value))
        self.start = w.FloatText(0.0, description="from, s", **self._wide())
        self.stop = w.FloatText(0.0, description="to, s", **self._wide())
        self.trim = button("Trim", lambda: self.session.trim(self.start.value, self.stop.value))
        verbs = [(ask.label, name) for name, ask in asks().items()]
        self.what = w.Dropdown(options=verbs, description="ask for", **self._wide())
        self.what.observe(lambda _: self._form(), "value")
        self.about, self.form = w.HTML(), w.VBox()
        self.fields: dict[str, Any] = {}
        self.take = w.Dropdown(options=[("take 1", 0)], description="take", **self._wide())
        self.make = button("Make", lambda: self.session.ask(
            self.what.value, self.take.value if asks()[self.what.value].edits else 0,
            **{name: each.value for name, each in self.fields.items()}), button_style="primary")
        self.cancel = button("Cancel", self.session.cancel, disabled=True)
        self.progress = w.IntProgress(0, 0, 1, description="", layout=w.Layout(width="100%"))
        self.said = w.HTML()
        self.history = w.Select(options=[], rows=4, description="history", **self._wide())
        self._back = button("Go back to it", lambda: self.session.go_back(self.history.value))
        columns = "repeat(auto-fit, minmax(min(320px, 100%), 1fr))"
        self.players = w.GridBox(layout=w.Layout(grid_template_columns=columns, grid_gap="8px", width="100%"))
        self.lines = w.HTML()
        self.kinds = {kind: w.Checkbox(kind in (".bvh", ".npz"), description=text, indent=False)
                      for kind, text in KINDS.items()}
        self.both = w.Checkbox(True, description="with the recorded dancer", indent=False)
        self.every = w.Checkbox(True, description="all takes", indent=False)
        self.folder = w.Text("studio", description="folder", **self._wide())
        self.save = button("Export", lambda: self.session.export(
            [kind for kind, box in self.kinds.items() if box.value], self.folder.value or "studio",
            None if self.every.value else self.take.value, self.both.value))
        self.link = w.HTML()
        head = lambda text: w.HTML(f"<h3>{text}</h3>")  # noqa: E731
        row = lambda *parts: w.Box(parts, layout=w.Layout(flex_flow="row wrap", align_items="center"))  # noqa: E731
        self.widget = w.VBox([
            head("1. A recording"), row(self.upload, self.name, self.load), row(self.start, self.stop, self.trim),
            head("2. What is to be made"), self.what, self.about, self.form, self.take,
            row(self.make, self.cancel), self.progress, self.said, self.players, self.lines,
            head("3. What was made so far"), row(self.history, self._back),
            head("4. Files"), row(*self.kinds.values()), row(self.both, self.every), row(self.folder, self.save),
            self.link])
        self._form()
        self._show()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget)

    def _wide(self) -> dict[str, Any]:
        """How a control with a description is laid out; long descriptions are not cut."""
        return {"style": {"description_width": "110px"}, "layout": self._w.Layout(width="min(420px, 100%)")}

    def _button(self, text: str, act: Callable[[], Any], **more: Any) -> Any:
        made = self._w.Button(description=text, layout=self._w.Layout(**TALL), **more)
        made.on_click(lambda _: self._do(act))
        return made

    def _do(self, act: Callable[[], Any]) -> None:
        """What a click does; what cannot be is said under the buttons."""
        try:
            act()
        except (Busy, ValueError, TypeError) as error:
            self._say(str(error), trouble=True)

    def _uploaded(self, change: Any) -> None:
        if not change["new"]:
            return  # emptied below
        files = uploaded(change["new"])
        self._do(lambda: self.session.upload(files))
        if isinstance(change["new"], Mapping):  # 7 keeps what was uploaded under the counter on its button
            self.upload._counter = 0
            self.upload.value.clear()
        else:
            self.upload.value = ()

    def _form(self) -> None:
        """The fields of what is to be asked for."""
        ask: Ask = asks()[self.what.value]
        self.fields = {each.name: self._field(each) for each in ask.fields}
        self.form.children = tuple(self.fields.values())
        self.about.value = html.escape(ask.about)
        self.take.layout.display = "" if ask.edits else "none"

    def _field(self, field: Field) -> Any:
        w, how = self._w, {"description": field.label, **self._wide()}
        if field.kind == "flag":
            return w.Checkbox(bool(field.default), **how)
        if field.kind == "choice":
            return w.Dropdown(options=list(field.options.items()), value=field.default, **how)
        if field.kind == "joint":
            return w.Combobox(options=self.session.state()["joints"], ensure_option=False, **how)
        return w.Text(str(field.default), placeholder=field.hint, **how)

    def _changed(self) -> None:
        """The session has news; of progress not every step is shown."""
        if self.session.doing and self.cancel.disabled is False and time.monotonic() < self._told + OFTEN:
            return
        self._told = time.monotonic()
        self._show()

    def _show(self) -> None:
        state = self.session.state()
        busy = bool(state["doing"])
        self.cancel.disabled = not busy
        self.progress.max, self.progress.value = max(state["of"], 1), state["done"]
        self.progress.layout.visibility = "visible" if busy else "hidden"
        self._say(f"{state['doing']} ..." if busy else state["trouble"] or state["said"], bool(state["trouble"]))
        if busy or state["at"] < 0:
            return
        if exported := self.session.exported:
            words = html.escape("wrote " + ", ".join(state["exported"]["paths"]))
            if len(exported.data) <= LINK_BYTES:
                packed = base64.b64encode(exported.data).decode("ascii")
                words += (f'<br><a download="{html.escape(exported.name)}" style="line-height:44px" '
                          f'href="data:application/zip;base64,{packed}">download {html.escape(exported.name)}</a>')
            if self.link.value != words:
                self.link.value = words
        if state["at"] != self._seen:
            self._seen = state["at"]
            self._show_entry(state)

    def _show_entry(self, state: Mapping[str, Any]) -> None:
        """The current entry: its players, its lines, the history, what can be chosen of it."""
        w, entry = self._w, self.session.entry
        made = range(min(len(entry.takes), SEEN)) if entry.provenance else ()
        tall = 320 if made else 420
        self.players.children = [w.HTML(entry.player(take, tall).html, layout=w.Layout(width="100%"))
                                 for take in (None, *made)]
        words = [*state["lines"], *state["table"].splitlines()]
        self.lines.value = f'<pre style="white-space:pre-wrap">{html.escape(chr(10).join(words))}</pre>'
        self.history.options = [(each["title"], each["number"]) for each in state["history"]]
        self.history.value = state["at"]
        self.take.options = [(f"take {k + 1}", k) for k in range(len(entry.takes))]
        self.start.value, self.stop.value = 0.0, state["seconds"]
        for field in asks()[self.what.value].fields:
            if field.kind == "joint":
                self.fields[field.name].options = state["joints"]

    def _say(self, text: str, trouble: bool = False) -> None:
        sign = "Could not: " if trouble else ""
        self.said.value = f'<div role="status" style="min-height:1.5em">{sign}{html.escape(text)}</div>'


def panel() -> Panel:
    """The studio as a panel: load, look, trim, ask, edit, go back, export. Errors: none. Chapter: 10."""
    return Panel()
