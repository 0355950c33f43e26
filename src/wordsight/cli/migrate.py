"""``wordsight migrate``: from one encoder to another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from wordsight.cli.options import CatalogOption, QuietOption, RuntimeOption, choose_runtime, notice
from wordsight.cli.text import printable

_LOG = "migrate.log"


def migrate(
    folders: Annotated[
        list[Path] | None, typer.Argument(help="Indexed folders to do now; all unless told.", show_default=False)
    ] = None,
    to: Annotated[str, typer.Option("--to", help="The new encoder: a name, or the path of a model folder.")] = "mini",
    catalog: CatalogOption = None,
    drop_old: Annotated[bool, typer.Option(help="When complete, remove the vectors of all other encoders.")] = False,
    background: Annotated[bool, typer.Option(help="Return at once and go on in a process of its own.")] = False,
    runtime: RuntimeOption = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; all cores unless told.")] = None,
    quiet: QuietOption = False,
) -> None:
    """Encode the catalogue's photos with another encoder, which is the default when all are done.

    Searching works with the old one meanwhile; stopped at any moment, it continues with the next run. Exit status: 0
    the new encoder is the default, 1 photos are left, 2 error.
    """
    from wordsight.library.catalogue import Catalogue, normal
    from wordsight.registry import load_encoder

    choose_runtime(runtime)
    name = str(normal(to)) if Path(to).exists() else to
    encoder = load_encoder(name)
    if background:
        with Catalogue.open(catalog) as opened:
            log = opened.location / _LOG
        _start(log)
        notice(f"migrating in the background; what it says goes to {log}", quiet=quiet)
        return
    from wordsight.cli.index import progress_bar
    from wordsight.library.migration import migrate as run

    with Catalogue.open(catalog), Catalogue.open(catalog, create=True) as catalogue, catalogue.writing():
        done = run(
            catalogue,
            encoder,
            name,
            folders=folders or (),
            workers=workers,
            drop_old=drop_old,
            watch=lambda root: progress_bar(root, quiet),
        )
    for problem in done.problems:
        notice(printable(problem))
    if not done.is_complete:
        notice(
            f"{done.encoded:,} photos encoded; {done.left:,} are left, so searches use the old encoder: run it again "
            "when their folders can be read, or forget these with `wordsight forget`"
        )
        raise typer.Exit(1)
    dropped = f"; vectors of {', '.join(done.dropped)} removed" if done.dropped else ""
    notice(f"{done.encoded:,} photos encoded; searches use {name} now{dropped}", quiet=quiet)


def _start(log: Path) -> None:
    """Start this command again without --background, for itself."""
    words = [word for word in sys.argv[1:] if word != "--background"]
    with log.open("ab") as file:
        subprocess.Popen(  # noqa: S603  # our own module, under the interpreter that runs this
            [sys.executable, "-m", "wordsight", *words],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
