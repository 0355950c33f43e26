"""Queries that are moved by pictures that are right or wrong, given on the command line or saved under a name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wordsight.errors import BadInput
from wordsight.library import Library, parse
from wordsight.library.feedback import refined
from wordsight.library.notes import Notes
from wordsight.library.query_vectors import query_vector
from wordsight.types import Query, Term

if TYPE_CHECKING:
    from wordsight.scale.search import StoreLibrary


def moved(
    library: Library | StoreLibrary, words: Sequence[str], like: Sequence[Path], dislike: Sequence[Path]
) -> tuple[Query, NDArray[np.float32] | None]:
    """Return the query and its vector; ``None`` where it is the query's own.

    Raises ``BadInput`` for a saved query that is not there, or that belongs to another encoder.
    """
    liked, disliked = [Term(image=path) for path in like], [Term(image=path) for path in dislike]
    if words[0].startswith("@"):
        if not isinstance(library, Library):
            raise BadInput("@saved queries belong to a catalogue: say the words instead, or leave out --store")
        saved = Notes(library.location).find(" ".join(words)[1:])
        if saved.encoder not in (None, library.encoder.name):
            raise BadInput(f"@{saved.name} was saved with {saved.encoder}: add --encoder {saved.encoder}")
        query = parse(saved.q) if saved.q else Query((), f"@{saved.name}")
        liked += [Term(content=sha256) for sha256 in saved.liked]
        disliked += [Term(content=sha256) for sha256 in saved.disliked]
    else:
        query = parse(words)
    if not liked and not disliked:
        return query, None
    encoder, contents = library.encoder, library.content_vector
    vector = query_vector(encoder, query, contents)[0] if query.terms else np.zeros(encoder.dim, np.float32)
    vector = refined(encoder, vector, liked, disliked, contents)
    return Query((), query.source), vector  # no estimate of matches: that knows how texts score
