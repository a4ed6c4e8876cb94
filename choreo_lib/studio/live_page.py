"""A live set in a browser: one page and the events it draws, by tornado, on this computer alone unless told otherwise.

Taught in chapter 10, "The studio".
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import threading
import time
from pathlib import Path
from typing import Any

from ..body.skeleton import Skeleton
from ..show import palette

RATE = 20  # events a second, at most
MOST = 8  # browsers that look on at once
PAGE = Path(__file__).with_name("live_page.html")


class LivePage:
    """A page at ``http://host:port/`` that shows the latest of what `show` was given.

    It serves nothing but itself and events (server-sent: ``text/event-stream``), to loopback by default, and there only
    to requests that name this computer, so that no other page in the browser can read the dance through a name of its
    own. Errors: ImportError without tornado; OSError where the port is taken. Chapter: 10.
    """

    def __init__(self, skeleton: Skeleton, port: int = 8001, host: str = "127.0.0.1"):
        try:
            from tornado import httpserver, netutil, web
        except ImportError:
            raise ImportError("the page needs tornado: pip install 'choreo-lib[live]'", name="tornado") from None
        self.host, self.clients = host, 0
        self.body = {"bones": [list(bone) for bone in skeleton.bones],
                     "colours": {"light": palette.DANCERS, "dark": palette.DANCERS_DARK}}
        self._latest, self._closing, self._next = "", False, 0.0
        sockets = netutil.bind_sockets(port, host)
        self.port = sockets[0].getsockname()[1]
        ready = threading.Event()

        async def serve() -> None:
            self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
            server = httpserver.HTTPServer(web.Application(_handlers(web, self)), max_header_size=8192)
            server.add_sockets(sockets)
            ready.set()
            await self._done.wait()
            server.stop()
            await asyncio.sleep(2 / RATE)  # so that streams of events end by themselves
            await server.close_all_connections()

        self._thread = threading.Thread(target=lambda: asyncio.run(serve()), name="page", daemon=True)
        self._thread.start()
        ready.wait(10)

    def due(self) -> bool:
        """Whether the next event may be made: `RATE` a second are enough. Chapter: 10."""
        return time.monotonic() >= self._next

    def show(self, **what: Any) -> None:
        """What to draw next, of plain JSON values. Chapter: 10."""
        self._next = time.monotonic() + 1 / RATE
        self._latest = json.dumps(what, separators=(",", ":"))

    @property
    def latest(self) -> str:
        """The newest event, as JSON; "" before the first. Chapter: 10."""
        return self._latest

    def close(self) -> None:
        """Serve no longer. Chapter: 10."""
        self._closing = True
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(5)

    @property
    def closing(self) -> bool:
        """Whether the server is going down. Chapter: 10."""
        return self._closing


def _handlers(web: Any, page: LivePage) -> list:
    class Guarded(web.RequestHandler):
        """Answers only who asks for this computer, where the page is for this computer only."""

        def prepare(self) -> None:
            named = self.request.host_name
            if _is_loopback(page.host) and not _is_loopback(named):
                raise web.HTTPError(403)
            self.set_header("Content-Security-Policy", "default-src 'none'; script-src 'unsafe-inline'; "
                                                       "style-src 'unsafe-inline'; connect-src 'self'")
            self.set_header("Cache-Control", "no-store")

    class Page(Guarded):
        def get(self) -> None:
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.write(PAGE.read_text(encoding="utf-8").replace("{{body}}", json.dumps(page.body)))

    class Events(Guarded):
        async def get(self) -> None:
            from tornado.iostream import StreamClosedError

            if page.clients >= MOST:
                raise web.HTTPError(503)
            self.set_header("Content-Type", "text/event-stream")
            page.clients += 1
            try:
                sent = ""
                while not page.closing:
                    if page.latest != sent:
                        sent = page.latest
                        self.write(f"data: {sent}\n\n")
                        await self.flush()
                    await asyncio.sleep(1 / RATE)
            except StreamClosedError:
                pass  # who looked on has left
            finally:
                page.clients -= 1

    return [("/", Page), ("/events", Events)]


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
