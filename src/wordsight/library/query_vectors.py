"""From a parsed query to its vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from wordsight import images
from wordsight.encoders.prompts import prompted
from wordsight.errors import BadInput, QuerySyntaxError
from wordsight.protocols import Encoder
from wordsight.types import Embeddings, Metric, Query, Term


def query_vector(
    encoder: Encoder,
    query: Query,
    content_vector: Callable[[str], Embeddings] | None = None,
    prompts: Sequence[str] = (),
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return the weighted sum of the terms' vectors, (dim,), and what the user should know about their reading.

    ``content_vector`` gives that of a picture which the query names by its content. ``prompts``: templates for terms of
    few words, whose vectors are averaged; phrases and sentences stay as they are. None: the words alone.

    With a cosine metric the sum is scaled to unit length; with a Euclidean one the weights are scaled to sum to one, so
    that the sum of points is a point among them. Raises ``QuerySyntaxError`` when nothing is left of the sum, and
    ``ImageError`` or ``UnknownQuery`` for a term that cannot be used.
    """
    weights = np.asarray([term.weight for term in query.terms], np.float32)
    rows = np.concatenate([term_vector(encoder, term, content_vector, prompts) for term in query.terms])
    total = np.asarray(weights @ rows, np.float32)
    scale = float(np.linalg.norm(total)) if encoder.metric is Metric.COSINE else float(weights.sum())
    if scale < 1e-4 * float(np.abs(weights).sum()):
        if scale < 0:  # only where the metric is Euclidean: dividing by it would look for the opposite
            raise QuerySyntaxError("what is taken away outweighs what is left to look for", query.source, 0)
        raise QuerySyntaxError("the terms cancel each other out: nothing is left to look for", query.source, 0)
    remarks = [line for term in query.terms if term.text is not None for line in encoder.remarks(term.text)]
    return total / np.float32(scale), tuple(remarks)


def term_vector(
    encoder: Encoder, term: Term, content_vector: Callable[[str], Embeddings] | None, prompts: Sequence[str] = ()
) -> Embeddings:
    """Return the vector of one term, (1, dim), its weight aside."""
    if term.content is not None:
        if content_vector is None:
            raise BadInput(f"picture:{term.content} stands for a picture of a catalogue, and none is searched here")
        return content_vector(term.content)
    if term.image is not None:
        return encoder.encode_images([images.open_image(term.image, side=encoder.image_side)])
    assert term.text is not None
    if not prompts:
        return encoder.encode_texts([term.text])
    if encoder.vocabulary is not None:
        raise BadInput(f"{encoder.name} knows labels, not sentences: leave out the prompt")
    mean = encoder.encode_texts([prompted(term.text, prompt) for prompt in prompts]).mean(axis=0, keepdims=True)
    if encoder.metric is Metric.COSINE:
        mean /= np.maximum(np.linalg.norm(mean), np.finfo(np.float32).tiny)
    return np.asarray(mean, np.float32)
