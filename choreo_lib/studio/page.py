"""The studio as a page of this computer alone: ``python -m choreo_lib studio``. Taught in chapter 10."""

import argparse
import json
import secrets
import sys
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..show.payload import for_script
from .forms import Field, asks
from .history import KINDS
from .local_server import LocalServer
from .reading import UPLOAD_BYTES
from .session import Busy, Session

TRIM = (Field("start", "from second", "number", needed=True), Field("stop", "to second", "number", needed=True))
PAGE = Path(__file__).with_name("page.html")


class StudioPage(LocalServer):
    """A page at ``http://127.0.0.1:port/`` over one `Session`, which all windows of the browser share.

    What changes something shows the page's token, so no other page can. Errors: as of `LocalServer`. Chapter: 10.
    """

    def __init__(self, port: int = 8002):
        self.session, self._token = Session(), secrets.token_urlsafe(16)
        self._said: tuple[int, str] = (-1, "")
        super().__init__(self._text(), self._latest, port, routes=self._routes, most_bytes=UPLOAD_BYTES + 65_536)
        self.url = f"http://127.0.0.1:{self.port}/"

    def close(self) -> None:
        """Serve no longer, and cancel what is being done. Chapter: 10."""
        self.session.cancel()
        super().close()

    def do(self, what: str, asked: dict[str, Any]) -> None:
        """What a button of the page asks of the session. Errors: as `Session`; ValueError for another. Chapter: 10."""
        session, take = self.session, asked.get("take")
        buttons: dict[str, Callable[[], None]] = {
            "load": lambda: session.load(str(asked["name"]), local=False),
            "trim": lambda: session.trim(*(each.value(asked[each.name]) for each in TRIM)),
            "ask": lambda: session.ask(str(asked["ask"]), int(take or 0), **asked["fields"]),
            "export": lambda: session.export(list(map(str, asked["kinds"])), None, None if take is None else int(take),
                                             bool(asked.get("both", True))),
            "back": lambda: session.go_back(int(asked["number"])), "cancel": session.cancel}
        if what not in buttons:
            raise ValueError(f"the studio cannot {what}")
        buttons[what]()

    def _latest(self) -> str:
        """The session's state as JSON, made anew when it has changed."""
        version = self.session.version
        if version != self._said[0]:
            self._said = version, json.dumps(self.session.state())
        return self._said[1]

    def _text(self) -> str:
        """The page, with what can be asked for in it."""
        known = {"token": self._token, "uploadBytes": UPLOAD_BYTES, "kinds": KINDS,
                 "examples": [f"{name}{who}" for name in self.session.examples() for who in ("/a", "/b", "")],
                 "asks": [{"name": ask.name, "label": ask.label, "about": ask.about, "edits": ask.edits,
                           "fields": [asdict(each) for each in ask.fields]} for ask in asks().values()]}
        return PAGE.read_text(encoding="utf-8").replace("{{known}}", for_script(known))

    def _routes(self, web: Any, guarded: type) -> list:
        page = self

        class Do(guarded):
            """What a button asks for: 200 and nothing, or 409 where the studio is busy, 400 where it cannot be."""

            def post(self, what: str) -> None:
                if not secrets.compare_digest(self.request.headers.get("X-Studio-Token", ""), page._token):
                    raise web.HTTPError(403)
                try:
                    if what == "upload":
                        files = [(each.filename, each.body) for each in self.request.files.get("file", ())]
                        page.session.upload(files)
                    else:
                        page.do(what, json.loads(self.request.body or b"{}"))
                except (Busy, KeyError, ValueError, TypeError, AttributeError) as error:
                    words = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
                    self.set_status(409 if isinstance(error, Busy) else 400)
                    self.write({"trouble": words})

        class Player(guarded):
            def get(self, number: str, take: str) -> None:
                entry = page.session.entries.get(int(number))
                if entry is None or (take and int(take) >= len(entry.takes)):
                    raise web.HTTPError(404)
                self.write(entry.player(int(take) if take else None).page)

        class Download(guarded):
            def get(self) -> None:
                made = page.session.exported
                if made is None:
                    raise web.HTTPError(404)
                self.set_header("Content-Type", "application/zip")
                self.set_header("Content-Disposition", f'attachment; filename="{made.name}"')
                self.write(made.data)

        return [(r"/do/(\w+)", Do), (r"/player/(\d{1,9})/(\d{0,3})", Player), ("/download", Download)]


def add_page_parser(subparsers: Any) -> None:
    """The verb ``studio`` and its options; `run_page` does what they say. Chapter: 10."""
    verb = subparsers.add_parser("studio", help="the studio as a local web page; nothing leaves this computer")
    verb.add_argument("--port", type=int, default=8002, help="of this computer (default: %(default)s)")
    verb.add_argument("--no-open", action="store_true", help="do not open the browser")
    verb.add_argument("--data", help="where the real sets lie (as CHOREO_DATA)")


def run_page(asked: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C; gives the exit status. Errors: as `StudioPage`. Chapter: 10."""
    page = StudioPage(asked.port)
    print(f"choreo_lib studio: {page.url} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    if not asked.no_open:
        webbrowser.open(page.url)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        page.close()
    return 0
