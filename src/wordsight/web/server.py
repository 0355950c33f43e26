"""Runs the application: an open socket first, so that the address is known; ends in order when it is told to."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from wordsight.errors import BadInput

_SECONDS_TO_END = 10


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens at the address; port 0 takes a free one. Raises ``BadInput`` where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns off Nagle's algorithm: it would hold back answers for 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        listener.close()
        raise BadInput(f"cannot listen at {host}, port {port}: {error}; choose another --port") from error
    return listener


def server(app: FastAPI) -> Server:
    """Return the server: one process, no proxy is believed, what runs gets ten seconds to end."""
    return Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_SECONDS_TO_END,
            timeout_keep_alive=75,
            h11_max_incomplete_event_size=32_768,
            limit_concurrency=app.state.service.config.limits.connections,
            ws="none",
            lifespan="on",
        )
    )


def run(app: FastAPI, listener: socket.socket, started: Callable[[], None] = lambda: None) -> None:
    """Serve until SIGINT or SIGTERM; ``started`` is called before the first request."""
    started()
    with listener:
        server(app).run(sockets=[listener])


class Server(uvicorn.Server):
    """Ends event streams when it is told to end, instead of waiting for their clients."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End in order, with exit status 0; a second signal does not wait for what runs."""
        self.force_exit = self.should_exit
        self.end()

    def end(self) -> None:
        """End in order."""
        self.config.app.state.service.ending = True  # type: ignore[union-attr]
        self.should_exit = True
