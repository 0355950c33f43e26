"""A real server on a free port of this machine, over a small catalogue of coloured pictures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra web is not installed")
pytest.importorskip("uvicorn", reason="the extra web is not installed")
pytest.importorskip("prometheus_client", reason="the extra web is not installed")

from web_server import Served, paint

from wordsight.library import Library
from wordsight.testing import ColourEncoder
from wordsight.web.app import create_app
from wordsight.web.config import Config
from wordsight.web.server import bound, server


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start servers: options as ``Config``; ``photos`` are indexed unless told."""
    running: list[tuple[Any, threading.Thread, Served]] = []

    def start(photos: Path | None = None, *, index: bool = True, **options: Any) -> Served:
        photos = photos or paint(tmp_path / "photos")
        options = {"catalog": tmp_path / "catalogue", "encoders": ("colours",), "folders": (photos,), **options}
        if index:
            with Library(ColourEncoder(), options["catalog"]) as library:
                library.sync(photos)
        app = create_app(Config(**options))
        listener = bound("127.0.0.1", 0)
        runner = server(app)
        runner.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        thread = threading.Thread(target=runner.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not runner.started:
            assert thread.is_alive()
            time.sleep(0.01)
        served = Served(listener.getsockname()[1], app.state.service, photos)
        running.append((runner, thread, served))
        return served

    yield start
    for runner, thread, served in running:
        served.client.close()
        runner.end()
        thread.join(15)
        assert not thread.is_alive(), "the server ends when it is told to"


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """A server over the small catalogue."""
    return serve()
