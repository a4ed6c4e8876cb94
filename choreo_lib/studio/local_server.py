"""A small web server for this computer alone, in a thread: what both pages share. Taught in chapter 10."""

import asyncio
import ipaddress
import threading
from collections.abc import Callable
from typing import Any

from ..io.conventions import optional

RATE = 20  # events a second, at most
MOST = 8  # browsers that look on at once


class LocalServer:
    """A server at ``http://host:port/``, to loopback by default, and there only to requests that name this computer.

    So no other page can read the dance through a name of its own (DNS rebinding). ``text``: the page at /; ``latest``
    gives the next event of ``/events``, as JSON; ``routes`` takes tornado's ``web`` and a handler class to derive from,
    which refuses foreign names and loads from elsewhere, and gives [(path, handler)]; ``most_bytes``: of a request.
    Errors: ImportError without tornado; OSError where the port is taken. Chapter: 10.
    """

    def __init__(self, text: str, latest: Callable[[], str], port: int, host: str = "127.0.0.1",
                 routes: Callable[[Any, type], list] = lambda web, guarded: [], most_bytes: int = 65_536):
        httpserver, netutil, web = (optional(f"tornado.{part}", "the page is served", "live")
                                    for part in ("httpserver", "netutil", "web"))
        self.clients, self.closing = 0, False
        guarded = _guarded(web, host)
        handlers = [*_watched(web, guarded, self, text, latest), *routes(web, guarded)]
        sockets = netutil.bind_sockets(port, host)
        self.port = sockets[0].getsockname()[1]
        ready = threading.Event()

        async def serve() -> None:
            self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
            server = httpserver.HTTPServer(web.Application(handlers), max_header_size=8192, max_body_size=most_bytes,
                                           max_buffer_size=max(most_bytes, 65_536) + 65_536)
            server.add_sockets(sockets)
            ready.set()
            await self._done.wait()
            server.stop()
            await asyncio.sleep(2 / RATE)  # so that streams of events end by themselves
            await server.close_all_connections()

        self._thread = threading.Thread(target=lambda: asyncio.run(serve()), name="page", daemon=True)
        self._thread.start()
        ready.wait(10)

    def close(self) -> None:
        """Serve no longer. Chapter: 10."""
        self.closing = True
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(5)


def _guarded(web: Any, host: str) -> type:
    class Guarded(web.RequestHandler):
        """Answers only who asks for this computer, where the page is for this computer only."""

        def prepare(self) -> None:
            if _is_loopback(host) and not _is_loopback(self.request.host_name):
                raise web.HTTPError(403)
            self.set_header("Content-Security-Policy", "default-src 'none'; script-src 'unsafe-inline'; style-src "
                                                       "'unsafe-inline'; connect-src 'self'; frame-src 'self'; "
                                                       "form-action 'none'; base-uri 'none'; frame-ancestors 'self'")
            self.set_header("X-Content-Type-Options", "nosniff")
            self.set_header("Cross-Origin-Resource-Policy", "same-origin")
            self.set_header("Cache-Control", "no-store")

    return Guarded


def _watched(web: Any, guarded: type, server: LocalServer, text: str, latest: Callable[[], str]) -> list:
    class Page(guarded):
        def get(self) -> None:
            self.write(text)

    class Events(guarded):
        async def get(self) -> None:
            from tornado.iostream import StreamClosedError

            if server.clients >= MOST:
                raise web.HTTPError(503)
            self.set_header("Content-Type", "text/event-stream")
            server.clients += 1
            try:
                sent = ""
                while not server.closing:
                    if (now := latest()) != sent:
                        sent = now
                        self.write(f"data: {sent}\n\n")
                        await self.flush()
                    await asyncio.sleep(1 / RATE)
            except StreamClosedError:
                pass  # who looked on has left
            finally:
                server.clients -= 1

    return [("/", Page), ("/events", Events)]


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
