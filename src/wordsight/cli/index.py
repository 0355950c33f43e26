"""``wordsight index``, ``status``, ``forget``, ``recall``: the catalogue and its health."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordsight.cli.options import (
    CatalogOption,
    CatalogueEncoderOption,
    JsonOption,
    QuietOption,
    RuntimeOption,
    StoreOption,
    choose_runtime,
    notice,
    open_library,
)
from wordsight.cli.text import printable
from wordsight.errors import BadInput

if TYPE_CHECKING:
    from wordsight.library import Health, Progress, SyncReport

SKIPS_SHOWN = 20


def index(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FOLDERS",
            help="Folders of photos; they are only read. With --store also URLs, tar shards such as {000..012}.tar, "
            "and lists of addresses in CSV or Parquet.",
            show_default=False,
        ),
    ],
    encoder: CatalogueEncoderOption = None,
    catalog: CatalogOption = None,
    store: StoreOption = None,
    runner: Annotated[
        str, typer.Option(help="Who works, with --store: local, ray (a cluster here), or ray://HOST:10001.")
    ] = "local",
    worker_gpus: Annotated[
        float, typer.Option(min=0, help="GPUs of each of Ray's workers; a share lets several have one.")
    ] = 0.0,
    beside: Annotated[bool, typer.Option(help="Index for this encoder beside the catalogue's other ones.")] = False,
    regions: Annotated[
        bool | None,
        typer.Option(
            "--regions/--no-regions",
            help="From now on store parts of each photo, too, so that small things are found; or remove them.",
            show_default=False,
        ),
    ] = None,
    runtime: RuntimeOption = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads, or Ray's workers; all cores unless told.")
    ] = None,
    retry_skipped: Annotated[bool, typer.Option(help="Read files again that could not be read before.")] = False,
    allow_empty: Annotated[bool, typer.Option(help="Accept that a folder has lost all its photos.")] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Build or update the catalogue of photo folders, or with --store a store for many machines.

    New, changed, moved and deleted files are noticed; stopped at any moment, it continues with the next run.
    """
    choose_runtime(runtime)
    if store is not None:
        if beside or regions or allow_empty:
            raise BadInput("--beside, --regions and --allow-empty are for catalogues: leave out --store")
        from wordsight.cli.store import fill_store

        fill_store(
            sources,
            store,
            encoder,
            runner=runner,
            workers=workers,
            worker_gpus=worker_gpus,
            retry_skipped=retry_skipped,
            quiet=quiet,
            as_json=as_json,
        )
        return
    if runner != "local" or worker_gpus:
        raise BadInput("--runner and --worker-gpus fill a store: add --store FOLDER_OR_URL")
    for folder in map(Path, sources):
        with open_library(encoder, catalog) as library, progress_bar(folder, quiet) as progress:
            report = library.sync(
                folder,
                workers=workers,
                beside=beside,
                regions=regions,
                retry_skipped=retry_skipped,
                allow_empty=allow_empty,
                progress=progress,
            )
        for problem in report.problems:
            notice(f"could not look into {printable(problem)}")
        if as_json:
            typer.echo(json.dumps({"folder": str(folder), **asdict(report)}))
        else:
            notice(_summary(folder, report), quiet=quiet)


def status(
    folder: Annotated[Path | None, typer.Argument(help="An indexed folder; all unless told.")] = None,
    encoder: CatalogueEncoderOption = None,
    catalog: CatalogOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="List every skipped file.")] = False,
) -> None:
    """Tell whether the catalogue is up to date with its folders, and what was skipped and why.

    Of a store it tells what it holds and what was skipped. Exit status: 0 all is well, 1 something to do for
    `wordsight index`, 2 error.
    """
    if store is not None:
        from wordsight.cli.store import store_status

        if folder is not None:
            raise BadInput("a store is no list of folders: leave out the folder, or leave out --store")
        store_status(store, as_json=as_json, shown=None if verbose else SKIPS_SHOWN)
        return
    from wordsight.library.records import health_record

    with open_library(encoder, catalog) as library:
        roots = [folder] if folder is not None else library.catalogue.roots()
        healths = [library.status(root) for root in roots]
    for health in healths:
        if as_json:
            typer.echo(json.dumps(health_record(health)))
        else:
            _print_health(health, everything=verbose)
    if not all(health.is_well for health in healths):
        raise typer.Exit(1)


