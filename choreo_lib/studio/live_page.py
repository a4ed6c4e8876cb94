"""A live set in a browser: one page and the events it draws, on this computer alone unless told otherwise.

Taught in chapter 10, "The studio".
"""

import json
import time
from pathlib import Path
from typing import Any

from ..body.skeleton import Skeleton
from ..show import palette
from .local_server import RATE, LocalServer

PAGE = Path(__file__).with_name("live_page.html")


class LivePage:
    """A page at ``http://host:port/`` that shows the latest of what `show` was given.

    It serves nothing but itself and events, as a `LocalServer` does. Errors: as there. Chapter: 10.
    """

    def __init__(self, skeleton: Skeleton, port: int = 8001, host: str = "127.0.0.1"):
        body = {"bones": skeleton.bones, "colours": {"light": palette.DANCERS, "dark": palette.DANCERS_DARK}}
        self._latest, self._next = "", 0.0
        text = PAGE.read_text(encoding="utf-8").replace("{{body}}", json.dumps(body))
        self._server = LocalServer(text, lambda: self._latest, port, host)
        self.host, self.port = host, self._server.port

    def due(self) -> bool:
        """Whether the next event may be made: `RATE` a second are enough. Chapter: 10."""
        return time.monotonic() >= self._next

    def show(self, **what: Any) -> None:
        """What to draw next, of plain JSON values. Chapter: 10."""
        self._next = time.monotonic() + 1 / RATE
        self._latest = json.dumps(what, separators=(",", ":"))

    def close(self) -> None:
        """Serve no longer. Chapter: 10."""
        self._server.close()
