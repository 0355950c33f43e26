"""``wordsight fit``: labels of one's own, learned from a few pictures each by the classical engine."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wordsight.cli.options import CatalogOption, QuietOption, notice
from wordsight.errors import BadInput

if TYPE_CHECKING:
    from wordsight.clustering import TwoStageConfig
    from wordsight.datasets.exemplars import Exemplars, Pictures
    from wordsight.encoders.cluster_model import ClusterModel, FitConfig

_MOST_UNASKED = 1_500
_MORE_PICTURES = 2_000  # without labels, for codebooks
_SEARCH = "From the learned engine's search"
_CLUSTERS = "Clusters without labels"


def fit(
    source: Annotated[
        Path | None,
        typer.Argument(help="A data set, a folder with one folder a label, or photos.", show_default=False),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The encoder to write.")] = Path("mine.wsc"),
    task: Annotated[
        str | None, typer.Option(help="cifar10, voc2007, caltech101 or folder; told by the files unless given.")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(help="Statistics: hog,colour,lbp,patches,sift(encoding=vlad). Those that suit unless told."),
    ] = None,
    exemplars: Annotated[
        int | None,
        typer.Option("--exemplars", "-n", min=1, help="Pictures of a label; all of up to 1,500 unless told."),
    ] = None,
    clusters: Annotated[str, typer.Option(help='Prototypes of a label: a number, or "auto".')] = "1",
    seed: Annotated[int, typer.Option(help="The same seed and pictures give the same encoder.")] = 0,
    gallery: Annotated[
        Path | None, typer.Option(help="What will be evaluated on: refuse to share a picture with its test part.")
    ] = None,
    from_search: Annotated[
        Path | None, typer.Option(help="Find exemplars in this indexed folder.", rich_help_panel=_SEARCH)
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help='What to look for: "dog,beach,car".', rich_help_panel=_SEARCH)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", rich_help_panel=_SEARCH)] = False,
    encoder: Annotated[str, typer.Option(help="The engine that searches.", rich_help_panel=_SEARCH)] = "mini",
    catalog: CatalogOption = None,
    unsupervised: Annotated[
        int | None, typer.Option(min=1, help="Make this many clusters of a photo folder.", rich_help_panel=_CLUSTERS)
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Name a cluster: 3=beach; repeatable. SOURCE may be a .wsc file.", rich_help_panel=_CLUSTERS),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Where to write the contact sheet.")] = None,
    quiet: QuietOption = False,
) -> None:
    """Learn labels from exemplars with the classical engine; write an encoder for `--encoder`.

    Ten pictures of each label are enough to start.
    """
    from wordsight.encoders.cluster_model import FitConfig

    if not output.parent.is_dir() or output.suffix != ".wsc":  # said before the work, not after
        raise BadInput(f"expected a file that ends in .wsc in a folder that exists, got {str(output)!r}")
    config = FitConfig(features=features, clustering=_clustering(clusters), seed=seed)
    sheet = html or output.with_suffix(".html")
    if from_search is not None:
        from wordsight.cli.fit_search import found_by_search

        if source is not None or labels is None:
            raise BadInput('--from-search takes --labels "dog,beach" and no other source')
        wanted = [label.strip() for label in labels.split(",") if label.strip()]
        chosen = found_by_search(
            from_search, wanted, each=exemplars or 20, encoder=encoder, catalog=catalog, sheet=sheet, ask=not yes
        )
        model = _fitted(chosen, config, quiet)
    elif source is None:
        raise BadInput(
            "expected a source: a data set, a folder of class folders, photos, or --from-search with --labels"
        )
    elif source.suffix == ".wsc" and source.is_file():
        from wordsight.encoders import cluster_file

        model = cluster_file.read(source)
    elif unsupervised is not None:
        from wordsight.cli.fit_clusters import clustered

        model = clustered(source, unsupervised, config, sheet, quiet)
    else:
        model = _from_source(source, task, exemplars, config, gallery, quiet)
    _finish(_named(model, name or ()), output, quiet)


def _clustering(text: str) -> TwoStageConfig:
    from wordsight.clustering import TwoStageConfig

    if text == "auto":
        return TwoStageConfig(clusters=None)
    if not text.isdecimal():
        raise BadInput(f'expected a number of clusters or "auto", got {text!r}')
    return TwoStageConfig(clusters=int(text))


def task_of(source: Path) -> str:
    """Tell the kind of a data set by its files."""
    if (source / "cifar-10-batches-py").is_dir() or (source / "data_batch_1").is_file():
        return "cifar10"
    if (source / "cifar-100-python").is_dir():
        return "cifar100"
    if (source / "labels.json").is_file() or any(
        (source / tail).is_dir() for tail in ("VOCdevkit", "VOC2007", "ImageSets")
    ):
        return "voc2007"
    if source.name == "101_ObjectCategories" or (source / "101_ObjectCategories").is_dir():
        return "caltech101"
    return "folder"


def _from_source(
    source: Path, task: str | None, each: int | None, config: FitConfig, gallery: Path | None, quiet: bool
) -> ClusterModel:
    from wordsight.datasets.exemplars import load_exemplars

    task = task or task_of(source)
    everything = load_exemplars(task, source)
    if each is None and len(everything.items) > _MOST_UNASKED:
        each = max(2, _MOST_UNASKED // len(everything.labels))
        notice(f"taking {each:,} of {len(everything.items):,} pictures for each label; -n takes more", quiet=quiet)
    chosen, rest = everything.sample(each, seed=config.seed)
    return _fitted(
        chosen, config, quiet, rest, lambda keys: _refuse(keys, task, gallery or source, gallery is not None)
    )


def _refuse(keys: Collection[bytes], task: str, root: Path, must_be_there: bool) -> None:
    """Raise ``BadInput`` when the test part of the data set shares a picture with the exemplars."""
    from wordsight.datasets import load_task
    from wordsight.datasets.exemplars import refuse_shared
    from wordsight.errors import DatasetNotFound

    if task == "folder" and not must_be_there:
        return  # one's own folder is its own gallery; `wordsight evaluate` leaves out what an encoder was fitted on
    try:
        refuse_shared(keys, load_task(task, root))
    except DatasetNotFound:
        if must_be_there:
            raise


def _fitted(
    chosen: Exemplars,
    config: FitConfig,
    quiet: bool,
    rest: Exemplars | None = None,
    check: Callable[[Collection[bytes]], None] = lambda _: None,
) -> ClusterModel:
    """Fit on the chosen exemplars; the rest may serve for codebooks. ``check`` gets the content keys beforehand."""
    from wordsight.datasets.exemplars import read_pictures
    from wordsight.encoders.cluster_model import fit_model

    notice(f"reading {len(chosen.items):,} exemplars of {len(chosen.labels)} labels", quiet=quiet)
    pictures = read_pictures(chosen.items)
    _tell_skipped(pictures, quiet)
    check(pictures.keys)
    more = read_pictures(rest.items[:_MORE_PICTURES]).images if rest is not None and rest.items else ()
    return fit_model(
        pictures.images,
        chosen.targets(pictures.items),
        chosen.labels,
        config,
        unlabelled=more,
        exemplars=frozenset(pictures.keys),
    )


def _tell_skipped(pictures: Pictures, quiet: bool) -> None:
    for image_id, reason in pictures.skipped.items():
        notice(f"skipped {image_id}: {reason}", quiet=quiet)


def _named(model: ClusterModel, names: list[str] | tuple[()]) -> ClusterModel:
    from dataclasses import replace

    given = {}
    for text in names:
        number, equals, label = text.partition("=")
        if not equals or not number.strip() or not label.strip():
            raise BadInput(f"expected a cluster and its name such as 3=beach, got {text!r}")
        old = f"cluster {number.strip()}" if number.strip().isdecimal() else number.strip()
        given[old] = label.strip()
    return replace(model, prototypes=model.prototypes.renamed(given)) if given else model


def _finish(model: ClusterModel, output: Path, quiet: bool) -> None:
    from wordsight.encoders import cluster_file

    cluster_file.write(model, output)
    prototypes = model.prototypes
    for place, label in enumerate(model.labels):
        own = prototypes.owners == place
        how_many = f"{int(own.sum())} cluster" + ("" if own.sum() == 1 else "s")
        notice(f"  {label}: {int(prototypes.counts[own].sum()):,} exemplars, {how_many}", quiet=quiet)
    for drift in prototypes.drifts:
        notice(f"  {drift}", quiet=quiet)
    weights = ", ".join(
        f"{feature.name} {weight:.2f}" for feature, weight in zip(model.features, model.projection.weights, strict=True)
    )
    notice(
        f"{output}: {len(model.labels)} labels from {model.about['exemplars']} pictures; weights: {weights}",
        quiet=quiet,
    )
