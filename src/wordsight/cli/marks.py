"""``wordsight marks``: what was marked on the page, as a file for evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wordsight.cli.options import CatalogOption, notice
from wordsight.errors import BadInput


def marks(
    out: Annotated[Path, typer.Option("--out", "-o", help="Write TREC qrels to this file.", show_default=False)],
    queries: Annotated[
        Path | None, typer.Option(help="Also write the queries: number, tab, query on each line.")
    ] = None,
    catalog: CatalogOption = None,
) -> None:
    """Write the photos marked as right or wrong on the page as qrels, for `wordsight evaluate --qrels`.

    Photos are named as in `wordsight search --trec`, queries are numbered. Exit status: 0 written, 2 error.
    """
    from wordsight.cli.files import whole_file
    from wordsight.evaluation.trec import qrels_lines
    from wordsight.library.catalogue import Catalogue
    from wordsight.library.filters import Filters
    from wordsight.library.groups import paths
    from wordsight.library.notes import Notes, qrels

    with Catalogue.open(catalog) as catalogue:
        found, names = qrels(lambda sha256: paths(catalogue, sha256, Filters()), Notes(catalogue.location).marks())
    if not names:
        raise BadInput("no photo is marked yet: thumbs up and down on the page of `wordsight serve` do that")
    with whole_file(out, "the qrels") as stream:
        stream.writelines(qrels_lines(found))
    if queries is not None:
        with whole_file(queries, "the queries") as stream:
            stream.writelines(f"{number}\t{' '.join(query.split())}\n" for number, query in names.items())
    notice(f"{len(names)} queries with {sum(map(len, found.grades.values()))} marked photos: {out}")
