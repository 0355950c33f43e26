"""``wordsight serve``: the page and the service."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from wordsight.cli.options import CatalogOption, StoreOption, notice
from wordsight.errors import BadInput, MissingExtra

_ACCESS = "Access"


def serve(
    folders: Annotated[
        list[str] | None,
        typer.Argument(metavar="FOLDER...", help="Photo folders; all indexed ones unless told.", show_default=False),
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option(help="An encoder to search with; repeatable: the page compares them. The first is the default."),
    ] = None,
    catalog: CatalogOption = None,
    store: StoreOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    reports: Annotated[
        Path | None, typer.Option(help="Also show the reports of `wordsight compare` in this folder.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, max=64, help="Threads that search, and as many that draw; one a core.")
    ] = None,
    ahead: Annotated[
        bool,
        typer.Option("--thumbnails/--no-thumbnails", help="Make thumbnails ahead, while nobody asks for anything."),
    ] = True,
    host: Annotated[
        str,
        typer.Option(help="Address to listen at; others than this machine's need the token.", rich_help_panel=_ACCESS),
    ] = "127.0.0.1",
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A name this machine is called by; repeatable.", rich_help_panel=_ACCESS),
    ] = None,
    token: Annotated[
        bool, typer.Option("--token", help="Ask for a token on this machine, too.", rich_help_panel=_ACCESS)
    ] = False,
) -> None:
    """Open a page in the browser that searches your photos, and a service for programs.

    Prints the address. Only this machine can reach it unless --host says otherwise. Ctrl-C ends it.
    """
    if any(find_spec(name) is None for name in ("fastapi", "uvicorn", "prometheus_client")):
        raise MissingExtra("the page", "web")
    from wordsight.machine import cores
    from wordsight.preference import preferred
    from wordsight.types import Address
    from wordsight.web.app import create_app
    from wordsight.web.config import Config, is_loopback, new_token
    from wordsight.web.server import bound, run

    here = [] if store is not None else folders or []  # what a store holds may lie elsewhere
    for folder in (*map(Path, here), *([reports] if reports else ())):
        if not folder.expanduser().is_dir():
            raise BadInput(f"expected a folder, but there is none at {str(folder)!r}; check the path")
    secret = new_token() if token or not is_loopback(host) else None
    with bound(host, port) as listener:
        port = listener.getsockname()[1]
        config = Config(
            folders=tuple(map(Address, folders or ())),
            catalog=catalog,
            store=store,
            encoders=tuple(encoder or (preferred(catalog) if store is None else _filled_by(store),)),
            reports=reports,
            host=host,
            port=port,
            token=secret,
            names=tuple(allow_host or ()),
            threads=threads or cores(),
            ahead=ahead,
        )
        app = create_app(config)
        address = _address(host, port) + (f"/?token={secret}" if secret else "/")

        def tell() -> None:
            typer.echo(address)
            if not is_loopback(host):
                notice("other machines can reach this server: whoever knows the token in the address sees the photos")
            if not app.state.service.is_indexed():
                notice("these photos are not indexed yet: start that on the page, or with `wordsight index`")
            notice("Ctrl-C ends it")
            if open_browser:
                import webbrowser

                webbrowser.open(address)

        run(app, listener, tell)


def _filled_by(store: str) -> str:
    from wordsight.scale.store import Store

    return Store.open(store).header.encoder


def _address(host: str, port: int) -> str:
    shown = "localhost" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104
    return f"http://{shown}:{port}"
