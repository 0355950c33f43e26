"""``wordsight models``: what is here and can be had; pull, check, remove."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordsight.cli.options import JsonOption, QuietOption, notice
from wordsight.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from wordsight.encoders.hub import Offer

_MARKS = {True: "ok", False: "FAILED", None: "not known"}


def show(as_json: bool) -> None:
    """Print the models that are here, and those that can be had."""
    rows = list(_here()) + list(_to_be_had())
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    typer.echo(f"{'name':<40}{'MB':>7}{'images/s here':>15}{'CIFAR-10':>10}{'Flickr30k':>11}  licence")
    for here, title in ((True, "here:"), (False, "can be had with `wordsight models pull NAME`:")):
        typer.echo(title)
        for row in (row for row in rows if row["here"] is here):
            cells = [f"{row[key]:.1f}" if row[key] is not None else "-" for key in ("cifar10", "flickr30k")]
            speed = f"{row['images_per_second']:.0f}" if row["images_per_second"] else "-"
            size = f"{row['megabytes']:,}" if row["megabytes"] is not None else "-"
            typer.echo(f"  {row['name']:<38}{size:>7}{speed:>15}{cells[0]:>10}{cells[1]:>11}  {row['licence'] or '-'}")
    notice(
        "images/s: by a trial on this machine (`wordsight benchmark --encoders NAME` makes one). CIFAR-10: zero-shot "
        "accuracy; Flickr30k: captions whose photo is the first hit; in percent, as published"
    )


def pull(
    name: Annotated[
        str, typer.Argument(help="openclip:ARCHITECTURE/TAG, or a repository such as immich-app/ViT-B-32__openai.")
    ],
    source: Annotated[
        Path | None, typer.Option("--from", help="Add this file or folder under the name, without any network.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Only show what would be fetched.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Fetch a model, or add one from a file or folder; from then on its name is one for --encoder.

    Sizes and checksums are shown before; what was cut off continues the next time; every file is verified.
    """
    from wordsight.encoders import hub, store

    if source is not None:
        entry = store.add_copy(name, source)
        notice(f"added {name}: {entry.bytes / 1e6:,.0f} MB in {entry.path}; use it with --encoder {name}", quiet=quiet)
        return
    what = hub.offer(name)
    for file in what.files:
        notice(f"{file.bytes / 1e6:>10,.1f} MB  {file.name}  {file.checksum}", quiet=quiet and not dry_run)
    notice(f"{what.bytes / 1e6:>10,.1f} MB  from {what.repository}, commit {what.commit}", quiet=quiet and not dry_run)
    if dry_run:
        return
    with _bar(what, quiet) as progress:
        entry = hub.fetch(what, progress)
    notice(f"{name} is in {entry.path}, verified; use it with --encoder {name}", quiet=quiet)


def check(
    model: Annotated[str, typer.Argument(help="A model folder, or the name of a model that is here.")],
    as_json: JsonOption = False,
) -> None:
    """Check a model: layout, files, vocabulary, preprocessing, known answers. Exit status 1 when something failed."""
    from wordsight.encoders import store
    from wordsight.encoders.check import check as examine
    from wordsight.registry import MODELS

    entry = store.find(model)
    path = Path(model) if entry is None else entry.path
    if not path.exists() and (MODELS / model / "model.json").is_file():
        path = MODELS / model
    if entry is not None and path.is_file():
        store.verify(entry)
        typer.echo(f"{'files':<10}ok         the checkpoint is as it was when it was added")
        return
    if not path.is_dir():
        raise BadInput(f"expected a model folder or the name of a model that is here, got {model!r}")
    findings = examine(path)
    for finding in findings:
        if as_json:
            typer.echo(json.dumps({"what": finding.what, "passed": finding.passed, "said": finding.said}))
        else:
            typer.echo(f"{finding.what:<10}{_MARKS[finding.passed]:<11}{finding.said}")
    if any(finding.passed is False for finding in findings):
        raise typer.Exit(1)


def remove(name: Annotated[str, typer.Argument(help="Name of a model that was pulled.")]) -> None:
    """Delete a model that was pulled."""
    from wordsight.encoders import store

    freed = store.remove(name)
    notice(f"removed {name}: {freed / 1e6:,.0f} MB")


def _here() -> Iterator[dict[str, object]]:
    from wordsight.encoders import store
    from wordsight.encoders.folder import ModelFolder
    from wordsight.encoders.known import KNOWN
    from wordsight.registry import MODELS

    for file in sorted(MODELS.glob("*/model.json")):
        folder = ModelFolder.open(file.parent)
        licence = str(folder.describe.get("licence", "")).partition(" (")[0] + ", see its model card"
        accuracy = folder.describe.get("measures", {}).get("cifar10", {}).get("accuracy")
        quality = None if accuracy is None else 100 * accuracy
        yield _row(folder.name, folder.own_bytes, True, folder.fingerprint, licence, quality)
    published = {known.name: known for known in KNOWN}
    for entry in store.added():
        known = published.get(entry.name)
        said = (known.licence, known.cifar10, known.flickr30k) if known else ("", None, None)
        yield _row(entry.name, entry.bytes, True, _fingerprint(entry.path), *said)


def _fingerprint(path: Path) -> str | None:
    from wordsight.encoders.layouts import open_model
    from wordsight.errors import ModelError

    try:
        return open_model(path).fingerprint if path.is_dir() else None
    except ModelError:
        return None


def _to_be_had() -> Iterator[dict[str, object]]:
    from wordsight.encoders import store
    from wordsight.encoders.known import KNOWN

    there = {entry.name for entry in store.added()}
    for known in KNOWN:
        if known.name not in there:
            size, licence = known.megabytes * 1_000_000, known.licence
            yield _row(known.name, size, False, None, licence, known.cifar10, known.flickr30k)


def _row(
    name: str,
    size: int,
    here: bool,
    fingerprint: str | None,
    licence: str,
    cifar10: float | None = None,
    flickr30k: float | None = None,
) -> dict[str, object]:
    from wordsight.encoders import trial

    measured = trial.known(fingerprint) if fingerprint else None
    return {
        "name": name,
        "here": here,
        "megabytes": round(size / 1e6),
        "images_per_second": measured[0].images_per_second if measured else None,
        "cifar10": cifar10,
        "flickr30k": flickr30k,
        "licence": licence,
    }


def _bar(what: Offer, quiet: bool) -> AbstractContextManager[Callable[[int], None]]:
    """Show a bar on a terminal."""
    from contextlib import contextmanager

    @contextmanager
    def shown() -> Iterator[Callable[[int], None]]:
        if quiet or not sys.stderr.isatty():
            yield lambda _: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(what.name, total=what.bytes)
            yield lambda count: bar.update(task, advance=count)

    return shown()