def forget(
    folder: Annotated[Path, typer.Argument(help="An indexed folder.", show_default=False)],
    catalog: CatalogOption = None,
) -> None:
    """Remove a folder from the catalogue. The photos themselves are not touched."""
    from wordsight.library.catalogue import Catalogue, normal

    with Catalogue.open(catalog, create=True) as catalogue, catalogue.writing():
        catalogue.forget(normal(folder))
    notice(f"forgot {folder}; the photos are still there")


def recall(
    encoder: CatalogueEncoderOption = None,
    catalog: CatalogOption = None,
    queries: Annotated[int, typer.Option(min=1, help="Random pictures of the catalogue used as queries.")] = 200,
    top: Annotated[int, typer.Option("--top", "-t", min=1, help="Hits compared for each.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """Compare the catalogue's index with exact search: recall and time, with and without filters.

    Where photos have regions, the lines of the search by region (RegionIndex) follow.
    """
    from wordsight.library.audit import audit

    with open_library(encoder, catalog) as library:
        rows = audit(library.catalogue, library.catalogue.encoder_row(library.encoder), queries=queries, top=top)
    for row in rows:
        if as_json:
            typer.echo(json.dumps(asdict(row)))
        else:
            typer.echo(
                f"filter keeps {row.share:6.1%}: recall@{top} {row.recall:.3f}, "
                f"{row.index_ms:.2f} ms a query, exact {row.exact_ms:.2f} ms ({row.kind})"
            )


@contextmanager
def progress_bar(folder: Path | str, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Show a bar with rate, time left and skipped files on a terminal; elsewhere only a line per skipped file."""

    def tell_skip(state: Progress) -> None:
        if state.latest is not None and not quiet:
            path, reason = state.latest
            typer.echo(printable(f"skipped {path}: {reason}"), err=True)

    if quiet or not sys.stderr.isatty():
        yield tell_skip
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("[bold]{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]} photos/s"),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[skipped]} skipped"),
    )
    console = Console(stderr=True, highlight=False)
    with progress.Progress(*columns, console=console) as bar:
        task = bar.add_task(f"Indexing {folder}", total=None, rate="-", skipped=0)

        def update(state: Progress) -> None:
            if state.latest is not None:
                path, reason = state.latest
                console.print(printable(f"skipped {path}: {reason}"), markup=False, style="yellow")
            speed = bar.tasks[task].speed
            bar.update(
                task,
                completed=state.done,
                total=state.total,
                skipped=state.skipped,
                rate="-" if speed is None else f"{speed:.0f}",
            )

        yield update


def _summary(folder: Path, report: SyncReport) -> str:
    parts = [f"{getattr(report, name):,} {name}" for name in ("added", "changed", "moved", "removed", "skipped")]
    if report.encoded > report.added + report.changed:  # known photos, for another encoder or for their regions
        parts.append(f"{report.encoded:,} encoded")
    told = ", ".join(part for part in parts if not part.startswith("0 ")) or "nothing new"
    rate = f", {report.encoded / report.seconds:.0f} photos/s" if report.encoded and report.seconds > 0.5 else ""
    return f"{printable(str(folder))}: {told}, {report.unchanged:,} unchanged ({report.seconds:.1f} s{rate})"


def _print_health(health: Health, *, everything: bool) -> None:
    from wordsight.library.records import STATES

    verdict = "up to date" if health.is_well else f"not up to date: run `wordsight index {health.root}`"
    typer.echo(f"{printable(str(health.root))}: {printable(verdict)} (last indexed {health.synced_at or 'never'})")
    for name in STATES:
        typer.echo(f"  {name:<10}{getattr(health, name):>10,}")
    typer.echo(f"  {'skipped':<10}{health.skip_count:>10,}")
    shown = health.skipped if everything else health.skipped[:SKIPS_SHOWN]
    for path, reason in shown:
        typer.echo(printable(f"    {path}: {reason}"))
    if health.skip_count > len(shown):
        typer.echo(f"    ... and {health.skip_count - len(shown):,} more" + ("" if everything else " (-v lists them)"))
    for problem in health.problems:
        typer.echo(printable(f"  problem: {problem}"))
