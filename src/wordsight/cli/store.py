"""Commands that work on a store: ``index --store``, ``search --store``, ``export``, ``import``, ``compact``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from wordsight.cli.options import JsonOption, QuietOption, notice
from wordsight.cli.text import printable
from wordsight.errors import BadInput

if TYPE_CHECKING:
    from wordsight.protocols import Encoder
    from wordsight.scale.runners import Runner
    from wordsight.scale.search import StoreLibrary


def open_store(encoder: str | None, url: str) -> StoreLibrary:
    """Return the store at ``url``, through the encoder that filled it unless told."""
    from wordsight.registry import load_encoder
    from wordsight.scale.search import StoreLibrary
    from wordsight.scale.store import Store

    return StoreLibrary(load_encoder(encoder or Store.open(url).header.encoder), url)


def fill_store(
    sources: Sequence[str],
    url: str,
    encoder: str | None,
    *,
    runner: str,
    workers: int | None,
    worker_gpus: float,
    retry_skipped: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Index sources into a store and tell what came of it."""
    from wordsight.cli.index import progress_bar
    from wordsight.preference import DEFAULT
    from wordsight.registry import load_encoder
    from wordsight.scale.job import fill

    name = encoder or DEFAULT
    loaded = load_encoder(name)
    made = _runner(runner, name, loaded, workers, worker_gpus)
    with progress_bar(url, quiet) as progress:
        report = fill(url, sources, loaded, made, retry_skipped=retry_skipped, progress=progress)
    for problem in report.problems:
        notice(f"could not look into {printable(problem)}")
    if as_json:
        typer.echo(json.dumps({"store": url, "runner": made.name, **asdict(report)}))
        return
    counts = [f"{getattr(report, name):,} {name}" for name in ("added", "skipped") if getattr(report, name)]
    rate = f", {report.encoded / report.seconds:.0f} photos/s" if report.encoded and report.seconds > 0.5 else ""
    told = ", ".join(counts) or "nothing new"
    notice(f"{url}: {told}, {report.unchanged:,} unchanged ({report.seconds:.1f} s{rate})", quiet=quiet)


def store_status(url: str, *, as_json: bool, shown: int | None) -> None:
    """Tell what a store holds, and the first ``shown`` of what could not be read."""
    from itertools import islice

    from wordsight.scale.store import Store

    store = Store.open(url)
    header, photos, count = store.header, len(store), len(store.problems)
    if as_json:
        skips = [
            {"path": address, "reason": reason, "tried_again": not reader}
            for address, _, reason, reader in store.skipped()
        ]
        members = {"store": url, "photos": photos, "encoder": header.encoder, "skipped": count, "skips": skips}
        typer.echo(json.dumps(members))
        return
    typer.echo(f"{printable(url)}: {photos:,} photos, encoded by {header.encoder} ({header.fingerprint})")
    typer.echo(f"  {'skipped':<10}{count:>10,}")
    for address, _, reason, _ in islice(store.skipped(), shown):
        typer.echo(printable(f"    {address}: {reason}"))
    if shown is not None and count > shown:
        typer.echo(f"    ... and {count - shown:,} more (-v lists them)")


def compact(
    store: Annotated[str, typer.Argument(help="A store; no job may be writing to it.", show_default=False)],
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Tidy a store: join small files, renew its index, remove old versions and what killed jobs left behind."""
    from wordsight.scale.store import Store

    opened = Store.open(store)
    freed = opened.tidy()
    if as_json:
        typer.echo(json.dumps({"store": store, "photos": len(opened), "freed": freed}))
    else:
        notice(f"{store}: {len(opened):,} photos; {freed / 1e6:.1f} MB freed", quiet=quiet)


def _runner(kind: str, name: str, encoder: Encoder, workers: int | None, gpus: float) -> Runner:
    if kind == "local":
        from wordsight.machine import cores
        from wordsight.scale.runners import LocalRunner

        return LocalRunner(encoder, workers or cores())
    if kind == "ray" or kind.startswith("ray://"):
        from wordsight.scale.ray_runner import RayRunner

        address = kind if kind.startswith("ray://") else None
        return RayRunner(name, encoder.fingerprint, address=address, workers=workers, gpus=gpus)
    raise BadInput(f"expected a runner such as local, ray or ray://HOST:10001, got {kind!r}")
