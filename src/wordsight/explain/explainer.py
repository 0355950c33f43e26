"""The explainer: views of pictures, maps of views, one map a picture. The same for every method and encoder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wordsight.explain.method import Maps, Method
from wordsight.explain.objective import Objective, Others, similar
from wordsight.explain.options import ExplainOptions
from wordsight.explain.views import Grid, plan_views, spread
from wordsight.protocols import Encoder, Image
from wordsight.types import Embeddings, SaliencyMap

_SIDE = 224  # of views for encoders that name none
_PICTURES = 8  # at a time, so that memory does not grow with the number of pictures
_VIEWS = 16
_ROUNDING = 1e-5  # of sums over views in single precision, as a share of the values


class ViewExplainer:
    """Explains pictures with one method. Made by ``explainer``; may be called from several threads at once."""

    def __init__(self, encoder: Encoder, method: Method, options: ExplainOptions) -> None:
        self.encoder = encoder
        self.options = options
        self._method = method

    @property
    def method(self) -> str:
        """Name of the method."""
        return self._method.name

    @property
    def any_size(self) -> bool:
        """Whether views may have other sides than the encoder's own, as ``ExplainOptions.sides`` asks."""
        return self._method.stride is not None

    def explain(
        self, images: Sequence[Image], texts: Sequence[str], *, embeddings: Embeddings | None = None
    ) -> list[list[SaliencyMap]]:
        """Return a map for each upright picture and text: n lists of m.

        ``embeddings`` (n, dim) of the pictures, where they are known: half the work of a plain map. Raises
        ``UnknownQuery`` where a closed encoder does not know a text.
        """
        if not texts:
            return [[] for _ in images]
        objective = self._objective(texts)
        plain = self.encoder.encode_texts(texts) if self.options.prompts else objective.texts
        found: list[list[SaliencyMap]] = []
        for start in range(0, len(images), _PICTURES):
            batch = images[start : start + _PICTURES]
            rows = self.encoder.encode_images(batch) if embeddings is None else embeddings[start : start + _PICTURES]
            scores = similar(rows, plain, self.encoder.metric)
            for grids, row in zip(self._raw(batch, objective), scores, strict=True):
                triples = zip(texts, grids, row, strict=True)
                found.append([SaliencyMap(scaled(grid), text, self.method, float(s)) for text, grid, s in triples])
        return found

    def raw(self, images: Sequence[Image], texts: Sequence[str]) -> list[Maps]:
        """Return each picture's (m, h, w) maps in the method's own unit, which pictures share: for comparisons."""
        return self._raw(images, self._objective(texts))

    def similarities(self, images: Sequence[Image], texts: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, m): how close whole pictures are to the texts, as a search says it."""
        return similar(self.encoder.encode_images(images), self.encoder.encode_texts(texts), self.encoder.metric)

    @cached_property
    def _others(self) -> Others:
        return Others.of(self.encoder, self.options)

    def _objective(self, texts: Sequence[str]) -> Objective:
        return Objective.of(self.encoder, texts, self.options, self._others)

    def _raw(self, images: Sequence[Image], objective: Objective) -> list[Maps]:
        side = self.encoder.image_side or _SIDE
        plans = [plan_views(image.size, self.options, side=side, stride=self._method.stride) for image in images]
        by_size: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
        for picture, views in enumerate(plans):
            for place, view in enumerate(views):
                by_size[view.width, view.height].append((picture, place))
        grids: dict[tuple[int, int], Grid] = {}
        for keys in by_size.values():
            for start in range(0, len(keys), _VIEWS):
                part = keys[start : start + _VIEWS]
                maps = self._method([plans[i][k].of(images[i]) for i, k in part], objective)
                grids |= dict(zip(part, maps, strict=True))
        whole = [spread([grids[i, k] for k in range(len(v))], v, images[i].size) for i, v in enumerate(plans)]
        # Below zero, a place speaks for the contrast. Without one, zero means nothing: any text is a little close.
        contrasted = self.options.contrast and self.options.temperature == 0
        return [np.maximum(maps, 0) for maps in whole] if contrasted else whole


def scaled(grid: Grid) -> Grid:
    """Return the values stretched to [0, 1]; zeros where all are the same but for rounding."""
    low, high = float(grid.min()), float(grid.max())
    if not high - low > _ROUNDING * max(abs(low), abs(high)):
        return np.zeros_like(grid)
    return np.asarray((grid - low) / (high - low), np.float32)
